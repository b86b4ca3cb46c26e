//! What one journald wrote under one name: the file that it writes to now, and those that were rotated away from it.

use std::collections::VecDeque;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use super::cursor::{AHEAD_MS, Cursor, Start};
use super::field::{Fields, Name};
use super::file::{Journal, Unreadable};
use super::find;
use super::follow::{Here, Told};
use super::format::Entry;
use super::read::Read;
use super::trust::judge;
use crate::decide::never::Process;

/// Entries that are read before others have their turn.
pub const ENTRIES_A_TURN: usize = 4096;

/// Looks at which a file may be without a whole header: journald makes it, and then writes it.
const UNFINISHED_LOOKS: u32 = 3;

/// A file that is read.
#[derive(Debug)]
struct Reading {
    file: Journal,
    path: PathBuf,
    start: Start,
    /// journald writes to it: its end is not the end.
    is_live: bool,
    is_told: bool,
}

/// The files of one name.
#[derive(Debug)]
pub(super) struct Stream {
    path: PathBuf,
    stem: String,
    cursor: Option<Cursor>,
    /// Where no cursor tells, what is older is left, in milliseconds since 1970.
    since_ms: u64,
    reading: Option<Reading>,
    /// Rotated files that are to be read before `live`, the earliest first.
    behind: VecDeque<PathBuf>,
    /// The file that is written to, while others are read before it.
    live: Option<Journal>,
    live_inode: Option<u64>,
    failed_looks: u32,
    is_gone: bool,
}

impl Stream {
    pub(super) fn new(path: PathBuf, stem: String, cursor: Option<Cursor>, since_ms: u64) -> Self {
        Self {
            path,
            stem,
            cursor,
            since_ms,
            reading: None,
            behind: VecDeque::new(),
            live: None,
            live_inode: None,
            failed_looks: 0,
            is_gone: false,
        }
    }

    /// Where reading has come to.
    pub(super) const fn cursor(&self) -> Option<Cursor> {
        self.cursor
    }

    /// Whether it has a file that can be read.
    pub(super) const fn is_readable(&self) -> bool {
        self.live_inode.is_some()
    }

    /// Whether journald writes under that name no more, and all is read.
    pub(super) fn is_over(&self) -> bool {
        self.is_gone && self.reading.is_none() && self.behind.is_empty()
    }

    /// There is no file of that name any more.
    pub(super) fn go(&mut self) {
        self.is_gone = true;
        self.live_inode = None;
        if self.live.take().is_some() {
            self.behind = find::archived(&self.path, &self.stem).into();
        }
        if let Some(reading) = &mut self.reading {
            reading.is_live = false;
        }
    }

    /// Looks whether the file was rotated.
    pub(super) fn look(&mut self, here: &Here, now_ms: u64) {
        let inode = std::fs::metadata(&self.path).map(|found| found.ino());
        if inode.ok() == self.live_inode && self.live_inode.is_some() {
            return;
        }
        let file = match here.open(&self.path) {
            Ok(file) => file,
            Err(error) => {
                self.failed(&error);
                return;
            }
        };
        if self.live_inode.is_none() {
            let checked = self
                .cursor
                .map(|cursor| cursor.checked(file.header(), now_ms));
            self.cursor = checked.flatten();
        }
        // Rotated: the rest of what is read now comes first, then what was rotated since.
        if let Some(reading) = &mut self.reading {
            reading.is_live = false;
        }
        self.behind = find::archived(&self.path, &self.stem).into();
        (self.live_inode, self.is_gone) = (Some(file.inode()), false);
        self.live = Some(file);
    }

