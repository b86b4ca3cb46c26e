//! Names: what may be at the top, and one stem for each service everywhere.

use std::collections::BTreeSet;

use super::tree::{Finding, Tree};

/// What may be at the top beside lock files and dotfiles.
const TOP_LEVEL: &[&str] = &[
    "Cargo.toml",
    "LICENSE",
    "README.md",
    "crates",
    "flake.nix",
    "nix",
    "systemd",
    "vm-tests",
];

/// Crates with programs that are no services.
const NO_SERVICE: &[&str] = &["cli", "testkit", "xtask"];

/// The kinds of units.
const UNIT_KINDS: &[&str] = &["path", "service", "socket", "target", "timer"];

/// The top has its few names.
pub(super) fn top_level(tree: &Tree) -> Vec<Finding> {
    let names: BTreeSet<_> = tree
        .paths()
        .filter_map(|path| path.split('/').next())
        .collect();
    names
        .into_iter()
        .filter(|name| {
            !TOP_LEVEL.contains(name) && !name.ends_with(".lock") && !name.starts_with('.')
        })
        .map(|name| Finding::new(name, "has no place at the top level"))
        .collect()
}

/// A unit file's name without its kind; none for what is no unit.
fn unit_stem(name: &str) -> Option<(&str, &str)> {
    name.rsplit_once('.')
        .filter(|(_, kind)| UNIT_KINDS.contains(kind))
}

/// The stem of a service's unit: `casemate-gate.service` and `casemate-chat@.service` have `gate` and `chat`.
fn service_stem(name: &str) -> Option<&str> {
    let (stem, kind) = unit_stem(name)?;
    (kind == "service")
        .then(|| stem.strip_prefix("casemate-"))
        .flatten()
        .map(|stem| stem.trim_end_matches('@'))
}

/// The crates that are services: they have a program.
fn services(tree: &Tree) -> BTreeSet<&str> {
    tree.names_in("crates")
        .into_iter()
        .filter(|name| tree.text(&format!("crates/{name}/src/main.rs")).is_some())
        .filter(|name| !NO_SERVICE.contains(name))
        .collect()
}

/// A service has one stem: its crate, its unit and its NixOS module are all there and are called the same.
pub(super) fn stems(tree: &Tree) -> Vec<Finding> {
    let crates = services(tree);
    let units: BTreeSet<_> = tree
        .names_in("systemd")
        .into_iter()
        .filter_map(service_stem)
        .collect();
    let modules: BTreeSet<_> = tree
        .names_in("nix/module")
        .into_iter()
        .filter_map(|name| name.strip_suffix(".nix"))
        .filter(|name| !["default", "cli"].contains(name))
        .collect();
    let all: BTreeSet<_> = crates.iter().chain(&units).chain(&modules).collect();
    let mut findings = Vec::new();
    for stem in all {
        let mut lacks = |there: &BTreeSet<&str>, what: String| {
            if !there.contains(stem) {
                findings.push(Finding::new(
                    what,
                    format!("is missing, though there is a {stem}"),
                ));
            }
        };
        lacks(&crates, format!("crates/{stem}/src/main.rs"));
        lacks(&units, format!("systemd/casemate-{stem}.service"));
        lacks(&modules, format!("nix/module/{stem}.nix"));
    }
    // The unit of a stem runs that stem's program.
    for name in tree.names_in("systemd") {
        let Some(stem) = service_stem(name) else {
            continue;
        };
        let path = format!("systemd/{name}");
        let text = tree.text(&path).unwrap_or_default();
        let program = text
            .lines()
            .filter_map(|line| line.strip_prefix("ExecStart="))
            .find_map(|line| line.split_whitespace().next())
            // With what privileges it starts is another matter (systemd.service(5), special prefixes).
            .map(|program| program.trim_start_matches(['-', ':', '+', '!', '|']));
        if program != Some(&format!("@bindir@/casemate-{stem}")) {
            findings.push(Finding::new(
                path,
                format!("must start @bindir@/casemate-{stem}"),
            ));
        }
    }
    findings
}

/// Each drop-in directory belongs to a unit; each service has one of its own that says what it is granted.
pub(super) fn drop_ins(tree: &Tree) -> Vec<Finding> {
    let names = tree.names_in("systemd");
    let mut findings = Vec::new();
    for name in &names {
        let place = format!("systemd/{name}");
        if let Some(unit) = name.strip_suffix(".d").filter(|unit| unit.contains('.')) {
            // `casemate-.service.d` holds for every unit whose name begins so.
            if !names.contains(unit) && unit != "casemate-.service" {
                findings.push(Finding::new(place, format!("there is no unit {unit}")));
            }
        } else if service_stem(name).is_some()
            && tree.text(&format!("{place}.d/50-grant.conf")).is_none()
        {
            findings.push(Finding::new(
                format!("{place}.d/50-grant.conf"),
                "is missing: what a unit is granted is said there",
            ));
        }
    }
    findings
}

