//! The journal's files, by their names (systemd-journald.service(8)).

use std::path::{Path, PathBuf};

use super::format::Id;

/// A machine's or a boot's id, as systemd writes it: 32 hexadecimal digits, or a UUID.
#[must_use]
pub fn id(text: &str) -> Option<Id> {
    let digits: String = text.trim_end().split('-').collect();
    let hex = digits.len() == 32 && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    hex.then(|| u128::from_str_radix(&digits, 16).ok())
        .flatten()
        .map(u128::to_be_bytes)
}

/// The folder of a machine's journal. Those of containers, of other machines and of namespaces lie beside it.
#[must_use]
pub fn of_machine(folder: &Path, machine: Id) -> PathBuf {
    folder.join(format!("{:032x}", u128::from_be_bytes(machine)))
}

/// The files in a folder that are written to now, `system.journal` and `user-1000.journal`, each with its stem.
#[must_use]
pub fn written(folder: &Path) -> Vec<(PathBuf, String)> {
    let mut found: Vec<_> = children(folder)
        .filter_map(|path| {
            let name = path.file_name()?.to_str()?;
            let stem = stem_of(name.strip_suffix(".journal")?)?;
            let stem = (!name.contains('@')).then(|| stem.to_owned())?;
            Some((path, stem))
        })
        .collect();
    found.sort();
    found
}

/// The files that were rotated away from a name, or set aside after an unclean stop, the earliest first.
#[must_use]
pub fn archived(path: &Path, stem: &str) -> Vec<PathBuf> {
    let mut found: Vec<(String, PathBuf)> = path
        .parent()
        .into_iter()
        .flat_map(children)
        .filter_map(|path| {
            let name = path.file_name()?.to_str()?;
            let time = time_of(name, stem)?.to_owned();
            Some((time, path))
        })
        .collect();
    found.sort();
    found.into_iter().map(|(_, path)| path).collect()
}

/// The time in an archive's name. `STEM@SEQUENCE_ID-FIRST_SEQUENCE-FIRST_TIME.journal` was rotated;
/// `STEM@TIME-RANDOM.journal~` was set aside at that time, so that it comes before whatever began later.
fn time_of<'a>(name: &'a str, stem: &str) -> Option<&'a str> {
    let (name, aside) = match name.strip_suffix('~') {
        Some(name) => (name, true),
        None => (name, false),
    };
    let (before, numbers) = name.strip_suffix(".journal")?.split_once('@')?;
    (stem_of(before)? == stem).then_some(())?;
    if aside {
        numbers.split_once('-').map(|(time, _)| time)
    } else {
        numbers.rsplit_once('-').map(|(_, time)| time)
    }
}

/// `system`, `user-1000`: other names are not journald's.
fn stem_of(name: &str) -> Option<&str> {
    let stem = name.split_once('@').map_or(name, |(stem, _)| stem);
    (stem == "system" || stem.starts_with("user-")).then_some(stem)
}

fn children(folder: &Path) -> impl Iterator<Item = PathBuf> + use<> {
    let entries = std::fs::read_dir(folder).into_iter().flatten();
    entries.flatten().map(|entry| entry.path())
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn names_are_told_apart_and_put_in_order() {
        let folder = tempfile::tempdir().unwrap();
        for name in [
            "system.journal",
            "user-1000.journal",
            "system@0011-0000000000000090-0000000000000030.journal",
            "system@0000000000000025-00000000deadbeef.journal~",
            "system@0022-0000000000000001-0000000000000010.journal",
            "user-1000@0011-0000000000000090-0000000000000030.journal",
            "remote-x.journal",
            "system.journal~",
        ] {
            std::fs::write(folder.path().join(name), "").unwrap();
        }
        let stems: Vec<_> = written(folder.path())
            .into_iter()
            .map(|(_, stem)| stem)
            .collect();
        assert_eq!(stems, ["system", "user-1000"]);
        let found = archived(&folder.path().join("system.journal"), "system");
        let names: Vec<_> = found
            .iter()
            .map(|path| path.file_name().unwrap().to_str().unwrap())
            .collect();
        assert_eq!(
            names,
            [
                "system@0022-0000000000000001-0000000000000010.journal",
                "system@0000000000000025-00000000deadbeef.journal~",
                "system@0011-0000000000000090-0000000000000030.journal",
            ]
        );
    }

    #[test]
    fn ids_are_read() {
        let text = "0123456789abcdef0123456789abcdef";
        let read = id(&format!("{text}\n")).unwrap();
        assert_eq!(read[..3], [0x01, 0x23, 0x45]);
        assert_eq!(id("01234567-89ab-cdef-0123-456789abcdef"), Some(read));
        assert_eq!(
            of_machine(Path::new("/j"), read),
            Path::new("/j").join(text)
        );
        for wrong in ["", "0123", "+123456789abcdef0123456789abcdef"] {
            assert_eq!(id(wrong), None);
        }
    }
}
