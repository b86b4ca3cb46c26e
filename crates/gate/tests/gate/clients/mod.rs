//! Who a client is, what he may ask for, and what is written down of it.

mod answers;
mod bot;
mod limits;
mod proxies;

pub(crate) use bot::{ask, ask1};
pub(crate) use proxies::PROXY;
