//! Many visitors at once, each with one connection, asking one question after the other.
//!
//! A turn is one `POST` over HTTP/1.1 and TLS 1.3 whose answer is a stream of server-sent events, read to its end. It
//! counts when the status is 200 and the stream held the text that ends a turn. Connections are kept, and each turn is a
//! conversation of its own. Certificates are not checked against anything: what is measured is its own authority.

mod caller;
mod dial;
pub mod hold;
mod seek;
pub mod steady;
mod tally;
mod visitor;

use std::error::Error;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use tokio::task::JoinSet;

pub use dial::Protocol;

use tally::Tally;
use visitor::{Target, Visitor};

/// The pause after a failure, so that a service that refuses everybody is not merely hammered.
const PAUSE: Duration = Duration::from_millis(10);

/// What the visitors do.
#[derive(Debug, Clone, clap::Parser)]
#[command(
    name = "casemate-load",
    about = "Visitors of a chat, many at a time; prints one JSON object"
)]
pub struct Options {
    /// Where the service listens
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub connect: SocketAddr,
    /// The name to ask for, in TLS and HTTP
    #[arg(long)]
    pub host: String,
    /// The path to post to
    #[arg(long)]
    pub path: String,
    /// The JSON to post; {n} in it becomes a number that no other turn has
    #[arg(long)]
    pub body: String,
    /// The text that the stream of a whole answer holds
    #[arg(long)]
    pub done: String,
    /// The text at which an answer's first words have come
    #[arg(long, default_value = "delta")]
    pub first: String,
    /// How many visitors there are
    #[arg(long, default_value_t = 32)]
    pub connections: usize,
    /// Seconds that are measured
    #[arg(long, default_value_t = 10)]
    pub seconds: u64,
    /// Seconds of load before them
    #[arg(long, default_value_t = 2)]
    pub warmup: u64,
    /// Instead of all that: try for so many seconds until one turn is done
    #[arg(long, value_name = "SECONDS")]
    pub until_first: Option<u64>,
}

/// The spans of a run.
#[derive(Debug, Clone, Copy)]
struct Span {
    /// From here turns are measured.
    begin: Instant,
    /// No turn begins after this.
    end: Instant,
}

/// What all visitors share.
struct Crowd {
    target: Target,
    template: Template,
    tally: Mutex<Tally>,
}

impl Crowd {
    fn tally(&self) -> std::sync::MutexGuard<'_, Tally> {
        self.tally.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A body with a number in it that each use has to itself.
struct Template {
    text: String,
    next: AtomicU64,
}

impl Template {
    /// Numbers start at the time, so that a later run's differ from an earlier one's.
    fn new(text: &str, now: SystemTime) -> Self {
        let since = now
            .duration_since(SystemTime::UNIX_EPOCH)
            .unwrap_or_default();
        let start = since.as_secs() << 30 | u64::from(since.subsec_nanos());
        Self {
            text: text.into(),
            next: AtomicU64::new(start),
        }
    }

    fn fill(&self) -> String {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        self.text.replace("{n}", &number.to_string())
    }
}

/// Lets the visitors ask, and returns what they saw as a JSON object on one line.
///
/// # Errors
/// When the name is none, or no turn was done in the time that was given for the first. Turns that fail are counted and
/// are no error.
pub async fn run(options: &Options) -> Result<String, Box<dyn Error>> {
    let crowd = Arc::new(Crowd {
        target: Target::new(options)?,
        template: Template::new(&options.body, SystemTime::now()),
        tally: Mutex::new(Tally::default()),
    });
    if let Some(seconds) = options.until_first {
        until_first(&crowd, Duration::from_secs(seconds)).await?;
    } else {
        let begin = Instant::now() + Duration::from_secs(options.warmup);
        let end = begin + Duration::from_secs(options.seconds);
        let mut visitors = JoinSet::new();
        for _ in 0..options.connections {
            visitors.spawn(visit(Arc::clone(&crowd), Span { begin, end }));
        }
        while let Some(ended) = visitors.join_next().await {
            ended?;
        }
    }
    let report = crowd.tally().report(options.seconds);
    Ok(report.to_string())
}

/// One visitor, until the time is over.
async fn visit(crowd: Arc<Crowd>, span: Span) {
    let mut visitor = None;
    while Instant::now() < span.end {
        let started = Instant::now();
        match ask(&crowd, &mut visitor).await {
            Ok(turn) => {
                let ended = started + turn.whole;
                let measured = started >= span.begin;
                let within = ended >= span.begin && ended <= span.end;
                crowd.tally().done(&turn, measured, within);
            }
            Err(why) => {
                crowd.tally().failed(&why);
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}

/// One turn, over the connection that is there or a new one. After a failure there is none.
async fn ask(crowd: &Crowd, visitor: &mut Option<Visitor>) -> Result<visitor::Turn, String> {
    let mut current = match visitor.take() {
        Some(current) => current,
        None => Visitor::connect(&crowd.target).await?,
    };
    let turn = current.turn(&crowd.target, crowd.template.fill()).await?;
    *visitor = Some(current);
    Ok(turn)
}

async fn until_first(crowd: &Crowd, patience: Duration) -> Result<(), Box<dyn Error>> {
    let deadline = Instant::now() + patience;
    loop {
        match ask(crowd, &mut None).await {
            Ok(turn) => {
                crowd.tally().done(&turn, true, true);
                return Ok(());
            }
            Err(why) if Instant::now() > deadline => {
                return Err(format!("no turn was done: {why}").into());
            }
            Err(_) => tokio::time::sleep(PAUSE).await,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_turn_has_a_number_of_its_own() {
        let template = Template::new(r#"{"id":"{n}","again":"{n}"}"#, SystemTime::UNIX_EPOCH);
        assert_eq!(template.fill(), r#"{"id":"0","again":"0"}"#);
        assert_eq!(template.fill(), r#"{"id":"1","again":"1"}"#);
        let later = SystemTime::UNIX_EPOCH + Duration::from_secs(1);
        let later = Template::new("{n}", later).next.into_inner();
        assert!(
            later > 1_000_000_000,
            "room for a billion turns between seconds: {later}"
        );
    }
}
