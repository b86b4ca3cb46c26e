//! Visitors of a chat, many at a time: `casemate-load --connect ADDRESS:PORT --host NAME --path PATH --body TEMPLATE
//! --done STRING`. Prints one JSON object; see `testkit::load`.

use std::error::Error;
use std::io::Write as _;

use clap::Parser as _;
use testkit::load::{Options, run};

// One thread: what the visitors leave of the machine is for what they measure.
#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let report = run(&Options::parse()).await?;
    writeln!(std::io::stdout(), "{report}")?;
    Ok(())
}
