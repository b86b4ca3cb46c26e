//! What a service says about itself, and what it is given.

use std::future::Future;

use sandbox::{Confined, Plan};
use secret::Credentials;
use serde::de::DeserializeOwned;
use tokio_util::sync::CancellationToken;

use crate::{Ready, Reload, Sockets};

/// Any error that ends a service; its chain of causes is logged.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Whether a service can start without its configuration file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConfigFile {
    /// Defaults apply where there is no file.
    Optional,
    /// Without the file there is nothing to serve.
    Required,
}

/// How many threads answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Threads {
    /// One: with more each call wakes another, and each has a stack and an arena of its own. For a service whose answers
    /// are short; what takes a while has to go elsewhere (`tokio::task::spawn_blocking`).
    One,
    /// As many as there are processors, up to four.
    Several,
}

/// A service that runs until it is told to stop.
pub trait Service: Sized + 'static {
    /// The one stem of crate, unit and Nix module, such as `gate`.
    const STEM: &'static str;

    /// Whether [`Self::Config`] has defaults for everything.
    const CONFIG_FILE: ConfigFile = ConfigFile::Optional;

    /// How many threads answer.
    const THREADS: Threads = Threads::Several;

    /// What the configuration file holds. Unknown keys should be errors
    /// (`#[serde(deny_unknown_fields)]`).
    type Config: DeserializeOwned + Send + 'static;

    /// The file that is read where a folder of configurations is given, without its `.toml`. Several
    /// instances may share one.
    ///
    /// # Errors
    /// A sentence that says what is wrong with the instance's name.
    fn config_stem(instance: &str) -> Result<String, String> {
        Err(format!(
            "--config names a folder, and --instance {instance:?} names no file in it"
        ))
    }

    /// Rejects a configuration that can be read and yet cannot be served.
    ///
    /// # Errors
    /// A sentence that names the key and what is wrong with its value.
    fn check(config: &Self::Config, instance: Option<&str>) -> Result<(), String>;

    /// The files and sockets that this service may touch.
    fn plan(config: &Self::Config, instance: Option<&str>) -> Plan;

    /// Serves until [`Start::drain`] is cancelled. Calls [`Ready::notify`] as
    /// soon as it can answer.
    fn serve(start: Start<Self::Config>) -> impl Future<Output = Result<(), BoxError>> + Send;
}

/// A job that ends by itself (`Type=oneshot` in systemd.service(5)).
pub trait Job: Sized + 'static {
    /// The one stem of crate, unit and Nix module, such as `certs`.
    const STEM: &'static str;

    /// As [`Service::Config`].
    type Config: DeserializeOwned;

    /// As [`Service::check`].
    ///
    /// # Errors
    /// A sentence that names the key and what is wrong with its value.
    fn check(config: &Self::Config, instance: Option<&str>) -> Result<(), String>;

    /// As [`Service::plan`].
    fn plan(config: &Self::Config, instance: Option<&str>) -> Plan;

    /// Does the job, confined.
    ///
    /// # Errors
    /// Whatever kept it from being done; it is logged with its causes.
    fn run(
        config: Self::Config,
        instance: Option<&str>,
        confined: &Confined,
    ) -> Result<(), BoxError>;
}

/// All that a service is given to start with.
#[derive(Debug)]
pub struct Start<C> {
    /// The checked configuration.
    pub config: C,
    /// The instance's name (`%i` in systemd.unit(5)), for templates.
    pub instance: Option<String>,
    /// Listening sockets, inherited from the service manager.
    pub sockets: Sockets,
    /// This unit's credentials.
    pub credentials: Credentials,
    /// The proof of confinement that serving asks for.
    pub confined: Confined,
    /// Cancelled on `SIGTERM`: accept nothing more, finish what is under way.
    pub drain: CancellationToken,
    /// For a service that can read anew, while it serves, what it was given.
    pub reload: Reload,
    /// Tells the service manager that the service can answer.
    pub ready: Ready,
}
