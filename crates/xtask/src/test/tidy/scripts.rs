//! VM tests call only what the NixOS test driver offers, so that they run in both places.

use super::tree::{Finding, Tree};

/// The methods of a machine that the NixOS driver and `vm-tests/driver` both have.
const METHODS: &[&str] = &[
    "copy_from_host",
    "copy_from_machine",
    "copy_from_vm",
    "crash",
    "execute",
    "fail",
    "get_console_log",
    "get_unit_info",
    "get_unit_property",
    "is_up",
    "log",
    "nested",
    "reboot",
    "require_unit_state",
    "shutdown",
    "sleep",
    "start",
    "start_job",
    "stop_job",
    "succeed",
    "systemctl",
    "wait_for_closed_port",
    "wait_for_console_text",
    "wait_for_file",
    "wait_for_open_port",
    "wait_for_open_unix_socket",
    "wait_for_shutdown",
    "wait_for_unit",
    "wait_until_fails",
    "wait_until_succeeds",
];

/// A script calls no method of a machine that one of the drivers lacks.
pub(super) fn driver_calls(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    let scripts = tree.ending(".py").filter(|(path, _)| {
        path.strip_prefix("vm-tests/")
            .is_some_and(|name| !name.contains('/'))
    });
    for (path, text) in scripts {
        for (number, line) in text.lines().enumerate() {
            let code = line.split('#').next().unwrap_or_default();
            for method in methods(code).filter(|method| !METHODS.contains(method)) {
                findings.push(Finding::new(
                    format!("{path}:{}", number + 1),
                    format!("machine.{method} is not in both drivers"),
                ));
            }
        }
    }
    findings
}

/// The names after `machine.` in a line.
fn methods(line: &str) -> impl Iterator<Item = &str> {
    line.match_indices("machine.")
        .filter(|(at, _)| {
            !line[..*at]
                .ends_with(|before: char| before.is_alphanumeric() || "_.-/".contains(before))
        })
        .filter_map(|(at, prefix)| {
            let rest = &line[at + prefix.len()..];
            let end = rest
                .find(|character: char| !character.is_alphanumeric() && character != '_')
                .unwrap_or(rest.len());
            let name = &rest[..end];
            (!name.is_empty() && rest[end..].starts_with('(')).then_some(name)
        })
}

#[cfg(test)]
mod tests {
    use super::super::tree::made_up;
    use super::*;

    #[test]
    fn a_call_that_nixos_does_not_know_is_found() {
        let tree = made_up(&[
            (
                "vm-tests/a.py",
                "machine.succeed('x')\nmachine.teleport('y')  # machine.nothing()\n",
            ),
            ("vm-tests/driver/machine.py", "machine.internal()\n"),
        ]);
        let findings = driver_calls(&tree);
        assert_eq!(findings.len(), 1);
        assert_eq!(findings[0].place, "vm-tests/a.py:2");
    }

    #[test]
    fn words_that_only_look_like_calls_are_passed_over() {
        let text = "the machine. So\nother_machine.foo()\nprint('the-machine.bar()')\n";
        assert_eq!(driver_calls(&made_up(&[("vm-tests/a.py", text)])), []);
    }
}
