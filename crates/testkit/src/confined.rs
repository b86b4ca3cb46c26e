//! Runs a test on a thread of its own that is confined like a service.

use std::future::Future;
use std::panic::resume_unwind;

use sandbox::{Confined, Plan};

/// Runs an asynchronous test confined: it may use what lies below the folder for temporary files, Unix sockets there
/// included, and nothing else. A panic in the test is a panic of the caller.
///
/// # Panics
/// When the thread cannot be confined on this kernel, for nothing could be served then.
pub fn confined<F, Fut, T>(test: F) -> T
where
    F: FnOnce(Confined) -> Fut + Send,
    Fut: Future<Output = T>,
    T: Send,
{
    let temporary = std::env::temp_dir();
    let plan = Plan::new()
        .write(&temporary)
        .bind(&temporary)
        .connect(&temporary);
    confined_with(&plan, test)
}

/// As [`confined`], with a plan of the caller's.
///
/// # Panics
/// As [`confined`].
#[expect(
    clippy::panic,
    clippy::expect_used,
    reason = "a test that cannot be set up has failed"
)]
pub fn confined_with<F, Fut, T>(plan: &Plan, test: F) -> T
where
    F: FnOnce(Confined) -> Fut + Send,
    Fut: Future<Output = T>,
    T: Send,
{
    let run = || {
        let confined = sandbox::confine_thread(plan)
            .unwrap_or_else(|error| panic!("this thread cannot be confined: {error}"));
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a confined thread can have a runtime");
        runtime.block_on(test(confined))
    };
    std::thread::scope(|scope| match scope.spawn(run).join() {
        Ok(value) => value,
        Err(panic) => resume_unwind(panic),
    })
}

#[cfg(test)]
#[expect(clippy::unwrap_used, clippy::panic, reason = "tests")]
mod tests {
    use super::*;
    use crate::Folder;

    #[test]
    fn a_confined_test_serves_sockets_and_files_of_its_own() {
        let folder = Folder::new();
        let said = confined(async |_| {
            let (socket, listener) = folder.listen("a.sock");
            std::fs::write(folder.path().join("file"), "x").unwrap();
            let (one, _other) =
                tokio::join!(listener.accept(), tokio::net::UnixStream::connect(&socket));
            one.is_ok()
        });
        assert!(said);
    }

    #[test]
    fn it_is_confined_and_its_caller_is_not() {
        let denied = confined(async |_| std::fs::read("/etc/passwd").unwrap_err().kind());
        assert_eq!(denied, std::io::ErrorKind::PermissionDenied);
        assert!(std::fs::read("/etc/passwd").is_ok());
    }

    #[test]
    #[should_panic(expected = "the test's own words")]
    fn a_panic_is_passed_on() {
        confined(async |_| panic!("the test's own words"));
    }
}
