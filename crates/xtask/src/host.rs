//! What this machine must have, and how it gets it.

use std::process::Command;

use crate::failure::{Failure, Outcome};
use crate::program;
use crate::progress::{note, step};

/// A program that is needed, or a file by its absolute path, and the Debian package that has it.
pub(crate) type Need = (&'static str, &'static str);

/// What booting a container takes.
pub(crate) const CONTAINER: &[Need] = &[
    ("mmdebstrap", "mmdebstrap"),
    ("systemd-nspawn", "systemd-container"),
    ("nsenter", "util-linux"),
    ("setpriv", "util-linux"),
];

/// What booting a virtual machine takes besides.
pub(crate) const VIRTUAL_MACHINE: &[Need] = &[
    ("qemu-system-x86_64", "qemu-system-x86"),
    ("mkfs.ext4", "e2fsprogs"),
];

/// What a virtual machine with a TPM takes besides.
pub(crate) const VIRTUAL_TPM: &[Need] = &[("swtpm", "swtpm")];

/// What the tests take besides.
pub(crate) const TESTS: &[Need] = &[("python3", "python3")];

/// What compiling SQLCipher takes besides.
pub(crate) const SQLCIPHER: &[Need] = &[("/usr/include/openssl/evp.h", "libssl-dev")];

/// Makes sure that this is root on Linux with everything in `needs`, installing what is missing.
pub(crate) fn prepare(needs: &[Need]) -> Outcome<()> {
    require_root()?;
    provide(needs)
}

/// Makes sure that everything in `needs` is here, installing what is missing; that alone takes root.
pub(crate) fn provide(needs: &[Need]) -> Outcome<()> {
    let missing = missing(needs, program::exists);
    if missing.is_empty() {
        return Ok(());
    }
    let packages = missing.join(" ");
    if !program::exists("apt-get") {
        return Failure::because(format!(
            "this needs the Debian packages {packages}, and this is no Debian system. Install what provides \
             {} with your system's package manager, then run the command again",
            programs(needs)
        ));
    }
    if !rustix::process::geteuid().is_root() {
        return Failure::because(format!(
            "this needs the Debian packages {packages}, and only root can install them: sudo apt-get install \
             {packages}, then run the command again"
        ));
    }
    step(&format!("Installing {packages} with apt-get"), || {
        install(&missing)
    })
}

/// Says how to become root when this is not root.
pub(crate) fn require_root() -> Outcome<()> {
    if rustix::process::geteuid().is_root() {
        return Ok(());
    }
    Failure::because(
        "machines are booted with mounts and namespaces of their own, which takes root. Run it again as \
         root, for example: sudo --preserve-env=PATH cargo xtask …",
    )
}

fn install(packages: &[&str]) -> Outcome<()> {
    let apt = |arguments: &[&str]| {
        program::show(
            Command::new("apt-get")
                .args(["--quiet", "--yes", "-o", "Dpkg::Use-Pty=0"])
                .args(arguments)
                .env("DEBIAN_FRONTEND", "noninteractive"),
        )
    };
    if apt(&["update"]).is_err() {
        note("the package lists could not be renewed; trying with those at hand");
    }
    let mut arguments = vec!["install", "--no-install-recommends"];
    arguments.extend(packages);
    apt(&arguments).map_err(|failure| {
        Failure::new(format!(
            "{failure}. Is Debian's mirror reachable? By hand: apt-get install {}",
            packages.join(" ")
        ))
    })
}

/// The packages of `needs` whose programs are not there, each once.
fn missing(needs: &[Need], exists: impl Fn(&str) -> bool) -> Vec<&'static str> {
    let mut packages = Vec::new();
    for (program, package) in needs {
        if !exists(program) && !packages.contains(package) {
            packages.push(*package);
        }
    }
    packages
}

fn programs(needs: &[Need]) -> String {
    let names: Vec<_> = needs.iter().map(|(program, _)| *program).collect();
    names.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_missing_package_is_named_once() {
        let have = |program: &str| program == "mmdebstrap";
        assert_eq!(
            missing(CONTAINER, have),
            ["systemd-container", "util-linux"]
        );
        assert!(missing(CONTAINER, |_| true).is_empty());
    }

    #[test]
    fn a_file_is_found_by_its_path() {
        assert_eq!(
            missing(&[("/etc/passwd", "here")], program::exists),
            [""; 0]
        );
        assert_eq!(
            missing(&[("/no/such/file", "gone")], program::exists),
            ["gone"]
        );
    }
}
