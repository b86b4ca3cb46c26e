//! The appliance as a layer over Debian: programs, units, and what they read.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::base::write;
use super::inside::Inside;
use super::{cached, prune};
use crate::failure::{Outcome, While};
use crate::fingerprint::{Fingerprint, files_below};
use crate::program;
use crate::progress::note;
use crate::workspace::{Audience, Program, Workspace};

/// Where the services' programs are in the appliance; `@bindir@` in the units.
pub(crate) const PROGRAMS: &str = "/usr/libexec/casemate";

/// Where a test machine has the test tools.
const TEST_PROGRAMS: &str = "/usr/libexec/casemate-testkit";

/// What the units leave open, and what it is on Debian.
const PLACES: &[(&str, &str)] = &[
    ("@bindir@", PROGRAMS),
    ("@coreutils@", "/usr/bin"),
    ("@shell@", "/usr/bin/sh"),
    ("@systemd@", "/usr/bin"),
];

/// Directories of the checkout that are installed as they are, and where.
const DOCUMENTS: &[(&str, &str)] = &[
    ("crates/chat/handbook", "usr/share/casemate/handbook"),
    ("crates/chat/demo", "usr/share/casemate/demo"),
];

/// Shells that the command-line tool writes completions for, and where those belong.
const COMPLETIONS: &[(&str, &str)] = &[
    ("bash", "usr/share/bash-completion/completions/casemate"),
    ("zsh", "usr/share/zsh/vendor-completions/_casemate"),
    ("fish", "usr/share/fish/vendor_completions.d/casemate.fish"),
];

/// A file of the layer: its place, mode and content.
type Entry = (PathBuf, u32, Vec<u8>);

/// The layer for what was built into `built`, over `base`; made anew only when something in it changed.
pub(crate) fn layer(
    workspace: &Workspace,
    programs: &[Program],
    built: &Path,
    audience: Audience,
    base: &Path,
) -> Outcome<PathBuf> {
    let entries = entries(workspace, programs, built, audience)?;
    let mut fingerprint = Fingerprint::default().add(base.as_os_str().as_encoded_bytes());
    for (place, mode, content) in &entries {
        fingerprint = fingerprint
            .add(place.as_os_str().as_encoded_bytes())
            .add(mode.to_le_bytes())
            .add(content);
    }
    let name = format!("layer-{}", fingerprint.finish());
    let layer = cached(&name, |target| {
        for (place, mode, content) in &entries {
            write(&target.join(place), *mode, content)?;
        }
        completions(target)?;
        enable(target, base, &units(&entries))
    })?;
    prune("layer-", &layer)?;
    Ok(layer)
}

/// Everything that is installed, in order.
fn entries(
    workspace: &Workspace,
    programs: &[Program],
    built: &Path,
    audience: Audience,
) -> Outcome<Vec<Entry>> {
    let mut entries = Vec::new();
    for program in programs {
        if program.audience == Audience::Tests && audience == Audience::Appliance {
            continue;
        }
        let path = built.join(&program.name);
        let content = fs::read(&path).during(format_args!("{} was not built", path.display()))?;
        entries.push((program_place(program), 0o755, content));
    }
    for (place, path) in files_below(&workspace.root().join("systemd"))? {
        let Some(target) = unit_place(&place) else {
            continue;
        };
        let text = fs::read_to_string(&path)
            .during(format_args!("{} could not be read", path.display()))?;
        entries.push((target, 0o644, fill_in(&text).into_bytes()));
    }
    for (from, to) in DOCUMENTS {
        for (place, path) in files_below(&workspace.root().join(from))? {
            let content =
                fs::read(&path).during(format_args!("{} could not be read", path.display()))?;
            entries.push((Path::new(to).join(place), 0o644, content));
        }
    }
    if audience == Audience::Tests {
        for (place, path) in files_below(&workspace.root().join("vm-tests/tools"))? {
            let content =
                fs::read(&path).during(format_args!("{} could not be read", path.display()))?;
            if let Some(target) = tool_place(&place) {
                entries.push((target, 0o755, content));
            }
        }
    }
    Ok(entries)
}

/// Where a test tool becomes a command: `ask_in_browser.py` is `ask-in-browser`.
fn tool_place(place: &Path) -> Option<PathBuf> {
    let name = place.to_str()?.strip_suffix(".py")?;
    Some(Path::new("usr/local/bin").join(name.replace('_', "-")))
}

