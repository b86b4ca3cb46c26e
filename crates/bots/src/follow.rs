//! Has process 1 follow the bots' files.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use chat_api::Instance;

use crate::listing::Listing;

/// How often process 1 is asked before it is given up.
const ASKS: usize = 3;

/// How often the sockets are looked at after each time. With the pause this is 24 s in all, within the unit's
/// `TimeoutStartSec=`: a slow machine takes seconds to reload.
const LOOKS: usize = 160;

/// The pause between two looks at the sockets.
const PAUSE: Duration = Duration::from_millis(50);

/// What the sockets of instances are called after the instance's name.
const SOCKET_SUFFIX: &str = ".sock";

/// What there is to look at and to do.
pub trait World {
    /// The instances that there are to be, by the bots' files.
    fn wanted(&self) -> Listing;
    /// The instances that have a socket, or nothing if that cannot be seen from here.
    fn present(&self) -> Option<BTreeSet<Instance>>;
    /// Has process 1 reload (`SIGHUP`, systemd(1)).
    ///
    /// # Errors
    /// When it may not be asked.
    fn reload(&self) -> std::io::Result<()>;
    /// Waits.
    fn pause(&self, time: Duration);
}

/// What came of it.
#[derive(Debug)]
pub struct Followed {
    /// What there is.
    pub listing: Listing,
    /// Instances that went, of bots that stay.
    pub left_out: BTreeSet<Instance>,
}

/// Why the bots' units do not follow their files.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The signal was not permitted.
    #[error("process 1 could not be asked to reload, so bots that were added do not start ({0})")]
    Reload(#[from] std::io::Error),
    /// It reloaded, and nothing came of it.
    #[error("process 1 reloaded, and yet these instances have no sockets or still have them: {0}")]
    Behind(String),
}

/// Asks process 1 to reload until each instance that there is to be has a socket and no
/// other has. A file that comes while it reloads is not announced again by
/// the path unit, so the last look comes after the reload.
///
/// # Errors
/// As [`Error`] lists.
pub fn follow(world: &impl World) -> Result<Followed, Error> {
    let before = world.present().unwrap_or_default();
    let listing = settle(world)?;
    let has_file = |instance: &&Instance| {
        let first = Instance::first(instance.bot().clone());
        listing.instances.contains(&first)
    };
    Ok(Followed {
        left_out: before
            .difference(&listing.instances)
            .filter(has_file)
            .cloned()
            .collect(),
        listing,
    })
}

fn settle(world: &impl World) -> Result<Listing, Error> {
    let mut behind = BTreeSet::new();
    for _ in 0..ASKS {
        let wanted = world.wanted();
        match world.present() {
            None => {
                world.reload()?;
                return Ok(wanted);
            }
            Some(present) if present == wanted.instances => return Ok(wanted),
            Some(_) => world.reload()?,
        }
        for _ in 0..LOOKS {
            world.pause(PAUSE);
            let present = world.present().unwrap_or_default();
            if present == wanted.instances {
                break;
            }
            behind = &present ^ &wanted.instances;
        }
    }
    let wanted = world.wanted();
    if world
        .present()
        .is_none_or(|present| present == wanted.instances)
    {
        return Ok(wanted);
    }
    let names: Vec<String> = behind.iter().map(Instance::to_string).collect();
    Err(Error::Behind(names.join(", ")))
}

