use std::time::Duration;

use casemate_firewall::block::Content;
use casemate_firewall::judge::Judge;
use casemate_firewall::nft::{Elements, Key, SetName};
use casemate_firewall::table::{Loading, Reader, Table, Tenure, Turns, Watch};

use crate::{apart, ban, flush, in_kernel, meddle, name, ports, prefix, put, rules, texts};

#[test]
fn an_owned_table_cannot_be_removed_and_a_shared_one_is_restored() {
    apart(
        "strangers::an_owned_table_cannot_be_removed_and_a_shared_one_is_restored",
        || {
            let table = Table::take(ports(), Judge::default(), Tenure::Owned).unwrap();
            assert!(!flush());
            drop(table);
            assert!(flush());
            let table = Turns::new(Table::take(ports(), Judge::default(), Tenure::Shared).unwrap());
            put(&mut table.next(), &[ban("198.51.100.0/24", 600)]);
            let content = Content::of(vec![prefix("203.0.113.0/24")]);
            Loading::new(&table, name("list")).load(content).unwrap();
            let mut table = table.next();
            let generation = table.generation();
            let mut watch = Watch::begin(&table).unwrap();
            put(&mut table, &[ban("198.51.100.9", 1)]);
            assert_eq!(watch.heard().unwrap(), Some(false));
            assert!(flush());
            assert_eq!(watch.heard().unwrap(), Some(true));
            std::thread::sleep(Duration::from_millis(1_100));
            assert_eq!(texts(&table), [""; 0]);
            // Found by the next ban.
            put(&mut table, &[ban("198.51.100.7", 600)]);
            assert_eq!(texts(&table), ["198.51.100.0/24", "198.51.100.7"]);
            assert_ne!(table.generation(), generation);
            let state = table.state();
            assert_eq!((state.restored, state.blocks[0].entries), (1, 1));
            assert!(!table.examine(&[]).unwrap());
            assert!(table.has_stale(), "which is filled beside the bans");
            assert_eq!(watch.heard().unwrap(), Some(false), "it restored it itself");
        },
    );
}

const V4: Key = Key {
    v6: false,
    bits: 32,
};

#[test]
fn what_a_stranger_leaves_stays_and_what_he_adds_goes() {
    apart(
        "strangers::what_a_stranger_leaves_stays_and_what_he_adds_goes",
        || {
            let mut table = Table::take(ports(), Judge::default(), Tenure::Shared).unwrap();
            put(
                &mut table,
                &[ban("198.51.100.7", 600), ban("198.51.100.8", 600)],
            );
            let mut watch = Watch::begin(&table).unwrap();
            assert!(meddle(|batch| {
                let bans = SetName::Bans(V4);
                batch.remove_elements(&bans, [prefix("198.51.100.7")].into_iter());
                let strange = Elements {
                    prefix: prefix("192.0.2.9"),
                    milliseconds: 600_000,
                    counter: casemate_firewall::nft::Counter::default(),
                };
                batch.add_bans(&bans, &[strange]);
                batch.empty_chain("sources");
                // The table is not removed: this would go with it.
                batch.chain("strange");
            }));
            assert_eq!(watch.heard().unwrap(), Some(true));
            table.restore().unwrap();
            assert_eq!(texts(&table), ["198.51.100.7", "198.51.100.8"]);
            assert!(!in_kernel("192.0.2.9"));
            assert_eq!(rules("sources"), SOURCES);
            assert!(meddle(|batch| batch.remove_chain("strange")));
        },
    );
}

