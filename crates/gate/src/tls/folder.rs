//! Reads the folder of certificates.

use std::fs;
use std::io::{self, Read as _};
use std::path::Path;

use zeroize::Zeroizing;

use super::pair::Unusable;

/// Most files that are read.
const FILES_MAX: usize = 256;
/// Longest file, in bytes: a key, and a chain with many names.
pub(crate) const FILE_BYTES: u64 = 64 * 1024;

/// How the names of certificates' files end.
const SUFFIX: &str = ".pem";

/// A file and what it holds, or why it could not be read.
#[derive(Debug)]
pub(crate) struct File {
    pub(crate) name: String,
    pub(crate) content: Result<Zeroizing<Vec<u8>>, Unusable>,
}

/// All files `NAME.pem`, by name. Others, such as one that is being written under
/// another name, and hidden ones are passed over. A folder that is not there is empty.
///
/// # Errors
/// When the folder cannot be listed, or holds more than [`FILES_MAX`] of them.
pub(crate) fn read(folder: &Path) -> io::Result<Vec<File>> {
    let listed = match fs::read_dir(folder) {
        Ok(listed) => listed,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut names = Vec::new();
    for entry in listed {
        // A name that is not UTF-8 is none that certs writes.
        if let Ok(name) = entry?.file_name().into_string()
            && is_certificate(&name)
        {
            names.push(name);
        }
        if names.len() > FILES_MAX {
            let message = format!("it holds more than {FILES_MAX} certificates");
            return Err(io::Error::other(message));
        }
    }
    names.sort_unstable();
    let file = |name: String| File {
        content: bounded(&folder.join(&name)),
        name,
    };
    Ok(names.into_iter().map(file).collect())
}

/// Whether a file of that name is one to read.
fn is_certificate(name: &str) -> bool {
    !name.starts_with('.') && name.len() > SUFFIX.len() && name.ends_with(SUFFIX)
}

/// A file of at most [`FILE_BYTES`].
pub(crate) fn bounded(path: &Path) -> Result<Zeroizing<Vec<u8>>, Unusable> {
    let file = fs::File::open(path)?;
    let length = usize::try_from(file.metadata()?.len().min(FILE_BYTES)).unwrap_or(0);
    // At once in one allocation: growing would leave a copy of the key behind.
    let mut content = Zeroizing::new(Vec::with_capacity(length + 1));
    file.take(FILE_BYTES + 1).read_to_end(&mut content)?;
    if content.len() as u64 > FILE_BYTES {
        return Err(Unusable::TooLong(FILE_BYTES));
    }
    Ok(content)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let files = read(folder).unwrap();
        files.into_iter().map(|file| file.name).collect()
    }

    #[test]
    fn certificates_alone_are_read_and_in_order() {
        let folder = testkit::Folder::new();
        for name in [
            "b.pem",
            "a.pem",
            ".c.pem",
            "d.pem.new",
            "e.key",
            ".pem",
            "pem",
        ] {
            folder.file(name, name);
        }
        assert_eq!(names(folder.path()), ["a.pem", "b.pem"]);
        let first = read(folder.path()).unwrap().remove(0);
        assert_eq!(&first.content.unwrap()[..], b"a.pem");
    }

    #[test]
    fn a_folder_that_is_not_there_is_empty() {
        let folder = testkit::Folder::new();
        assert!(read(&folder.path().join("none")).unwrap().is_empty());
        assert!(read(&folder.file("file", "")).is_err());
    }

    #[test]
    fn what_is_too_long_or_no_file_is_said_of_that_file_alone() {
        let folder = testkit::Folder::new();
        let bytes = usize::try_from(FILE_BYTES).unwrap();
        folder.file("a.pem", vec![b'a'; bytes]);
        folder.file("b.pem", vec![b'b'; bytes + 1]);
        fs::create_dir(folder.path().join("c.pem")).unwrap();
        let files = read(folder.path()).unwrap();
        assert_eq!(files[0].content.as_ref().unwrap().len(), bytes);
        assert!(matches!(files[1].content, Err(Unusable::TooLong(_))));
        assert!(matches!(files[2].content, Err(Unusable::Read(_))));
    }

    #[test]
    fn more_files_than_are_read_are_refused_and_not_cut_off() {
        let folder = testkit::Folder::new();
        for number in 0..=FILES_MAX {
            folder.file(&format!("{number}.pem"), "");
        }
        assert!(read(folder.path()).is_err());
        fs::remove_file(folder.path().join("0.pem")).unwrap();
        assert_eq!(read(folder.path()).unwrap().len(), FILES_MAX);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn any_names_are_read_or_passed_over(names in proptest::collection::btree_set("[a-c.~ ]{1,4}(\\.pem)?", 0..12)) {
            let folder = testkit::Folder::new();
            let names: Vec<_> = names.into_iter().filter(|name| name != "." && name != "..").collect();
            for name in &names {
                folder.file(name, name);
            }
            let files = read(folder.path()).unwrap();
            let expected: Vec<_> = names.iter().filter(|name| !name.starts_with('.') && name.ends_with(".pem")).collect();
            prop_assert_eq!(files.iter().map(|file| &file.name).collect::<Vec<_>>(), expected);
            for file in files {
                prop_assert_eq!(&file.content.unwrap()[..], file.name.as_bytes());
            }
        }
    }
}
