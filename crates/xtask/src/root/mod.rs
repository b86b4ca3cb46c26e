//! The root file system of a machine: Debian below, the appliance laid over it.

pub(crate) mod base;
pub(crate) mod disk;
pub(crate) mod inside;
pub(crate) mod layer;
pub(crate) mod outside;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use rustix::fs::{FlockOperation, Mode, OFlags};

use crate::failure::{Outcome, While};

/// Where roots are kept between runs. Deleting it costs time and nothing else.
pub(crate) const CACHE: &str = "/var/cache/casemate";

/// What the name of something unfinished ends with.
const UNFINISHED: &str = ".partial";

/// How long something unused stays in the cache, in seconds: a machine may be about to use it.
const KEEP_SECONDS: u64 = 3600;

/// The cached thing called `name`, made by `make` when it is not there yet.
///
/// It is made under another name and gets its own when it is whole, so that an interrupted run leaves nothing
/// that looks finished.
fn cached(name: &str, make: impl FnOnce(&Path) -> Outcome<()>) -> Outcome<PathBuf> {
    let finished = Path::new(CACHE).join(name);
    if finished.exists() {
        return Ok(finished);
    }
    fs::create_dir_all(CACHE).during(format_args!("{CACHE} could not be made"))?;
    // Whoever comes second waits, and then finds it made.
    let lock = fs::File::create(Path::new(CACHE).join("lock"))
        .during(format_args!("{CACHE} could not be locked"))?;
    lock.lock()
        .during(format_args!("{CACHE} could not be locked"))?;
    if finished.exists() {
        return Ok(finished);
    }
    let partial = Path::new(CACHE).join(format!("{name}{UNFINISHED}"));
    remove(&partial)?;
    make(&partial)?;
    fs::rename(&partial, &finished).during("the cache could not be filled")?;
    Ok(finished)
}

/// Marks a cached directory as used for as long as the returned descriptor is open.
pub(crate) fn hold(dir: &Path) -> Outcome<rustix::fd::OwnedFd> {
    let failed = || format!("{} could not be opened", dir.display());
    let descriptor = rustix::fs::open(
        dir,
        OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC,
        Mode::empty(),
    )
    .during(failed())?;
    rustix::fs::flock(&descriptor, FlockOperation::LockShared).during(failed())?;
    Ok(descriptor)
}

/// Removes the cached things whose names begin with `kind`, but `current` and those in use or of late.
fn prune(kind: &str, current: &Path) -> Outcome<()> {
    let failed = || format!("{CACHE} could not be tidied");
    let now = SystemTime::now();
    for entry in fs::read_dir(CACHE).during(failed())? {
        let entry = entry.during(failed())?;
        let path = entry.path();
        let name = entry.file_name().to_string_lossy().into_owned();
        let age = entry
            .metadata()
            .and_then(|metadata| metadata.modified())
            .map_or(Duration::ZERO, |made| {
                now.duration_since(made).unwrap_or_default()
            });
        let of_kind = name.starts_with(kind) && path.is_dir() && path != current;
        if of_kind && age.as_secs() > KEEP_SECONDS && unused(&path) {
            remove(&path)?;
            remove(&path.with_extension("img"))?;
        }
    }
    Ok(())
}

/// Whether no running machine holds `dir`.
fn unused(dir: &Path) -> bool {
    rustix::fs::open(
        dir,
        OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC,
        Mode::empty(),
    )
    .is_ok_and(|descriptor| {
        rustix::fs::flock(&descriptor, FlockOperation::NonBlockingLockExclusive).is_ok()
    })
}

/// Removes a file or a directory with all that is in it, if it is there.
pub(crate) fn remove(path: &Path) -> Outcome<()> {
    let outcome = match fs::symlink_metadata(path) {
        Err(_) => return Ok(()),
        Ok(metadata) if metadata.is_dir() => fs::remove_dir_all(path),
        Ok(_) => fs::remove_file(path),
    };
    outcome.during(format_args!("{} could not be removed", path.display()))
}
