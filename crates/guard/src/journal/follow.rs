//! The journal's files, followed over rotations and reboots.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::cursor::{CURSORS_MAX, Cursor, Cursors};
use super::field::Fields;
use super::file::{Journal, Unreadable};
use super::find;
use super::format::Id;
use super::stream::Stream;
use crate::decide::never::Process;
use crate::messages::Line;

/// Where journals are, in memory and on disk.
pub const FOLDERS: [&str; 2] = ["/run/log/journal", "/var/log/journal"];

/// Names that are followed at once: the system's journal and users' ones, in both folders.
pub const FILES_MAX: usize = 64;

/// A line that is believed.
#[derive(Debug, Clone, Copy)]
pub struct Told<'a> {
    /// What it says.
    pub line: Line,
    /// When it came, in milliseconds since 1970; never later than now.
    pub at_ms: u64,
    /// The unit that it is from.
    pub unit: &'a str,
    /// The process that it is from.
    pub process: Process,
}

/// What is the same for all files.
#[derive(Debug)]
pub(super) struct Here {
    machine: Id,
    pub(super) pam_units: Vec<String>,
}

impl Here {
    /// Opens a file of this machine.
    pub(super) fn open(&self, path: &Path) -> Result<Journal, Unreadable> {
        let file = Journal::open(path, &self.pam_units)?;
        if file.header().machine == self.machine {
            Ok(file)
        } else {
            Err(Unreadable::Foreign)
        }
    }
}

/// The files that are followed.
#[derive(Debug)]
pub struct Follower {
    folders: Vec<PathBuf>,
    here: Here,
    streams: BTreeMap<String, Stream>,
    /// Of names that are not followed, or not any more.
    cursors: Cursors,
    since_ms: u64,
    fields: Fields,
    is_full: bool,
}

impl Follower {
    /// Follows the journals of `machine` in `folders` from `cursors` on, or from `since_ms`, in milliseconds since 1970,
    /// where there is none.
    #[must_use]
    pub fn new(
        folders: &[&Path],
        machine: Id,
        pam_units: Vec<String>,
        cursors: Cursors,
        since_ms: u64,
    ) -> Self {
        Self {
            folders: folders
                .iter()
                .map(|folder| find::of_machine(folder, machine))
                .collect(),
            here: Here { machine, pam_units },
            streams: BTreeMap::new(),
            cursors,
            since_ms,
            fields: Fields::default(),
            is_full: false,
        }
    }

    /// How many names have a file that can be read.
    #[must_use]
    pub fn files(&self) -> usize {
        let streams = self.streams.values();
        streams.filter(|stream| stream.is_readable()).count()
    }

    /// Where reading has come to.
    #[must_use]
    pub fn cursors(&self) -> Cursors {
        let mut cursors = self.cursors.clone();
        for (name, stream) in &self.streams {
            cursors.extend(stream.cursor().map(|cursor| (name.clone(), cursor)));
        }
        while cursors.len() > CURSORS_MAX {
            let oldest = cursors
                .iter()
                .min_by_key(|(_, cursor)| cursor.realtime_us());
            let Some(oldest) = oldest.map(|(name, _)| name.clone()) else {
                break;
            };
            cursors.remove(&oldest);
        }
        cursors
    }

    /// Looks for new and rotated files. They are read by [`Self::turn`].
    pub fn look(&mut self, now_ms: u64) {
        let folders = self.folders.iter();
        let written: Vec<_> = folders.flat_map(|folder| find::written(folder)).collect();
        let mut names = Vec::with_capacity(written.len());
        for (path, stem) in written {
            let Some(name) = path.with_extension("").to_str().map(str::to_owned) else {
                continue;
            };
            names.push(name.clone());
            if !self.streams.contains_key(&name) {
                if self.streams.len() >= FILES_MAX {
                    if !std::mem::replace(&mut self.is_full, true) {
                        tracing::warn!(
                            "{} and maybe others are not read, so nobody is banned for what they say: more than \
                             {FILES_MAX} journals are not followed",
                            path.display()
                        );
                    }
                    continue;
                }
                let cursor = self.cursor_for(&name, &stem);
                let stream = Stream::new(path, stem, cursor, self.since_ms);
                self.streams.insert(name.clone(), stream);
            }
            if let Some(stream) = self.streams.get_mut(&name) {
                stream.look(&self.here, now_ms);
            }
        }
        let cursors = &mut self.cursors;
        self.streams.retain(|name, stream| {
            if !names.contains(name) {
                stream.go();
            }
            if stream.is_over() {
                cursors.extend(stream.cursor().map(|cursor| (name.clone(), cursor)));
            }
            !stream.is_over()
        });
    }

    /// Where reading of a name begins. A journal that moved from memory to disk goes on where it was, told by the clock:
    /// its entries get new numbers.
    fn cursor_for(&self, name: &str, stem: &str) -> Option<Cursor> {
        let moved = || {
            let folders = self.folders.iter();
            let names = folders.map(|folder| folder.join(stem));
            let cursors = names.filter_map(|other| {
                let other = other.to_str()?;
                let followed = self.streams.get(other).and_then(Stream::cursor);
                followed.or_else(|| self.cursors.get(other).copied())
            });
            let latest = cursors.max_by_key(Cursor::realtime_us);
            latest.map(Cursor::by_clock)
        };
        self.cursors.get(name).copied().or_else(moved)
    }

    /// Reads what is new, as of `now_ms`, in milliseconds since 1970. Says whether there may be more at once.
    pub fn turn(&mut self, now_ms: u64, each: &mut impl FnMut(Told<'_>)) -> bool {
        let mut more = false;
        for stream in self.streams.values_mut() {
            more |= stream.turn(&self.here, &mut self.fields, now_ms, each);
        }
        more
    }
}
