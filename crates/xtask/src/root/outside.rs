//! Tools that others made, as a layer over the tests' Debian: from Debian, PyPI, npm and crates.io, each pinned.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::inside::{CHECKOUT, Inside};
use super::{CACHE, cached, prune, remove};
use crate::failure::{Failure, Outcome, While};
use crate::fingerprint::{Fingerprint, files_below};
use crate::program;
use crate::progress::{note, step};
use crate::workspace::{Workspace, cargo};

/// Where the checkout says what comes from PyPI and npm, with hashes.
const LISTS: &str = "vm-tests/outside";

/// What comes from Debian; the suite is the pin, as its mirrors keep no version that was replaced. The last three
/// install what comes from PyPI.
const DEBIAN: &[&str] = &[
    "nghttp2-client",
    "slowhttptest",
    "testssl.sh",
    "python3-pip",
    "python3-setuptools",
    "python3-wheel",
];

/// What comes from crates.io, where a version never changes; `--locked` pins what it is built from.
const CRATES: &[&str] = &["httpwg-cli@0.2.5", "smugglex@0.4.0"];

/// Where what comes from npm is in the machine.
const NODE_MODULES: &str = "/opt/outside";

/// This machine's authorities, for one that reaches registries through a proxy with an authority of its own.
const AUTHORITIES: &str = "/etc/ssl/certs/ca-certificates.crt";

/// What the root is lent of this machine while it is filled, by name below [`CHECKOUT`].
const LENT_AUTHORITIES: &str = "authorities.pem";

/// Settings of this machine that lead to a registry and hold in the root, too.
const WAYS: &[&str] = &[
    "http_proxy",
    "https_proxy",
    "no_proxy",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "NO_PROXY",
    "PIP_INDEX_URL",
    "NPM_CONFIG_REGISTRY",
];

/// The layer with the outside tools for tests over `base`, made on first use.
pub(crate) fn outside(workspace: &Workspace, base: &Path) -> Outcome<PathBuf> {
    let lists = workspace.root().join(LISTS);
    let layer = cached(
        &format!("outside-{}", fingerprint(&lists, base)?),
        |target| {
            step("Installing outside tools for the tests (once)", || {
                fill(&lists, base, target)
            })
        },
    )?;
    prune("outside-", &layer)?;
    Ok(layer)
}

fn fingerprint(lists: &Path, base: &Path) -> Outcome<String> {
    let mut fingerprint = Fingerprint::default()
        .add(base.as_os_str().as_encoded_bytes())
        .add(DEBIAN.join(" "))
        .add(CRATES.join(" "));
    for (place, path) in files_below(lists)? {
        let content =
            fs::read(&path).during(format_args!("{} could not be read", path.display()))?;
        fingerprint = fingerprint
            .add(place.as_os_str().as_encoded_bytes())
            .add(content);
    }
    Ok(fingerprint.finish())
}

fn fill(lists: &Path, base: &Path, target: &Path) -> Outcome<()> {
    let lent = tempfile::tempdir().during("no temporary directory")?;
    for (place, path) in files_below(lists)? {
        copy(&path, &lent.path().join(place))?;
    }
    let mut environment: Vec<_> = WAYS
        .iter()
        .filter_map(|name| Some(format!("{name}={}", std::env::var(name).ok()?)))
        .collect();
    if Path::new(AUTHORITIES).exists() {
        copy(Path::new(AUTHORITIES), &lent.path().join(LENT_AUTHORITIES))?;
        for name in ["PIP_CERT", "NODE_EXTRA_CA_CERTS"] {
            environment.push(format!("{name}={CHECKOUT}/{LENT_AUTHORITIES}"));
        }
    }
    let resolver = target.join("etc/resolv.conf");
    fs::create_dir_all(target.join("etc")).during("the layer could not be made")?;
    copy(Path::new("/etc/resolv.conf"), &resolver)?;
    let root = Root {
        inside: Inside {
            lowers: vec![base.to_owned()],
            upper: Some(target.to_owned()),
            shown: None,
        }
        .showing(lent.path()),
        environment,
    };
    debian(&root)?;
    pypi(&root, lists)?;
    npm(&root, lists)?;
    crates(target)?;
    remove(&resolver)
}

fn copy(from: &Path, to: &Path) -> Outcome<()> {
    fs::copy(from, to)
        .during(format_args!("{} could not be copied", from.display()))
        .map(drop)
}

/// The root that is being filled.
struct Root {
    inside: Inside,
    environment: Vec<String>,
}

impl Root {
    /// Runs a line of shell in it that must succeed; `registry` is what it has to reach.
    fn shell(&self, registry: &str, line: &str) -> Outcome<String> {
        let mut words = vec!["env"];
        words.extend(self.environment.iter().map(String::as_str));
        words.extend(["sh", "-e", "-c", line]);
        self.inside
            .read(&words)
            .map_err(|failure| unreached(registry, &failure))
    }
}

/// What to do when a registry gave nothing.
fn unreached(registry: &str, failure: &Failure) -> Failure {
    Failure::new(format!(
        "{failure}. Is {registry} reachable? Outside tools that test the gate come from there, once. Tests that need \
         none run without it: cargo xtask test --only vm:gate"
    ))
}

