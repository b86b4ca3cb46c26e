//! `casemate-firewall`: owns the one nftables table of the appliance and decides nothing.
//!
//! [`firewall_api`] has the contract. What is asked is checked once more ([`judge`]), written as one netlink batch
//! ([`nft`]) and committed by the kernel as a whole or not at all ([`table`]); no `nft` process is started. Packets from
//! banned and blocked prefixes are dropped before the kernel looks at connections, so that an established one is cut off
//! too. The rules stay in force while the service is stopped, and the next process takes them over.
//!
//! From Linux 6.9 on the kernel lets nobody else change or flush the table while the service runs. On an older kernel the
//! service hears of every change and makes the table again.

pub mod bans;
pub mod block;
pub mod clock;
pub mod config;
pub mod firewall;
pub mod judge;
pub mod netlink;
pub mod nft;
pub mod own;
pub mod serve;
mod service;
pub mod spared;
pub mod table;
mod watches;

pub use service::FirewallService;
