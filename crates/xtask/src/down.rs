//! `cargo xtask down`: nothing of this checkout's machines is left.

use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::failure::{Failure, Outcome};
use crate::instance::Instance;
use crate::up::{CONTAINER, VIRTUAL_MACHINE};
use crate::workspace::Workspace;
use crate::{host, mounts};

/// How long an orderly shutdown may take, in seconds.
const STOP_SECONDS: u64 = 90;

/// How often it is looked whether it is done, in milliseconds.
const LOOK_MILLIS: u64 = 100;

/// Stops the appliance in order if it is up, and clears what a killed one left behind.
pub(crate) fn down() -> Outcome<()> {
    host::require_root()?;
    let workspace = Workspace::find()?;
    // Control groups are looked at in a namespace of this process's own.
    mounts::enter_private_namespace()?;
    let mut instances = vec![
        Instance::named(&workspace, CONTAINER),
        Instance::named(&workspace, VIRTUAL_MACHINE),
    ];
    // Tests that were killed leave notes too; those that run are not touched.
    instances.extend(Instance::noted(&workspace).into_iter().filter(|instance| {
        instance
            .running()
            .is_none_or(|running| !running.owner.alive())
    }));
    for instance in instances {
        if let Some(running) = instance.running()
            && running.owner.alive()
        {
            println!(
                "• Stopping the appliance (process {}) …",
                running.owner.pid()
            );
            running.owner.terminate()?;
            wait_until_gone(&instance)?;
        }
        instance.sweep()?;
    }
    println!("Nothing runs any more.");
    Ok(())
}

fn wait_until_gone(instance: &Instance) -> Outcome<()> {
    let deadline = Instant::now() + Duration::from_secs(STOP_SECONDS);
    while instance
        .running()
        .is_some_and(|running| running.owner.alive())
    {
        if Instant::now() > deadline {
            return Failure::because(format!(
                "the appliance has not stopped within {STOP_SECONDS} s; kill its process and run this again"
            ));
        }
        sleep(Duration::from_millis(LOOK_MILLIS));
    }
    Ok(())
}
