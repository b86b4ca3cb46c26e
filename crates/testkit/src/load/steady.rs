//! Visitors who come, stay and come again until they are told to end, while the service is replaced under them.
//!
//! Some keep their connection for as long as they may, some make one for each request; half speak HTTP/1.1, half HTTP/2.
//! A visitor whose connection was closed between two requests, or was told to come again (`Connection: close`, GOAWAY),
//! does so, and that is no failure. Anything else is: a reset, a status other than 200, an answer that is cut short.

use std::error::Error;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use http::StatusCode;
use http_body_util::BodyExt as _;
use serde_json::json;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::caller::{Caller, Question, Unanswered, chain};
use super::dial::{Dial, Protocol};
use super::tally::times;

/// What the visitors do.
#[derive(Debug, Clone, clap::Parser)]
#[command(
    name = "casemate-steady",
    about = "Visitors who ask until SIGTERM; prints one JSON object then"
)]
pub struct Options {
    /// Where the service listens
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub connect: SocketAddr,
    /// The name to ask for, in TLS and HTTP
    #[arg(long)]
    pub host: String,
    /// The path to get
    #[arg(long)]
    pub path: String,
    /// How many visitors of each protocol keep their connection
    #[arg(long, default_value_t = 4)]
    pub kept: usize,
    /// How many of each protocol make one for each request
    #[arg(long, default_value_t = 2)]
    pub fresh: usize,
    /// Milliseconds between two requests of a visitor
    #[arg(long, default_value_t = 20)]
    pub pause: u64,
}

/// What all visitors saw.
#[derive(Debug, Default)]
struct Seen {
    took: Vec<Duration>,
    connections: u64,
    again: u64,
    failed: u64,
    first_failure: Option<String>,
}

/// What one visitor goes by.
struct Habit {
    dial: Dial,
    question: Question,
    keeps: bool,
    pause: Duration,
    seen: Arc<Mutex<Seen>>,
}

impl Habit {
    fn seen(&self) -> std::sync::MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Lets the visitors ask until SIGTERM or SIGINT, and returns what they saw as a JSON object on one line.
///
/// # Errors
/// When the name is none, or signals can't be had. Requests that fail are counted and are no error.
pub async fn run(options: &Options) -> Result<String, Box<dyn Error>> {
    let (mut term, mut int) = (
        signal(SignalKind::terminate())?,
        signal(SignalKind::interrupt())?,
    );
    let seen = Arc::new(Mutex::new(Seen::default()));
    let (end, visitors) = (CancellationToken::new(), TaskTracker::new());
    for protocol in [Protocol::Http1, Protocol::H2] {
        for number in 0..options.kept + options.fresh {
            let habit = Habit {
                dial: Dial::new(options.connect, &options.host, protocol)?,
                question: Question::new(&options.host, &options.path, protocol, None)?,
                keeps: number < options.kept,
                pause: Duration::from_millis(options.pause),
                seen: Arc::clone(&seen),
            };
            visitors.spawn(visit(habit, end.clone()));
        }
    }
    tokio::select! {
        _ = term.recv() => {}
        _ = int.recv() => {}
    }
    end.cancel();
    visitors.close();
    visitors.wait().await;
    let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
    seen.took.sort_unstable();
    Ok(json!({
        "requests": seen.took.len(),
        "failed": seen.failed,
        "first_failure": seen.first_failure,
        "connections": seen.connections,
        "again": seen.again,
        "ms": times(&seen.took),
    })
    .to_string())
}

/// One visitor, until `end`; what he has begun he ends.
async fn visit(habit: Habit, end: CancellationToken) {
    let mut caller = None;
    while !end.is_cancelled() {
        let started = Instant::now();
        match whole(&habit, &mut caller).await {
            Ok(()) => habit.seen().took.push(started.elapsed()),
            Err(why) => {
                caller = None;
                let mut seen = habit.seen();
                seen.failed += 1;
                seen.first_failure.get_or_insert(why);
            }
        }
        if !habit.keeps {
            caller = None;
        }
        end.run_until_cancelled(tokio::time::sleep(habit.pause))
            .await;
    }
}

/// One request, with as many connections as it takes; `caller` is the one that is kept.
async fn whole(habit: &Habit, caller: &mut Option<Caller>) -> Result<(), String> {
    loop {
        let mut current = match caller.take() {
            Some(current) if !current.is_closed() => current,
            _ => {
                habit.seen().connections += 1;
                Caller::connect(&habit.dial).await?
            }
        };
        let mut response = match current.ask(habit.question.request(0)?).await {
            Ok(response) => response,
            Err(Unanswered::Unsent) => {
                habit.seen().again += 1;
                continue;
            }
            Err(Unanswered::Failed(why)) => return Err(why),
        };
        if response.status() != StatusCode::OK {
            return Err(format!("answered {}", response.status()));
        }
        let read = response.body_mut().collect().await;
        read.map_err(|error| format!("an answer was cut short: {}", chain(&error)))?;
        *caller = Some(current);
        return Ok(());
    }
}
