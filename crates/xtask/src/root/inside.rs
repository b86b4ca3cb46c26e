//! Runs one program inside a root, without booting it.

use std::ffi::OsStr;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use rustix::mount::{MountFlags, mount};

use crate::failure::{Failure, Outcome, While};
use crate::mounts;
use crate::program;

/// A root to run a program in.
#[derive(Debug, Clone, clap::Args)]
#[group(skip)]
pub(crate) struct Inside {
    /// A read-only layer of the root; topmost first.
    #[arg(long = "lower", required = true)]
    pub(crate) lowers: Vec<PathBuf>,
    /// The directory that keeps what the program writes; without it, that is forgotten.
    #[arg(long)]
    pub(crate) upper: Option<PathBuf>,
    /// A directory of this machine that the program sees, read only, as /mnt.
    #[arg(long)]
    pub(crate) shown: Option<PathBuf>,
}

/// Where a program finds the directory that is shown to it.
pub(crate) const CHECKOUT: &str = "/mnt";

impl Inside {
    /// The same root with a directory of this machine to be seen in it.
    pub(crate) fn showing(mut self, dir: &Path) -> Self {
        self.shown = Some(dir.to_owned());
        self
    }

    /// Runs a program and returns what it prints.
    pub(crate) fn read<S: AsRef<OsStr>>(&self, words: &[S]) -> Outcome<String> {
        let outcome = program::read(&mut self.command(words)?);
        self.tidy()?;
        outcome
    }

    /// Runs a program and returns what came of it.
    pub(crate) fn capture<S: AsRef<OsStr>>(&self, words: &[S]) -> Outcome<Output> {
        let outcome = program::capture(&mut self.command(words)?);
        self.tidy()?;
        outcome
    }

    /// Removes what the overlay leaves beside its upper directory.
    fn tidy(&self) -> Outcome<()> {
        match &self.upper {
            Some(upper) => super::remove(&work_dir(upper)),
            None => Ok(()),
        }
    }

    /// This program again, which then becomes the one asked for.
    fn command<S: AsRef<OsStr>>(&self, words: &[S]) -> Outcome<Command> {
        let mut command = Command::new(program::own());
        command.arg("inside");
        for lower in &self.lowers {
            command.arg("--lower").arg(lower);
        }
        if let Some(upper) = &self.upper {
            command.arg("--upper").arg(upper);
        }
        if let Some(shown) = &self.shown {
            command.arg("--shown").arg(shown);
        }
        command.arg("--").args(words);
        Ok(command)
    }

    /// Becomes the program `words` inside the root; returns only when that fails.
    pub(crate) fn exec(&self, words: &[String]) -> Outcome<()> {
        let (name, arguments) = words.split_first().during("no program was named")?;
        mounts::enter_private_namespace()?;
        let private = mounts::cover_run()?;
        let root = private.join("root");
        let (upper, work) = match &self.upper {
            Some(upper) => (upper.clone(), work_dir(upper)),
            None => (private.join("upper"), private.join("work")),
        };
        mounts::overlay(&self.lowers, &upper, &work, &root)?;
        mounts::kernel_views(&root)?;
        for volatile in ["run", "tmp"] {
            mount(
                "tmpfs",
                root.join(volatile),
                "tmpfs",
                MountFlags::NOSUID | MountFlags::NODEV,
                None::<&std::ffi::CStr>,
            )
            .during("a temporary directory could not be mounted")?;
        }
        if let Some(shown) = &self.shown {
            mounts::show(shown, &root.join(CHECKOUT.trim_start_matches('/')))?;
        }
        std::os::unix::fs::chroot(&root).during("the root could not be entered")?;
        std::env::set_current_dir("/").during("the root could not be entered")?;
        let error = Command::new(name)
            .args(arguments)
            .env_clear()
            .env(
                "PATH",
                "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            )
            .env("HOME", "/root")
            .env("LANG", "C.UTF-8")
            .exec();
        Err(Failure::new(format!("{name} could not be run: {error}")))
    }
}

/// Where an overlay over `upper` keeps unfinished work; it must be on the same file system.
fn work_dir(upper: &Path) -> PathBuf {
    upper.with_extension("work")
}
