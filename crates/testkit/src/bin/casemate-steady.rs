//! Visitors who ask until SIGTERM, while a service is replaced: `casemate-steady --connect ADDRESS:PORT --host NAME --path PATH`.
//! Prints one JSON object; see `testkit::load::steady`.

use std::error::Error;
use std::io::Write as _;

use clap::Parser as _;
use testkit::load::steady::{Options, run};

// One thread: what the visitors leave of the machine is for what they measure.
#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let report = run(&Options::parse()).await?;
    writeln!(std::io::stdout(), "{report}")?;
    Ok(())
}
