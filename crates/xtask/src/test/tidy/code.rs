//! Rust: decisions are pure, doors are small, files are readable, and lints are not silenced.

use super::tree::{Finding, Tree};

/// The most lines of a `main.rs`.
const DOOR_LINES: usize = 40;

/// The most lines of a file, and from where on it should be thought about.
const FILE_LINES: usize = 500;
const LONG_LINES: usize = 300;

/// How a file declares itself a decision, in its first line.
const DECLARATION: &str = "Pure:";

/// What a decision does not use: the clock, files, the network, the environment, tasks.
const IMPURE: &[&str] = &[
    "Instant::now",
    "SystemTime::now",
    "std::env",
    "std::fs",
    "std::net::Tcp",
    "std::net::Udp",
    "std::net::ToSocketAddrs",
    "std::os::unix::net",
    "std::process",
    "std::thread",
    "tokio",
];

/// The lines of product code with their numbers: no comments, and nothing from the tests on.
fn product_lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.lines()
        .enumerate()
        .map(|(number, line)| (number + 1, line.trim()))
        .take_while(|(_, line)| *line != "#[cfg(test)]")
        .filter(|(_, line)| !line.starts_with("//"))
}

/// A file that declares itself a decision takes everything it needs as parameters.
pub(super) fn decisions(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (path, text) in tree.ending(".rs") {
        let first = text.lines().next().unwrap_or_default();
        if !(first.starts_with("//!") && first.contains(DECLARATION)) {
            continue;
        }
        for (number, line) in product_lines(text) {
            for impure in IMPURE.iter().filter(|impure| line.contains(**impure)) {
                findings.push(Finding::new(
                    format!("{path}:{number}"),
                    format!("uses {impure}, though the file says that it is pure"),
                ));
            }
        }
    }
    findings
}

/// A `main.rs` is a door.
pub(super) fn doors(tree: &Tree) -> Vec<Finding> {
    tree.ending("/src/main.rs")
        .filter(|(path, _)| path.starts_with("crates/"))
        .filter(|(_, text)| text.lines().count() > DOOR_LINES)
        .map(|(path, text)| {
            Finding::new(
                path,
                format!(
                    "has {} lines; a door has {DOOR_LINES} at most",
                    text.lines().count()
                ),
            )
        })
        .collect()
}

/// A file can be read in one go.
pub(super) fn sizes(tree: &Tree) -> Vec<Finding> {
    tree.ending(".rs")
        .filter_map(|(path, text)| match text.lines().count() {
            lines if lines > FILE_LINES => Some(Finding::new(
                path,
                format!("has {lines} lines; a file has {FILE_LINES} at most"),
            )),
            lines if lines > LONG_LINES => Some(Finding::advice(
                path,
                format!("has {lines} lines: is it two things?"),
            )),
            _ => None,
        })
        .collect()
}

/// Lints are expected with a reason, never allowed away.
pub(super) fn exemptions(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (path, text) in tree.ending(".rs") {
        for (number, line) in text.lines().enumerate() {
            let line = line.trim_start();
            let attribute = line.starts_with("#[") || line.starts_with("#![");
            if attribute && line.contains("allow(") {
                findings.push(Finding::new(
                    format!("{path}:{}", number + 1),
                    "silences a lint; use #[expect(…, reason = \"…\")]",
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

    fn found(rule: fn(&Tree) -> Vec<Finding>, path: &str, text: &str) -> Vec<Finding> {
        rule(&made_up(&[(path, text)]))
    }

    #[test]
    fn each_impurity_of_a_declared_decision_is_found() {
        for impure in IMPURE {
            let text = format!("//! Pure: decides.\nfn f() {{ {impure}; }}\n");
            let findings = found(decisions, "crates/a/src/b.rs", &text);
            assert_eq!(findings.len(), 1, "{impure}");
            assert_eq!(findings[0].place, "crates/a/src/b.rs:2");
        }
    }

    #[test]
    fn comments_tests_addresses_and_other_files_may_name_what_decisions_may_not() {
        for text in [
            "//! Not a decision.\nuse std::fs;\n",
            "//! Pure: decides.\n// std::fs is not used\nuse std::net::IpAddr;\n",
            "//! Pure: decides.\n#[cfg(test)]\nmod tests { use std::fs; }\n",
        ] {
            assert_eq!(found(decisions, "crates/a/src/b.rs", text), []);
        }
    }

    #[test]
    fn a_wide_door_is_found() {
        let at_most = "\n".repeat(DOOR_LINES);
        assert_eq!(found(doors, "crates/a/src/main.rs", &at_most), []);
        let more = "\n".repeat(DOOR_LINES + 1);
        assert_eq!(found(doors, "crates/a/src/main.rs", &more).len(), 1);
        assert_eq!(found(doors, "crates/a/src/lib.rs", &more), []);
    }

    #[test]
    fn a_file_too_long_is_found_and_a_long_one_is_advised_on() {
        let of = |lines| found(sizes, "crates/a/src/b.rs", &"\n".repeat(lines));
        assert_eq!(of(LONG_LINES), []);
        assert!(of(FILE_LINES)[0].advice);
        assert!(!of(FILE_LINES + 1)[0].advice);
    }

    #[test]
    fn a_silenced_lint_is_found() {
        for text in [
            "#[allow(dead_code)]\n",
            "#![allow(clippy::all)]\n",
            "    #[cfg_attr(test, allow(unused))]\n",
        ] {
            assert_eq!(
                found(exemptions, "crates/a/src/b.rs", text).len(),
                1,
                "{text}"
            );
        }
        let expected = "#[expect(dead_code, reason = \"r\")]\nlet s = \"allow(\";\n";
        assert_eq!(found(exemptions, "crates/a/src/b.rs", expected), []);
    }
}
