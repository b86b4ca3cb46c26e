//! Which lists name an address: a rare question, answered from the files.

use std::net::IpAddr;
use std::path::Path;

use firewall_api::limits::{IPV4_BITS_MIN, IPV6_BITS_MIN};

use super::{Lists, folder, read};
use crate::blocks::prefix;
use crate::core::Core;

/// Entries of one list that are named.
const NAMED_MAX: usize = 4;

impl Lists {
    /// The lists in force that have an address, each with the entry as it is written there, and again for further
    /// entries. Reads every file to its end, which takes about a second where there are 16 million entries: not to be
    /// called on a thread of the runtime.
    #[must_use]
    pub fn naming(&self, core: &Core, folder: &Path, address: IpAddr) -> Vec<(String, String)> {
        let found = folder::look(folder).unwrap_or_default();
        let mut named = Vec::new();
        for list in found.lists {
            if !self.known().is_in_force(list.name.as_str()) {
                continue;
            }
            let mut entries = Vec::new();
            let read = read::entries(&list.path, list.form, |entry| {
                if let Some(entry) = entry.filter(|entry| has(core, entry, address)) {
                    entries.push((list.name.to_string(), entry.to_owned()));
                }
                entries.len() < NAMED_MAX
            });
            if let Err(error) = read {
                tracing::warn!(list = %list.name, "it cannot be told whether the list has {address}: {error}");
            }
            named.append(&mut entries);
        }
        named
    }
}

/// Whether an entry that is in force has the address.
fn has(core: &Core, entry: &str, address: IpAddr) -> bool {
    prefix(entry).is_some_and(|prefix| {
        let least = if prefix.is_ipv4() {
            IPV4_BITS_MIN
        } else {
            IPV6_BITS_MIN
        };
        prefix.has(address) && prefix.bits() >= least && {
            let never = core.state().engine.never.why(&prefix, core.now_ms() / 1000);
            never.is_none()
        }
    })
}