/// Where a program is installed.
fn program_place(program: &Program) -> PathBuf {
    let directory = match program.audience {
        Audience::Tests => TEST_PROGRAMS,
        Audience::Appliance if program.name == "casemate" => "/usr/bin",
        Audience::Appliance if program.name.ends_with("-generator") => {
            "/usr/lib/systemd/system-generators"
        }
        Audience::Appliance => PROGRAMS,
    };
    Path::new(directory)
        .strip_prefix("/")
        .unwrap_or(Path::new(directory))
        .join(&program.name)
}

/// Where a file of `systemd/` is installed; none for what is not systemd's.
fn unit_place(place: &Path) -> Option<PathBuf> {
    let first = place.components().next()?.as_os_str().to_str()?;
    let extension = place.extension()?.to_str()?;
    let directory = match (first, extension) {
        ("sysusers.d" | "tmpfiles.d", "conf") => "usr/lib",
        (_, "preset") => "usr/lib/systemd/system-preset",
        (_, "service" | "socket" | "path" | "target" | "timer" | "slice" | "mount" | "conf") => {
            "usr/lib/systemd/system"
        }
        _ => return None,
    };
    Some(Path::new(directory).join(place))
}

/// A unit's text with Debian's places filled in.
pub(crate) fn fill_in(text: &str) -> String {
    PLACES.iter().fold(text.to_owned(), |text, (name, place)| {
        text.replace(name, place)
    })
}

/// The names of the layer's units.
fn units(entries: &[Entry]) -> Vec<String> {
    entries
        .iter()
        .filter(|(place, _, _)| place.parent() == Some(Path::new("usr/lib/systemd/system")))
        .filter_map(|(place, _, _)| Some(place.file_name()?.to_str()?.to_owned()))
        .collect()
}

/// Enables the units as their preset file says, by the tool that would do it on an installed system.
fn enable(layer: &Path, base: &Path, units: &[String]) -> Outcome<()> {
    if units.is_empty() {
        return Ok(());
    }
    let inside = Inside {
        lowers: vec![base.to_owned()],
        upper: Some(layer.to_owned()),
        shown: None,
    };
    let mut arguments = vec!["systemctl", "--quiet", "preset"];
    arguments.extend(units.iter().map(String::as_str));
    inside.read(&arguments).map(drop)
}

/// Writes the completions that the command-line tool offers.
fn completions(layer: &Path) -> Outcome<()> {
    let tool = layer.join("usr/bin/casemate");
    if !tool.exists() {
        return Ok(());
    }
    for (shell, place) in COMPLETIONS {
        match program::read(Command::new(&tool).args(["completions", shell])) {
            Ok(script) => write(&layer.join(place), 0o644, script)?,
            Err(failure) => note(&format!("no completions for {shell}: {failure}")),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_go_where_their_kind_belongs() {
        let place = |name: &str, audience| {
            program_place(&Program {
                name: name.into(),
                package: String::new(),
                audience,
            })
        };
        let of = |name| place(name, Audience::Appliance);
        assert_eq!(of("casemate"), Path::new("usr/bin/casemate"));
        assert_eq!(
            of("casemate-gate"),
            Path::new("usr/libexec/casemate/casemate-gate")
        );
        assert_eq!(
            of("casemate-bots-generator"),
            Path::new("usr/lib/systemd/system-generators/casemate-bots-generator")
        );
        assert_eq!(
            place("provider", Audience::Tests),
            Path::new("usr/libexec/casemate-testkit/provider")
        );
    }

    #[test]
    fn each_file_of_systemd_has_its_place_and_notes_have_none() {
        let place = |path: &str| unit_place(Path::new(path));
        assert_eq!(
            place("casemate-gate.service.d/50-grant.conf"),
            Some("usr/lib/systemd/system/casemate-gate.service.d/50-grant.conf".into())
        );
        assert_eq!(
            place("sysusers.d/casemate.conf"),
            Some("usr/lib/sysusers.d/casemate.conf".into())
        );
        assert_eq!(
            place("90-casemate.preset"),
            Some("usr/lib/systemd/system-preset/90-casemate.preset".into())
        );
        assert_eq!(place("exposure.toml"), None);
        assert_eq!(place("README.md"), None);
    }

    #[test]
    fn test_tools_become_commands() {
        assert_eq!(
            tool_place(Path::new("ask_in_browser.py")),
            Some("usr/local/bin/ask-in-browser".into())
        );
        assert_eq!(tool_place(Path::new("__pycache__/a.pyc")), None);
    }

    #[test]
    fn places_are_filled_in_everywhere() {
        assert_eq!(
            fill_in("ExecStart=@bindir@/a\nExecStartPost=+@systemd@/b @coreutils@/c"),
            "ExecStart=/usr/libexec/casemate/a\nExecStartPost=+/usr/bin/b /usr/bin/c"
        );
    }
}