/// Units that are to start by themselves are in the preset file, and nothing else is.
pub(super) fn presets(tree: &Tree) -> Vec<Finding> {
    const PRESET: &str = "systemd/90-casemate.preset";
    let enabled: BTreeSet<_> = tree
        .text(PRESET)
        .unwrap_or_default()
        .lines()
        .filter_map(|line| line.strip_prefix("enable "))
        .map(str::trim)
        .collect();
    let installable: BTreeSet<_> = tree
        .names_in("systemd")
        .into_iter()
        .filter(|name| {
            unit_stem(name).is_some()
                && tree
                    .text(&format!("systemd/{name}"))
                    .is_some_and(|text| text.lines().any(|line| line.trim() == "[Install]"))
        })
        .collect();
    let missing = installable.difference(&enabled).map(|name| {
        Finding::new(
            PRESET,
            format!("does not enable {name}, which has an [Install] section"),
        )
    });
    let needless = enabled.difference(&installable).map(|name| {
        Finding::new(
            PRESET,
            format!("enables {name}, which has no [Install] section"),
        )
    });
    missing.chain(needless).collect()
}

#[cfg(test)]
mod tests {
    use super::super::tree::made_up;
    use super::*;

    fn places(findings: &[Finding]) -> Vec<&str> {
        findings.iter().map(|finding| &*finding.place).collect()
    }

    const GATE: &[(&str, &str)] = &[
        ("crates/gate/src/main.rs", ""),
        ("crates/cli/src/main.rs", ""),
        ("crates/ipc/src/lib.rs", ""),
        (
            "systemd/casemate-gate.service",
            "[Service]\nExecStart=!@bindir@/casemate-gate --x\n[Install]\n",
        ),
        ("systemd/casemate-gate.service.d/50-grant.conf", ""),
        ("systemd/casemate-.service.d/10-forbid.conf", ""),
        (
            "systemd/90-casemate.preset",
            "# why\nenable casemate-gate.service\n",
        ),
        ("nix/module/gate.nix", ""),
        ("nix/module/default.nix", ""),
    ];

    fn with(more: &[(&'static str, &'static str)]) -> Tree {
        made_up(&[GATE, more].concat())
    }

    #[test]
    fn a_proper_tree_has_no_findings() {
        let tree = with(&[("Cargo.lock", ""), (".gitignore", ""), ("LICENSE", "")]);
        for rule in [top_level, stems, drop_ins, presets] {
            assert_eq!(rule(&tree), []);
        }
    }

    #[test]
    fn a_stranger_at_the_top_is_found() {
        assert_eq!(places(&top_level(&with(&[("docs/a.md", "")]))), ["docs"]);
    }

    #[test]
    fn a_crate_without_unit_and_module_is_found() {
        assert_eq!(
            places(&stems(&with(&[("crates/guard/src/main.rs", "")]))),
            ["systemd/casemate-guard.service", "nix/module/guard.nix"]
        );
    }

    #[test]
    fn a_module_without_crate_and_unit_is_found() {
        assert_eq!(
            places(&stems(&with(&[("nix/module/mail.nix", "")]))),
            ["crates/mail/src/main.rs", "systemd/casemate-mail.service"]
        );
    }

    #[test]
    fn a_unit_that_starts_another_program_is_found() {
        let tree = with(&[("systemd/casemate-gate.service", "ExecStart=/bin/true\n")]);
        assert_eq!(places(&stems(&tree)), ["systemd/casemate-gate.service"]);
    }

    #[test]
    fn a_template_has_the_stem_too() {
        assert_eq!(service_stem("casemate-chat@.service"), Some("chat"));
        assert_eq!(service_stem("casemate-chat@.socket"), None);
    }

    #[test]
    fn a_drop_in_for_nothing_and_a_service_without_one_are_found() {
        let tree = with(&[
            ("systemd/casemate-gone.service.d/50-grant.conf", ""),
            ("systemd/casemate-bare.service", ""),
        ]);
        assert_eq!(
            places(&drop_ins(&tree)),
            [
                "systemd/casemate-bare.service.d/50-grant.conf",
                "systemd/casemate-gone.service.d"
            ]
        );
    }

    #[test]
    fn presets_and_install_sections_must_agree() {
        let tree = with(&[
            ("systemd/casemate-a.path", "[Install]\n"),
            ("systemd/casemate-b.timer", "[Timer]\n"),
            (
                "systemd/90-casemate.preset",
                "enable casemate-gate.service\nenable casemate-b.timer\n",
            ),
        ]);
        let texts: Vec<_> = presets(&tree)
            .into_iter()
            .map(|finding| finding.text)
            .collect();
        assert!(
            texts[0].contains("does not enable casemate-a.path"),
            "{texts:?}"
        );
        assert!(texts[1].contains("enables casemate-b.timer"), "{texts:?}");
        assert_eq!(texts.len(), 2);
    }
}
