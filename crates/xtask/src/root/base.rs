//! Debian 13 as mmdebstrap makes it: one cached directory for each list of packages.

use std::fs;
use std::path::{Path, PathBuf};

use super::{cached, prune, remove};
use crate::failure::{Outcome, While};
use crate::fingerprint::Fingerprint;
use crate::program;
use crate::progress::{note, step};

const SUITE: &str = "trixie";

/// What every machine has.
const APPLIANCE: &[&str] = &[
    "ca-certificates",
    "dbus",
    "iproute2",
    "libpam-systemd",
    "systemd",
    "systemd-sysv",
    "udev",
];

/// What a machine with a kernel of its own has besides.
const VIRTUAL: &[&str] = &["initramfs-tools", "linux-image-cloud-amd64", "zstd"];

/// What a machine that runs tests has besides. A test that is about SSH starts its server, which is masked.
const TESTS: &[&str] = &[
    "chromium",
    "chromium-driver",
    "curl",
    "debian-faq",
    "nftables",
    "nix-bin",
    "openssh-server",
    "pebble",
    "procps",
    "python3",
    "python3-selenium",
];

const TESTS_MASKED: &[&str] = &["nftables.service", "ssh.service", "ssh.socket"];

/// What is measured beside the appliance. Units of their own are masked: they would take the gate's ports, or look at
/// another's log.
const BESIDE: &[&str] = &[
    "fail2ban",
    "nftables",
    "nginx-light",
    "openssl",
    "python3-systemd",
];
const BESIDE_MASKED: &[&str] = &["fail2ban.service", "nftables.service", "nginx.service"];

/// What a base is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// The appliance in a container.
    Container,
    /// The appliance in a virtual machine.
    VirtualMachine,
    /// Tests, in either.
    Tests,
    /// The appliance in a container, with the server that its gate is measured beside.
    Beside,
}

impl Purpose {
    fn name(self) -> &'static str {
        match self {
            Self::Container => "container",
            Self::VirtualMachine => "virtual-machine",
            Self::Tests => "tests",
            Self::Beside => "beside",
        }
    }

    fn packages(self) -> Vec<&'static str> {
        let lists: &[&[&str]] = match self {
            Self::Container => &[APPLIANCE],
            Self::VirtualMachine => &[APPLIANCE, VIRTUAL],
            Self::Tests => &[APPLIANCE, VIRTUAL, TESTS],
            Self::Beside => &[APPLIANCE, BESIDE],
        };
        lists.concat()
    }

    /// Units that are not to start by themselves.
    const fn masked(self) -> &'static [&'static str] {
        match self {
            Self::Container | Self::VirtualMachine => &[],
            Self::Tests => TESTS_MASKED,
            Self::Beside => BESIDE_MASKED,
        }
    }

    fn has_kernel(self) -> bool {
        matches!(self, Self::VirtualMachine | Self::Tests)
    }
}

/// What a virtual machine's base has of its own, by its place and mode.
const GUEST_FILES: &[(&str, u32, &str)] = &[
    (
        "etc/initramfs-tools/conf.d/casemate",
        0o644,
        "MODULES=list\nCOMPRESS=zstd\n",
    ),
    (
        "etc/initramfs-tools/hooks/casemate",
        0o755,
        include_str!("../../guest/initramfs-hook"),
    ),
    (
        "etc/initramfs-tools/scripts/init-bottom/casemate",
        0o755,
        include_str!("../../guest/initramfs-layers"),
    ),
    (
        "etc/systemd/system/backdoor.service",
        0o644,
        include_str!("../../guest/backdoor.service"),
    ),
    (
        "etc/systemd/system/terminal.service",
        0o644,
        include_str!("../../guest/terminal.service"),
    ),
    (
        "etc/systemd/network/virtual.network",
        0o644,
        include_str!("../../guest/virtual.network"),
    ),
];

/// The units of a virtual machine's base that start with it.
const GUEST_UNITS: &[&str] = &[
    "backdoor.service",
    "terminal.service",
    "systemd-networkd.service",
];

/// Units that would put a login on the consoles that those units use, or wait for one that nobody sees.
const GUEST_MASKED: &[&str] = &[
    "serial-getty@hvc0.service",
    "serial-getty@hvc1.service",
    "serial-getty@ttyS0.service",
];

