//! The one start-up of every Casemate service.
//!
//! Configuration → inherited sockets and credentials → confinement → runtime →
//! `READY=1` → watchdog → (`SIGHUP` → reload) → `SIGTERM` → drain → exit code. The order is fixed
//! here, so that no service can serve before it is confined.
//!
//! A service's `main` is `fn main() -> ExitCode { daemon::main::<Gate>() }`;
//! a job that ends by itself uses [`once`].

mod arguments;
mod config;
mod folder;
mod journal;
mod memory;
mod notify;
mod prove;
mod reload;
mod service;
mod sockets;
mod start;

pub use config::{CONFIG_BYTES, ConfigError, parse, read};
pub use folder::{FolderError, runtime_folder};
pub use notify::{Ready, say};
pub use reload::{Reload, Reloading, Reloads};
pub use service::{BoxError, ConfigFile, Job, Service, Start, Threads};
pub use sockets::{SocketError, Sockets, opened};
pub use start::{EXIT_CONFIG, main, once};
