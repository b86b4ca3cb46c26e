//! The checkout, what it builds, and where that is found.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde::Deserialize;

use crate::failure::{Failure, Outcome, While};
use crate::program;

/// What release builds are compiled with: the cipher uses AVX-512 where the processor has it, found out when it runs.
/// (`nix/package.nix` has the same.)
pub(crate) const RELEASE_CFG: &str = "--cfg chacha20_avx512";

/// How the services' programs are linked: static, and with relocations in few bytes, which otherwise are some hundred
/// kilobytes of memory of each. (`nix/package.nix` has the same.)
const SERVICE_FLAGS: &str = "-C target-feature=+crt-static -C link-arg=-Wl,-z,pack-relative-relocs";

/// The crate whose programs only test machines get.
const TEST_TOOLS: &str = "casemate-testkit";

/// The checkout that this program was built from.
#[derive(Debug, Clone)]
pub(crate) struct Workspace {
    root: PathBuf,
}

/// Who a program is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Audience {
    /// The appliance itself.
    Appliance,
    /// Machines that run tests.
    Tests,
}

/// A program that was built.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Program {
    /// Its name.
    pub(crate) name: String,
    /// The crate that it is from.
    pub(crate) package: String,
    /// Who gets it.
    pub(crate) audience: Audience,
}

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
    target_directory: PathBuf,
}

#[derive(Deserialize)]
struct Package {
    name: String,
    targets: Vec<Target>,
}

#[derive(Deserialize)]
struct Target {
    name: String,
    kind: Vec<String>,
}

impl Workspace {
    /// The checkout around the current directory.
    pub(crate) fn find() -> Outcome<Self> {
        let manifest = program::read(Command::new(cargo()).args([
            "locate-project",
            "--workspace",
            "--message-format=plain",
        ]))?;
        let root = Path::new(manifest.trim_end())
            .parent()
            .during("the workspace has no directory")?;
        Ok(Self { root: root.into() })
    }

    /// The top of the checkout.
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// Builds the appliance's programs, linked statically, and returns them with the directory they are in.
    pub(crate) fn build(&self) -> Outcome<(Vec<Program>, PathBuf)> {
        let metadata: Metadata = serde_json::from_str(&program::read(
            Command::new(cargo())
                .args(["metadata", "--no-deps", "--format-version=1"])
                .current_dir(&self.root),
        )?)
        .during("cargo's metadata could not be read")?;
        let programs = programs(&metadata.packages);
        let target = self.host_target()?;
        let mut packages: Vec<_> = programs.iter().map(|program| &*program.package).collect();
        packages.dedup();
        let mut command = program::ending_with_this("TERM");
        command
            .arg(cargo())
            .args(["build", "--release", "--target", &target])
            // With --target the flags reach the services alone: build scripts and macros stay dynamic.
            .env("RUSTFLAGS", format!("{SERVICE_FLAGS} {RELEASE_CFG}"))
            .env_remove("CARGO_ENCODED_RUSTFLAGS")
            .current_dir(&self.root);
        for package in packages {
            command.args(["--package", package]);
        }
        program::show(&mut command)?;
        let built = metadata.target_directory.join(&target).join("release");
        Ok((programs, built))
    }

    /// The target that this machine's programs are built for, once its standard library is known to be there.
    fn host_target(&self) -> Outcome<String> {
        let version = program::read(Command::new("rustc").arg("-vV").current_dir(&self.root))?;
        let target = version
            .lines()
            .find_map(|line| line.strip_prefix("host: "))
            .during("rustc does not name its host")?
            .to_owned();
        let library = program::read(
            Command::new("rustc")
                .args(["--print", "target-libdir", "--target", &target])
                .current_dir(&self.root),
        )?;
        if !Path::new(library.trim_end()).is_dir() {
            return Failure::because(format!(
                "Rust's standard library for {target} is missing. With rustup: rustup target add {target}"
            ));
        }
        if !target.ends_with("-linux-gnu") {
            return Failure::because(format!(
                "the services are built against glibc on Linux and this toolchain builds for {target}"
            ));
        }
        Ok(target)
    }
}

/// The cargo that runs this program, or the one on the path.
pub(crate) fn cargo() -> std::ffi::OsString {
    std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into())
}

/// The programs to build, in the order of their crates.
fn programs(packages: &[Package]) -> Vec<Program> {
    let mut programs = Vec::new();
    for package in packages {
        if package.name == env!("CARGO_PKG_NAME") {
            continue;
        }
        for target in &package.targets {
            if target.kind.iter().any(|kind| kind == "bin") {
                programs.push(Program {
                    name: target.name.clone(),
                    package: package.name.clone(),
                    audience: if package.name == TEST_TOOLS {
                        Audience::Tests
                    } else {
                        Audience::Appliance
                    },
                });
            }
        }
    }
    programs
}

#[cfg(test)]
mod tests {
    use super::*;

    fn package(name: &str, targets: &[(&str, &str)]) -> Package {
        Package {
            name: name.into(),
            targets: targets
                .iter()
                .map(|(name, kind)| Target {
                    name: (*name).into(),
                    kind: vec![(*kind).into()],
                })
                .collect(),
        }
    }

    #[test]
    fn programs_but_not_libraries_nor_this_tool_are_built() {
        let found = programs(&[
            package(
                "casemate-gate",
                &[("gate", "lib"), ("casemate-gate", "bin")],
            ),
            package("casemate-xtask", &[("casemate-xtask", "bin")]),
            package(
                "casemate-testkit",
                &[("testkit", "lib"), ("stand-in", "bin")],
            ),
        ]);
        let names: Vec<_> = found
            .iter()
            .map(|program| (&*program.name, program.audience))
            .collect();
        assert_eq!(
            names,
            [
                ("casemate-gate", Audience::Appliance),
                ("stand-in", Audience::Tests)
            ]
        );
    }
}
