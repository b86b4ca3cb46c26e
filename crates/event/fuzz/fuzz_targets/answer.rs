#![no_main]

use event::wire::Answer;

libfuzzer_sys::fuzz_target!(|packet: &[u8]| {
    if let Ok(answer) = Answer::decode(packet) {
        let again = answer.encode().expect("it was no longer");
        assert_eq!(Answer::decode(&again), Ok(answer));
    }
});