fn debian(root: &Root) -> Outcome<()> {
    let packages = DEBIAN.join(" ");
    let versions = root.shell(
        "Debian's mirror (deb.debian.org)",
        &format!(
            "export DEBIAN_FRONTEND=noninteractive; apt-get --quiet=2 update; apt-get --quiet=2 --yes -o \
             Dpkg::Use-Pty=0 install --no-install-recommends {packages} > /tmp/log 2>&1 || {{ cat /tmp/log; exit 1; }}; \
             apt-get clean; rm -rf /var/lib/apt/lists/*; dpkg-query --show --showformat '${{Package}} ${{Version}}, ' \
             {packages}"
        ),
    )?;
    note(&format!("Debian: {}", versions.trim_end_matches(", ")));
    Ok(())
}

fn pypi(root: &Root, lists: &Path) -> Outcome<()> {
    let list = lists.join("requirements.txt");
    let text =
        fs::read_to_string(&list).during(format_args!("{} could not be read", list.display()))?;
    // The one that is no wheel is built with Debian's setuptools, so that nothing comes in without a hash.
    root.shell(
        "PyPI (pypi.org)",
        &format!(
            "pip install --quiet --no-cache-dir --no-build-isolation --require-hashes --break-system-packages \
             --root-user-action=ignore --ignore-installed --requirement {CHECKOUT}/requirements.txt"
        ),
    )?;
    note(&format!("PyPI: {}", pinned(&text)));
    Ok(())
}

/// The names and versions in a list with hashes.
fn pinned(requirements: &str) -> String {
    let pins: Vec<_> = requirements
        .lines()
        .filter_map(|line| line.split_whitespace().next())
        .filter_map(|word| word.split_once("=="))
        .map(|(name, version)| format!("{name} {version}"))
        .collect();
    pins.join(", ")
}

fn npm(root: &Root, lists: &Path) -> Outcome<()> {
    let list = lists.join("package.json");
    let text =
        fs::read_to_string(&list).during(format_args!("{} could not be read", list.display()))?;
    let manifest: serde_json::Value =
        serde_json::from_str(&text).during(format_args!("{} is no JSON", list.display()))?;
    // Scripts of packages are not run: none of them is needed, and each could do anything.
    root.shell(
        "npm's registry (registry.npmjs.org)",
        &format!(
            "mkdir --parents {NODE_MODULES}; cd {NODE_MODULES}; cp {CHECKOUT}/package.json \
             {CHECKOUT}/package-lock.json .; npm ci --ignore-scripts --omit=dev --omit=optional --no-audit --no-fund \
             --no-progress --loglevel=error --cache=/tmp/npm"
        ),
    )?;
    let pins: Vec<_> = manifest["dependencies"]
        .as_object()
        .into_iter()
        .flatten()
        .map(|(name, version)| format!("{name} {}", version.as_str().unwrap_or_default()))
        .collect();
    note(&format!("npm: {}", pins.join(", ")));
    Ok(())
}

/// Built here and not in the root, which has no compiler; without optimisation, which would take longer than it saves.
fn crates(target: &Path) -> Outcome<()> {
    let build = tempfile::tempdir_in(CACHE).during("no temporary directory")?;
    program::read(
        Command::new(cargo())
            .args(["install", "--quiet", "--locked", "--debug", "--no-track"])
            .arg("--root")
            .arg(target.join("usr/local"))
            .args(CRATES)
            .env("CARGO_TARGET_DIR", build.path())
            .env("CARGO_PROFILE_DEV_DEBUG", "0")
            .current_dir(build.path()),
    )
    .map_err(|failure| unreached("crates.io (index.crates.io, static.crates.io)", &failure))?;
    note(&format!(
        "crates.io: {}",
        CRATES.join(", ").replace('@', " ")
    ));
    Ok(())
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn a_changed_list_makes_another_layer() {
        let lists = tempfile::tempdir().unwrap();
        let of = || fingerprint(lists.path(), Path::new("/base")).unwrap();
        let without = of();
        fs::write(lists.path().join("requirements.txt"), "a==1").unwrap();
        let with = of();
        fs::write(lists.path().join("requirements.txt"), "a==2").unwrap();
        assert_ne!(without, with);
        assert_ne!(with, of());
        assert_ne!(
            of(),
            fingerprint(lists.path(), Path::new("/other")).unwrap()
        );
    }

    #[test]
    fn what_is_installed_is_named_with_its_version() {
        let list = "# why\na==1.0 --hash=sha256:00\n\nb-c==2 --hash=sha256:11\n";
        assert_eq!(pinned(list), "a 1.0, b-c 2");
    }

    #[test]
    fn a_registry_that_cannot_be_reached_is_named_with_the_way_out() {
        let text = unreached("PyPI (pypi.org)", &Failure::new("pip failed")).to_string();
        for part in ["pip failed", "pypi.org", "--only vm:gate"] {
            assert!(text.contains(part), "{text}");
        }
    }
}
