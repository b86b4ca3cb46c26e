//! Who may depend on whom, and that units are granted exactly the sockets that their crates can call.

use std::collections::{BTreeMap, BTreeSet};

use super::tree::{Finding, Tree};

/// Mechanisms that every service shares; they know no service.
const FOUNDATIONS: &[&str] = &[
    "daemon", "event", "ipc", "sandbox", "secret", "store", "testkit", "tpm",
];

/// Which service may call which. Calls go one way and never in a circle.
const CALLS: &[(&str, &[&str])] = &[
    ("gate", &["admin", "chat", "dialer"]),
    ("chat", &["llm"]),
    ("certs", &["dialer"]),
    ("llm", &["dialer"]),
    ("mailer", &["dialer"]),
    ("shipper", &["dialer"]),
    ("backup", &["admin", "chat", "dialer", "guard"]),
    ("guard", &["firewall"]),
];

/// Those that may call any service.
const CALL_ANY: &[&str] = &["admin", "cli", "xtask"];

/// Those that anyone may send one-way messages to.
const TOLD_BY_ANY: &[&str] = &["guard", "mailer"];

/// Who knows another service's files without calling it: `bots` lists what `chat` is to serve.
const READS: &[(&str, &str)] = &[("bots", "chat")];

/// Who acts as an operator of another service, by the operators' sockets: `fill` carries documents from one instance of
/// `chat` to another. For that a unit has the group of operators in place of that of callers.
const OPERATES: &[(&str, &str)] = &[("fill", "chat")];

/// The group of operators.
const OPERATOR_GROUP: &str = "casemate-operator";

/// The group of those who may tell of security events, and who listens to them.
const EVENTS_GROUP: &str = "casemate-events";
const HEARS_EVENTS: &str = "guard";

/// What only development may use.
const DEVELOPMENT: &[&str] = &["testkit", "xtask"];

/// A crate's workspace dependencies.
#[derive(Debug, Default)]
struct Needs {
    normal: BTreeSet<String>,
    development: BTreeSet<String>,
}

/// The workspace dependencies of each crate by its directory.
fn needs(tree: &Tree) -> BTreeMap<&str, Needs> {
    let crates = tree.names_in("crates");
    crates
        .iter()
        .filter_map(|name| {
            let manifest: toml::Table = tree
                .text(&format!("crates/{name}/Cargo.toml"))?
                .parse()
                .ok()?;
            let named = |section: &str| {
                manifest
                    .get(section)
                    .and_then(toml::Value::as_table)
                    .into_iter()
                    .flat_map(toml::Table::keys)
                    .map(|key| key.strip_prefix("casemate-").unwrap_or(key))
                    .filter(|key| crates.contains(key))
                    .map(str::to_owned)
                    .collect::<BTreeSet<_>>()
            };
            let mut normal = named("dependencies");
            normal.extend(named("build-dependencies"));
            let needs = Needs {
                normal,
                development: named("dev-dependencies"),
            };
            Some((*name, needs))
        })
        .collect()
}

/// Why `from` may not depend on `to`, if it may not.
fn objection(from: &str, to: &str, development: bool) -> Option<String> {
    if DEVELOPMENT.contains(&to) && !development && !DEVELOPMENT.contains(&from) {
        return Some(format!("{to} is for development only"));
    }
    if FOUNDATIONS.contains(&to) {
        return None;
    }
    if FOUNDATIONS.contains(&from) {
        return Some(format!("a foundation knows no service, and {to} is one's"));
    }
    let Some(service) = to.strip_suffix("-api") else {
        return Some(format!("{to} is a service; what may be called is its -api"));
    };
    if from.ends_with("-api") {
        return Some("a contract depends on foundations only".to_owned());
    }
    let allowed = from == service
        || CALL_ANY.contains(&from)
        || TOLD_BY_ANY.contains(&service)
        || READS.contains(&(from, service))
        || OPERATES.contains(&(from, service))
        || CALLS
            .iter()
            .any(|(caller, called)| *caller == from && called.contains(&service));
    (!allowed).then(|| format!("{from} may not call {service}"))
}

/// Dependencies point the way that the design says.
pub(super) fn dependencies(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (name, needs) in needs(tree) {
        let both = needs
            .normal
            .iter()
            .map(|to| (to, false))
            .chain(needs.development.iter().map(|to| (to, true)));
        for (to, development) in both {
            if let Some(text) = objection(name, to, development) {
                findings.push(Finding::new(format!("crates/{name}/Cargo.toml"), text));
            }
        }
    }
    findings
}

