//! Who a client is, what he may ask for, and what is written down of it: through a gate that serves confined.
#![expect(clippy::unwrap_used, reason = "tests")]

mod answers;
mod limits;
mod proxies;
mod stand;
