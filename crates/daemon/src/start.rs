//! The start-up itself.

use std::io::IsTerminal as _;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{CommandFactory as _, FromArgMatches as _};
use sandbox::{Confined, Plan};
use secret::Credentials;
use serde::de::DeserializeOwned;
use tokio::runtime::Builder;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::arguments::Arguments;
use crate::config::{self, ConfigError};
use crate::{
    BoxError, ConfigFile, Job, Ready, Reload, Service, Sockets, Start, Threads, journal, prove,
};

/// The exit code for a configuration that cannot be served (`EX_CONFIG`,
/// sysexits.h(3head)); units do not restart on it.
pub const EXIT_CONFIG: u8 = 78;

/// Most threads that answer requests. Services are many and machines small.
const WORKER_THREADS_MAX: usize = 4;

/// Runs a service from start to end. See the crate's documentation for the order.
#[must_use]
pub fn main<S: Service>() -> ExitCode {
    let arguments = arguments(S::STEM);
    journal::begin(arguments.log);
    let instance = arguments.instance.as_deref();
    let config = files(&arguments, S::config_stem).and_then(|paths| {
        configure(paths, S::STEM, S::CONFIG_FILE, |config| {
            S::check(config, instance)
        })
    });
    let config = match config {
        Ok(config) => config,
        Err(error) => return refuse(&error),
    };
    if arguments.check_config {
        return ExitCode::SUCCESS;
    }
    let plan = with_credentials(S::plan(&config, instance));
    if let Some(how) = arguments.prove_confinement {
        return prove::run(S::STEM, &plan, how);
    }
    match begin::<S>(config, arguments.instance, &plan) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            journal::fatal("the service ends", error.as_ref());
            ExitCode::FAILURE
        }
    }
}

/// Runs a job that ends by itself.
#[must_use]
pub fn once<J: Job>() -> ExitCode {
    let arguments = arguments(J::STEM);
    journal::begin(arguments.log);
    let instance = arguments.instance.as_deref();
    let paths = arguments.config.clone();
    let config = match configure(paths, J::STEM, ConfigFile::Optional, |config| {
        J::check(config, instance)
    }) {
        Ok(config) => config,
        Err(error) => return refuse(&error),
    };
    if arguments.check_config {
        return ExitCode::SUCCESS;
    }
    let plan = with_credentials(J::plan(&config, instance));
    if let Some(how) = arguments.prove_confinement {
        return prove::run(J::STEM, &plan, how);
    }
    let done = confine(&plan).and_then(|confined| J::run(config, instance, &confined));
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            journal::fatal("the job was not done", error.as_ref());
            ExitCode::FAILURE
        }
    }
}

fn arguments(stem: &'static str) -> Arguments {
    // Once a process, and clap wants a name that lives as long.
    let name: &'static str = format!("casemate-{stem}").leak();
    let command = Arguments::command().name(name).display_name(name);
    Arguments::from_arg_matches(&command.get_matches()).unwrap_or_else(|error| error.exit())
}

/// The configuration files that were given, and in folders those of the instance.
fn files(
    arguments: &Arguments,
    stem: impl Fn(&str) -> Result<String, String>,
) -> Result<Vec<PathBuf>, ConfigError> {
    let of_instance = |path: &PathBuf| {
        let refused = |why| ConfigError::Refused {
            path: path.clone(),
            why,
        };
        let instance = arguments.instance.as_deref().ok_or_else(|| {
            refused("it is a folder, and there is no --instance that names a file in it".to_owned())
        })?;
        Ok(path.join(format!("{}.toml", stem(instance).map_err(refused)?)))
    };
    let file = |path: &PathBuf| {
        if path.is_dir() {
            of_instance(path)
        } else {
            Ok(path.clone())
        }
    };
    arguments.config.iter().map(file).collect()
}

