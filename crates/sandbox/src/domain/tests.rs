#![expect(clippy::unwrap_used, reason = "tests")]

use std::fs::{self, OpenOptions};
use std::io;
use std::path::PathBuf;

use proptest::prelude::*;

use super::*;

/// What `test` answers on a thread with the plan's Landlock rules and nothing else.
fn in_domain<R: Send + 'static>(plan: Plan, test: impl FnOnce() -> R + Send + 'static) -> R {
    let thread = std::thread::spawn(move || {
        rustix::thread::set_no_new_privs(true).unwrap();
        enforce(&plan).unwrap();
        test()
    });
    thread.join().unwrap()
}

fn denied<T>(result: io::Result<T>) -> bool {
    result.is_err_and(|error| error.kind() == io::ErrorKind::PermissionDenied)
}

/// Directories for reading, for writing, and a foreign one, each with a file `f`.
fn three() -> (tempfile::TempDir, [PathBuf; 3]) {
    let root = tempfile::tempdir().unwrap();
    let paths = ["read", "write", "foreign"].map(|name| root.path().join(name));
    for path in &paths {
        fs::create_dir(path).unwrap();
        fs::write(path.join("f"), b"text").unwrap();
    }
    (root, paths)
}

#[test]
fn nothing_but_the_plan_can_be_opened() {
    let (_root, [read, write, foreign]) = three();
    in_domain(Plan::new().read(&read).write(&write), move || {
        assert_eq!(fs::read(read.join("f")).unwrap(), b"text");
        assert!(fs::read_dir(&read).is_ok());
        assert!(denied(OpenOptions::new().write(true).open(read.join("f"))));
        assert!(denied(fs::write(read.join("g"), b"")));
        assert!(denied(fs::remove_file(read.join("f"))));

        fs::write(write.join("g"), b"x").unwrap();
        fs::rename(write.join("g"), write.join("h")).unwrap();
        fs::remove_file(write.join("h")).unwrap();

        assert!(denied(fs::read(foreign.join("f"))));
        assert!(denied(fs::read_dir(&foreign)));
        assert!(denied(fs::write(foreign.join("g"), b"")));
        assert!(denied(fs::rename(write.join("f"), foreign.join("g"))));
        let linked = fs::hard_link(foreign.join("f"), write.join("g")).unwrap_err();
        assert_eq!(
            linked.kind(),
            io::ErrorKind::CrossesDevices,
            "as link(2) says"
        );
    });
}

#[test]
fn a_plan_can_name_a_single_file() {
    let (_root, [read, ..]) = three();
    fs::write(read.join("g"), b"other").unwrap();
    in_domain(Plan::new().read(read.join("f")), move || {
        assert_eq!(fs::read(read.join("f")).unwrap(), b"text");
        assert!(denied(fs::read(read.join("g"))));
        assert!(denied(fs::read_dir(&read)));
    });
}

#[test]
fn a_writable_directory_takes_no_program_device_socket_or_link() {
    let (_root, [_, write, foreign]) = three();
    fs::copy("/bin/true", write.join("true")).unwrap();
    in_domain(Plan::new().write(&write), move || {
        assert!(denied(
            std::process::Command::new(write.join("true")).status()
        ));
        assert!(denied(std::os::unix::fs::symlink(
            &foreign,
            write.join("l")
        )));
        assert!(denied(std::os::unix::net::UnixListener::bind(
            write.join("s")
        )));
        let (kind, mode) = (rustix::fs::FileType::Fifo, rustix::fs::Mode::RUSR);
        let pipe = rustix::fs::mknodat(rustix::fs::CWD, write.join("p"), kind, mode, 0);
        assert!(denied(pipe.map_err(io::Error::from)));
    });
}

#[test]
fn tcp_and_abstract_sockets_are_out_of_reach() {
    use std::os::linux::net::SocketAddrExt as _;
    use std::os::unix::net::{SocketAddr, UnixListener, UnixStream};

    let abi = raw::landlock_abi().unwrap();
    let tcp = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = tcp.local_addr().unwrap();
    let name = format!("casemate-domain-{}", std::process::id());
    let abstract_address = SocketAddr::from_abstract_name(name).unwrap();
    let _listener = UnixListener::bind_addr(&abstract_address).unwrap();
    in_domain(Plan::new(), move || {
        assert_eq!(denied(std::net::TcpStream::connect(address)), abi >= 4);
        assert_eq!(denied(std::net::TcpListener::bind("127.0.0.1:0")), abi >= 4);
        assert_eq!(
            denied(UnixStream::connect_addr(&abstract_address)),
            abi >= 6
        );
    });
    in_domain(Plan::new().internet(), move || {
        std::net::TcpStream::connect(address).unwrap();
        std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        assert_eq!(denied(std::net::TcpListener::bind("127.0.0.1:0")), abi >= 4);
    });
}

/// Rules for an older kernel are a subset of this one's, so they can be tried here.
#[test]
fn rules_for_each_older_kernel_are_enforced_in_full() {
    let newest = i32::try_from(raw::landlock_abi().unwrap())
        .unwrap()
        .min(NEWEST_KNOWN_ABI);
    for version in 1..=newest {
        let (_root, [read, write, foreign]) = three();
        let thread = std::thread::spawn(move || {
            rustix::thread::set_no_new_privs(true).unwrap();
            let plan = Plan::new()
                .read(&read)
                .write(&write)
                .connect(&read)
                .bind(&write);
            enforce_for(&plan, version).unwrap();
            assert_eq!(fs::read(read.join("f")).unwrap(), b"text");
            fs::write(write.join("g"), b"x").unwrap();
            assert!(denied(fs::read(foreign.join("f"))), "ABI {version}");
        });
        thread.join().unwrap();
    }
}

/// As under a container manager whose own filter forbids Landlock: its rules would silently be
/// none.
#[test]
fn a_process_that_may_not_use_landlock_is_not_confined() {
    let thread = std::thread::spawn(|| {
        crate::filter::install(&Plan::new(), crate::filter::Extent::Thread).unwrap();
        enforce(&Plan::new()).unwrap_err()
    });
    let error = thread.join().unwrap();
    assert!(matches!(error, Error::LandlockMissing(_)), "{error}");
}

#[test]
fn a_path_that_is_missing_is_an_error_that_names_it() {
    let missing = "/nonexistent/casemate";
    for plan in [
        Plan::new().read(missing),
        Plan::new().write(missing),
        Plan::new().connect(missing),
    ] {
        let thread = std::thread::spawn(move || enforce(&plan).unwrap_err());
        let error = thread.join().unwrap();
        assert!(
            matches!(&error, Error::Path { path, .. } if path == Path::new(missing)),
            "{error}"
        );
        assert!(error.to_string().contains(missing));
    }
}

proptest! {
    #[test]
    fn a_newer_kernel_leaves_fewer_gaps(abi in 1_i32..12) {
        let (older, newer) = (gaps(abi), gaps(abi + 1));
        prop_assert!(newer.len() <= older.len());
        prop_assert_eq!(newer.is_empty(), abi + 1 >= NEWEST_KNOWN_ABI);
        for gap in older {
            let own = format!("ABI {abi} ");
            prop_assert!(gap.contains(&own));
        }
    }
}
