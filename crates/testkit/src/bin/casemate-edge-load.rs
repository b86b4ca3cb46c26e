//! Visitors of an HTTPS server, many at a time. Prints one JSON object; see `testkit::edge`.

use std::error::Error;

use clap::Parser as _;
use testkit::edge::{Options, run};

// One thread: what the visitors leave of the machine is for what they measure.
#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    run(&Options::parse()).await
}
