//! The firewall fails, hangs, or has what it should not.

use std::sync::Arc;
use std::time::Duration;

use event::wire::Answer;

use crate::guard::{Guard, prefix};
use crate::kernel::{Shared, in_kernel, stand_in};

const LONG: Duration = Duration::from_secs(10);

#[test]
fn a_failed_unban_is_done_once_the_firewall_answers() {
    testkit::confined(|confined| async move {
        let folder = tempfile::tempdir().unwrap();
        let (folder, kernel) = (folder.path(), Shared::default());
        let listens = stand_in(&confined, folder, &kernel);
        let guard = Guard::start(folder);
        assert!(guard.core.restore().await);
        guard.offend("203.0.113.7").await;
        listens.cancel();
        std::fs::remove_file(crate::kernel::socket(folder)).unwrap();
        let host = prefix("203.0.113.7/32");
        let (lifted, done) = guard.core.unban(host).await;
        assert!(lifted == [host] && !done.in_force && done.stored);
        // And again: it is not said to be done.
        assert!(!guard.core.unban(host).await.1.in_force);
        assert!(!guard.core.wall.is_complete());
        assert_eq!(in_kernel(&kernel), ["203.0.113.7/32"]);
        let _listens = stand_in(&confined, folder, &kernel);
        assert!(guard.core.restore().await);
        assert!(in_kernel(&kernel).is_empty());
        guard.stop().await;
    });
}

#[test]
fn the_kernel_has_no_bans_that_are_none_and_none_for_longer() {
    testkit::confined(|confined| async move {
        let folder = tempfile::tempdir().unwrap();
        let (folder, kernel) = (folder.path(), Shared::default());
        let _listens = stand_in(&confined, folder, &kernel);
        let guard = Guard::start(folder);
        let known = prefix("203.0.113.7/32");
        guard.core.ban(known, 600, "").await.unwrap();
        let stranger = ("203.0.113.8/32".to_owned(), 600);
        let longer = ("203.0.113.7/32".to_owned(), 86_400);
        kernel.lock().unwrap().bans.extend([stranger, longer]);
        assert!(guard.core.restore().await);
        let bans = kernel.lock().unwrap().bans.clone();
        assert!(bans.len() == 1 && bans["203.0.113.7/32"] <= 600, "{bans:?}");
        // One that only the kernel knows can be lifted by name.
        kernel
            .lock()
            .unwrap()
            .bans
            .insert("203.0.113.9/32".to_owned(), 600);
        let (lifted, _) = guard.core.unban(prefix("203.0.113.9/32")).await;
        assert_eq!(lifted, [prefix("203.0.113.9/32")]);
        // A longer ban is not silently kept for a shorter one.
        let refused = guard.core.ban(known, 60, "").await.unwrap_err();
        assert!(refused.to_string().contains("unban it first"), "{refused}");
        guard.stop().await;
    });
}

#[test]
fn what_was_given_in_part_is_not_taken_for_whole() {
    testkit::confined(|confined| async move {
        let folder = tempfile::tempdir().unwrap();
        let (folder, kernel) = (folder.path(), Shared::default());
        let _listens = stand_in(&confined, folder, &kernel);
        let guard = Guard::start(folder);
        guard.offend("203.0.113.7").await;
        crate::kernel::lose_all(&kernel);
        kernel.lock().unwrap().failing = 1;
        assert!(!guard.core.restore().await && !guard.core.wall.is_complete());
        assert!(guard.core.restore().await && guard.core.wall.is_complete());
        assert_eq!(in_kernel(&kernel), ["203.0.113.7/32"]);
        guard.stop().await;
    });
}

#[test]
fn the_gate_hears_of_a_ban_while_the_firewall_hangs() {
    testkit::confined(|confined| async move {
        let folder = tempfile::tempdir().unwrap();
        let (folder, kernel) = (folder.path(), Shared::default());
        let _listens = stand_in(&confined, folder, &kernel);
        let guard = Guard::start(folder);
        kernel.lock().unwrap().hung = true;
        let (_, mut later) = guard.core.follow();
        let unit = Arc::from("casemate-gate.service");
        let client = Some([203, 0, 113, 7].into());
        let judged = guard.core.judge("honeypot-probed", client, &unit, 1, None);
        assert!(matches!(&*later.try_recv().unwrap(), Answer::Banned(bans) if bans.len() == 1));
        assert!(
            guard
                .core
                .changes
                .is_stored(judged.ticket.unwrap(), LONG)
                .await
        );
        // Lifted while the kernel is still to be told of it: it never has it.
        let core = Arc::clone(&guard.core);
        let enforced = tokio::spawn(async move { core.enforce(&judged.new).await });
        let core = Arc::clone(&guard.core);
        let lifted = tokio::spawn(async move { core.unban(prefix("203.0.113.7/32")).await });
        let heard = tokio::time::timeout(LONG, later.recv())
            .await
            .unwrap()
            .unwrap();
        assert!(matches!(&*heard, Answer::Lifted(_)), "{heard:?}");
        kernel.lock().unwrap().hung = false;
        let _ = (enforced.await, lifted.await);
        assert!(guard.core.restore().await);
        assert!(in_kernel(&kernel).is_empty() && guard.bans().is_empty());
        guard.stop().await;
    });
}
