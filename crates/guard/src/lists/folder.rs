//! The folder of block lists: which files are lists, and why others are not.

use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use firewall_api::BlockName;
use firewall_api::limits::BLOCKS_MAX;

use crate::blocks::Form;

/// Files that are no list of whom it is said; of more, it is not.
const IGNORED_MAX: usize = 32;

/// What tells one version of a file from the next: its length and its time of change.
pub(super) type Version = (u64, Option<SystemTime>);

/// A list of the folder.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) name: BlockName,
    pub(super) path: PathBuf,
    pub(super) form: Form,
    /// Or why it cannot be told.
    pub(super) version: Result<Version, String>,
}

/// What is in the folder.
#[derive(Debug, Default)]
pub(super) struct Folder {
    pub(super) lists: Vec<Found>,
    /// Files that are not taken, and why.
    pub(super) ignored: Vec<(String, String)>,
}

/// Looks what is there. A folder that is gone has no lists. What has not the ending of a list is left alone, and so are
/// hidden files, such as editors make.
///
/// # Errors
/// Where it is there and cannot be read.
pub(super) fn look(folder: &Path) -> io::Result<Folder> {
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Folder::default()),
        Err(error) => return Err(error),
    };
    let mut found = Folder::default();
    for entry in entries {
        let path = entry?.path();
        let (Some(ending), Some(file)) = (path.extension(), path.file_name()) else {
            continue;
        };
        let file = file.to_string_lossy().into_owned();
        let Some(form) = ending.to_str().and_then(Form::of) else {
            continue;
        };
        if file.starts_with('.') {
            continue;
        }
        let stem = path.file_stem().and_then(|stem| stem.to_str());
        match stem.unwrap_or_default().parse() {
            Ok(name) => found.lists.extend(list(name, path, form)),
            Err(error) => found.ignore(file, format!("it is not in force: {error}")),
        }
    }
    let lists = &mut found.lists;
    lists.sort_by(|one, other| one.name.cmp(&other.name).then(one.path.cmp(&other.path)));
    let mut ignored = Vec::new();
    lists.dedup_by(|one, before| {
        let same = one.name == before.name;
        if same {
            let why = format!("{} has the same name and is in force instead", file(before));
            ignored.push((file(one), why));
        }
        same
    });
    for one in lists.drain(BLOCKS_MAX.min(lists.len())..) {
        let why = format!("it is not in force: only the first {BLOCKS_MAX} lists are");
        ignored.push((file(&one), why));
    }
    for (file, why) in ignored {
        found.ignore(file, why);
    }
    found.ignored.sort_unstable();
    Ok(found)
}

impl Folder {
    fn ignore(&mut self, file: String, why: String) {
        if self.ignored.len() < IGNORED_MAX {
            self.ignored.push((file, why));
        }
    }
}

/// The list of a file; none where it is gone meanwhile, or no file.
fn list(name: BlockName, path: PathBuf, form: Form) -> Option<Found> {
    let version = match std::fs::metadata(&path) {
        Ok(about) if about.is_file() => Ok((about.len(), about.modified().ok())),
        Ok(_) => return None,
        // It may be a link to what is being replaced.
        Err(error) if error.kind() == io::ErrorKind::NotFound && !path.is_symlink() => return None,
        Err(error) => Err(error.to_string()),
    };
    Some(Found {
        name,
        path,
        form,
        version,
    })
}

fn file(found: &Found) -> String {
    let name = found.path.file_name().unwrap_or_default();
    name.to_string_lossy().into_owned()
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn names(folder: &Folder) -> Vec<&str> {
        folder.lists.iter().map(|list| list.name.as_str()).collect()
    }

    #[test]
    fn lists_are_found_by_their_names_and_others_are_told_of() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["b.txt", "a.csv", "a.json", "Bad.txt", "c.md", ".d.txt"] {
            std::fs::write(folder.path().join(name), "").unwrap();
        }
        std::fs::create_dir(folder.path().join("e.txt")).unwrap();
        let found = look(folder.path()).unwrap();
        assert_eq!(names(&found), ["a", "b"]);
        let ignored: Vec<_> = found.ignored.iter().map(|(file, _)| &**file).collect();
        assert_eq!(ignored, ["Bad.txt", "a.json"]);
        assert!(found.ignored[1].1.contains("a.csv"), "{:?}", found.ignored);
    }

    #[test]
    fn one_list_too_many_is_told_of() {
        let folder = tempfile::tempdir().unwrap();
        for number in 0..=BLOCKS_MAX {
            std::fs::write(folder.path().join(format!("list-{number:02}.txt")), "").unwrap();
        }
        let found = look(folder.path()).unwrap();
        assert_eq!(found.lists.len(), BLOCKS_MAX);
        assert_eq!(found.ignored[0].0, format!("list-{BLOCKS_MAX:02}.txt"));
    }

    #[test]
    fn what_cannot_be_read_is_not_taken_for_gone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.txt");
        std::os::unix::fs::symlink("/nowhere/a.txt", &path).unwrap();
        let found = look(folder.path()).unwrap();
        assert_eq!(names(&found), ["a"]);
        assert!(found.lists[0].version.is_err());
        // A file where the folder should be.
        let file = folder.path().join("file");
        std::fs::write(&file, "").unwrap();
        assert!(look(&file).is_err());
        assert!(look(Path::new("/nowhere")).unwrap().lists.is_empty());
    }
}
