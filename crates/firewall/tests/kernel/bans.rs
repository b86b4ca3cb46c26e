use std::time::Duration;

use casemate_firewall::judge::Judge;
use casemate_firewall::table::{Table, Tenure};
use firewall_api::Why;

use crate::{apart, ban, in_kernel, judge, never, ports, prefix, put, standing, texts};

#[test]
fn bans_nest_lengthen_and_end() {
    apart("bans::bans_nest_lengthen_and_end", || {
        let mut table = Table::take(ports(), Judge::default(), Tenure::Owned).unwrap();
        let bans = [
            ban("198.51.0.0/16", 2),
            ban("198.51.100.0/24", 600),
            ban("198.51.100.7", 1),
            ban("2001:db8::/64", 600),
            ban("2001:db8::1", 600),
            ban("203.0.113.0/29", 600),
        ];
        assert_eq!(put(&mut table, &bans), 6);
        assert_eq!(
            texts(&table),
            [
                "198.51.0.0/16",
                "198.51.100.0/24",
                "198.51.100.7",
                "203.0.113.0/29",
                "2001:db8::/64",
                "2001:db8::1"
            ]
        );
        // Shorter changes nothing, longer does, twice in one call counts once.
        assert_eq!(
            put(
                &mut table,
                &[
                    ban("198.51.100.0/24", 10),
                    ban("198.51.100.7", 900),
                    ban("198.51.100.7", 800)
                ]
            ),
            1
        );
        std::thread::sleep(Duration::from_millis(2_300));
        assert_eq!(
            texts(&table),
            [
                "198.51.100.0/24",
                "198.51.100.7",
                "203.0.113.0/29",
                "2001:db8::/64",
                "2001:db8::1"
            ]
        );
        let left: Vec<u32> = standing(&table).iter().map(|one| one.seconds).collect();
        assert!(
            (595..600).contains(&left[0]) && (890..900).contains(&left[1]),
            "{left:?}"
        );
        table.expire();
        assert_eq!(table.bans(), 5);
        // What has ended can begin again before the kernel has cleaned up.
        assert_eq!(put(&mut table, &[ban("198.51.0.0/16", 600)]), 1);
        let ended = table
            .unban(&[
                prefix("198.51.0.0/16"),
                prefix("192.0.2.1"),
                prefix("192.0.0.0/12"),
            ])
            .unwrap();
        assert_eq!(ended.changed, 1);
        assert_eq!(texts(&table).len(), 5);
    });
}

#[test]
fn what_may_not_be_banned_does_not_hold_up_the_rest() {
    apart(
        "bans::what_may_not_be_banned_does_not_hold_up_the_rest",
        || {
            let own = judge(never(&[]), &["192.0.2.7"]);
            let mut table = Table::take(ports(), own, Tenure::Owned).unwrap();
            let bans = [
                ban("0.0.0.0/0", 5),
                ban("::/0", 5),
                ban("192.0.2.0/24", 5),
                ban("192.0.2.8", 5),
                ban("192.0.2.9", 0),
            ];
            let outcome = table.ban(&bans).unwrap();
            let whys: Vec<Why> = outcome.refused.iter().map(|one| one.why).collect();
            assert_eq!(whys, [Why::TooWide, Why::TooWide, Why::Own, Why::Time]);
            assert_eq!(
                (outcome.changed, texts(&table)),
                (1, vec!["192.0.2.8".to_owned()])
            );
        },
    );
}

#[test]
fn a_ban_that_is_about_to_end_can_begin_again() {
    apart("bans::a_ban_that_is_about_to_end_can_begin_again", || {
        let mut table = Table::take(ports(), Judge::default(), Tenure::Owned).unwrap();
        // It ends in the kernel at 1.9 s, and is forgotten at 1 s.
        std::thread::sleep(Duration::from_millis(900));
        put(&mut table, &[ban("198.51.100.7", 1)]);
        std::thread::sleep(Duration::from_millis(300));
        table.expire();
        assert_eq!(table.bans(), 0);
        assert!(in_kernel("198.51.100.7"));
        assert_eq!(put(&mut table, &[ban("198.51.100.7", 600)]), 1);
        let seconds = standing(&table)[0].seconds;
        assert!(seconds > 590, "{seconds} s");
    });
}
