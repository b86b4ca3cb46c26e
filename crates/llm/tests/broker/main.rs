//! The broker as a service: confined, on its socket, against stand-ins for the dialer and for providers.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

mod journal;
mod provider;
mod service;
mod support;
mod tls;
