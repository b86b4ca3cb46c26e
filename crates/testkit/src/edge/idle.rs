//! Visitors who wait.

use std::error::Error;
use std::io::Write as _;
use std::time::Duration;

use http_body_util::BodyExt as _;

use super::Target;
use super::act::Visitor;
use super::tally::Tally;

/// Opens a stream each for so many visitors, one after the other, prints `ready` once something has come on each, and
/// holds them until standard input ends. Then it prints how many still were open.
pub(super) async fn wait(target: &Target, visitors: usize) -> Result<(), Box<dyn Error>> {
    let mut waiting = Vec::with_capacity(visitors);
    for number in 1..=visitors {
        let mut visitor = Visitor::new(target);
        let opened = async {
            let mut body = visitor.ask(true).await?;
            body.frame().await.ok_or("nothing came on it")??;
            Ok::<_, Box<dyn Error + Send + Sync>>(body)
        };
        match opened.await {
            Ok(body) => waiting.push((visitor, body)),
            Err(error) => return Err(format!("stream {number} did not open: {error}").into()),
        }
    }
    writeln!(std::io::stdout(), "ready")?;
    let end = || std::io::copy(&mut std::io::stdin(), &mut std::io::sink());
    tokio::task::spawn_blocking(end).await??;
    let mut tally = Tally::default();
    for (_visitor, mut body) in waiting {
        // What is at hand at once is its end, or something that was not to come.
        match tokio::time::timeout(Duration::ZERO, body.frame()).await {
            Err(_) => tally.done(0),
            Ok(None) => tally.failed("a stream ended while it was to wait".to_owned()),
            Ok(Some(Err(error))) => tally.failed(format!("a stream broke: {error:?}")),
            Ok(Some(Ok(frame))) => tally.failed(format!("a stream went on: {frame:?}")),
        }
    }
    tally.print()
}
