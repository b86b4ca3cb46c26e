#![no_main]

use event::wire::{MESSAGE_BYTES, Message};

libfuzzer_sys::fuzz_target!(|packet: &[u8]| {
    if let Ok(message) = Message::decode(packet) {
        // What is taken can be said again, and is the same.
        let mut room = [0; MESSAGE_BYTES];
        let again = message.encode(&mut room).expect("it was no longer");
        assert_eq!(Message::decode(again), Ok(message));
        if let Message::Report(report) = message {
            let said = report.event.to_string();
            assert!(said.bytes().all(|byte| (b' '..=b'~').contains(&byte)));
        }
    }
});
