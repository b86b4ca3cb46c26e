//! The links that make process 1 uphold the bots' sockets.

use std::fs;
use std::io;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use chat_api::Instance;

/// What upholds the bots (`Upholds=`, systemd.unit(5)). A folder of this name
/// is as good as that line in the unit.
const UPHOLDS: &str = "casemate-bots.target.upholds";

/// The socket of an instance from which all else of it follows.
const SOCKET: &str = "casemate-chat@";

/// The service that is behind it.
const SERVICE: &str = "casemate-chat@";

/// What gives a further instance the documents of the first, whenever that service starts.
const FILL: &str = "casemate-fill@";

/// Where units may be (systemd.unit(5), "UNIT FILE LOAD PATH"), first match
/// first. NixOS has them all in the first.
pub const UNIT_FOLDERS: [&str; 4] = [
    "/etc/systemd/system",
    "/run/systemd/system",
    "/usr/local/lib/systemd/system",
    "/usr/lib/systemd/system",
];

/// A symbolic link to write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// The folder that it is in, such as that of what is upheld.
    pub folder: String,
    /// Its name there; this is what counts.
    pub name: String,
    /// The template that it comes from: a file name in one of [`UNIT_FOLDERS`].
    pub template: String,
}

/// The links for these instances.
pub fn links<'a>(instances: impl IntoIterator<Item = &'a Instance>) -> Vec<Link> {
    instances.into_iter().flat_map(of_one).collect()
}

fn of_one(instance: &Instance) -> Vec<Link> {
    let mut links = vec![Link {
        folder: UPHOLDS.to_owned(),
        name: format!("{SOCKET}{instance}.socket"),
        template: format!("{SOCKET}.socket"),
    }];
    if !instance.is_first() {
        // As good as `Wants=` in the unit.
        links.push(Link {
            folder: format!("{SERVICE}{instance}.service.wants"),
            name: format!("{FILL}{instance}.service"),
            template: format!("{FILL}.service"),
        });
    }
    links
}

/// Writes the links below `normal`, the first folder that a generator is given.
///
/// # Errors
/// When a folder or a link cannot be made. The other links are written all
/// the same, and the first error is returned.
pub fn write(normal: &Path, links: &[Link], unit_folders: &[&Path]) -> io::Result<()> {
    let mut outcome = Ok(());
    for link in links {
        let folder = normal.join(&link.folder);
        let target = template(&link.template, unit_folders);
        let made =
            fs::create_dir_all(&folder).and_then(|()| symlink(&target, folder.join(&link.name)));
        match made {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
                outcome = outcome.and(Err(error))
            }
            _ => {}
        }
    }
    outcome
}

/// Where the template is. Process 1 goes by the link's name; a target that
/// does not exist would only be unkind to people.
fn template(name: &str, unit_folders: &[&Path]) -> PathBuf {
    let found = unit_folders
        .iter()
        .map(|folder| folder.join(name))
        .find(|path| path.exists());
    found.unwrap_or_else(|| Path::new(UNIT_FOLDERS[3]).join(name))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn instances(names: &[&str]) -> BTreeSet<Instance> {
        names.iter().map(|name| name.parse().unwrap()).collect()
    }

    #[test]
    fn an_instance_has_a_socket_and_a_further_one_is_filled() {
        let links = links(&instances(&["shop", "shop.2"]));
        let paths: Vec<String> = links
            .iter()
            .map(|link| format!("{}/{}", link.folder, link.name))
            .collect();
        assert_eq!(
            paths,
            [
                "casemate-bots.target.upholds/casemate-chat@shop.socket",
                "casemate-bots.target.upholds/casemate-chat@shop.2.socket",
                "casemate-chat@shop.2.service.wants/casemate-fill@shop.2.service",
            ]
        );
        assert_eq!(links[2].template, "casemate-fill@.service");
    }

    #[test]
    fn links_are_written_to_where_the_template_is() {
        let (normal, units) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let template = units.path().join("casemate-chat@.socket");
        fs::write(&template, "").unwrap();
        write(
            normal.path(),
            &links(&instances(&["a", "b", "b.2"])),
            &[Path::new("/nonexistent"), units.path()],
        )
        .unwrap();
        let folder = normal.path().join(UPHOLDS);
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 3);
        assert_eq!(
            fs::read_link(folder.join("casemate-chat@a.socket")).unwrap(),
            template
        );
        let fill = "casemate-chat@b.2.service.wants/casemate-fill@b.2.service";
        assert_eq!(
            fs::read_link(normal.path().join(fill)).unwrap(),
            Path::new("/usr/lib/systemd/system/casemate-fill@.service")
        );
        // Once more is no error, and no bots are no folder.
        write(normal.path(), &links(&instances(&["a"])), &[]).unwrap();
        let empty = tempfile::tempdir().unwrap();
        write(empty.path(), &[], &[]).unwrap();
        assert_eq!(fs::read_dir(empty.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_link_that_cannot_be_made_is_an_error_and_the_others_stand() {
        let normal = tempfile::tempdir().unwrap();
        let mut links = links(&instances(&["a", "b"]));
        links[0].name = "absent/casemate-chat@a.socket".to_owned();
        assert!(write(normal.path(), &links, &[]).is_err());
        assert!(
            normal
                .path()
                .join(UPHOLDS)
                .join(&links[1].name)
                .is_symlink()
        );
    }

    proptest! {
        #[test]
        fn whatever_the_instance_its_links_are_plain_names_of_its_units(
            names in proptest::collection::vec("\\PC{0,8}|[a-z0-9-]{1,34}([.][0-9])?", 0..9)
        ) {
            let instances: BTreeSet<Instance> = names.iter().filter_map(|name| name.parse().ok()).collect();
            let links = links(&instances);
            let further = instances.iter().filter(|instance| !instance.is_first()).count();
            prop_assert_eq!(links.len(), instances.len() + further);
            for link in links {
                prop_assert!(!link.name.contains('/') && !link.folder.contains('/'));
                let (prefix, rest) = link.name.split_once('@').unwrap();
                let (instance, kind) = rest.rsplit_once('.').unwrap();
                prop_assert_eq!(&link.template, &format!("{prefix}@.{kind}"));
                prop_assert!(instances.contains(&instance.parse::<Instance>().unwrap()));
            }
        }
    }
}
