//! Mounts that nobody else sees: each is made in a mount namespace of the calling process and goes with it.

use std::fs;
use std::path::{Path, PathBuf};

use rustix::mount::{
    MountFlags, MountPropagationFlags, UnmountFlags, mount, mount_bind_recursive, mount_change,
    mount_remount, unmount,
};
use rustix::thread::UnshareFlags;

use crate::failure::{Outcome, While};

/// Where a machine's pieces lie inside the private `/run`.
pub(crate) const PRIVATE_DIR: &str = "/run/casemate";

/// The directory of the old kernel's and the new kernel's control groups.
const CGROUP_DIR: &str = "/sys/fs/cgroup";

/// `CGROUP2_SUPER_MAGIC` of `linux/magic.h`.
const CGROUP2_MAGIC: i64 = 0x6367_7270;

/// Gives the calling thread a mount namespace of its own, so that its mounts vanish with the process.
///
/// Call it before any other thread starts: threads that exist already stay in the old namespace.
pub(crate) fn enter_private_namespace() -> Outcome<()> {
    #[expect(unsafe_code, reason = "unshare(2) has no safe wrapper")]
    // SAFETY: only the mount namespace and the file-system attributes are unshared. The call is unsafe for
    // the sake of CLONE_FILES, which would pull descriptors from under other threads; it is not used.
    let unshared = unsafe { rustix::thread::unshare_unsafe(UnshareFlags::NEWNS) };
    unshared.during("a private mount namespace could not be made (is this root?)")?;
    mount_change(
        "/",
        MountPropagationFlags::REC | MountPropagationFlags::PRIVATE,
    )
    .during("mounts could not be made private")
}

/// Puts an empty `/run` over the machine's own and returns the directory for this boot's pieces.
///
/// systemd-nspawn keeps locks and propagation directories under `/run`; here they go with the namespace.
pub(crate) fn cover_run() -> Outcome<PathBuf> {
    mount(
        "tmpfs",
        "/run",
        "tmpfs",
        MountFlags::NOSUID | MountFlags::NODEV,
        c"mode=0755",
    )
    .during("a private /run could not be mounted")?;
    let private = PathBuf::from(PRIVATE_DIR);
    fs::create_dir_all(&private).during("the private /run could not be filled")?;
    Ok(private)
}

/// Mounts `lowers` (topmost first) below `upper` at `target`.
///
/// The features that tie an upper directory to one exact lower one are off: the lower layers are replaced
/// between boots while the upper, which holds the state, stays.
pub(crate) fn overlay(lowers: &[PathBuf], upper: &Path, work: &Path, target: &Path) -> Outcome<()> {
    for dir in [upper, work, target] {
        fs::create_dir_all(dir).during(format_args!("{} could not be made", dir.display()))?;
    }
    let options = overlay_options(lowers, upper, work)?;
    mount(
        "overlay",
        target,
        "overlay",
        MountFlags::empty(),
        options.as_c_str(),
    )
    .during(format_args!(
        "the root could not be put together over {}. It must lie on an ordinary file system such as ext4, \
         xfs or btrfs, not on an overlay or a network share",
        upper.display()
    ))
}

/// The mount options of an overlay, with the characters that separate them escaped.
fn overlay_options(lowers: &[PathBuf], upper: &Path, work: &Path) -> Outcome<std::ffi::CString> {
    let escape = |path: &Path| {
        let mut escaped = String::new();
        for character in path.to_string_lossy().chars() {
            if matches!(character, ':' | ',' | '\\') {
                escaped.push('\\');
            }
            escaped.push(character);
        }
        escaped
    };
    let lower = lowers
        .iter()
        .map(|path| escape(path))
        .collect::<Vec<_>>()
        .join(":");
    let options = format!(
        "lowerdir={lower},upperdir={},workdir={},index=off,metacopy=off,redirect_dir=off,xino=off",
        escape(upper),
        escape(work)
    );
    std::ffi::CString::new(options).during("a path holds a zero byte")
}

/// Makes `/sys/fs/cgroup` the unified hierarchy for this namespace; returns its place.
pub(crate) fn unified_cgroups() -> Outcome<PathBuf> {
    let place = PathBuf::from(CGROUP_DIR);
    let kind = rustix::fs::statfs(&place)
        .during("/sys/fs/cgroup cannot be read")?
        .f_type;
    if kind != CGROUP2_MAGIC {
        unmount(&place, UnmountFlags::DETACH)
            .during("the old cgroup hierarchy could not be taken out of sight")?;
        mount(
            "cgroup2",
            &place,
            "cgroup2",
            MountFlags::empty(),
            None::<&std::ffi::CStr>,
        )
        .during("cgroup2 could not be mounted; the kernel must have it")?;
    }
    Ok(place)
}

/// Mounts what a program run in `root` expects: the system's `/proc`, `/sys` and `/dev`.
pub(crate) fn kernel_views(root: &Path) -> Outcome<()> {
    for name in ["proc", "sys", "dev"] {
        let target = root.join(name);
        fs::create_dir_all(&target).during(format_args!("{} is missing", target.display()))?;
        mount_bind_recursive(Path::new("/").join(name), &target)
            .during(format_args!("{} could not be mounted", target.display()))?;
    }
    Ok(())
}

/// Makes `dir` visible at `target`, for reading only.
pub(crate) fn show(dir: &Path, target: &Path) -> Outcome<()> {
    let failed = || format!("{} could not be shown", dir.display());
    fs::create_dir_all(target).during(failed())?;
    mount_bind_recursive(dir, target).during(failed())?;
    mount_remount(target, MountFlags::BIND | MountFlags::RDONLY, c"").during(failed())
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn separators_in_paths_are_escaped() {
        let options = overlay_options(
            &[PathBuf::from("/a:b"), PathBuf::from("/c,d")],
            Path::new("/u\\p"),
            Path::new("/w"),
        )
        .unwrap();
        let text = options.to_str().unwrap();
        assert!(text.starts_with("lowerdir=/a\\:b:/c\\,d,upperdir=/u\\\\p,workdir=/w,"));
    }
}
