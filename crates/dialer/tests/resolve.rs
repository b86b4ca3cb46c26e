//! Names through a name server on loopback, confined as in service.
#![expect(clippy::unwrap_used, clippy::panic, reason = "tests")]

use std::collections::BTreeSet;
use std::net::{IpAddr, UdpSocket};
use std::sync::{Arc, Mutex};

use casemate_dialer::config::Reach;
use casemate_dialer::decide::{Denial, usable};
use casemate_dialer::resolve::{ResolveError, Resolver};
use hickory_resolver::proto::op::{Message, ResponseCode};
use hickory_resolver::proto::rr::{RData, Record, RecordType};
use sandbox::Plan;

/// What a name server says about a name: addresses, "there is none", or nothing.
type Zone = fn(&str) -> Option<Vec<IpAddr>>;

/// A name server, and the names that it was asked for.
struct Server {
    port: u16,
    asked: Arc<Mutex<Vec<(String, RecordType)>>>,
}

fn server(zone: Zone) -> Server {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let port = socket.local_addr().unwrap().port();
    let asked = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&asked);
    std::thread::spawn(move || {
        let mut buffer = [0; 2048];
        while let Ok((length, from)) = socket.recv_from(&mut buffer) {
            let question = Message::from_vec(&buffer[..length]).unwrap();
            let query = question.queries[0].clone();
            let name = query.name().to_string();
            log.lock().unwrap().push((name.clone(), query.query_type()));
            let Some(addresses) = zone(&name) else {
                continue;
            };
            let mut answer = question.into_response();
            if addresses.is_empty() {
                answer.metadata.response_code = ResponseCode::NXDomain;
            }
            for address in addresses {
                let data = RData::from(address);
                if data.record_type() == query.query_type() {
                    // No time to live, so that each look-up is a question.
                    answer.add_answer(Record::from_rdata(query.name().clone(), 0, data));
                }
            }
            socket.send_to(&answer.to_vec().unwrap(), from).unwrap();
        }
    });
    Server { port, asked }
}

/// Looks names up with these files, confined.
fn look_up(port: u16, resolv_conf: &str, names: &[&str]) -> Vec<Result<Vec<IpAddr>, ResolveError>> {
    let folder = tempfile::tempdir().unwrap();
    let (resolv, hosts) = (
        folder.path().join("resolv.conf"),
        folder.path().join("hosts"),
    );
    std::fs::write(&resolv, resolv_conf).unwrap();
    std::fs::write(&hosts, "10.9.8.7 fixed.example\n").unwrap();
    testkit::confined_with(&Plan::new().internet().read(folder.path()), |_| async {
        let resolver = Resolver::of(resolv, hosts, port);
        let mut outcomes = Vec::new();
        for name in names {
            outcomes.push(resolver.addresses(name).await);
        }
        outcomes
    })
}

const LOCAL: &str = "search evil.example\noptions ndots:5\nnameserver 127.0.0.1\n";

fn set(addresses: &[IpAddr]) -> BTreeSet<String> {
    addresses.iter().map(IpAddr::to_string).collect()
}

#[test]
fn names_are_asked_for_as_they_are_and_in_both_families() {
    let server = server(|name| match name {
        "api.example." => Some(vec![[192, 0, 2, 1].into(), "2001:db8::1".parse().unwrap()]),
        _ => Some(Vec::new()),
    });
    let outcomes = look_up(server.port, LOCAL, &["api.example", "absent.example"]);
    let found = outcomes[0].as_ref().unwrap();
    assert_eq!(
        set(found),
        ["192.0.2.1", "2001:db8::1"].map(str::to_owned).into()
    );
    assert!(
        matches!(outcomes[1], Err(ResolveError::NotFound)),
        "{:?}",
        outcomes[1]
    );
    let asked = server.asked.lock().unwrap();
    assert!(
        asked
            .iter()
            .all(|(name, _)| name == "api.example." || name == "absent.example."),
        "{asked:?}"
    );
}

#[test]
fn the_hosts_file_comes_first_and_localhost_is_never_asked_for() {
    let server = server(|_| Some(vec![[192, 0, 2, 66].into()]));
    let outcomes = look_up(
        server.port,
        LOCAL,
        &["fixed.example", "localhost", "a.localhost"],
    );
    assert_eq!(
        set(outcomes[0].as_ref().unwrap()),
        ["10.9.8.7".to_owned()].into()
    );
    for outcome in &outcomes[1..] {
        assert_eq!(
            set(outcome.as_ref().unwrap()),
            ["127.0.0.1", "::1"].map(str::to_owned).into()
        );
    }
    assert_eq!(*server.asked.lock().unwrap(), []);
}

#[test]
fn a_name_server_that_leads_inside_does_not_get_there() {
    let server = server(|_| {
        Some(vec![
            [127, 0, 0, 1].into(),
            [169, 254, 169, 254].into(),
            "::ffff:10.0.0.1".parse().unwrap(),
        ])
    });
    let outcomes = look_up(server.port, LOCAL, &["rebound.example"]);
    let reach = Reach {
        unit: "llm".to_owned(),
        host: "rebound.example".parse().unwrap(),
        ports: vec![443],
        private: false,
    };
    let found = outcomes[0].as_ref().unwrap();
    assert_eq!(found.len(), 3);
    assert!(matches!(usable(&reach, found), Err(Denial::Address { .. })));
    // One question for each family: nothing is looked up a second time after the check.
    assert_eq!(server.asked.lock().unwrap().len(), 2);
}

#[test]
fn a_silent_name_server_is_given_up_in_time() {
    let server = server(|_| None);
    let began = std::time::Instant::now();
    let outcomes = look_up(server.port, LOCAL, &["api.example"]);
    assert!(
        matches!(outcomes[0], Err(ResolveError::TimedOut)),
        "{:?}",
        outcomes[0]
    );
    assert!(
        began.elapsed() < dialer_api::RESOLVE_TIME * 2,
        "{:?}",
        began.elapsed()
    );
}

#[test]
fn no_name_server_is_said_so_with_the_file() {
    for resolv_conf in ["", "search example\n", "nameserver not-an-address\n"] {
        let outcomes = look_up(53, resolv_conf, &["api.example"]);
        match &outcomes[0] {
            Err(error @ ResolveError::NoServer { .. }) => {
                assert!(error.to_string().contains("resolv.conf"), "{error}")
            }
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn a_change_of_network_is_followed() {
    let first = server(|_| Some(vec![[192, 0, 2, 1].into()]));
    let folder = tempfile::tempdir().unwrap();
    let resolv = folder.path().join("resolv.conf");
    std::fs::write(&resolv, "# not yet\n").unwrap();
    let plan = Plan::new()
        .internet()
        .read(folder.path())
        .write(folder.path());
    testkit::confined_with(&plan, |_| async {
        let resolver = Resolver::of(&resolv, folder.path().join("hosts"), first.port);
        assert!(matches!(
            resolver.addresses("a.example").await,
            Err(ResolveError::NoServer { .. })
        ));
        std::fs::write(&resolv, LOCAL).unwrap();
        assert_eq!(
            set(&resolver.addresses("a.example").await.unwrap()),
            ["192.0.2.1".to_owned()].into()
        );
    });
}