/// A unit is in the group that opens a service's socket if, and only if, its crate can call that service.
pub(super) fn grants(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (name, needs) in needs(tree) {
        let units: Vec<_> = tree
            .names_in("systemd")
            .into_iter()
            .filter(|unit| {
                unit.strip_prefix("casemate-")
                    .and_then(|unit| unit.strip_prefix(name))
                    .is_some_and(|rest| matches!(rest, ".service.d" | "@.service.d"))
            })
            .collect();
        for unit in units {
            let prefix = format!("systemd/{unit}/");
            let groups: BTreeSet<_> = tree
                .paths()
                .filter(|path| path.starts_with(&prefix))
                .filter_map(|path| tree.text(path))
                .flat_map(str::lines)
                .filter_map(|line| line.strip_prefix("SupplementaryGroups="))
                .flat_map(str::split_whitespace)
                .collect();
            let operates = OPERATES.iter().any(|(caller, _)| *caller == name);
            if operates != groups.contains(OPERATOR_GROUP) {
                let text = if operates {
                    format!(
                        "does not grant {OPERATOR_GROUP}, but crates/{name} acts as an operator"
                    )
                } else {
                    format!("grants {OPERATOR_GROUP}, but crates/{name} is no operator")
                };
                findings.push(Finding::new(&prefix, text));
            }
            let tells = needs.normal.contains("event") && name != HEARS_EVENTS;
            if tells != groups.contains(EVENTS_GROUP) {
                let text = if tells {
                    format!("does not grant {EVENTS_GROUP}, but crates/{name} tells of events")
                } else {
                    format!("grants {EVENTS_GROUP}, but crates/{name} tells of no events")
                };
                findings.push(Finding::new(&prefix, text));
            }
            let granted: BTreeSet<_> = groups
                .into_iter()
                .filter_map(|group| group.strip_prefix("casemate-to-"))
                .collect();
            let callable: BTreeSet<_> = needs
                .normal
                .iter()
                .filter_map(|to| to.strip_suffix("-api"))
                .filter(|service| {
                    let other = (name, *service);
                    *service != name && !READS.contains(&other) && !OPERATES.contains(&other)
                })
                .collect();
            for service in granted.difference(&callable) {
                findings.push(Finding::new(
                    &prefix,
                    format!("grants casemate-to-{service}, but crates/{name} has no use for {service}-api"),
                ));
            }
            for service in callable.difference(&granted) {
                findings.push(Finding::new(
                    &prefix,
                    format!("does not grant casemate-to-{service}, but crates/{name} depends on {service}-api"),
                ));
            }
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::super::tree::made_up;
    use super::*;

    const MANIFESTS: &[(&str, &str)] = &[
        (
            "crates/ipc/Cargo.toml",
            "[dependencies]\nsandbox.workspace = true",
        ),
        (
            "crates/sandbox/Cargo.toml",
            "[dev-dependencies]\ntestkit.workspace = true",
        ),
        ("crates/testkit/Cargo.toml", ""),
        (
            "crates/chat-api/Cargo.toml",
            "[dependencies]\nipc.workspace = true",
        ),
        (
            "crates/chat/Cargo.toml",
            "[dependencies]\nchat-api.workspace = true",
        ),
        (
            "crates/gate/Cargo.toml",
            "[dependencies]\nchat-api.workspace = true\nhyper = \"1\"",
        ),
        (
            "systemd/casemate-chat@.service.d/50-grant.conf",
            "[Service]\n",
        ),
        (
            "systemd/casemate-gate.service.d/50-grant.conf",
            "[Service]\nSupplementaryGroups=casemate-to-chat\n",
        ),
    ];

    fn texts(
        rule: fn(&Tree) -> Vec<Finding>,
        more: &[(&'static str, &'static str)],
    ) -> Vec<String> {
        rule(&made_up(&[MANIFESTS, more].concat()))
            .into_iter()
            .map(|finding| format!("{}: {}", finding.place, finding.text))
            .collect()
    }

    #[test]
    fn a_proper_tree_has_no_findings() {
        assert_eq!(texts(dependencies, &[]), [""; 0]);
        assert_eq!(texts(grants, &[]), [""; 0]);
    }

    #[test]
    fn each_wrong_direction_is_found() {
        let cases = [
            (
                "crates/chat/Cargo.toml",
                "[dependencies]\ngate.workspace = true",
                "gate is a service",
            ),
            (
                "crates/ipc/Cargo.toml",
                "[dependencies]\nchat-api.workspace = true",
                "a foundation knows no service",
            ),
            (
                "crates/ipc/Cargo.toml",
                "[dev-dependencies]\nchat.workspace = true",
                "a foundation knows no service",
            ),
            (
                "crates/chat-api/Cargo.toml",
                "[dependencies]\nllm-api.workspace = true",
                "a contract depends on",
            ),
            (
                "crates/llm/Cargo.toml",
                "[dependencies]\nchat-api.workspace = true",
                "llm may not call chat",
            ),
            (
                "crates/gate/Cargo.toml",
                "[dependencies]\ntestkit.workspace = true",
                "for development only",
            ),
            (
                "crates/gate/Cargo.toml",
                "[dependencies]\ncasemate-chat = \"1\"",
                "chat is a service",
            ),
        ];
        for (manifest, text, expected) in cases {
            let found = texts(
                dependencies,
                &[(manifest, text), ("crates/llm-api/Cargo.toml", "")],
            );
            assert_eq!(found.len(), 1, "{manifest}: {found:?}");
            assert!(
                found[0].starts_with(manifest) && found[0].contains(expected),
                "{found:?}"
            );
        }
    }

    #[test]
    fn a_group_without_a_use_is_found() {
        let found = texts(
            grants,
            &[(
                "systemd/casemate-chat@.service.d/50-grant.conf",
                "SupplementaryGroups=casemate-to-llm",
            )],
        );
        assert!(found[0].contains("grants casemate-to-llm"), "{found:?}");
    }

    #[test]
    fn who_tells_of_events_is_in_their_group() {
        let unit = "systemd/casemate-certs.service.d/50-grant.conf";
        let certs = (
            "crates/certs/Cargo.toml",
            "[dependencies]\nevent.workspace = true",
        );
        let event = ("crates/event/Cargo.toml", "");
        let group = "SupplementaryGroups=casemate-events";
        assert_eq!(texts(grants, &[certs, event, (unit, group)]), [""; 0]);
        let found = texts(grants, &[certs, event, (unit, "")]);
        assert!(
            found[0].contains("does not grant casemate-events"),
            "{found:?}"
        );
        let quiet = ("crates/certs/Cargo.toml", "");
        let found = texts(grants, &[quiet, event, (unit, group)]);
        assert!(found[0].contains("tells of no events"), "{found:?}");
    }

    #[test]
    fn an_operators_group_is_an_operators_alone() {
        let gate = (
            "systemd/casemate-gate.service.d/50-grant.conf",
            "SupplementaryGroups=casemate-to-chat casemate-operator",
        );
        let found = texts(grants, &[gate]);
        assert!(found[0].contains("grants casemate-operator"), "{found:?}");
        let fill = (
            "crates/fill/Cargo.toml",
            "[dependencies]\nchat-api.workspace = true",
        );
        let unit = "systemd/casemate-fill@.service.d/50-grant.conf";
        let found = texts(grants, &[fill, (unit, "")]);
        assert!(
            found[0].contains("does not grant casemate-operator"),
            "{found:?}"
        );
        let found = texts(
            grants,
            &[fill, (unit, "SupplementaryGroups=casemate-operator")],
        );
        assert_eq!(found, [""; 0]);
    }

    #[test]
    fn a_use_without_a_group_is_found() {
        let found = texts(
            grants,
            &[("systemd/casemate-gate.service.d/50-grant.conf", "")],
        );
        assert!(
            found[0].contains("does not grant casemate-to-chat"),
            "{found:?}"
        );
    }

    #[test]
    fn calls_are_in_no_circle() {
        // Whoever is called directly or through others must not call back.
        let called = |from: &str| {
            let mut reached = BTreeSet::new();
            let mut open = vec![from];
            while let Some(caller) = open.pop() {
                let next = CALLS.iter().filter(|(name, _)| *name == caller);
                for service in next.flat_map(|(_, called)| *called) {
                    if reached.insert(*service) {
                        open.push(service);
                    }
                }
            }
            reached
        };
        for (name, _) in CALLS {
            assert!(
                !called(name).contains(name),
                "{name} calls itself in the end"
            );
        }
    }
}
