#![no_main]

use gate::upgrade::frames::{Sender, model};

libfuzzer_sys::fuzz_target!(|data: (u64, &[u8])| {
    for sender in [Sender::Client, Sender::Server] {
        model::compare(sender, data.1, data.0);
    }
});
