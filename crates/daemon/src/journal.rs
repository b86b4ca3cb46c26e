//! Logs to the journal with structured fields, or to standard error.

use tracing::level_filters::LevelFilter;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

/// Begins logging: as native journal entries where the service manager gave a
/// journal (`$JOURNAL_STREAM`, systemd.exec(5)), else as lines on standard error.
pub(crate) fn begin(level: LevelFilter) {
    let journal = std::env::var_os("JOURNAL_STREAM")
        .and_then(|_| tracing_journald::layer().ok())
        .map(|layer| layer.with_field_prefix(Some("CASEMATE".to_owned())));
    let lines = journal.is_none().then(|| {
        tracing_subscriber::fmt::layer()
            .with_writer(std::io::stderr)
            .with_ansi(false)
            .without_time()
    });
    // A second call finds a subscriber in place, which is what it wants.
    let _ = tracing_subscriber::registry()
        .with(level)
        .with(journal)
        .with(lines)
        .try_init();
}

/// Logs an error that ends the process, with the chain of its causes.
pub(crate) fn fatal(what: &str, error: &(dyn std::error::Error + 'static)) {
    let mut causes = String::new();
    let mut cause = error.source();
    while let Some(error) = cause {
        causes.push_str(": ");
        causes.push_str(&error.to_string());
        cause = error.source();
    }
    tracing::error!("{what}: {error}{causes}");
}
