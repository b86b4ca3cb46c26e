//! Who is logged in over SSH is never banned, for as long as they are.

use std::path::Path;
use std::sync::Arc;

use casemate_guard::decide::never::Process;
use casemate_guard::messages::Line;

use crate::guard::Guard;

const CLIENT: &str = "203.0.113.7";

const fn process(boot: u8, number: u32) -> Process {
    Process {
        boot: [boot; 16],
        number,
    }
}

fn line(guard: &Guard, line: Line, process: Process) {
    let unit = Arc::from("ssh.service");
    let at_ms = guard.core.now_ms();
    assert!(guard.core.line(line, process, &unit, at_ms).is_empty());
}

async fn is_banned(guard: &Guard) -> bool {
    guard.offend(CLIENT).await;
    !guard.bans().is_empty()
}

fn start(folder: &Path) -> Guard {
    let guard = Guard::start(folder);
    line(
        &guard,
        Line::LoggedIn(CLIENT.parse().unwrap()),
        process(2, 7),
    );
    guard
}

#[test]
fn a_session_is_live_until_its_end() {
    testkit::confined(|_| async move {
        let folder = tempfile::tempdir().unwrap();
        let guard = start(folder.path());
        assert!(!is_banned(&guard).await);
        // Lines of an earlier boot, of a file that is read meanwhile, end nothing: the same number was another process.
        line(&guard, Line::LoggedOut, process(1, 7));
        line(&guard, Line::LoggedOut, process(2, 8));
        assert!(!is_banned(&guard).await);
        line(&guard, Line::LoggedOut, process(2, 7));
        assert!(is_banned(&guard).await);
        guard.stop().await;
    });
}

#[test]
fn a_session_without_an_end_is_live_while_its_process_is() {
    testkit::confined(|_| async move {
        let folder = tempfile::tempdir().unwrap();
        let guard = start(folder.path());
        guard.core.end_dead(|found| found == process(2, 7));
        assert!(!is_banned(&guard).await);
        guard.stop().await;
        // It is known after a restart, and ends with its process.
        let guard = Guard::start(folder.path());
        assert!(!is_banned(&guard).await);
        guard.core.end_dead(|found| found == process(2, 8));
        assert!(is_banned(&guard).await);
        guard.stop().await;
    });
}
