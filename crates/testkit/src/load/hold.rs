//! Many connections that are opened, asked over once, and then held in silence.

use std::error::Error;
use std::io::Write as _;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use http::StatusCode;
use http_body_util::BodyExt as _;
use serde_json::json;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::caller::{Caller, Question, Unanswered, chain};
use super::dial::{Dial, Protocol};

/// Handshakes at once: visitors come one after the other.
const HANDSHAKES: usize = 32;

/// What is held.
#[derive(Debug, Clone, clap::Parser)]
#[command(
    name = "casemate-hold",
    about = "Holds connections until SIGTERM; prints a JSON object when all are open, and one at the end"
)]
pub struct Options {
    /// Where the service listens
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub connect: SocketAddr,
    /// The name to ask for, in TLS and HTTP
    #[arg(long)]
    pub host: String,
    /// The path to ask for
    #[arg(long)]
    pub path: String,
    /// How HTTP is spoken
    #[arg(long, value_enum, default_value = "h2")]
    pub protocol: Protocol,
    /// How many connections there are
    #[arg(long)]
    pub connections: usize,
    /// JSON to post; then the answer is a stream that is held once it has begun. {n} in it becomes the connection's number
    #[arg(long)]
    pub body: Option<String>,
}

/// What became of them.
#[derive(Debug, Default)]
struct Open {
    /// Those that are open.
    now: AtomicUsize,
    /// Streams that broke off; one that was ended in order is neither.
    cut: AtomicUsize,
}

/// Holds them until SIGTERM or SIGINT, and returns how many were still open as a JSON object on one line.
///
/// # Errors
/// When one could not be opened, or was not answered with status 200.
pub async fn run(options: &Options) -> Result<String, Box<dyn Error>> {
    let (mut term, mut int) = (
        signal(SignalKind::terminate())?,
        signal(SignalKind::interrupt())?,
    );
    let dial = Arc::new(Dial::new(options.connect, &options.host, options.protocol)?);
    let body = options.body.clone();
    let question = Question::new(&options.host, &options.path, options.protocol, body)?;
    let question = Arc::new(question);
    let open = Arc::new(Open::default());
    let handshakes = Arc::new(Semaphore::new(HANDSHAKES));
    let (started, mut opening) = (Instant::now(), JoinSet::new());
    for number in 0..options.connections {
        let (dial, question, open) = (Arc::clone(&dial), Arc::clone(&question), Arc::clone(&open));
        let handshakes = Arc::clone(&handshakes);
        opening.spawn(async move {
            let _place = handshakes.acquire().await;
            hold(&dial, &question, number as u64, open).await
        });
    }
    while let Some(opened) = opening.join_next().await {
        opened??;
    }
    let held = open.now.load(Ordering::Relaxed);
    let report = json!({"held": held, "seconds": started.elapsed().as_secs_f64()});
    writeln!(std::io::stdout(), "{report}")?;
    tokio::select! {
        _ = term.recv() => {}
        _ = int.recv() => {}
    }
    let (left, cut) = (
        open.now.load(Ordering::Relaxed),
        open.cut.load(Ordering::Relaxed),
    );
    let ended = options.connections - left - cut;
    Ok(json!({"held": left, "ended": ended, "cut": cut}).to_string())
}

/// Opens one, and lets it go on by itself; `open` counts it until it ends, and how.
async fn hold(
    dial: &Dial,
    question: &Question,
    number: u64,
    open: Arc<Open>,
) -> Result<(), String> {
    let mut caller = Caller::connect(dial).await?;
    let mut response = match caller.ask(question.request(number)?).await {
        Ok(response) => response,
        Err(Unanswered::Unsent) => return Err("it was closed before it was asked over".into()),
        Err(Unanswered::Failed(why)) => return Err(why),
    };
    if response.status() != StatusCode::OK {
        return Err(format!("answered {}", response.status()));
    }
    let cut = |error: hyper::Error| format!("an answer was cut short: {}", chain(&error));
    if question.is_stream() {
        if let Some(frame) = response.frame().await {
            frame.map_err(cut)?;
        }
    } else {
        response.body_mut().collect().await.map_err(cut)?;
    }
    open.now.fetch_add(1, Ordering::Relaxed);
    let stream = question.is_stream().then_some(response);
    tokio::spawn(async move {
        if let Some(mut response) = stream {
            while let Some(frame) = response.frame().await {
                if frame.is_err() {
                    open.cut.fetch_add(1, Ordering::Relaxed);
                    break;
                }
            }
        } else {
            // Without an owner of the sender the connection would end.
            let Caller { ended, sender } = caller;
            drop(ended.await);
            drop(sender);
        }
        open.now.fetch_sub(1, Ordering::Relaxed);
    });
    Ok(())
}
