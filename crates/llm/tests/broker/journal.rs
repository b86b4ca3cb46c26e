//! What the broker writes down has the id of the visitor's request.

use std::fmt::Debug;
use std::sync::{Arc, Mutex};

use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt as _};
use tracing_subscriber::registry::LookupSpan;

use crate::support::{Outside, events, question, with_broker};

/// The id of the span around each record of a call; none outside of any.
#[derive(Clone, Default)]
struct Ids(Arc<Mutex<Vec<Option<String>>>>);

struct RequestField(Option<String>);

impl Visit for RequestField {
    fn record_debug(&mut self, _: &Field, _: &dyn Debug) {}

    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == "request" {
            self.0 = Some(value.to_owned());
        }
    }
}

impl<S: tracing::Subscriber + for<'span> LookupSpan<'span>> Layer<S> for Ids {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let mut field = RequestField(None);
        attributes.record(&mut field);
        context.span(id).unwrap().extensions_mut().insert(field);
    }

    fn on_event(&self, event: &tracing::Event<'_>, context: Context<'_, S>) {
        if event.metadata().target() == "audit" {
            let id = context.lookup_current().and_then(|span| {
                let extensions = span.extensions();
                extensions.get::<RequestField>()?.0.clone()
            });
            self.0.lock().unwrap().push(id);
        }
    }
}

#[test]
fn the_record_of_a_call_has_the_id_of_the_request() {
    let outside = Outside::start();
    let config = outside.entry("near", "answers", "credential = \"provider.good\"");
    let ids = Ids::default();
    let written = ids.clone();
    with_broker(&outside, &config, async move |client| {
        let subscriber = tracing_subscriber::registry().with(written);
        let _guard = tracing::subscriber::set_default(subscriber);
        let mut headers = http::HeaderMap::new();
        headers.insert("x-request-id", "0190a1b2".parse().unwrap());
        let id = ipc::RequestId::of(&headers);
        for provider in ["built-in", "near", "none"] {
            events(&client.for_request(id.clone()), &question(provider)).await;
        }
        events(&client, &question("built-in")).await;
    });
    let id = Some("0190a1b2".to_owned());
    let written = ids.0.lock().unwrap().clone();
    assert_eq!(written, [id.clone(), id.clone(), id, None]);
}
