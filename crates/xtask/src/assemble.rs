//! From the checkout to something that boots.

use std::ffi::OsString;
use std::net::SocketAddrV4;
use std::path::{Path, PathBuf};

use crate::failure::Outcome;
use crate::instance::Instance;
use crate::progress::step;
use crate::root::base::{Purpose, base};
use crate::root::disk::{disk, kernel, state_disk};
use crate::root::inside::Inside;
use crate::root::layer::layer;
use crate::root::outside::outside;
use crate::workspace::{Audience, Workspace};

/// A root, put together.
#[derive(Debug, Clone)]
pub(crate) struct Assembled {
    base: PathBuf,
    /// Tools that others made, for tests that call them.
    outside: Option<PathBuf>,
    layer: PathBuf,
    built: PathBuf,
}

/// Builds the programs and puts together the root for `purpose`; what is unchanged is not made again.
pub(crate) fn assemble(workspace: &Workspace, purpose: Purpose) -> Outcome<Assembled> {
    let audience = match purpose {
        Purpose::Tests => Audience::Tests,
        Purpose::Container | Purpose::VirtualMachine | Purpose::Beside => Audience::Appliance,
    };
    // First, since it shows in seconds what a build would hide for minutes: that there is no network, say.
    let base = base(purpose)?;
    let (programs, built) = step("Building the services", || workspace.build())?;
    let layer = step("Assembling the root", || {
        layer(workspace, &programs, &built, audience, &base)
    })?;
    Ok(Assembled {
        base,
        outside: None,
        layer,
        built,
    })
}

impl Assembled {
    /// The directory of the programs that were built.
    pub(crate) fn built(&self) -> &Path {
        &self.built
    }

    /// The same with the outside tools for tests.
    pub(crate) fn with_outside_tools(&self, workspace: &Workspace) -> Outcome<Self> {
        let mut with = self.clone();
        with.outside = Some(outside(workspace, &self.base)?);
        Ok(with)
    }

    /// The root for running single programs in it.
    pub(crate) fn inside(&self) -> Inside {
        Inside {
            lowers: vec![self.layer.clone(), self.base.clone()],
            upper: None,
            shown: None,
        }
    }

    /// What `boot` is told to boot `instance` in a container.
    pub(crate) fn in_container(&self, instance: &Instance) -> Vec<OsString> {
        let lowers = [Some(&self.layer), self.outside.as_ref(), Some(&self.base)];
        let mut pairs: Vec<_> = lowers
            .into_iter()
            .flatten()
            .map(|lower| ("--lower", lower.into()))
            .collect();
        pairs.extend([
            ("--state", instance.dir().into()),
            ("--cgroup", instance.cgroup().into()),
        ]);
        arguments(&pairs)
            .into_iter()
            .fold(vec!["nspawn".into()], pushed)
    }

    /// As [`Self::in_virtual_machine`], with a TPM.
    pub(crate) fn in_machine_with_tpm(&self, instance: &Instance) -> Outcome<Vec<OsString>> {
        let mut words = self.in_virtual_machine(instance, None)?;
        words.extend(arguments(&[("--tpm", instance.dir().join("tpm").into())]));
        Ok(words)
    }

    /// What `boot` is told to boot `instance` in a virtual machine; makes the disks that are not there yet.
    pub(crate) fn in_virtual_machine(
        &self,
        instance: &Instance,
        listen: Option<SocketAddrV4>,
    ) -> Outcome<Vec<OsString>> {
        let (kernel, initrd) = kernel(&self.base)?;
        let state = instance.dir().join("state.img");
        state_disk(&state)?;
        let mut pairs = vec![
            ("--kernel", kernel.into()),
            ("--initrd", initrd.into()),
            ("--base", disk(&self.base)?.into()),
            ("--layer", disk(&self.layer)?.into()),
            ("--state", state.into()),
            ("--cgroup", instance.cgroup().into()),
        ];
        if let Some(address) = listen {
            pairs.push(("--forward", address.to_string().into()));
        }
        Ok(arguments(&pairs)
            .into_iter()
            .fold(vec!["qemu".into()], pushed))
    }
}

fn arguments(pairs: &[(&str, OsString)]) -> Vec<OsString> {
    pairs
        .iter()
        .flat_map(|(option, value)| [OsString::from(*option), value.clone()])
        .collect()
}

fn pushed(mut words: Vec<OsString>, word: OsString) -> Vec<OsString> {
    words.push(word);
    words
}
