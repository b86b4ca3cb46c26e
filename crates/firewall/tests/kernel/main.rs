//! The table in a real kernel: each test in a network namespace of its own, in which it may do everything.
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "tests")]

mod bans;
mod judged;
mod many;
mod strangers;
mod takeover;

use std::process::Command;

use casemate_firewall::judge::{Judge, Own, Policy};
use casemate_firewall::netlink::{Socket, SocketError};
use casemate_firewall::nft::{Batch, Ports, list_rules};
use casemate_firewall::table::{Reader, Table};
use firewall_api::{Ban, BlockName, Prefix, Standing};
use rustix::net::netlink;

/// Set in the process that has a namespace of its own.
const INSIDE: &str = "CASEMATE_FIREWALL_TEST_INSIDE";

/// Runs `test`, the test of that name, in a namespace of its own.
fn apart(name: &str, test: impl FnOnce()) {
    if std::env::var_os(INSIDE).is_some() {
        return test();
    }
    let status = Command::new("unshare")
        .args(["--map-root-user", "--net"])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", name, "--nocapture"])
        .env(INSIDE, "1")
        .status()
        .unwrap();
    assert!(status.success());
}

fn ports() -> Ports {
    Ports {
        tcp: [22, 80, 443].into(),
        udp: [].into(),
    }
}

fn prefix(text: &str) -> Prefix {
    text.parse().unwrap()
}

fn name(text: &str) -> BlockName {
    text.parse().unwrap()
}

fn ban(text: &str, seconds: u32) -> Ban {
    Ban {
        prefix: prefix(text),
        seconds,
    }
}

fn never(texts: &[&str]) -> Policy {
    Policy {
        never: texts.iter().map(|text| prefix(text)).collect(),
        bannable: Vec::new(),
    }
}

fn judge(policy: Policy, own: &[&str]) -> Judge {
    let addresses = own.iter().map(|text| text.parse().unwrap()).collect();
    Judge {
        policy,
        own: Own {
            addresses,
            gateways: Vec::new(),
        },
    }
}

fn put(table: &mut Table, bans: &[Ban]) -> usize {
    let outcome = table.ban(bans).unwrap();
    assert_eq!(outcome.refused_count, 0, "{outcome:?}");
    outcome.changed
}

/// What the kernel has of the bans that the table knows.
fn standing(table: &Table) -> Vec<Standing> {
    let mut reader = Reader::open().unwrap();
    let mut all = Vec::new();
    for (key, prefixes) in table.banned() {
        all.extend(reader.standing(key, &prefixes).unwrap());
    }
    all.sort_by_key(|one| one.prefix);
    all
}

fn texts(table: &Table) -> Vec<String> {
    standing(table)
        .iter()
        .map(|one| one.prefix.to_string())
        .collect()
}

/// Whether the kernel has a ban of exactly that prefix, known or not.
fn in_kernel(text: &str) -> bool {
    let key = casemate_firewall::nft::Key::of(&prefix(text));
    let mut reader = Reader::open().unwrap();
    !reader.standing(key, &[prefix(text)]).unwrap().is_empty()
}

/// As somebody with the same power does.
fn meddle(write: impl FnOnce(&mut Batch)) -> bool {
    let mut socket = Socket::open(Some(netlink::NETFILTER), 0).unwrap();
    let mut batch = Batch::default();
    write(&mut batch);
    let built = batch.build();
    socket.commit(&built.bytes, built.sequence).is_ok()
}

/// As somebody with the same power does who wants the table gone.
fn flush() -> bool {
    meddle(|batch| {
        batch.remove_table();
        batch.table();
    })
}

/// How many rules a chain has.
fn rules(chain: &str) -> usize {
    let mut socket = Socket::open(Some(netlink::NETFILTER), 0).unwrap();
    let mut rules = 0;
    let read = socket.ask(
        |number| list_rules(number, chain),
        |_| {
            rules += 1;
            Ok::<_, SocketError>(())
        },
    );
    read.unwrap();
    rules
}
