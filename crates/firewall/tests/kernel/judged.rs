//! What may not be banned changes while bans and lists are in force. A client in a namespace of its own tries.

use std::process::{Child, Command, Stdio};

use casemate_firewall::block::Content;
use casemate_firewall::judge::{Judge, Own};
use casemate_firewall::nft::{Counter, Elements, Key, Ports, SetName};
use casemate_firewall::table::{Loading, Table, Tenure, Turns};

use crate::{apart, ban, in_kernel, judge, meddle, name, never, ports, prefix, put, texts};

/// The machine's address and the client's.
const MACHINE: &str = "192.0.2.1";
const CLIENT: &str = "198.51.100.7";

/// A client behind a link.
struct Client(Child);

impl Client {
    fn new() -> Self {
        let waits = Command::new("unshare")
            .args(["--net", "sh", "-c", "echo; exec sleep 60"])
            .stdout(Stdio::piped())
            .spawn();
        let mut client = Self(waits.unwrap());
        // It has its namespace once it says something.
        let mut said = [0];
        std::io::Read::read_exact(client.0.stdout.as_mut().unwrap(), &mut said).unwrap();
        let pid = client.0.id();
        for command in [
            format!("ip link add c0 type veth peer name c1 netns {pid}"),
            format!("ip addr add {MACHINE}/32 dev c0"),
            "ip link set c0 up".to_owned(),
            format!("ip route add {CLIENT}/32 dev c0"),
        ] {
            sh(&command);
        }
        client.sh(&format!("ip addr add {CLIENT}/32 dev c1"));
        client.sh("ip link set c1 up");
        client.sh(&format!("ip route add {MACHINE}/32 dev c1"));
        client
    }

    fn sh(&self, command: &str) {
        sh(&self.inside(command));
    }

    fn inside(&self, command: &str) -> String {
        format!("nsenter --target {} --net {command}", self.0.id())
    }

    /// Whether the machine answers on an open port, if only that nobody listens there.
    fn gets_in(&self) -> bool {
        let knock = format!("timeout 1 bash -c 'echo > /dev/tcp/{MACHINE}/22' 2> /dev/null");
        let status = Command::new("sh")
            .args(["-c", &self.inside(&knock)])
            .status();
        status.unwrap().code() != Some(124)
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn sh(command: &str) {
    let status = Command::new("sh").args(["-c", command]).status().unwrap();
    assert!(status.success(), "{command}");
}

#[test]
fn whoever_is_never_to_be_banned_gets_in_again() {
    apart(
        "judged::whoever_is_never_to_be_banned_gets_in_again",
        || {
            let client = Client::new();
            let table = Turns::new(Table::take(ports(), Judge::default(), Tenure::Owned).unwrap());
            assert!(client.gets_in());
            let banned = ["198.51.100.7", "198.51.100.0/24", "203.0.113.1"];
            put(&mut table.next(), &banned.map(|prefix| ban(prefix, 600)));
            assert!(!client.gets_in());
            let generation = table.next().generation();
            table.next().settle(ports(), never(&[CLIENT])).unwrap();
            assert!(client.gets_in());
            assert_eq!(texts(&table.next()), ["203.0.113.1"]);
            assert!(!in_kernel("198.51.100.7") && !in_kernel("198.51.100.0/24"));
            assert_ne!(
                table.next().generation(),
                generation,
                "it has less than it was given"
            );
            // The list keeps what it has, and yet.
            table.next().settle(ports(), never(&[])).unwrap();
            let content = Content::of(vec![prefix("198.51.100.0/24")]);
            Loading::new(&table, name("list")).load(content).unwrap();
            assert!(!client.gets_in());
            table
                .next()
                .settle(ports(), never(&["198.51.100.0/28"]))
                .unwrap();
            assert!(client.gets_in());
            table
                .next()
                .settle(ports(), never(&["198.51.100.8/32"]))
                .unwrap();
            assert!(!client.gets_in());
            // Nothing is open to him but what is to everybody.
            table
                .next()
                .settle(Ports::default(), never(&[CLIENT]))
                .unwrap();
            assert!(!client.gets_in());
        },
    );
}

#[test]
fn what_becomes_a_gateway_gets_in_again() {
    apart("judged::what_becomes_a_gateway_gets_in_again", || {
        let client = Client::new();
        let mut table = Table::take(ports(), Judge::default(), Tenure::Owned).unwrap();
        put(
            &mut table,
            &[ban("198.51.0.0/16", 600), ban("203.0.113.1", 600)],
        );
        assert!(!client.gets_in());
        let own = Own {
            addresses: vec![MACHINE.parse().unwrap()],
            gateways: vec![CLIENT.parse().unwrap()],
        };
        table.moved(own).unwrap();
        assert!(client.gets_in());
        assert_eq!(texts(&table), ["203.0.113.1"]);
        assert!(!in_kernel("198.51.0.0/16"));
    });
}

#[test]
fn what_is_refused_ends_if_it_is_in_force() {
    apart("judged::what_is_refused_ends_if_it_is_in_force", || {
        let judge = judge(never(&[CLIENT]), &[]);
        let mut table = Table::take(ports(), judge, Tenure::Shared).unwrap();
        // An element that nobody knows.
        assert!(meddle(|batch| {
            let element = Elements {
                prefix: prefix(CLIENT),
                milliseconds: 600_000,
                counter: Counter::default(),
            };
            batch.add_bans(&SetName::Bans(Key::of(&prefix(CLIENT))), &[element]);
        }));
        assert!(in_kernel(CLIENT));
        let outcome = table
            .ban(&[ban(CLIENT, 600), ban("203.0.113.1", 600)])
            .unwrap();
        assert_eq!((outcome.changed, outcome.refused_count), (1, 1));
        assert!(!in_kernel(CLIENT));
    });
}