fn configure<C: DeserializeOwned>(
    mut paths: Vec<PathBuf>,
    stem: &str,
    file: ConfigFile,
    check: impl Fn(&C) -> Result<(), String>,
) -> Result<C, ConfigError> {
    // A file that was asked for has to be there, whatever defaults there are.
    let file = if paths.is_empty() {
        file
    } else {
        ConfigFile::Required
    };
    if paths.is_empty() {
        paths.push(PathBuf::from(format!("/etc/casemate/{stem}.toml")));
    }
    let (path, text) = match (config::read(&paths)?, file) {
        (Some(read), _) => read,
        (None, ConfigFile::Optional) => (PathBuf::from("defaults"), String::new()),
        (None, ConfigFile::Required) => return Err(ConfigError::Missing(paths)),
    };
    let config = config::parse(&text).map_err(|why| ConfigError::Malformed {
        path: path.clone(),
        why,
    })?;
    check(&config).map_err(|why| ConfigError::Refused { path, why })?;
    Ok(config)
}

#[expect(
    clippy::print_stderr,
    reason = "an operator at a terminal reads it there"
)]
fn refuse(error: &ConfigError) -> ExitCode {
    if std::io::stderr().is_terminal() || std::env::var_os("JOURNAL_STREAM").is_none() {
        eprintln!("{error}");
    } else {
        journal::fatal("the service does not start", error);
    }
    ExitCode::from(EXIT_CONFIG)
}

/// A unit's own credentials are its to read, whatever else it may touch.
fn with_credentials(plan: Plan) -> Plan {
    match Credentials::from_environment().directory() {
        Some(directory) => plan.read(directory),
        None => plan,
    }
}

fn confine(plan: &Plan) -> Result<Confined, BoxError> {
    let confined = sandbox::confine(plan)?;
    let report = confined.report();
    for gap in &report.gaps {
        tracing::info!("this kernel leaves a gap in the confinement: {gap}");
    }
    Ok(confined)
}

fn begin<S: Service>(
    config: S::Config,
    instance: Option<String>,
    plan: &Plan,
) -> Result<(), BoxError> {
    let sockets = Sockets::receive()?;
    let credentials = Credentials::from_environment();
    // Asked before confinement, which hides the files that tell.
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let confined = confine(plan)?;
    let runtime = match S::THREADS {
        Threads::One => Builder::new_current_thread().enable_all().build()?,
        Threads::Several => Builder::new_multi_thread()
            .worker_threads(threads.min(WORKER_THREADS_MAX))
            .enable_all()
            .build()?,
    };
    let drain = CancellationToken::new();
    let ready = Ready {
        drain: drain.clone(),
    };
    let start = Start {
        config,
        instance,
        sockets,
        credentials,
        confined,
        drain,
        reload: Reload { _private: () },
        ready,
    };
    runtime.block_on(async {
        stop_on_signal(start.drain.clone())?;
        S::serve(start).await
    })
}

fn stop_on_signal(drain: CancellationToken) -> std::io::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    tokio::spawn(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        drain.cancel();
    });
    Ok(())
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use clap::Parser as _;

    use super::*;

    #[test]
    fn a_folder_stands_for_the_instance_s_file_in_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().to_str().unwrap();
        let asked = |arguments: &[&str]| {
            let arguments = Arguments::parse_from([&["casemate-x"], arguments].concat());
            // As where several instances share one file.
            files(&arguments, |instance| match instance.split_once('.') {
                Some((stem, _)) => Ok(stem.to_owned()),
                None => Err(format!("{instance} is none")),
            })
        };
        let given = ["--config", path, "--config", "/a/file.toml"];
        let found = asked(&[&given[..], &["--instance", "shop.2"]].concat()).unwrap();
        assert_eq!(
            found,
            [
                folder.path().join("shop.toml"),
                PathBuf::from("/a/file.toml")
            ]
        );
        let refused = asked(&given).unwrap_err().to_string();
        assert!(refused.contains("no --instance"), "{refused}");
        let refused = asked(&[&given[..], &["--instance", "shop"]].concat());
        assert!(refused.unwrap_err().to_string().contains("shop is none"));
        assert!(asked(&[]).unwrap().is_empty());
    }
}
