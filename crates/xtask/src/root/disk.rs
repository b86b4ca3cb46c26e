//! Roots as disks, for virtual machines.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::cached;
use crate::failure::{Outcome, While};
use crate::program;
use crate::progress::step;

/// How large the disk may grow that keeps what a machine writes, in bytes. It is sparse.
const STATE_BYTES: u64 = 8 << 30;

/// What a file system of `content` bytes takes at least besides, in bytes.
const OVERHEAD_BYTES: u64 = 48 << 20;

/// How many bytes of content a file is taken to have when the file system is laid out.
const BYTES_PER_FILE: &str = "8192";

/// A cached root directory as a read-only disk, made on first use.
pub(crate) fn disk(root: &Path) -> Outcome<PathBuf> {
    let name = root
        .file_name()
        .during("a root directory has a name")?
        .to_string_lossy();
    cached(&format!("{name}.img"), |target| {
        step(&format!("Writing {name} to a disk image (once)"), || {
            let content = content_bytes(root)?;
            let size = content + content / 4 + OVERHEAD_BYTES;
            sparse(target, size)?;
            program::read(
                Command::new("mkfs.ext4")
                    .args([
                        "-q",
                        "-m",
                        "0",
                        "-i",
                        BYTES_PER_FILE,
                        "-O",
                        "^has_journal",
                        "-d",
                    ])
                    .arg(root)
                    .arg(target),
            )
            .map(drop)
        })
    })
}

/// Makes the disk that keeps what a machine writes, if it is not there yet.
pub(crate) fn state_disk(path: &Path) -> Outcome<()> {
    if path.exists() {
        return Ok(());
    }
    let partial = path.with_extension("partial");
    sparse(&partial, STATE_BYTES)?;
    program::read(
        Command::new("mkfs.ext4")
            .args(["-q", "-E", "lazy_itable_init=1,lazy_journal_init=1"])
            .arg(&partial),
    )?;
    std::fs::rename(&partial, path).during("the state disk could not be made")
}

/// The kernel of a root and its initial RAM disk.
pub(crate) fn kernel(base: &Path) -> Outcome<(PathBuf, PathBuf)> {
    let boot = base.join("boot");
    let find = |prefix: &str| {
        let mut found: Vec<_> = std::fs::read_dir(&boot)
            .during(format_args!("{} could not be read", boot.display()))?
            .filter_map(|entry| Some(entry.ok()?.path()))
            .filter(|path| {
                path.file_name()
                    .is_some_and(|name| name.to_string_lossy().starts_with(prefix))
            })
            .collect();
        found.sort();
        found
            .pop()
            .during(format_args!("{} has no {prefix}", boot.display()))
    };
    Ok((find("vmlinuz-")?, find("initrd.img-")?))
}

fn sparse(path: &Path, bytes: u64) -> Outcome<()> {
    File::create(path)
        .and_then(|file| file.set_len(bytes))
        .during(format_args!("{} could not be made", path.display()))
}

/// What the files below `root` take on a disk with blocks of 4 KiB, in bytes.
fn content_bytes(root: &Path) -> Outcome<u64> {
    let listed = program::read(Command::new("du").args(["-s", "-k"]).arg(root))?;
    let kilobytes: u64 = listed
        .split_whitespace()
        .next()
        .during("du printed nothing")?
        .parse()
        .during("du printed no number")?;
    Ok(kilobytes * 1024)
}
