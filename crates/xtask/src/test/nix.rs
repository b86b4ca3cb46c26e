//! The Nix files, as far as they can be judged without nixpkgs: by Debian 13's Nix in the test root.

use std::process::Command;
use std::time::Instant;

use super::Context;
use super::stage::Verdict;
use crate::failure::Outcome;
use crate::fingerprint::files_below;
use crate::program;
use crate::progress::note;
use crate::root::CACHE;
use crate::root::inside::CHECKOUT;
use crate::workspace::cargo;

/// What evaluates to true when the modules, the package and the flake are in order.
const EVALUATION: &str = "nix/checks/eval.nix";

/// The formatter and the linter: crate and program.
const TOOLS: &[(&str, &str)] = &[("nixfmt_rs", "nixfmt"), ("deadnix", "deadnix")];

/// Parses, evaluates, formats and lints.
pub(super) fn run(context: &Context) -> Outcome<Vec<Verdict>> {
    let mut files: Vec<_> = files_below(&context.workspace.root().join("nix"))?
        .into_keys()
        .filter(|place| {
            place
                .extension()
                .is_some_and(|extension| extension == "nix")
        })
        .map(|place| format!("nix/{}", place.display()))
        .collect();
    if context.workspace.root().join("flake.nix").exists() {
        files.push("flake.nix".to_owned());
    }
    if files.is_empty() {
        return Ok(vec![Verdict::skipped("nix", "there are no Nix files")]);
    }
    let mut verdicts = vec![in_root(context, "nix:parse", &parse_words(&files))?];
    if files.iter().any(|file| file == EVALUATION) {
        verdicts.push(in_root(context, "nix:eval", &evaluation_words())?);
    }
    verdicts.push(tool(context, "nixfmt", &["--check"], &files)?);
    verdicts.push(tool(context, "deadnix", &["--fail"], &files)?);
    Ok(verdicts)
}

fn parse_words(files: &[String]) -> Vec<String> {
    ["nix-instantiate", "--parse"]
        .into_iter()
        .map(str::to_owned)
        .chain(files.iter().map(|file| format!("{CHECKOUT}/{file}")))
        .collect()
}

fn evaluation_words() -> Vec<String> {
    [
        "nix-instantiate",
        "--eval",
        "--strict",
        // Nothing is built, so no store is needed.
        "--store",
        "dummy://",
        "--expr",
        &format!("import {CHECKOUT}/{EVALUATION} {{ }}"),
    ]
    .map(str::to_owned)
    .to_vec()
}

/// Runs Debian's Nix; only its complaints are shown.
fn in_root(context: &Context, name: &str, words: &[String]) -> Outcome<Verdict> {
    let inside = context
        .assembled()?
        .inside()
        .showing(context.workspace.root());
    let started = Instant::now();
    let output = inside.capture(words)?;
    if output.status.success() {
        return Ok(Verdict::passed(name, started.elapsed(), ""));
    }
    note(String::from_utf8_lossy(&output.stderr).trim_end());
    Ok(Verdict::failed(name, started.elapsed(), "see above"))
}

/// Runs a tool from crates.io, installing it on first use where that is possible.
fn tool(context: &Context, name: &str, options: &[&str], files: &[String]) -> Outcome<Verdict> {
    let title = format!("nix:{name}");
    let root = format!("{CACHE}/tools");
    let program = format!("{root}/bin/{name}");
    if !std::path::Path::new(&program).exists() {
        let package = TOOLS
            .iter()
            .find(|(_, program)| *program == name)
            .map_or(name, |(package, _)| package);
        note(&format!(
            "{name} is missing and is installed from crates.io into {root}"
        ));
        let installed = program::show(
            Command::new(cargo()).args(["install", "--locked", "--root", &root, package]),
        );
        if let Err(failure) = installed {
            return Ok(Verdict::skipped(
                &title,
                format!("{name} cannot be had: {failure}"),
            ));
        }
    }
    let started = Instant::now();
    let outcome = program::show(
        Command::new(&program)
            .args(options)
            .args(files)
            .current_dir(context.workspace.root()),
    );
    Ok(match outcome {
        Ok(()) => Verdict::passed(&title, started.elapsed(), ""),
        Err(failure) => Verdict::failed(&title, started.elapsed(), failure.to_string()),
    })
}
