//! Holds connections until SIGTERM: `casemate-hold --connect ADDRESS:PORT --host NAME --path PATH --connections NUMBER`. Prints a
//! JSON object when all are open, and one at the end; see `testkit::load::hold`.

use std::error::Error;
use std::io::Write as _;

use clap::Parser as _;
use testkit::load::hold::{Options, run};

// One thread: what the visitors leave of the machine is for what they measure.
#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let report = run(&Options::parse()).await?;
    writeln!(std::io::stdout(), "{report}")?;
    Ok(())
}
