//! Threads that serve visitors, each with a runtime of its own.
//!
//! A visitor's connection, and the one to the bot that answers it, stay on one thread. With one runtime over all threads
//! each half of a request woke another thread, which took over a quarter of the gate's processor time.

use std::io;
use std::net::TcpListener as Blocking;
use std::thread::{self, JoinHandle};

use tokio::net::TcpListener;
use tokio::runtime::{Builder, Handle};
use tokio_util::sync::CancellationToken;

/// Most threads that serve visitors.
const WORKERS_MAX: usize = 16;

/// The threads; they end when this is dropped, and what still runs on them with them.
#[derive(Debug)]
pub(crate) struct Workers {
    runtimes: Vec<Handle>,
    threads: Vec<JoinHandle<()>>,
    end: CancellationToken,
}

impl Workers {
    /// As many as there are processors. They are confined as the calling thread is (landlock(7)).
    ///
    /// # Errors
    /// When the kernel has no room for a thread or a runtime.
    pub(crate) fn start() -> io::Result<Self> {
        let count = thread::available_parallelism().map_or(1, usize::from);
        let mut workers = Self {
            runtimes: Vec::new(),
            threads: Vec::new(),
            end: CancellationToken::new(),
        };
        for _ in 0..count.min(WORKERS_MAX) {
            let runtime = Builder::new_current_thread().enable_all().build()?;
            workers.runtimes.push(runtime.handle().clone());
            let end = workers.end.clone();
            let thread = thread::Builder::new().name("visitors".to_owned());
            let run = move || runtime.block_on(end.cancelled());
            workers.threads.push(thread.spawn(run)?);
        }
        Ok(workers)
    }

    /// The listener on each of the threads, with that thread's runtime.
    ///
    /// # Errors
    /// When there are no descriptors left.
    pub(crate) fn share(&self, listener: TcpListener) -> io::Result<Vec<(&Handle, TcpListener)>> {
        let listener: Blocking = listener.into_std()?;
        let share = |runtime| {
            let _entered = Handle::enter(runtime);
            Ok((runtime, TcpListener::from_std(listener.try_clone()?)?))
        };
        self.runtimes.iter().map(share).collect()
    }
}

impl Drop for Workers {
    fn drop(&mut self) {
        self.end.cancel();
        for thread in self.threads.drain(..) {
            if thread.join().is_err() {
                tracing::error!(
                    "a thread that served visitors had failed; its visitors were cut off"
                );
            }
        }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test]
    async fn every_thread_accepts_from_one_listener_until_they_are_dropped() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let workers = Workers::start().unwrap();
        let accepting: Vec<_> = workers
            .share(listener)
            .unwrap()
            .into_iter()
            .map(|(runtime, listener)| {
                runtime.spawn(async move {
                    listener.accept().await.unwrap();
                    thread::current().id()
                })
            })
            .collect();
        let mut visitors = Vec::new();
        for _ in &accepting {
            visitors.push(tokio::net::TcpStream::connect(address).await.unwrap());
        }
        // Each takes one alone, so all have come only when every thread took one.
        let mut threads = std::collections::HashSet::new();
        for accepted in accepting {
            threads.insert(accepted.await.unwrap());
        }
        assert_eq!(threads.len(), workers.runtimes.len());
        let runtime = workers.runtimes[0].clone();
        let forever = runtime.spawn(std::future::pending::<()>());
        drop(workers);
        let ended = tokio::time::timeout(Duration::from_secs(10), forever).await;
        assert!(ended.unwrap().unwrap_err().is_cancelled());
    }
}
