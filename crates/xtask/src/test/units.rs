//! Units: valid to Debian 13's systemd, and no more exposed than what is committed.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use serde::Deserialize;

use super::Context;
use super::stage::Verdict;
use crate::failure::{Failure, Outcome, While};
use crate::progress::note;
use crate::root::inside::Inside;

/// The committed figures.
const FIGURES: &str = "systemd/exposure.toml";

/// The most that may ever be committed, in tenths: for a service that opens connections, for the one that changes the
/// packet filter, for the one that sees other processes, and for any other.
const DIALER_TENTHS: u32 = 10;
const FIREWALL_TENTHS: u32 = 12;
const GUARD_TENTHS: u32 = 4;
const OTHER_TENTHS: u32 = 3;

/// The one unit that may open connections.
const DIALER: &str = "casemate-dialer.service";

/// The one unit with a capability, which counts among the host's users and in the host's network alone.
const FIREWALL: &str = "casemate-firewall.service";

/// The one unit that sees other processes, to know which unit an event is from.
const GUARD: &str = "casemate-guard.service";

/// What templates are instantiated with for looking at them.
const INSTANCE: &str = "demo";

/// Exposure by unit, in tenths, as `systemd-analyze security` counts it.
type Exposure = BTreeMap<String, u32>;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Committed {
    exposure: BTreeMap<String, f64>,
}

/// Verifies every unit and measures every service.
pub(super) fn run(context: &Context) -> Outcome<Vec<Verdict>> {
    let started = Instant::now();
    let inside = context.assembled()?.inside();
    let names = units(context)?;
    let mut findings = verify(&inside, &names)?;
    let measured = measure(&inside, &names)?;
    for (unit, tenths) in &measured {
        note(&format!("{unit:<32} {}", figure(*tenths)));
    }
    let text = std::fs::read_to_string(context.workspace.root().join(FIGURES)).unwrap_or_default();
    findings.extend(compare(&committed(&text)?, &measured));
    for finding in &findings {
        note(finding);
    }
    Ok(vec![if findings.is_empty() {
        Verdict::passed(
            "units",
            started.elapsed(),
            format!("{} services", measured.len()),
        )
    } else {
        Verdict::failed(
            "units",
            started.elapsed(),
            format!("{} findings", findings.len()),
        )
    }])
}

/// The names of the units, templates with an instance.
fn units(context: &Context) -> Outcome<BTreeSet<String>> {
    let directory = context.workspace.root().join("systemd");
    Ok(std::fs::read_dir(&directory)
        .during("systemd/ could not be read")?
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .filter(|name| {
            name.rsplit_once('.').is_some_and(|(_, kind)| {
                ["service", "socket", "path", "target", "timer"].contains(&kind)
            })
        })
        .map(|name| instantiate(&name))
        .collect())
}

/// `a@.service` with an instance; others as they are.
fn instantiate(name: &str) -> String {
    name.replace("@.", &format!("@{INSTANCE}."))
}

/// What systemd says against the units; nothing if they are in order.
fn verify(inside: &Inside, names: &BTreeSet<String>) -> Outcome<Vec<String>> {
    // A root that was never booted has no id of the machine yet, which units may name (%m).
    let script = "systemd-machine-id-setup >/dev/null 2>&1; exec \"$@\"";
    let mut words = vec![
        "sh",
        "-c",
        script,
        "sh",
        "systemd-analyze",
        "verify",
        "--man=no",
    ];
    words.extend(names.iter().map(String::as_str));
    let output = inside.capture(&words)?;
    let said = String::from_utf8_lossy(&output.stdout).into_owned()
        + &String::from_utf8_lossy(&output.stderr);
    // Debian's own units are not ours to mend.
    let ours: Vec<_> = said
        .lines()
        .filter(|line| line.contains("casemate"))
        .map(|line| format!("systemd-analyze verify: {line}"))
        .collect();
    if ours.is_empty() && !output.status.success() {
        return Failure::because(format!("systemd-analyze verify failed: {said}"));
    }
    Ok(ours)
}

/// Measures each service.
fn measure(inside: &Inside, names: &BTreeSet<String>) -> Outcome<Exposure> {
    names
        .iter()
        .filter(|name| name.ends_with(".service"))
        .map(|name| {
            let said = inside.read(&[
                "systemd-analyze",
                "security",
                "--no-pager",
                "--offline=true",
                name.as_str(),
            ])?;
            let tenths = overall(&said).during(format_args!(
                "systemd-analyze security named no exposure for {name}: {said}"
            ))?;
            Ok((name.clone(), tenths))
        })
        .collect()
}

