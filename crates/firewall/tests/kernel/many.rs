use std::time::{Duration, Instant};

use casemate_firewall::block::Content;
use casemate_firewall::judge::Judge;
use casemate_firewall::table::{Loading, Table, Tenure, Turns};
use firewall_api::{Ban, Prefix};

use crate::{apart, name, ports, put, standing};

#[test]
fn many_bans_and_a_large_list_are_taken() {
    apart("many::many_bans_and_a_large_list_are_taken", || {
        const BANS: u32 = 100_000;
        let table = Turns::new(Table::take(ports(), Judge::default(), Tenure::Owned).unwrap());
        let one = |number: u32| Ban {
            prefix: std::net::IpAddr::from(std::net::Ipv4Addr::from_bits(0x0b00_0000 + number * 7))
                .into(),
            seconds: 3_600,
        };
        let began = Instant::now();
        let all: Vec<Ban> = (0..BANS).map(one).collect();
        for part in all.chunks(5_000) {
            put(&mut table.next(), part);
        }
        println!("{BANS} bans: {:?}", began.elapsed());
        let mut times: Vec<Duration> = (BANS..BANS + 2_000)
            .map(|number| {
                let began = Instant::now();
                put(&mut table.next(), &[one(number)]);
                began.elapsed()
            })
            .collect();
        times.sort();
        println!(
            "one more: median {:?}, p99 {:?}",
            times[1_000], times[1_980]
        );
        let began = Instant::now();
        assert_eq!(standing(&table.next()).len(), 102_000);
        println!("listed: {:?}", began.elapsed());
        let list: Vec<Prefix> = (0..500_000_u32)
            .map(|number| {
                Prefix::new(
                    std::net::Ipv4Addr::from_bits(0x2000_0000 + number * 1_543).into(),
                    if number % 5 == 0 { 24 } else { 32 },
                )
                .unwrap()
            })
            .collect();
        for _ in 0..2 {
            let began = Instant::now();
            let content = Content::of(list.clone());
            println!("merged: {:?}", began.elapsed());
            let entries = std::thread::scope(|scope| {
                let loading =
                    scope.spawn(|| Loading::new(&table, name("list")).load(content).unwrap());
                let mut worst = Duration::ZERO;
                let mut number = BANS + 2_000;
                while !loading.is_finished() {
                    let began = Instant::now();
                    put(&mut table.next(), &[one(number)]);
                    worst = worst.max(began.elapsed());
                    number += 1;
                    std::thread::sleep(Duration::from_millis(1));
                }
                println!("worst ban meanwhile: {worst:?}");
                loading.join().unwrap()
            });
            println!("{entries} entries in force: {:?}", began.elapsed());
            assert!(entries > 400_000);
        }
        drop(table);
        let began = Instant::now();
        let table = Table::take(ports(), Judge::default(), Tenure::Owned).unwrap();
        println!("taken over: {:?}", began.elapsed());
        assert!(table.bans() > 102_000);
    });
}
