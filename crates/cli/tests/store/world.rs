//! A folder with a store, and an appliance with a bot, for tests of the command.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use secret::Key;
use serde_json::Value;
use store::{Error, Options, Store, Table};

pub(crate) const T: Table = Table::new("t");
pub(crate) const KEY: [u8; 32] = [42; 32];
/// A process that another test is just starting has, for a moment, this one's locks too.
const LOCK_TRIES: u32 = 20;
const LOCK_WAIT: Duration = Duration::from_millis(20);

/// A folder with a store and the file of its key.
pub(crate) struct World {
    folder: tempfile::TempDir,
}

impl World {
    pub(crate) fn new() -> Self {
        let world = Self {
            folder: tempfile::tempdir().unwrap(),
        };
        fs::write(world.path("key"), KEY).unwrap();
        world.put("a", 9000);
        world
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn open(&self, name: &str) -> Store {
        let open = || Store::open(&self.path(name), &Key::new(KEY), Options::default());
        for _ in 0..LOCK_TRIES {
            match open() {
                Err(Error::InUse) => std::thread::sleep(LOCK_WAIT),
                other => return other.unwrap(),
            }
        }
        open().unwrap()
    }

    /// Stores a record of so many bytes.
    pub(crate) fn put(&self, key: &'static str, bytes: usize) {
        write(&self.open("store"), key, bytes);
    }

    /// Makes so many subjects and one more, and erases all but that one.
    pub(crate) fn erase(&self, subjects: usize) {
        let store = self.open("store");
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap();
        for number in 0..=subjects {
            let made = runtime
                .block_on(store.write(|tx| tx.new_subject()))
                .unwrap();
            if number < subjects {
                let erased = store.erase(made, |_| Ok::<_, Error>(()));
                runtime.block_on(erased).unwrap();
            }
        }
    }

    pub(crate) fn records(&self, name: &str) -> u64 {
        self.open(name).read(|tx| tx.count(T)).unwrap()
    }

    pub(crate) fn command(&self, words: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_casemate"));
        command
            .current_dir(self.folder.path())
            .arg("store")
            .args(words.split_whitespace())
            .stdin(Stdio::null());
        command
    }

    pub(crate) fn run(&self, words: &str) -> Output {
        for _ in 0..LOCK_TRIES {
            let output = self.command(words).output().unwrap();
            if !String::from_utf8_lossy(&output.stderr).contains("has it open") {
                return output;
            }
            std::thread::sleep(LOCK_WAIT);
        }
        self.command(words).output().unwrap()
    }

    /// What a command says that succeeds.
    pub(crate) fn said(&self, words: &str) -> String {
        let output = self.run(words);
        let said = String::from_utf8(output.stdout).unwrap();
        let complained = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.success(), "{words}: {said}{complained}");
        assert_eq!(complained, "", "{words}");
        said
    }

    pub(crate) fn json(&self, words: &str) -> Value {
        serde_json::from_str(&self.said(&format!("{words} --json"))).unwrap()
    }

    /// What a command says that fails with `code`.
    pub(crate) fn refused(&self, words: &str, code: i32) -> String {
        let output = self.run(words);
        let complained = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(code), "{words}: {complained}");
        assert!(!complained.contains("panicked"), "{complained}");
        complained
    }

    pub(crate) fn files(&self) -> usize {
        self.folder.path().read_dir().unwrap().count()
    }
}

pub(crate) fn write(store: &Store, key: &'static str, bytes: usize) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    let written = store.write(move |tx| tx.put(T, key.as_bytes(), &vec![7; bytes]));
    runtime.block_on(written).unwrap();
}

/// A made-up appliance with the bot `shop`, whose store is the world's.
pub(crate) struct Appliance<'w> {
    world: &'w World,
    root: PathBuf,
    pub(crate) store: PathBuf,
    pub(crate) keys: PathBuf,
    pub(crate) tools: PathBuf,
}

impl<'w> Appliance<'w> {
    pub(crate) fn new(world: &'w World) -> Self {
        let root = world.path("root");
        let state = root.join("var/lib/private/casemate-chat/shop");
        let (keys, tools) = (root.join("var/lib/casemate/keys"), world.path("tools"));
        let anchors = root.join("var/lib/private/casemate-anchor/chat-shop");
        for folder in [&state, &keys, &tools, &anchors] {
            fs::create_dir_all(folder).unwrap();
        }
        let store = state.join("chat.redb");
        fs::copy(world.path("store"), &store).unwrap();
        Self {
            world,
            root,
            store,
            keys,
            tools,
        }
    }

    pub(crate) fn call(&self, words: &str) -> (Option<i32>, String) {
        let mut path = std::ffi::OsString::from(&self.tools);
        path.push(":/usr/bin:/bin");
        let output = self
            .world
            .command(words)
            .args(["--bot", "shop", "--root"])
            .arg(&self.root)
            .env("PATH", path)
            .output()
            .unwrap();
        let said = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
        (output.status.code(), said)
    }

    /// A call that succeeds.
    pub(crate) fn said(&self, words: &str) -> String {
        let (code, said) = self.call(words);
        assert_eq!(code, Some(0), "{words}: {said}");
        said
    }

    /// A call that fails.
    pub(crate) fn refused(&self, words: &str) -> String {
        let (code, said) = self.call(words);
        assert_eq!(code, Some(1), "{words}: {said}");
        said
    }
}

/// Seals by doing nothing.
pub(crate) const SEALER: &str = "[ $2 = --name=store ] || exit 1
case $1 in
    decrypt) [ $4 = - ] && cat $3;;
    encrypt) [ $3 = - ] && cat > $4;;
esac";

/// Puts a stand-in for systemd-creds into `folder`.
pub(crate) fn tool(folder: &Path, script: &str) {
    let path = folder.join("systemd-creds");
    fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}
