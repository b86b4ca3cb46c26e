#![no_main]

libfuzzer_sys::fuzz_target!(|data: (u64, &[u8])| {
    gate::strict::frames::model::compare(data.1, data.0);
});
