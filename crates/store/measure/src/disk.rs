//! The disk below, and what is written to it.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::contender::{Outcome, Who};

/// Bytes of one write whose sync is timed.
const WRITE_BYTES: usize = 4096;
/// Pages of the file that they are made in.
const PAGES: u64 = 1024;

/// What making one page durable takes, in a file that is as long as it will be: pwrite(2) and fdatasync(2).
pub(crate) struct Syncs {
    file: File,
    times: Vec<Duration>,
}

impl Syncs {
    /// Makes the file; it has no name and is gone when it is closed.
    pub(crate) fn new(folder: &Path) -> Outcome<Self> {
        let file = tempfile::tempfile_in(folder)?;
        for page in 0..PAGES {
            file.write_all_at(&[1; WRITE_BYTES], page * WRITE_BYTES as u64)?;
        }
        file.sync_all()?;
        Ok(Self {
            file,
            times: Vec::new(),
        })
    }

    /// Syncs so often.
    pub(crate) fn sample(&mut self, count: usize) -> Outcome<()> {
        for _ in 0..count {
            let page = self.times.len() as u64 % PAGES;
            let start = Instant::now();
            self.file
                .write_all_at(&[2; WRITE_BYTES], page * WRITE_BYTES as u64)?;
            self.file.sync_data()?;
            self.times.push(start.elapsed());
        }
        Ok(())
    }

    /// The median and the mean in seconds.
    pub(crate) fn seconds(mut self) -> Option<(f64, f64)> {
        self.times.sort_unstable();
        let median = self.times.get(self.times.len() / 2)?.as_secs_f64();
        let sum: Duration = self.times.iter().sum();
        let count = u32::try_from(self.times.len()).ok()?;
        Some((median, (sum / count).as_secs_f64()))
    }
}

/// Bytes that this process has caused to be written to disks (proc_pid_io(5)).
pub(crate) fn written() -> Outcome<u64> {
    let counts = std::fs::read_to_string("/proc/self/io")?;
    let line = counts
        .lines()
        .find_map(|line| line.strip_prefix("write_bytes: "))
        .ok_or("/proc/self/io does not tell what was written")?;
    Ok(line.parse()?)
}

/// Bytes of the files of one that is closed.
pub(crate) fn size(folder: &Path, who: Who) -> Outcome<u64> {
    let mut sum = 0;
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name();
        if name
            .to_string_lossy()
            .starts_with(&format!("{}.data", who.name()))
        {
            sum += entry.metadata()?.len();
        }
    }
    Ok(sum)
}