#[test]
fn after_an_overrun_what_differs_is_found() {
    apart("strangers::after_an_overrun_what_differs_is_found", || {
        let table = Turns::new(Table::take(ports(), Judge::default(), Tenure::Shared).unwrap());
        put(&mut table.next(), &[ban("198.51.100.7", 600)]);
        let content = || Content::of(vec![prefix("203.0.113.0/24"), prefix("192.0.2.1")]);
        Loading::new(&table, name("list")).load(content()).unwrap();
        let mut reader = Reader::open().unwrap();
        let mut altered = || -> Vec<_> {
            let listed = table.next().listed();
            listed
                .into_iter()
                .filter(|one| !reader.holds(one).unwrap())
                .collect()
        };
        let generation = table.next().generation();
        assert!(altered().is_empty());
        assert!(!table.next().examine(&[]).unwrap());
        assert_eq!(table.next().generation(), generation);
        // The rules alone: nobody can tell, and they are made again.
        assert!(meddle(|batch| batch.empty_chain("sources")));
        let found = altered();
        assert!(!table.next().examine(&found).unwrap());
        assert_eq!(rules("sources"), SOURCES);
        // A ban.
        assert!(meddle(|batch| batch.empty_set(&SetName::Bans(V4))));
        let found = altered();
        assert!(table.next().examine(&found).unwrap());
        assert_eq!(texts(&table.next()), ["198.51.100.7"]);
        assert_ne!(table.next().generation(), generation);
        // An entry of a list: another in its place.
        let set = SetName::Block {
            name: name("list"),
            key: V4,
            version: 1,
        };
        assert!(meddle(|batch| {
            batch.remove_elements(&set, [prefix("192.0.2.1")].into_iter());
            batch.add_elements(&set, [prefix("192.0.2.2")].into_iter());
        }));
        let found = altered();
        assert_eq!(found.len(), 1);
        assert!(table.next().examine(&found).unwrap());
        let stale = table.next().stale();
        assert_eq!(stale.len(), 1);
        for (name, content) in stale {
            Loading::again(&table, name).load(content).unwrap();
        }
        assert!(altered().is_empty() && !table.next().has_stale());
        assert_eq!(rules("block4_list"), 2);
    });
}

#[test]
fn what_cannot_be_kept_is_made_anew_with_every_ban() {
    apart(
        "strangers::what_cannot_be_kept_is_made_anew_with_every_ban",
        || {
            let table = Turns::new(Table::take(ports(), Judge::default(), Tenure::Shared).unwrap());
            let bans: Vec<_> = (0..3_000_u32)
                .map(|number| ban(&format!("11.0.{}.{}", number >> 8, number & 255), 600))
                .collect();
            put(&mut table.next(), &bans);
            let content = Content::of(vec![prefix("203.0.113.0/24")]);
            Loading::new(&table, name("list")).load(content).unwrap();
            // A chain at another hook under a name of the firewall's.
            assert!(flush());
            assert!(meddle(|batch| batch.hooked_chain("input", 3, 0, true)));
            table.next().restore().unwrap();
            assert_eq!(texts(&table.next()).len(), 3_000);
            // The list is not in force, is known, and is filled again.
            assert!(table.next().has_stale());
            let stale = table.next().stale();
            for (name, content) in stale {
                Loading::again(&table, name).load(content).unwrap();
            }
            assert_eq!((rules("block4_list"), rules("blocks4")), (1, 1));
            assert!(table.next().remove_block(&name("list")).unwrap());
        },
    );
}

#[test]
fn a_list_that_was_ended_is_not_filled_again() {
    apart(
        "strangers::a_list_that_was_ended_is_not_filled_again",
        || {
            let table = Turns::new(Table::take(ports(), Judge::default(), Tenure::Shared).unwrap());
            let content = || Content::of(vec![prefix("203.0.113.0/24")]);
            Loading::new(&table, name("list")).load(content()).unwrap();
            assert!(flush());
            table.next().restore().unwrap();
            assert!(table.next().remove_block(&name("list")).unwrap());
            assert!(
                Loading::again(&table, name("list"))
                    .load(content())
                    .is_err()
            );
            assert!(table.next().state().blocks.is_empty());
            assert_eq!(rules("blocks4"), 0);
        },
    );
}

/// Rules of the chain that all packets come through first.
const SOURCES: usize = 7;
