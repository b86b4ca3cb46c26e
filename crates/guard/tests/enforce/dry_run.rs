//! Watching without banning.

use crate::guard::{Guard, Set};
use crate::kernel::{Shared, in_kernel, stand_in};

#[test]
fn nobody_is_banned_while_guard_only_watches() {
    testkit::confined(|confined| async move {
        let folder = tempfile::tempdir().unwrap();
        let (folder, kernel) = (folder.path(), Shared::default());
        let _listens = stand_in(&confined, folder, &kernel);
        let guard = Guard::start(folder);
        guard.offend("203.0.113.7").await;
        guard.stop().await;
        let dry = Set {
            dry_run: true,
            ..Set::default()
        };
        let guard = Guard::set(folder, dry.clone());
        assert!(guard.core.restore().await);
        assert!(in_kernel(&kernel).is_empty());
        for client in ["203.0.113.7", "203.0.113.8"] {
            guard.offend(client).await;
        }
        assert_eq!(guard.bans(), ["203.0.113.7/32", "203.0.113.8/32"]);
        assert!(in_kernel(&kernel).is_empty());
        guard.stop().await;
        // The bans of before are back, and what was only reported is none.
        let guard = Guard::start(folder);
        assert!(guard.core.restore().await);
        assert_eq!(guard.bans(), ["203.0.113.7/32"]);
        assert_eq!(in_kernel(&kernel), ["203.0.113.7/32"]);
        let known = guard.core.explain([203, 0, 113, 7].into()).unwrap();
        assert!(!known.bans[0].dry_run);
        guard.stop().await;
        let guard = Guard::set(folder, dry);
        assert_eq!(guard.bans(), ["203.0.113.7/32", "203.0.113.8/32"]);
        guard.stop().await;
    });
}