/// The instances whose sockets are in `folder`, or nothing if it cannot be read.
#[must_use]
pub fn sockets(folder: &Path) -> Option<BTreeSet<Instance>> {
    let entries = std::fs::read_dir(folder).ok()?;
    let instances = entries.filter_map(|entry| {
        let name = PathBuf::from(entry.ok()?.file_name());
        name.to_str()?.strip_suffix(SOCKET_SUFFIX)?.parse().ok()
    });
    Some(instances.collect())
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use std::cell::{Cell, RefCell};
    use std::collections::VecDeque;

    use proptest::prelude::*;

    use super::*;

    /// A process 1 that needs some looks to reload, while files come and go.
    #[derive(Default)]
    struct Stand {
        files: RefCell<BTreeSet<Instance>>,
        sockets: RefCell<Option<BTreeSet<Instance>>>,
        /// What a reload under way has read, and how many looks it still takes.
        reload: RefCell<Option<(BTreeSet<Instance>, usize)>>,
        slowness: usize,
        deaf: bool,
        /// Changes of the files, one for each pause.
        changes: RefCell<VecDeque<BTreeSet<Instance>>>,
        reloads: Cell<usize>,
    }

    fn instances(names: &[&str]) -> BTreeSet<Instance> {
        names.iter().map(|name| name.parse().unwrap()).collect()
    }

    impl World for Stand {
        fn wanted(&self) -> Listing {
            Listing {
                instances: self.files.borrow().clone(),
                skipped: Vec::new(),
            }
        }
        fn present(&self) -> Option<BTreeSet<Instance>> {
            self.sockets.borrow().clone()
        }
        fn reload(&self) -> std::io::Result<()> {
            self.reloads.set(self.reloads.get() + 1);
            if !self.deaf {
                *self.reload.borrow_mut() = Some((self.files.borrow().clone(), self.slowness));
            }
            Ok(())
        }
        fn pause(&self, _: Duration) {
            if let Some(files) = self.changes.borrow_mut().pop_front() {
                *self.files.borrow_mut() = files;
            }
            let under_way = self.reload.borrow_mut().take();
            match under_way {
                Some((files, 0)) => *self.sockets.borrow_mut() = Some(files),
                Some((files, looks)) => *self.reload.borrow_mut() = Some((files, looks - 1)),
                None => {}
            }
        }
    }

    fn stand(files: &[&str], sockets: &[&str]) -> Stand {
        Stand {
            files: instances(files).into(),
            sockets: Some(instances(sockets)).into(),
            slowness: 5,
            ..Stand::default()
        }
    }

    #[test]
    fn nothing_new_needs_no_reload() {
        let stand = stand(&["a"], &["a"]);
        follow(&stand).unwrap();
        assert_eq!(stand.reloads.get(), 0);
    }

    #[test]
    fn a_bot_that_comes_while_process_1_reloads_is_not_forgotten() {
        let stand = stand(&["a"], &[]);
        stand.changes.borrow_mut().push_back(instances(&["a", "b"]));
        follow(&stand).unwrap();
        assert_eq!(
            (stand.present(), stand.reloads.get()),
            (Some(instances(&["a", "b"])), 2)
        );
    }

    #[test]
    fn where_sockets_cannot_be_seen_it_asks_once() {
        let stand = Stand {
            files: instances(&["a"]).into(),
            ..Stand::default()
        };
        follow(&stand).unwrap();
        assert_eq!(stand.reloads.get(), 1);
    }

    #[test]
    fn a_process_1_that_does_not_follow_is_reported_with_the_instances() {
        let stand = Stand {
            deaf: true,
            ..stand(&["a", "b"], &["b", "c"])
        };
        let error = follow(&stand).unwrap_err().to_string();
        assert!(error.ends_with(": a, c"), "{error}");
        assert_eq!(stand.reloads.get(), ASKS);
    }

    #[test]
    fn an_instance_that_goes_is_told_where_its_bot_stays() {
        let stand = stand(&["a", "a.2", "b"], &["a", "a.2", "a.3", "c", "c.2"]);
        let followed = follow(&stand).unwrap();
        assert_eq!(followed.left_out, instances(&["a.3"]));
        assert_eq!(stand.present(), Some(instances(&["a", "a.2", "b"])));
    }

    #[test]
    fn sockets_are_read_by_their_names() {
        let folder = tempfile::tempdir().unwrap();
        for name in [
            "shop.sock",
            "shop.2.sock",
            "shop.1.sock",
            "a-1.sock",
            "Bad.sock",
            "shop.lock",
        ] {
            std::fs::write(folder.path().join(name), "").unwrap();
        }
        assert_eq!(
            sockets(folder.path()),
            Some(instances(&["a-1", "shop", "shop.2"]))
        );
        assert_eq!(sockets(Path::new("/nonexistent")), None);
    }

    proptest! {
        #[test]
        fn success_means_that_sockets_match_files(
            files in "[a-c]{0,3}", sockets in "[a-c]{0,3}", slowness in 0_usize..150, deaf: bool,
            changes in proptest::collection::vec("[a-c]{0,3}", 0..9),
        ) {
            let set = |letters: &str| letters.chars().map(|c| c.to_string().parse().unwrap()).collect::<BTreeSet<Instance>>();
            let stand = Stand {
                files: set(&files).into(), sockets: Some(set(&sockets)).into(), slowness, deaf,
                changes: RefCell::new(changes.iter().map(|letters| set(letters)).collect()), ..Stand::default()
            };
            if let Ok(Followed { listing, .. }) = follow(&stand) {
                prop_assert_eq!(stand.present(), Some(listing.instances.clone()));
                prop_assert_eq!(stand.wanted().instances, listing.instances);
            }
        }
    }
}
