//! The members of each bot on this machine, as the folder of sockets says. A socket that goes away drains: what is under
//! way there ends, and nothing new is sent.

use std::collections::{HashMap, HashSet};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use chat_api::{BotName, Instance};

use super::listing;
use super::member::Member;

/// Most sockets that are listed: a machine has fewer bots.
const SOCKETS_MAX: usize = 8192;

/// For how long an instance counts as away whose socket is gone. Its conversations are said to be away until then, and
/// after that not to exist: a socket that is made anew, as at an update, is back sooner.
const GONE_TIME: Duration = Duration::from_secs(60);

/// An instance that is there, or was a moment ago.
#[derive(Debug, Clone)]
pub(crate) struct Seat {
    pub(crate) member: Arc<Member>,
    /// Since when its socket is gone.
    gone: Option<Duration>,
}

impl Seat {
    /// Of a member that is there.
    pub(crate) const fn taken(member: Arc<Member>) -> Self {
        Self { member, gone: None }
    }

    pub(crate) const fn is_gone(&self) -> bool {
        self.gone.is_some()
    }
}

/// The instances of all bots.
#[derive(Debug, Default)]
pub(crate) struct Members(HashMap<BotName, Vec<Seat>>);

impl Members {
    /// The instances of a bot.
    pub(crate) fn of(&self, bot: &BotName) -> &[Seat] {
        self.0.get(bot).map_or(&[], Vec::as_slice)
    }

    /// All instances that are there of bots that have `least` at the least.
    pub(crate) fn of_bots_with(&self, least: usize) -> impl Iterator<Item = &Arc<Member>> {
        let several = self.0.values().filter(move |seats| seats.len() >= least);
        several
            .flatten()
            .filter(|seat| !seat.is_gone())
            .map(|seat| &seat.member)
    }

    /// Takes over what is listed `now`. Instances that stay are the same as before, with their connections and all that is
    /// known of them. A bot of which nothing is left is forgotten.
    pub(crate) fn update(
        &mut self,
        listed: Vec<Instance>,
        now: Duration,
        member: impl Fn(&Instance) -> Member,
    ) {
        let listed: HashSet<_> = listed.into_iter().collect();
        for seats in self.0.values_mut() {
            for seat in seats.iter_mut() {
                let there = seat
                    .member
                    .instance()
                    .is_some_and(|own| listed.contains(own));
                seat.gone = if there { None } else { seat.gone.or(Some(now)) };
            }
            seats.retain(|seat| seat.gone.is_none_or(|since| now < since + GONE_TIME));
        }
        self.0
            .retain(|_, seats| seats.iter().any(|seat| !seat.is_gone()));
        for instance in listed {
            let seats = self.0.entry(instance.bot().clone()).or_default();
            let is_listed = |seat: &Seat| seat.member.instance() == Some(&instance);
            if !seats.iter().any(is_listed) {
                seats.push(Seat::taken(Arc::new(member(&instance))));
            }
        }
    }
}

/// Lists the instances whose sockets are in `folder`. Other files are passed over.
///
/// # Errors
/// When the folder cannot be listed.
pub(crate) fn listed(folder: &Path) -> std::io::Result<Vec<Instance>> {
    let mut listed = Vec::new();
    for entry in std::fs::read_dir(folder)?.take(SOCKETS_MAX) {
        let name = entry?.file_name();
        listed.extend(name.to_str().and_then(listing::member));
    }
    Ok(listed)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use ipc::Client;
    use proptest::prelude::*;

    use super::*;

    fn bot(name: &str) -> BotName {
        name.parse().unwrap()
    }

    fn instance(bot: &str, number: u8) -> Instance {
        let name = match number {
            1 => bot.to_owned(),
            number => format!("{bot}.{number}"),
        };
        name.parse().unwrap()
    }

    fn update(members: &mut Members, listed: &[(&str, u8)], seconds: u64) {
        let listed = listed.iter().map(|(bot, number)| instance(bot, *number));
        let member = |instance: &Instance| Member::near(instance.clone(), Client::new("/none"));
        members.update(listed.collect(), Duration::from_secs(seconds), member);
    }

    fn there(members: &Members, name: &str) -> Vec<u8> {
        let seats = members.of(&bot(name)).iter().filter(|seat| !seat.is_gone());
        let mut there: Vec<_> = seats.map(|seat| number(&seat.member)).collect();
        there.sort_unstable();
        there
    }

    fn number(member: &Member) -> u8 {
        member.instance().unwrap().number()
    }

    #[test]
    fn the_folder_says_who_is_there() {
        let folder = testkit::Folder::new();
        for name in [
            "shop.sock",
            "shop.2.sock",
            "other.sock",
            "shop.sock.new",
            "note",
        ] {
            folder.file(name, "");
        }
        let mut found = listed(folder.path()).unwrap();
        found.sort();
        assert_eq!(
            found,
            [
                instance("other", 1),
                instance("shop", 1),
                instance("shop", 2)
            ]
        );
        assert!(listed(&folder.path().join("none")).is_err());
    }

    #[test]
    fn who_stays_is_the_same_and_who_goes_is_remembered_for_a_while() {
        let mut members = Members::default();
        update(&mut members, &[("shop", 1), ("shop", 2)], 0);
        let first = Arc::clone(&members.of(&bot("shop"))[0].member);
        let kept = number(&first);
        let gone = 3 - kept;
        update(&mut members, &[("shop", kept)], 10);
        assert_eq!(there(&members, "shop"), [kept]);
        assert_eq!(members.of(&bot("shop")).len(), 2);
        update(&mut members, &[("shop", kept)], 69);
        assert_eq!(members.of(&bot("shop")).len(), 2);
        update(&mut members, &[("shop", kept), ("shop", gone)], 69);
        assert_eq!(there(&members, "shop"), [1, 2]);
        update(&mut members, &[("shop", kept)], 70);
        update(&mut members, &[("shop", kept)], 130);
        assert_eq!(members.of(&bot("shop")).len(), 1);
        assert!(Arc::ptr_eq(&first, &members.of(&bot("shop"))[0].member));
        update(&mut members, &[], 131);
        assert!(members.of(&bot("shop")).is_empty());
    }

    proptest! {
        #[test]
        fn who_is_listed_is_there_and_nobody_else(
            listings in proptest::collection::vec(proptest::collection::btree_set(("[ab]", 1_u8..4), 0..6), 1..8),
        ) {
            let mut members = Members::default();
            for (seconds, listing) in listings.iter().enumerate() {
                let listed: Vec<_> = listing.iter().map(|(name, instance)| (&**name, *instance)).collect();
                update(&mut members, &listed, seconds as u64 * 20);
                let mut expected = BTreeMap::<_, BTreeSet<_>>::new();
                for (name, instance) in &listed {
                    expected.entry(*name).or_default().insert(*instance);
                }
                for name in ["a", "b"] {
                    let of = expected.get(name).cloned().unwrap_or_default();
                    prop_assert_eq!(there(&members, name), of.into_iter().collect::<Vec<_>>());
                    prop_assert!(members.of(&bot(name)).len() <= 3);
                }
            }
        }
    }
}
