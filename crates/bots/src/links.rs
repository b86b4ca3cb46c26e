//! The links that make process 1 uphold the bots' sockets.

use std::fs;
use std::io;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use chat_api::BotName;

/// What upholds the bots (`Upholds=`, systemd.unit(5)). A folder of this name
/// is as good as that line in the unit.
const UPHOLDS: &str = "casemate-bots.target.upholds";

/// The sockets of a bot: template and type. Its service follows from them.
const TEMPLATES: [&str; 2] = ["casemate-chat@", "casemate-chat-operator@"];

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
    /// Its name in the folder of what is upheld; this is what counts.
    pub name: String,
    /// The template that it comes from: a file name in one of [`UNIT_FOLDERS`].
    pub template: String,
}

/// The links for these bots.
pub fn links<'a>(bots: impl IntoIterator<Item = &'a BotName>) -> Vec<Link> {
    let sockets = |bot: &'a BotName| {
        TEMPLATES.map(|template| Link {
            name: format!("{template}{bot}.socket"),
            template: format!("{template}.socket"),
        })
    };
    bots.into_iter().flat_map(sockets).collect()
}

/// Writes the links below `normal`, the first folder that a generator is given.
///
/// # Errors
/// When the folder or a link cannot be made. The other links are written all
/// the same, and the first error is returned.
pub fn write(normal: &Path, links: &[Link], unit_folders: &[&Path]) -> io::Result<()> {
    if links.is_empty() {
        return Ok(());
    }
    let folder = normal.join(UPHOLDS);
    fs::create_dir_all(&folder)?;
    let mut outcome = Ok(());
    for link in links {
        let target = template(&link.template, unit_folders);
        match symlink(&target, folder.join(&link.name)) {
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

    fn bots(names: &[&str]) -> BTreeSet<BotName> {
        names.iter().map(|name| name.parse().unwrap()).collect()
    }

    #[test]
    fn a_bot_has_two_sockets() {
        let links = links(&bots(&["shop"]));
        let names: Vec<&str> = links.iter().map(|link| link.name.as_str()).collect();
        assert_eq!(
            names,
            [
                "casemate-chat@shop.socket",
                "casemate-chat-operator@shop.socket"
            ]
        );
        assert_eq!(links[1].template, "casemate-chat-operator@.socket");
    }

    #[test]
    fn links_are_written_to_where_the_template_is() {
        let (normal, units) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let template = units.path().join("casemate-chat@.socket");
        fs::write(&template, "").unwrap();
        write(
            normal.path(),
            &links(&bots(&["a", "b"])),
            &[Path::new("/nonexistent"), units.path()],
        )
        .unwrap();
        let folder = normal.path().join(UPHOLDS);
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 4);
        assert_eq!(
            fs::read_link(folder.join("casemate-chat@a.socket")).unwrap(),
            template
        );
        let absent = fs::read_link(folder.join("casemate-chat-operator@b.socket")).unwrap();
        assert_eq!(
            absent,
            Path::new("/usr/lib/systemd/system/casemate-chat-operator@.socket")
        );
        // Once more is no error, and no bots are no folder.
        write(normal.path(), &links(&bots(&["a"])), &[]).unwrap();
        let empty = tempfile::tempdir().unwrap();
        write(empty.path(), &[], &[]).unwrap();
        assert_eq!(fs::read_dir(empty.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_link_that_cannot_be_made_is_an_error_and_the_others_stand() {
        let normal = tempfile::tempdir().unwrap();
        let mut links = links(&bots(&["a"]));
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
        fn whatever_the_bot_its_links_are_plain_names_of_its_sockets(names in proptest::collection::vec("\\PC{0,8}|[a-z0-9-]{1,34}", 0..9)) {
            let bots: BTreeSet<BotName> = names.iter().filter_map(|name| name.parse().ok()).collect();
            let links = links(&bots);
            prop_assert_eq!(links.len(), bots.len() * 2);
            for link in links {
                prop_assert!(!link.name.contains('/') && link.name.ends_with(".socket"));
                let (prefix, rest) = link.name.split_once('@').unwrap();
                prop_assert_eq!(&link.template, &format!("{prefix}@.socket"));
                prop_assert!(bots.contains(&rest.strip_suffix(".socket").unwrap().parse::<BotName>().unwrap()));
            }
        }
    }
}