/// QEMU's resolver in its user-mode network.
const GUEST_RESOLVER: &str = "nameserver 10.0.2.3\n";

/// The base for `purpose`, made on first use.
pub(crate) fn base(purpose: Purpose) -> Outcome<PathBuf> {
    let kind = format!("base-{}-", purpose.name());
    let base = cached(&format!("{kind}{}", fingerprint(purpose)), |target| {
        step(
            &format!("Assembling Debian 13 for the {} (once)", purpose.name()),
            || make(purpose, target),
        )
    })?;
    prune(&kind, &base)?;
    Ok(base)
}

fn fingerprint(purpose: Purpose) -> String {
    let mut fingerprint = Fingerprint::default()
        .add(SUITE)
        .add(purpose.packages().join(" "))
        .add(purpose.masked().join(" "));
    if purpose.has_kernel() {
        fingerprint = fingerprint
            .add(GUEST_UNITS.join(" "))
            .add(GUEST_MASKED.join(" "));
        for (place, mode, content) in GUEST_FILES {
            fingerprint = fingerprint.add(place).add(mode.to_le_bytes()).add(content);
        }
    }
    fingerprint.finish()
}

fn make(purpose: Purpose, target: &Path) -> Outcome<()> {
    // What goes into the root before its packages, so that the initial RAM disk is made once and right.
    let early = tempfile::tempdir().during("no temporary directory")?;
    // A mount namespace of its own: when mmdebstrap is killed its /proc and /sys go too.
    let mut command = program::ending_with_this("TERM");
    command
        .args([
            "unshare",
            "--mount",
            "--propagation",
            "private",
            "mmdebstrap",
            "--mode=root",
        ])
        .args(["--variant=minbase", "--quiet"])
        .arg(format!("--include={}", purpose.packages().join(",")));
    if purpose.has_kernel() {
        for (place, mode, content) in GUEST_FILES {
            let path = early.path().join(place);
            write(&path, *mode, content)?;
        }
        command.arg(format!(
            "--essential-hook=cp -a {}/etc \"$1\"/",
            early.path().display()
        ));
        command.arg(format!(
            "--customize-hook=chroot \"$1\" systemctl --quiet enable {} && chroot \"$1\" systemctl --quiet mask {}",
            GUEST_UNITS.join(" "),
            GUEST_MASKED.join(" ")
        ));
    }
    if !purpose.masked().is_empty() {
        command.arg(format!(
            "--customize-hook=chroot \"$1\" systemctl --quiet mask {}",
            purpose.masked().join(" ")
        ));
    }
    note(&format!(
        "{} packages and what they need, from Debian's mirror",
        purpose.packages().len()
    ));
    program::show(command.arg(SUITE).arg(target)).map_err(|failure| {
        crate::failure::Failure::new(format!(
            "{failure}. Is Debian's mirror (deb.debian.org) reachable?"
        ))
    })?;
    // An empty machine id is filled at each machine's first boot and kept in its state.
    write(&target.join("etc/machine-id"), 0o444, "")?;
    write(&target.join("etc/hostname"), 0o644, "casemate\n")?;
    write(
        &target.join("etc/hosts"),
        0o644,
        "127.0.0.1 localhost casemate\n::1 localhost casemate\n",
    )?;
    let resolver = target.join("etc/resolv.conf");
    remove(&resolver)?;
    if purpose.has_kernel() {
        write(&resolver, 0o644, GUEST_RESOLVER)?;
    }
    Ok(())
}

/// Writes a file with its directories and mode.
pub(super) fn write(path: &Path, mode: u32, content: impl AsRef<[u8]>) -> Outcome<()> {
    use std::os::unix::fs::PermissionsExt;
    let write = || -> std::io::Result<()> {
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent)?;
        }
        fs::write(path, content)?;
        fs::set_permissions(path, fs::Permissions::from_mode(mode))
    };
    write().during(format_args!("{} could not be written", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_purpose_has_a_base_of_its_own() {
        let prints = [
            Purpose::Container,
            Purpose::VirtualMachine,
            Purpose::Tests,
            Purpose::Beside,
        ]
        .map(fingerprint);
        let different: std::collections::BTreeSet<_> = prints.iter().collect();
        assert_eq!(different.len(), prints.len());
        assert_eq!(prints[0], fingerprint(Purpose::Container));
    }
}