    /// Reads on. Says whether there may be more at once.
    pub(super) fn turn(
        &mut self,
        here: &Here,
        fields: &mut Fields,
        now_ms: u64,
        each: &mut impl FnMut(Told<'_>),
    ) -> bool {
        if self.reading.is_none() {
            self.reading = self.next_file(here);
        }
        let Some(mut reading) = self.reading.take() else {
            return self.is_behind();
        };
        let read = self.read(&mut reading, here, fields, now_ms, each);
        if let Err(error) = &read
            && !std::mem::replace(&mut reading.is_told, true)
        {
            tell_unread(&reading.path, error);
        }
        let more = matches!(read, Ok(true));
        if more || reading.is_live {
            self.reading = Some(reading);
            return more;
        }
        self.is_behind()
    }

    fn is_behind(&self) -> bool {
        !self.behind.is_empty() || self.live.is_some()
    }

    fn start(&self) -> Start {
        self.cursor
            .map_or(Start::Since(self.since_ms), Start::After)
    }

    /// The file that is to be read next, at the place where reading had come to.
    fn next_file(&mut self, here: &Here) -> Option<Reading> {
        let start = self.start();
        let (path, opened) = match self.behind.pop_front() {
            Some(path) => {
                let opened = here.open(&path);
                (path, opened)
            }
            None => (self.path.clone(), Ok(self.live.take()?)),
        };
        let is_live = self.behind.is_empty() && self.live.is_none() && path == self.path;
        let placed = opened.and_then(|mut file| {
            if !is_live && start.is_past(file.header()) {
                return Ok(None);
            }
            let sequence_id = file.header().sequence_id;
            file.seek(|entry| start.takes(entry, sequence_id))?;
            Ok(Some(file))
        });
        match placed {
            Ok(file) => {
                self.failed_looks = if is_live { 0 } else { self.failed_looks };
                Some(Reading {
                    file: file?,
                    path,
                    start,
                    is_live,
                    is_told: false,
                })
            }
            Err(error) if is_live => {
                // The next look tries it again.
                self.live_inode = None;
                self.failed(&error);
                None
            }
            Err(error) => {
                // journald takes the oldest away where it has too much.
                if !error.is_absence() {
                    tell_unread(&path, &error);
                }
                None
            }
        }
    }

    /// The file that is written to could not be read. It is said once.
    fn failed(&mut self, error: &Unreadable) {
        self.failed_looks = self.failed_looks.saturating_add(1);
        if self.failed_looks == UNFINISHED_LOOKS {
            tell_unread(&self.path, error);
        }
    }

    fn read(
        &mut self,
        reading: &mut Reading,
        here: &Here,
        fields: &mut Fields,
        now_ms: u64,
        each: &mut impl FnMut(Told<'_>),
    ) -> Result<bool, Unreadable> {
        if !reading.file.refresh()? {
            return Ok(false);
        }
        let sequence_id = reading.file.header().sequence_id;
        let last_us = now_ms.saturating_add(AHEAD_MS).saturating_mul(1000);
        let start = reading.start;
        let is_taken =
            |entry: &Entry| entry.realtime_us <= last_us && start.takes(entry, sequence_id);
        for _ in 0..ENTRIES_A_TURN {
            let Some(read) = reading.file.next(fields)? else {
                return Ok(false);
            };
            match read {
                Read::Entry(entry) if is_taken(&entry) => {
                    self.cursor = Some(Cursor::of(&entry, sequence_id));
                    if let Some(told) = told(&entry, fields, &here.pam_units, now_ms) {
                        each(told);
                    }
                }
                // So that after quiet weeks they are not read again.
                Read::Skipped(entry) if is_taken(&entry) => {
                    self.cursor = Some(Cursor::of(&entry, sequence_id));
                }
                Read::Entry(_) | Read::Skipped(_) | Read::Nothing => {}
            }
        }
        Ok(true)
    }
}

/// What an entry tells, where it is believed. It is never later than now, since later it would be believed for ever.
fn told<'a>(
    entry: &Entry,
    fields: &'a Fields,
    pam_units: &[String],
    now_ms: u64,
) -> Option<Told<'a>> {
    Some(Told {
        line: judge(fields, pam_units)?,
        at_ms: (entry.realtime_us / 1000).min(now_ms),
        unit: fields.get(Name::Unit)?,
        process: Process {
            boot: entry.boot,
            number: fields.get(Name::Pid)?.parse().ok()?,
        },
    })
}

fn tell_unread(path: &Path, error: &Unreadable) {
    tracing::warn!(
        "{} cannot be read on, so nobody is banned for what else it says (`journalctl --verify` tells what is damaged, \
         `journalctl --rotate` begins a new file): {error}",
        path.display()
    );
}
