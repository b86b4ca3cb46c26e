//! What is written to the journal, for tests to look at.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt as _};

/// One record by its fields; its target is one of them.
pub type Record = BTreeMap<String, String>;

/// All records since it was installed. A clone shares them.
#[derive(Debug, Clone, Default)]
pub struct Records(Arc<Mutex<Vec<Record>>>);

impl Records {
    /// Takes what all threads of this process write from now on. Tests that run at the same time in one process would see
    /// each other's; nextest gives each a process of its own.
    ///
    /// # Panics
    /// When something else takes them already.
    #[must_use]
    #[expect(
        clippy::expect_used,
        reason = "a test that cannot be set up has failed"
    )]
    pub fn install() -> Self {
        static INSTALLED: OnceLock<Records> = OnceLock::new();
        let records = INSTALLED.get_or_init(|| {
            let records = Self::default();
            let subscriber = tracing_subscriber::registry().with(records.clone());
            tracing::subscriber::set_global_default(subscriber)
                .expect("nothing else takes the records of a test");
            records
        });
        records.take();
        records.clone()
    }

    /// The records of a target so far.
    #[must_use]
    pub fn of(&self, target: &str) -> Vec<Record> {
        let records = self.all();
        let of_target = records.iter().filter(|record| record["target"] == target);
        of_target.cloned().collect()
    }

    /// The records since they were taken last.
    pub fn take(&self) -> Vec<Record> {
        std::mem::take(&mut *self.all())
    }

    fn all(&self) -> MutexGuard<'_, Vec<Record>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<S: Subscriber> Layer<S> for Records {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let mut fields = Fields(Record::new());
        event.record(&mut fields);
        let target = event.metadata().target().to_owned();
        fields.0.insert("target".to_owned(), target);
        self.all().push(fields.0);
    }
}

struct Fields(Record);

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.0.insert(field.name().to_owned(), format!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.0.insert(field.name().to_owned(), value.to_owned());
    }
}
