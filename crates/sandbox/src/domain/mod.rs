//! The Landlock domain: which files may be opened, and what else Landlock can forbid on this
//! kernel.

use std::path::Path;

use landlock::{
    ABI, Access, AccessFs, AccessNet, BitFlags, CompatLevel, Compatible, PathBeneath, PathFd,
    PathFdError, Ruleset, RulesetAttr, RulesetCreated, RulesetCreatedAttr, RulesetError,
    RulesetStatus, Scope, make_bitflags,
};

use crate::{Error, Plan, raw};

/// The newest ABI that the landlock crate in use knows.
const NEWEST_KNOWN_ABI: i32 = 10;

/// What each ABI added; a kernel below it leaves this open.
const ADDED_BY_ABI: [(i32, &str); 8] = [
    (
        2,
        "moving files between directories is denied altogether, also where the plan grants it",
    ),
    (3, "truncating a file by its path is not limited"),
    (4, "TCP bind and connect are not limited"),
    (5, "ioctl on devices is not limited"),
    (
        6,
        "abstract Unix sockets and signals to other processes are not limited",
    ),
    (7, "denials are not in the audit log"),
    (9, "connecting to Unix sockets by path is not limited"),
    (10, "UDP bind and send are not limited"),
];

/// What a kernel of Landlock ABI `abi` does not enforce, one sentence each.
pub(crate) fn gaps(abi: i32) -> Vec<String> {
    let missing = ADDED_BY_ABI.iter().filter(|(added, _)| *added > abi);
    missing
        .map(|(added, what)| {
            format!("Landlock ABI {abi} of this kernel: {what} (needs ABI {added})")
        })
        .collect()
}

/// Enforces the plan's rules on the calling thread and what it spawns; returns the ABI that they
/// were made for.
///
/// The rules ask for exactly what the running kernel's ABI has, and then for all of it: an answer
/// short of "fully enforced" is an error.
pub(crate) fn enforce(plan: &Plan) -> Result<i32, Error> {
    let kernel = raw::landlock_abi().map_err(Error::LandlockMissing)?;
    let version = i32::try_from(kernel)
        .unwrap_or(NEWEST_KNOWN_ABI)
        .min(NEWEST_KNOWN_ABI);
    enforce_for(plan, version)?;
    Ok(version)
}

/// As [`enforce`], for a kernel of at least ABI `version`.
fn enforce_for(plan: &Plan, version: i32) -> Result<(), Error> {
    let abi = ABI::from(version);
    let ruleset = handled(plan, abi).map_err(refused)?;
    let ruleset = rules(plan, abi, ruleset)?;
    let status = ruleset.restrict_self().map_err(refused)?;
    if status.ruleset != RulesetStatus::FullyEnforced || !status.no_new_privs {
        return Err(Error::NotEnforced(format!("only in part: {status:?}")));
    }
    Ok(())
}

fn refused(error: RulesetError) -> Error {
    Error::Landlock(error.to_string())
}

fn handled(plan: &Plan, abi: ABI) -> Result<RulesetCreated, RulesetError> {
    let mut ruleset = Ruleset::default()
        .set_compatibility(CompatLevel::HardRequirement)
        .handle_access(AccessFs::from_all(abi))?;
    let mut net = AccessNet::from_all(abi);
    if plan.has_internet() {
        // UDP needs no listener, and the filter forbids bind(2): TCP is what there is to limit here
        // forbidden
        net &= BitFlags::from(AccessNet::BindTcp);
    }
    if !net.is_empty() {
        ruleset = ruleset.handle_access(net)?;
    }
    let mut scopes = Scope::from_all(abi);
    if plan.has_reload_manager() {
        scopes &= !BitFlags::from(Scope::Signal);
    }
    if !scopes.is_empty() {
        ruleset = ruleset.scope(scopes)?;
    }
    ruleset.create()
}

fn rules(plan: &Plan, abi: ABI, mut ruleset: RulesetCreated) -> Result<RulesetCreated, Error> {
    let read = make_bitflags!(AccessFs::{ReadFile | ReadDir});
    let write = read
        | make_bitflags!(AccessFs::{WriteFile | RemoveDir | RemoveFile | MakeDir | MakeReg})
        | (AccessFs::from_all(abi) & make_bitflags!(AccessFs::{Refer | Truncate}));
    let bind = BitFlags::from(AccessFs::MakeSock);
    let connect = AccessFs::from_all(abi) & BitFlags::from(AccessFs::ResolveUnix);
    for path in plan.reads() {
        ruleset = allow(ruleset, path, read)?;
    }
    for path in plan.writes() {
        ruleset = allow(ruleset, path, write)?;
    }
    for path in plan.binds() {
        ruleset = allow(ruleset, path, bind | connect)?;
    }
    for path in plan.connects() {
        ruleset = allow(ruleset, path, connect)?;
    }
    Ok(ruleset)
}

/// Adds a rule. The path must exist even where this kernel has nothing to grant for it, so that a
/// plan fails on every kernel or on none.
fn allow(
    ruleset: RulesetCreated,
    path: &Path,
    access: BitFlags<AccessFs>,
) -> Result<RulesetCreated, Error> {
    let failed = |source: std::io::Error| Error::Path {
        path: path.to_owned(),
        source,
    };
    let fd = PathFd::new(path).map_err(|error| match error {
        PathFdError::OpenCall { source, .. } => failed(source),
        other => failed(std::io::Error::other(other)),
    })?;
    let is_dir = std::fs::metadata(path).map_err(failed)?.is_dir();
    let access = if is_dir {
        access
    } else {
        access & make_bitflags!(AccessFs::{ReadFile | WriteFile | Truncate | ResolveUnix})
    };
    if access.is_empty() {
        return Ok(ruleset);
    }
    ruleset
        .add_rule(PathBeneath::new(fd, access))
        .map_err(refused)
}

#[cfg(test)]
mod tests;
