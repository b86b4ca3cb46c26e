use casemate_firewall::block::Content;
use casemate_firewall::judge::Judge;
use casemate_firewall::nft::Ports;
use casemate_firewall::table::{Loading, Table, Tenure, Turns};

use crate::{apart, ban, flush, in_kernel, judge, name, never, ports, prefix, put, rules, texts};

#[test]
fn the_next_process_takes_over_what_is_there() {
    apart(
        "takeover::the_next_process_takes_over_what_is_there",
        || {
            for tenure in [Tenure::Owned, Tenure::Shared] {
                let table = Turns::new(Table::take(ports(), Judge::default(), tenure).unwrap());
                put(
                    &mut table.next(),
                    &[ban("198.51.100.0/24", 600), ban("2001:db8::/61", 600)],
                );
                let content = Content::of(vec![prefix("203.0.113.0/24"), prefix("192.0.2.1")]);
                let name = name("list");
                assert_eq!(
                    Loading::new(&table, name.clone())
                        .load(content.clone())
                        .unwrap(),
                    2
                );
                let generation = table.next().generation();
                drop(table);
                let table = Turns::new(Table::take(ports(), Judge::default(), tenure).unwrap());
                assert_ne!(table.next().generation(), generation);
                assert_eq!(table.next().tenure(), tenure);
                assert_eq!(texts(&table.next()), ["198.51.100.0/24", "2001:db8::/61"]);
                let blocks = table.next().state().blocks;
                assert_eq!((blocks.len(), blocks[0].entries), (1, 2));
                // It is replaced as if it had been put here.
                assert_eq!(Loading::new(&table, name.clone()).load(content).unwrap(), 2);
                assert!(table.next().remove_block(&name).unwrap());
                assert!(!table.next().remove_block(&name).unwrap());
                table.next().settle(Ports::default(), never(&[])).unwrap();
                drop(table);
                assert!(flush(), "whose owner has ended");
            }
        },
    );
}

#[test]
fn what_is_no_longer_permitted_is_not_taken_over() {
    apart(
        "takeover::what_is_no_longer_permitted_is_not_taken_over",
        || {
            let mut table = Table::take(ports(), Judge::default(), Tenure::Owned).unwrap();
            put(
                &mut table,
                &[
                    ban("198.51.100.7", 600),
                    ban("203.0.113.0/24", 600),
                    ban("192.0.2.1", 600),
                ],
            );
            drop(table);
            let other = judge(never(&["198.51.100.0/28"]), &["203.0.113.9"]);
            let mut table = Table::take(ports(), other, Tenure::Owned).unwrap();
            assert_eq!(texts(&table), ["192.0.2.1"]);
            assert!(!in_kernel("198.51.100.7") && !in_kernel("203.0.113.0/24"));
            assert_eq!(
                table
                    .ban(&[ban("198.51.100.7", 600)])
                    .unwrap()
                    .refused_count,
                1
            );
        },
    );
}

#[test]
fn an_empty_list_is_led_to_once() {
    apart("takeover::an_empty_list_is_led_to_once", || {
        for _ in 0..3 {
            let table = Turns::new(Table::take(ports(), Judge::default(), Tenure::Owned).unwrap());
            for _ in 0..2 {
                let empty = Content::of(Vec::new());
                assert_eq!(Loading::new(&table, name("list")).load(empty).unwrap(), 0);
            }
            assert_eq!(rules("blocks4"), 1);
        }
    });
}
