//! The checkout as rules see it: names and texts, so that a rule can be shown a made-up one.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

use crate::failure::Outcome;
use crate::program;

/// The files that belong to the checkout, by path.
#[derive(Debug, Default)]
pub(super) struct Tree {
    files: BTreeMap<String, String>,
}

/// Something that breaks a rule.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Finding {
    /// The file or directory.
    pub(super) place: String,
    /// What is wrong with it.
    pub(super) text: String,
    /// Whether it is only to be thought about.
    pub(super) advice: bool,
}

impl Finding {
    pub(super) fn new(place: impl Into<String>, text: impl Into<String>) -> Self {
        Self {
            place: place.into(),
            text: text.into(),
            advice: false,
        }
    }

    pub(super) fn advice(place: impl Into<String>, text: impl Into<String>) -> Self {
        Self {
            advice: true,
            ..Self::new(place, text)
        }
    }
}

impl Tree {
    /// What git knows or would add; what it ignores is nobody's business.
    pub(super) fn of_checkout(root: &Path) -> Outcome<Self> {
        let listed = program::read(
            Command::new("git")
                .args(["-c", "safe.directory=*", "ls-files", "-z"])
                .args(["--cached", "--others", "--exclude-standard"])
                .current_dir(root),
        )?;
        let files = listed
            .split_terminator('\0')
            // A file that is deleted and not yet committed so is gone; one that is not text has no lines.
            .filter_map(|path| {
                let content = std::fs::read(root.join(path)).ok()?;
                Some((
                    path.to_owned(),
                    String::from_utf8_lossy(&content).into_owned(),
                ))
            })
            .collect();
        Ok(Self { files })
    }

    /// Every path.
    pub(super) fn paths(&self) -> impl Iterator<Item = &str> {
        self.files.keys().map(String::as_str)
    }

    /// A file's text.
    pub(super) fn text(&self, path: &str) -> Option<&str> {
        self.files.get(path).map(String::as_str)
    }

    /// The files whose names end so.
    pub(super) fn ending(&self, end: &str) -> impl Iterator<Item = (&str, &str)> {
        self.files
            .iter()
            .filter(move |(path, _)| path.ends_with(end))
            .map(|(path, text)| (path.as_str(), text.as_str()))
    }

    /// The names right below a directory.
    pub(super) fn names_in(&self, directory: &str) -> BTreeSet<&str> {
        self.files
            .keys()
            .filter_map(|path| path.strip_prefix(directory)?.strip_prefix('/'))
            .filter_map(|rest| rest.split('/').next())
            .collect()
    }
}

#[cfg(test)]
pub(super) fn made_up(files: &[(&str, &str)]) -> Tree {
    Tree {
        files: files
            .iter()
            .map(|(path, text)| ((*path).to_owned(), (*text).to_owned()))
            .collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_below_a_directory_are_its_own_and_no_deeper() {
        let tree = made_up(&[("a/b/c", ""), ("a/d", ""), ("ab/e", "")]);
        assert_eq!(tree.names_in("a"), BTreeSet::from(["b", "d"]));
    }
}
