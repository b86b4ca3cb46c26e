//! Confines itself as a service would and tries every forbidden act: `prove [control] [internet]
//! [write=DIR] [read=PATH] [connect=PATH]`.

use std::process::ExitCode;

use sandbox::probe::{Proof, Targets, prove};
use sandbox::{Confined, Plan, confine};

fn plan(arguments: &[String]) -> Plan {
    arguments.iter().fold(Plan::new(), |plan, argument| {
        match argument.split_once('=') {
            Some(("write", path)) => plan.write(path),
            Some(("read", path)) => plan.read(path),
            Some(("connect", path)) => plan.connect(path),
            _ if argument == "internet" => plan.internet(),
            _ => plan,
        }
    })
}

fn run(arguments: &[String]) -> Result<Proof, Box<dyn std::error::Error>> {
    let targets = Targets::from_environment()?;
    let plan = plan(arguments);
    let control = arguments.iter().any(|argument| argument == "control");
    let confined: Option<Confined> = if control { None } else { Some(confine(&plan)?) };
    Ok(prove("example", &plan, &targets, confined.as_ref()))
}

#[expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a program for the terminal"
)]
fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let proof = match run(&arguments) {
        Ok(proof) => proof,
        Err(error) => {
            eprintln!("{error}");
            return ExitCode::FAILURE;
        }
    };
    match serde_json::to_string(&proof) {
        Ok(text) => println!("{text}"),
        Err(error) => eprintln!("{error}"),
    }
    if proof.holds() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}