/// The figure in `→ Overall exposure level for casemate-gate.service: 0.1 OK`, in tenths.
fn overall(said: &str) -> Option<u32> {
    let line = said
        .lines()
        .find(|line| line.contains("Overall exposure level"))?;
    let (_, figure) = line.rsplit_once(": ")?;
    let (whole, tenth) = figure.split_whitespace().next()?.split_once('.')?;
    Some(whole.parse::<u32>().ok()? * 10 + tenth.parse::<u32>().ok()?)
}

/// Reads the committed figures.
fn committed(text: &str) -> Outcome<Exposure> {
    if text.is_empty() {
        return Ok(Exposure::new());
    }
    let read: Committed = toml::from_str(text).during(format_args!("{FIGURES} is not valid"))?;
    read.exposure
        .into_iter()
        .map(|(unit, value)| {
            let tenths = format!("{value:.1}").replace('.', "").parse();
            Ok((
                unit,
                tenths.during(format_args!("{FIGURES} has a figure that is none"))?,
            ))
        })
        .collect()
}

fn figure(tenths: u32) -> String {
    format!("{}.{}", tenths / 10, tenths % 10)
}

/// What is wrong between what is committed and what is measured. Figures go down only: a higher one is a
/// regression, and a lower one is to be committed so that it cannot rise again unseen.
fn compare(committed: &Exposure, measured: &Exposure) -> Vec<String> {
    let mut findings = Vec::new();
    for (unit, now) in measured {
        let limit = match unit.as_str() {
            DIALER => DIALER_TENTHS,
            FIREWALL => FIREWALL_TENTHS,
            GUARD => GUARD_TENTHS,
            _ => OTHER_TENTHS,
        };
        if *now > limit {
            findings.push(format!(
                "{unit} is exposed {}; it may be {} at most",
                figure(*now),
                figure(limit)
            ));
        }
        match committed.get(unit) {
            None => findings.push(format!("{FIGURES} lacks: \"{unit}\" = {}", figure(*now))),
            Some(before) if now > before => findings.push(format!(
                "{unit} is exposed {}, more than the committed {}",
                figure(*now),
                figure(*before)
            )),
            Some(before) if now < before => findings.push(format!(
                "{unit} is exposed less than committed: set \"{unit}\" = {} in {FIGURES}",
                figure(*now)
            )),
            Some(_) => {}
        }
    }
    for unit in committed
        .keys()
        .filter(|unit| !measured.contains_key(*unit))
    {
        findings.push(format!("{FIGURES} names {unit}, which is not there"));
    }
    findings
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn exposure(figures: &[(&str, u32)]) -> Exposure {
        figures
            .iter()
            .map(|(unit, tenths)| ((*unit).to_owned(), *tenths))
            .collect()
    }

    #[test]
    fn the_overall_figure_is_found() {
        let said = "  NAME ...\n→ Overall exposure level for casemate-gate.service: 0.1 OK :-)\n";
        assert_eq!(overall(said), Some(1));
        assert_eq!(
            overall("→ Overall exposure level for x: 10.0 DANGEROUS"),
            Some(100)
        );
        assert_eq!(overall("nothing"), None);
    }

    #[test]
    fn committed_figures_are_read_exactly() {
        let read = committed("[exposure]\n\"a.service\" = 0.3\n\"b.service\" = 1.0\n").unwrap();
        assert_eq!(read, exposure(&[("a.service", 3), ("b.service", 10)]));
        assert!(committed("exposed = 1").is_err());
    }

    #[test]
    fn equal_figures_are_in_order() {
        let figures = exposure(&[("a.service", 1), (DIALER, 10)]);
        assert_eq!(compare(&figures, &figures), [""; 0]);
    }

    #[test]
    fn higher_lower_new_gone_and_excessive_figures_are_findings() {
        let one = |committed: &[(&str, u32)], measured: &[(&str, u32)]| {
            let findings = compare(&exposure(committed), &exposure(measured));
            assert_eq!(findings.len(), 1, "{findings:?}");
            findings.concat()
        };
        assert!(one(&[("a", 1)], &[("a", 2)]).contains("more than the committed 0.1"));
        assert!(one(&[("a", 2)], &[("a", 1)]).contains("set \"a\" = 0.1"));
        assert!(one(&[], &[("a", 1)]).contains("lacks: \"a\" = 0.1"));
        assert!(one(&[("a", 1)], &[]).contains("not there"));
        assert!(one(&[("a", 4)], &[("a", 4)]).contains("0.3 at most"));
    }

    #[test]
    fn templates_get_an_instance() {
        assert_eq!(
            instantiate("casemate-chat@.service"),
            "casemate-chat@demo.service"
        );
        assert_eq!(
            instantiate("casemate-gate.service"),
            "casemate-gate.service"
        );
    }
}
