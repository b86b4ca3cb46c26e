//! What the firewall does not take.

use crate::guard::{Guard, Set, prefix};
use crate::kernel::{Shared, in_kernel, stand_in};

#[test]
fn what_the_firewall_refuses_is_not_banned_and_not_tried_again() {
    testkit::confined(|confined| async move {
        let folder = tempfile::tempdir().unwrap();
        let (folder, kernel) = (folder.path(), Shared::default());
        kernel.lock().unwrap().own = Some([198, 51, 100, 1].into());
        let _listens = stand_in(&confined, folder, &kernel);
        let guard = Guard::start(folder);
        assert!(guard.core.restore().await);
        guard.offend("198.51.100.1").await;
        assert!(guard.core.state().engine.bans.is_empty());
        let known = guard.core.explain([198, 51, 100, 1].into()).unwrap();
        assert!(known.never.is_some() && known.bans.is_empty());
        guard.stop().await;
    });
}

#[test]
fn the_neighbours_of_an_own_address_are_banned_one_by_one() {
    testkit::confined(|confined| async move {
        let folder = tempfile::tempdir().unwrap();
        let (folder, kernel) = (folder.path(), Shared::default());
        kernel.lock().unwrap().own = Some([198, 51, 100, 1].into());
        let _listens = stand_in(&confined, folder, &kernel);
        let set = Set {
            four_bits: Some(24),
            ..Set::default()
        };
        let guard = Guard::set(folder, set);
        assert!(guard.core.restore().await);
        // A slip of an operator's hand makes nobody immune.
        for wide in ["198.0.0.0/8", "198.51.100.0/24"] {
            assert!(guard.core.ban(prefix(wide), 600, "").await.is_err());
        }
        for neighbour in ["198.51.100.7", "198.51.100.8"] {
            guard.offend(neighbour).await;
        }
        guard.offend("198.51.7.7").await;
        let banned = ["198.51.100.7/32", "198.51.100.8/32", "198.51.7.0/24"];
        assert_eq!(
            (guard.bans(), in_kernel(&kernel)),
            (
                banned.map(str::to_owned).to_vec(),
                banned.map(str::to_owned).to_vec()
            )
        );
        guard.stop().await;
    });
}

#[test]
fn a_wider_prefix_with_an_own_address_is_not_banned_and_its_parts_are() {
    testkit::confined(|confined| async move {
        let folder = tempfile::tempdir().unwrap();
        let (folder, kernel) = (folder.path(), Shared::default());
        kernel.lock().unwrap().own = Some("2001:db8::1".parse().unwrap());
        let _listens = stand_in(&confined, folder, &kernel);
        let set = Set {
            neighbours: 4,
            ..Set::default()
        };
        let guard = Guard::set(folder, set);
        assert!(guard.core.restore().await);
        let parts: Vec<_> = (0x10..0x18)
            .map(|part| format!("2001:db8:0:{part:x}::/64"))
            .collect();
        for part in &parts {
            guard.offend(&part.replace("/64", "7")).await;
        }
        assert_eq!((guard.bans(), in_kernel(&kernel)), (parts.clone(), parts));
        guard.stop().await;
    });
}
