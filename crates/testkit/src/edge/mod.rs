//! Visitors of an HTTPS server that do one thing over and over: shake hands, ask for something small, read something
//! large, or wait on a stream.
//!
//! Certificates are not checked against anything, only that the server has the key. HTTP/1.1 and TLS 1.3 throughout, so
//! that any two servers are asked for the same work.

mod act;
mod idle;
mod tally;
mod tls;

use std::error::Error;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use http::HeaderValue;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::task::JoinSet;

use act::Visitor;
use tally::Tally;

/// The pause after a failure, so that a server that refuses everybody is not merely hammered.
const PAUSE: Duration = Duration::from_millis(10);

/// What every visitor does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Act {
    /// Connects, shakes hands in full, says goodbye
    Full,
    /// The same with a ticket of the time before
    Resumed,
    /// Asks for PATH and reads the answer, over a connection that is kept
    Requests,
    /// The same, and what counts are the bytes
    Bulk,
    /// Asks for PATH, reads the beginning, and waits until standard input ends; prints `ready` once all wait
    Idle,
}

/// What the visitors do.
#[derive(Debug, Clone, clap::Parser)]
#[command(
    name = "casemate-edge-load",
    about = "Visitors of an HTTPS server, many at a time; prints one JSON object"
)]
pub struct Options {
    /// What each does
    #[arg(value_enum)]
    pub act: Act,
    /// Where the server listens
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub connect: SocketAddr,
    /// The name to ask for, in TLS and HTTP
    #[arg(long)]
    pub host: String,
    /// The path to ask for
    #[arg(long, default_value = "/")]
    pub path: String,
    /// How many visitors there are
    #[arg(long, default_value_t = 32)]
    pub connections: usize,
    /// Seconds for which they do it
    #[arg(long, default_value_t = 8)]
    pub seconds: u64,
    /// Agree on keys by X25519 alone, which every server can, in place of X25519MLKEM768
    #[arg(long)]
    pub classical: bool,
}

/// Whom visitors ask.
struct Target {
    address: SocketAddr,
    host: HeaderValue,
    path: String,
    tls: tls::Tls,
}

/// Lets the visitors do it, and prints what they did.
///
/// # Errors
/// When the name is none, or standard output is closed. What fails is counted and is no error, but of streams that are to
/// wait all must.
pub async fn run(options: &Options) -> Result<(), Box<dyn Error>> {
    raise_descriptors()?;
    let target = Arc::new(Target {
        address: options.connect,
        host: HeaderValue::from_str(&options.host)?,
        path: options.path.clone(),
        tls: tls::Tls::new(options)?,
    });
    if options.act == Act::Idle {
        return idle::wait(&target, options.connections).await;
    }
    let end = Instant::now() + Duration::from_secs(options.seconds);
    let mut visitors = JoinSet::new();
    for _ in 0..options.connections {
        visitors.spawn(visit(Arc::clone(&target), options.act, end));
    }
    let mut tally = Tally::default();
    while let Some(ended) = visitors.join_next().await {
        tally.add(ended?);
    }
    tally.print()
}

/// Lets this process have as many descriptors as it may be given.
///
/// # Errors
/// When the kernel refuses.
pub fn raise_descriptors() -> std::io::Result<()> {
    let maximum = getrlimit(Resource::Nofile).maximum;
    let limit = Rlimit {
        current: maximum,
        maximum,
    };
    Ok(setrlimit(Resource::Nofile, limit)?)
}

/// One visitor, until the time is over.
async fn visit(target: Arc<Target>, act: Act, end: Instant) -> Tally {
    let mut visitor = Visitor::new(&target);
    let mut tally = Tally::default();
    while Instant::now() < end {
        match visitor.perform(act).await {
            Ok(bytes) => tally.done(bytes),
            Err(why) => {
                tally.failed(why);
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
    tally
}
