//! `/etc/casemate/guard.toml`. Everything has a default.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use sandbox::Plan;
use serde::Deserialize;

use crate::blocks;
use crate::decide::{Reach, WIDEST};
use crate::journal::follow::FOLDERS;
use crate::prefix::Prefix;
use crate::rules::{self, Rule};

/// The folder of the store, below the one that the service manager keeps such folders in.
const STATE: &str = "casemate-guard";
/// The folder of what tells an older copy of the store from the newest.
const ANCHOR: &str = "casemate-anchor/guard";
/// Where the service manager keeps them (systemd.exec(5)).
const KEPT: &str = "/var/lib";
/// The store's file in [`state`].
pub const STORE_FILE: &str = "guard.redb";
/// The anchor's file in [`anchor`].
pub const ANCHOR_FILE: &str = "guard.anchor";
/// The credential with the store's key.
pub const STORE_KEY: &str = "store";
/// The folder of block lists.
pub const BLOCKS: &str = "/etc/casemate/blocks";
/// The folder of the firewall's socket.
const FIREWALL_FOLDER: &str = "/run/casemate/firewall";
/// Where it says which unit a process belongs to.
pub const PROCESSES: &str = "/proc";

/// Most entries of the allow list.
pub const NEVER_MAX: usize = 1024;

/// Most units that are declared to log people in.
pub const PAM_UNITS_MAX: usize = 32;

/// What the file holds.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Ban nobody, and report who would be banned.
    pub dry_run: bool,
    /// The allow list: addresses and prefixes that are never banned.
    pub never: Vec<String>,
    /// How much of IPv4 is one client: 32 bits, or 24, so that neighbours are banned together.
    pub ipv4_bits: u8,
    /// How many banned parts make a wider IPv6 prefix banned: so many /64 a /56, and so many /56 a /48. 0 for never.
    pub neighbours: u32,
    /// Units of other services that log people in by PAM, such as `dovecot.service`: their failures count too.
    pub pam_units: Vec<String>,
    /// Built-in rules that are turned off.
    pub disable: Vec<String>,
    /// Rules: those of a built-in rule's name take its place.
    pub rule: Vec<Rule>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            dry_run: false,
            never: Vec::new(),
            ipv4_bits: 32,
            neighbours: 4,
            pam_units: Vec::new(),
            disable: Vec::new(),
            rule: Vec::new(),
        }
    }
}

impl Config {
    /// Rejects what can be read and not be meant.
    ///
    /// # Errors
    /// A sentence that names the key and what is wrong with its value.
    pub fn check(&self) -> Result<(), String> {
        self.never()?;
        rules::in_force(&self.rule, &self.disable)?;
        if ![24, 32].contains(&self.ipv4_bits) {
            return Err("`ipv4_bits` is 32, or 24".to_owned());
        }
        if self.neighbours == 1 || self.neighbours > 256 {
            return Err("`neighbours` is 2 to 256, or 0 for never".to_owned());
        }
        let unit = |name: &String| {
            let plain = |byte: u8| byte.is_ascii_alphanumeric() || b":-_.\\@".contains(&byte);
            name.ends_with(".service") && name.len() <= 255 && name.bytes().all(plain)
        };
        match self.pam_units.iter().find(|name| !unit(name)) {
            Some(name) => Err(format!(
                "`pam_units`: {name:?} is no name of a service's unit"
            )),
            None if self.pam_units.len() > PAM_UNITS_MAX => {
                Err(format!("`pam_units` has more than {PAM_UNITS_MAX}"))
            }
            None => Ok(()),
        }
    }

    /// The allow list.
    ///
    /// # Errors
    /// A sentence that names what is no prefix.
    pub fn never(&self) -> Result<Vec<Prefix>, String> {
        if self.never.len() > NEVER_MAX {
            return Err(format!("`never` has more than {NEVER_MAX} entries"));
        }
        let read = self.never.iter().map(|text| {
            let prefix = blocks::prefix(text);
            let wide =
                |prefix: &Prefix| prefix.bits() < if prefix.is_ipv4() { WIDEST.0 } else { 8 };
            match prefix {
                None => Err(format!(
                    "`never`: {text:?} is no address and no prefix, such as \"192.0.2.0/24\""
                )),
                Some(prefix) if wide(&prefix) => {
                    Err(format!("`never`: {text:?} would spare nearly everybody"))
                }
                Some(prefix) => Ok(prefix),
            }
        });
        read.collect()
    }

    /// How prefixes are chosen.
    #[must_use]
    pub const fn reach(&self) -> Reach {
        Reach {
            ipv4_bits: self.ipv4_bits,
            neighbours: self.neighbours,
            dry_run: self.dry_run,
        }
    }
}

/// The folder of the store.
#[must_use]
pub fn state() -> PathBuf {
    kept(std::env::var_os("STATE_DIRECTORY").as_deref(), STATE)
}

/// The folder of its anchor, apart from it, so that whoever puts an older copy of the store back does not put an older
/// anchor back with it.
#[must_use]
pub fn anchor() -> PathBuf {
    kept(std::env::var_os("STATE_DIRECTORY").as_deref(), ANCHOR)
}

/// The one of `given` that ends with `name`. The service manager gives the unit's `StateDirectory=` separated by colons,
/// in an order of its own.
fn kept(given: Option<&OsStr>, name: &str) -> PathBuf {
    let given = given
        .unwrap_or_default()
        .as_bytes()
        .split(|byte| *byte == b':');
    given
        .map(|path| Path::new(OsStr::from_bytes(path)))
        .find(|path| path.ends_with(name))
        .map_or_else(|| Path::new(KEPT).join(name), Path::to_owned)
}

/// What the service may touch.
#[must_use]
pub fn plan() -> Plan {
    // Not every machine keeps a journal in both places.
    let folders = FOLDERS.into_iter().chain([BLOCKS]);
    let there = folders.filter(|folder| Path::new(folder).exists());
    let plan = Plan::new()
        .write(state())
        .write(anchor())
        .connect(FIREWALL_FOLDER)
        .read(PROCESSES);
    there.fold(plan, Plan::read)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn check(text: &str) -> Result<(), String> {
        daemon::parse::<Config>(text).unwrap().check()
    }

    #[test]
    fn the_folders_are_told_apart_in_any_order() {
        let given = Some(OsStr::new(
            "/var/lib/private/casemate-anchor/guard:/var/lib/private/casemate-guard",
        ));
        assert_eq!(
            kept(given, STATE),
            Path::new("/var/lib/private/casemate-guard")
        );
        assert_eq!(
            kept(given, ANCHOR),
            Path::new("/var/lib/private/casemate-anchor/guard")
        );
        assert_eq!(kept(None, STATE), Path::new("/var/lib/casemate-guard"));
    }

    #[test]
    fn what_cannot_be_meant_is_refused() {
        check("").unwrap();
        check("dry_run = true\nnever = ['192.0.2.1', '2001:db8::/32']\nipv4_bits = 24\nneighbours = 0").unwrap();
        for (text, key) in [
            ("never = ['x']", "`never`"),
            ("never = ['0.0.0.0/0']", "`never`"),
            ("ipv4_bits = 16", "`ipv4_bits`"),
            ("neighbours = 1", "`neighbours`"),
            ("pam_units = ['dovecot']", "`pam_units`"),
            ("disable = ['x']", "`disable`"),
        ] {
            assert!(check(text).unwrap_err().contains(key), "{text}");
        }
    }
}
