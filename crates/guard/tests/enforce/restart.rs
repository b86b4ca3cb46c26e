//! Restarts of guard and of the firewall.

use event::wire::Answer;

use crate::guard::{Guard, Set, prefix};
use crate::kernel::{Shared, in_kernel, lose_all, stand_in};

#[test]
fn bans_are_in_force_again_after_restarts_of_both() {
    testkit::confined(|confined| async move {
        let folder = tempfile::tempdir().unwrap();
        let (folder, kernel) = (folder.path(), Shared::default());
        let _listens = stand_in(&confined, folder, &kernel);
        let guard = Guard::start(folder);
        assert!(guard.core.restore().await);
        guard.offend("203.0.113.7").await;
        guard
            .core
            .ban(prefix("2001:db8::/64"), 600, "why")
            .await
            .unwrap();
        let both = ["2001:db8::/64", "203.0.113.7/32"];
        assert_eq!(in_kernel(&kernel), both);
        guard.stop().await;
        lose_all(&kernel);
        let guard = Guard::start(folder);
        assert!(guard.core.restore().await);
        assert_eq!(in_kernel(&kernel), both);
        // The firewall alone starts anew: the next look tells.
        lose_all(&kernel);
        assert!(guard.core.wall.is_complete());
        guard.core.wall.look().await;
        assert!(!guard.core.wall.is_complete());
        assert!(guard.core.restore().await && guard.core.wall.is_complete());
        assert_eq!(in_kernel(&kernel), both);
        // What is lifted stays so.
        let (lifted, done) = guard.core.unban(prefix("203.0.113.0/24")).await;
        assert!(done.in_force && done.stored && lifted.len() == 1);
        guard.stop().await;
        lose_all(&kernel);
        let guard = Guard::start(folder);
        assert!(guard.core.restore().await);
        assert_eq!(in_kernel(&kernel), ["2001:db8::/64"]);
        let known = guard.core.explain("203.0.113.7".parse().unwrap()).unwrap();
        assert!(known.bans.is_empty() && known.past[0].lifted);
        assert_eq!(known.past[0].ban.evidence.len(), 5);
        guard.stop().await;
    });
}

#[test]
fn without_a_firewall_bans_wait_for_it_and_the_gate_hears_of_them() {
    testkit::confined(|confined| async move {
        let folder = tempfile::tempdir().unwrap();
        let (folder, kernel) = (folder.path(), Shared::default());
        let guard = Guard::start(folder);
        let (now, mut later) = guard.core.follow();
        assert_eq!(now, [Answer::Current]);
        guard.offend("203.0.113.7").await;
        let heard = later.try_recv().unwrap();
        let Answer::Banned(bans) = &*heard else {
            unreachable!("{heard:?}");
        };
        assert_eq!(bans[0].prefix.to_string(), "203.0.113.7/32");
        assert!(!guard.core.wall.is_complete());
        let _listens = stand_in(&confined, folder, &kernel);
        assert!(guard.core.restore().await);
        assert_eq!(in_kernel(&kernel), ["203.0.113.7/32"]);
        guard.stop().await;
    });
}

#[test]
fn who_is_never_banned_any_more_is_free_after_a_restart() {
    testkit::confined(|confined| async move {
        let folder = tempfile::tempdir().unwrap();
        let (folder, kernel) = (folder.path(), Shared::default());
        let _listens = stand_in(&confined, folder, &kernel);
        let guard = Guard::start(folder);
        guard.offend("203.0.113.7").await;
        guard.offend("203.0.113.8").await;
        guard.stop().await;
        let never = vec![prefix("203.0.113.7/32")];
        let guard = Guard::set(
            folder,
            Set {
                never,
                ..Set::default()
            },
        );
        assert_eq!(guard.bans(), ["203.0.113.8/32"]);
        assert!(guard.core.restore().await);
        assert_eq!(in_kernel(&kernel), ["203.0.113.8/32"]);
        guard.core.settle().await;
        let known = guard.core.explain([203, 0, 113, 7].into()).unwrap();
        assert_eq!(known.past.len(), 1);
        guard.stop().await;
    });
}

#[test]
fn a_pardon_is_remembered() {
    testkit::confined(|confined| async move {
        let folder = tempfile::tempdir().unwrap();
        let (folder, kernel) = (folder.path(), Shared::default());
        let _listens = stand_in(&confined, folder, &kernel);
        let host = prefix("203.0.113.7/32");
        let nth = |guard: &Guard| guard.core.state().engine.bans.get(&host, 0).unwrap().nth;
        let guard = Guard::start(folder);
        guard.offend("203.0.113.7").await;
        guard
            .core
            .state()
            .engine
            .bans
            .remember(host, 3, guard.core.now_s());
        guard.core.unban(host).await;
        guard.offend("203.0.113.7").await;
        assert_eq!(nth(&guard), 1);
        guard.core.unban(host).await;
        guard.stop().await;
        let guard = Guard::start(folder);
        guard.offend("203.0.113.7").await;
        assert_eq!(nth(&guard), 1);
        guard.stop().await;
    });
}

#[test]
fn what_was_answered_is_in_the_files() {
    testkit::confined(|confined| async move {
        let folder = tempfile::tempdir().unwrap();
        let (folder, kernel) = (folder.path(), Shared::default());
        let _listens = stand_in(&confined, folder, &kernel);
        let guard = Guard::start(folder);
        let copied = |to: &str| {
            let to = folder.join(to);
            std::fs::create_dir(&to).unwrap();
            for file in ["guard.redb", "guard.anchor"] {
                let bytes = std::fs::read(folder.join(file)).unwrap();
                std::fs::write(to.join(file), bytes).unwrap();
            }
            Guard::start(&to).bans()
        };
        let (_, done) = guard
            .core
            .ban(prefix("203.0.113.7/32"), 600, "")
            .await
            .unwrap();
        assert!(done.stored && done.in_force);
        assert_eq!(copied("banned"), ["203.0.113.7/32"]);
        let judged = {
            let unit = std::sync::Arc::from("casemate-gate.service");
            let client = Some([203, 0, 113, 8].into());
            guard.core.judge("honeypot-probed", client, &unit, 1, None)
        };
        let time = std::time::Duration::from_secs(5);
        assert!(
            guard
                .core
                .changes
                .is_stored(judged.ticket.unwrap(), time)
                .await
        );
        assert_eq!(copied("judged"), ["203.0.113.7/32", "203.0.113.8/32"]);
        guard.core.unban(prefix("203.0.113.7/32")).await;
        assert_eq!(copied("lifted"), ["203.0.113.8/32"]);
        guard.stop().await;
    });
}
