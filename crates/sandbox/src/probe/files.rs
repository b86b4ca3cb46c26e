//! Files of others, and kinds of files that a service must not make of its own.

use std::fs::{File, OpenOptions, Permissions};
use std::io::{self, Read};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, FileType, Mode, makedev, mknodat};

use super::{Act, Targets};
use crate::{Plan, raw};

/// Files that every Linux has and no service needs.
const FOREIGN_FILES: [&str; 7] = [
    "/etc/shadow",
    "/etc/passwd",
    "/etc/machine-id",
    "/proc/1/environ",
    "/proc/1/maps",
    "/proc/kcore",
    "/proc/kallsyms",
];
const FOREIGN_DIRECTORIES: [&str; 11] = [
    "/",
    "/etc",
    "/home",
    "/root",
    "/run",
    "/var/lib",
    "/proc",
    "/proc/1/root",
    "/sys",
    "/dev",
    "/tmp",
];
/// Where nothing may be made.
const READ_ONLY_DIRECTORIES: [&str; 9] = [
    "/", "/etc", "/usr", "/root", "/run", "/tmp", "/var/tmp", "/dev/shm", "/var/lib",
];
/// Opened for writing and closed again: nothing is written.
const CONTROL_FILES: [&str; 6] = [
    "/proc/sys/kernel/core_pattern",
    "/proc/sysrq-trigger",
    "/proc/self/mem",
    "/sys/kernel/mm/transparent_hugepage/enabled",
    "/sys/fs/cgroup/cgroup.procs",
    "/dev/kmsg",
];

pub(super) fn acts(plan: &Plan, targets: &Targets, own: &Path) -> Vec<Act> {
    let mut acts = Vec::new();
    let files = FOREIGN_FILES
        .iter()
        .map(PathBuf::from)
        .chain(targets.files.iter().cloned());
    acts.extend(files.map(|path| {
        let granted = plan
            .reads()
            .chain(plan.writes())
            .any(|own| path.starts_with(own));
        act("read", &path, read_some).granted_if(granted)
    }));
    let directories = FOREIGN_DIRECTORIES
        .iter()
        .map(PathBuf::from)
        .chain(targets.directories.iter().cloned());
    acts.extend(directories.map(|path| {
        let granted = plan
            .reads()
            .chain(plan.writes())
            .any(|own| path.starts_with(own));
        act("list", &path, |path| std::fs::read_dir(path).map(drop)).granted_if(granted)
    }));
    let directories = READ_ONLY_DIRECTORIES
        .iter()
        .map(PathBuf::from)
        .chain(targets.directories.iter().cloned());
    acts.extend(directories.map(|path| {
        let granted = plan.writes().any(|own| path.starts_with(own));
        act("make a file in", &path, make_file_in).granted_if(granted)
    }));
    let control = CONTROL_FILES
        .iter()
        .map(PathBuf::from)
        .chain(targets.files.iter().cloned());
    acts.extend(control.map(|path| {
        let granted = plan.writes().any(|own| path.starts_with(own));
        act("open for writing", &path, open_to_write).granted_if(granted)
    }));
    acts.push(act("open", Path::new("/dev/mem"), |path| {
        File::open(path).map(drop)
    }));
    acts.push(act("make a device node in", own, make_device));
    acts.push(act("make a set-user-ID file in", own, make_set_user_id));
    acts.push(act(
        "make a file set-user-ID in",
        own,
        change_to_set_user_id,
    ));
    acts.push(act("make a symbolic link in", own, make_link));
    acts.push(Act::new("files", "take a file's handle", || {
        raw::file_handle().map(drop)
    }));
    acts.push(Act::new(
        "files",
        "open a file by its handle",
        open_by_handle,
    ));
    acts
}

fn act(verb: &str, path: &Path, attempt: fn(&Path) -> io::Result<()>) -> Act {
    let path = path.to_owned();
    Act::new("files", format!("{verb} {}", path.display()), move || {
        attempt(&path)
    })
}

/// Opens and reads: some files of /proc open for anyone and refuse to be read.
fn read_some(path: &Path) -> io::Result<()> {
    File::open(path)?.read(&mut [0; 64]).map(drop)
}

fn open_to_write(path: &Path) -> io::Result<()> {
    OpenOptions::new().write(true).open(path).map(drop)
}

/// A name of this process's own in `directory`.
pub(super) fn scratch(directory: &Path, kind: &str) -> PathBuf {
    directory.join(format!("casemate-probe-{}-{kind}", std::process::id()))
}

/// Keeps what `made` answered, and takes the file away again.
fn undone(path: &Path, made: io::Result<()>) -> io::Result<()> {
    if made.is_ok() {
        std::fs::remove_file(path)?;
    }
    made
}

fn make_file_in(directory: &Path) -> io::Result<()> {
    let path = scratch(directory, "file");
    undone(
        &path,
        OpenOptions::new()
            .write(true)
            .create_new(true)
            .open(&path)
            .map(drop),
    )
}

fn make_device(directory: &Path) -> io::Result<()> {
    let path = scratch(directory, "device");
    // 1:3 is /dev/null
    let made = mknodat(
        CWD,
        &path,
        FileType::CharacterDevice,
        Mode::RUSR,
        makedev(1, 3),
    );
    undone(&path, made.map_err(io::Error::from))
}

fn make_set_user_id(directory: &Path) -> io::Result<()> {
    let path = scratch(directory, "setuid");
    undone(
        &path,
        OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o4700)
            .open(&path)
            .map(drop),
    )
}

fn change_to_set_user_id(directory: &Path) -> io::Result<()> {
    let path = scratch(directory, "chmod");
    let file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .open(&path)?;
    let changed = file.set_permissions(Permissions::from_mode(0o4700));
    std::fs::remove_file(&path)?;
    changed
}

fn make_link(directory: &Path) -> io::Result<()> {
    let path = scratch(directory, "link");
    undone(&path, std::os::unix::fs::symlink("/etc/shadow", &path))
}

fn open_by_handle() -> io::Result<()> {
    // without a handle of the kernel's, one that is well formed still meets the permission check
    let made_up = || {
        let mut handle = [0_u32; 34];
        handle[0] = 8;
        handle[1] = 1;
        handle
    };
    raw::open_handle(&raw::file_handle().unwrap_or_else(|_| made_up()))
}
