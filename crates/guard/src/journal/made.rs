//! For tests: makes journal files, as journald would.

use std::collections::HashMap;
use std::path::Path;

const HEADER: usize = 272;
const FIRST_MS: u64 = 1_800_000_000_000;

/// The machine that files are of.
pub(crate) const MACHINE: [u8; 16] = [5; 16];

/// A time after all entries, in milliseconds since 1970.
pub(crate) const NOW_MS: u64 = FIRST_MS + 1_000_000;

/// A file in the making.
pub(crate) struct Made {
    compact: bool,
    bytes: Vec<u8>,
    data: HashMap<Vec<u8>, u64>,
    arrays: Vec<(usize, usize, usize)>,
    entries: u64,
    sequence: u64,
    last: usize,
    pub(crate) boot: u8,
}

impl Made {
    pub(crate) fn new(compact: bool, sequence: u64) -> Self {
        let mut bytes = vec![0; HEADER];
        bytes[..8].copy_from_slice(b"LPKSHHRH");
        bytes[12] = if compact { 0b1_0100 } else { 0b0100 };
        bytes[40..56].copy_from_slice(&MACHINE);
        bytes[72..88].copy_from_slice(&[7; 16]);
        Self {
            compact,
            bytes,
            data: HashMap::new(),
            arrays: Vec::new(),
            entries: 0,
            sequence,
            last: 0,
            boot: 9,
        }
    }

    /// Of another machine.
    pub(crate) fn of(mut self, machine: [u8; 16]) -> Self {
        self.bytes[40..56].copy_from_slice(&machine);
        self
    }

    /// Another journald's numbers.
    pub(crate) fn renumber(&mut self, sequence_id: [u8; 16]) {
        self.bytes[72..88].copy_from_slice(&sequence_id);
    }

    /// Where the last entry is.
    pub(crate) const fn last(&self) -> usize {
        self.last
    }

    pub(crate) fn rotated(&self) -> Self {
        Self::new(self.compact, self.sequence)
    }

    pub(crate) fn time_ms(&self, entry: usize) -> u64 {
        FIRST_MS + 1 + entry as u64
    }

    fn object(&mut self, kind: u8, body: &[u8]) -> u64 {
        while !self.bytes.len().is_multiple_of(8) {
            self.bytes.push(0);
        }
        let at = self.bytes.len() as u64;
        self.bytes[136..144].copy_from_slice(&at.to_le_bytes());
        self.bytes.extend([kind, 0, 0, 0, 0, 0, 0, 0]);
        self.bytes.extend((16 + body.len() as u64).to_le_bytes());
        self.bytes.extend(body);
        at
    }

    fn field(&mut self, payload: &[u8]) -> u64 {
        if let Some(at) = self.data.get(payload) {
            return *at;
        }
        let mut body = vec![0; if self.compact { 56 } else { 48 }];
        body.extend(payload);
        let at = self.object(1, &body);
        self.data.insert(payload.to_vec(), at);
        at
    }

    pub(crate) fn entry(&mut self, fields: &[(&str, &str)]) {
        let mut items: Vec<_> = fields
            .iter()
            .map(|(name, value)| self.field(format!("{name}={value}").as_bytes()))
            .collect();
        items.sort_unstable();
        let time_us = (FIRST_MS + self.sequence) * 1000;
        let mut body = Vec::new();
        for number in [self.sequence, time_us, self.sequence * 1000] {
            body.extend(number.to_le_bytes());
        }
        body.extend([self.boot; 16]);
        body.extend([0; 8]);
        for item in items {
            if self.compact {
                body.extend(u32::try_from(item).unwrap_or(0).to_le_bytes());
            } else {
                body.extend(item.to_le_bytes());
                body.extend([0; 8]);
            }
        }
        let at = self.object(3, &body);
        self.last = usize::try_from(at).unwrap_or(0);
        self.list(at);
        self.bytes[160..168].copy_from_slice(&self.sequence.to_le_bytes());
        self.sequence += 1;
        self.entries += 1;
        self.bytes[152..160].copy_from_slice(&self.entries.to_le_bytes());
    }

    fn list(&mut self, entry: u64) {
        let item_bytes = if self.compact { 4 } else { 8 };
        if self
            .arrays
            .last()
            .is_none_or(|(_, room, used)| used == room)
        {
            let room = self.arrays.last().map_or(4, |(_, room, _)| room * 2);
            let at = self.object(6, &vec![0; 8 + room * item_bytes]);
            let link = self.arrays.last().map_or(176, |(before, ..)| before + 16);
            self.bytes[link..link + 8].copy_from_slice(&at.to_le_bytes());
            self.arrays
                .push((usize::try_from(at).unwrap_or(0), room, 0));
        }
        if let Some((at, _, used)) = self.arrays.last_mut() {
            let place = *at + 24 + *used * item_bytes;
            self.bytes[place..place + item_bytes]
                .copy_from_slice(&entry.to_le_bytes()[..item_bytes]);
            *used += 1;
        }
    }

    /// A failed login over SSH.
    pub(crate) fn failed(&mut self, client: &str) {
        let pid = (100 + self.sequence).to_string();
        let line = format!("Failed password for root from {client} port 4711 ssh2");
        self.entry(&[
            ("_SYSTEMD_UNIT", "ssh.service"),
            ("_COMM", "sshd-session"),
            ("_EXE", "/usr/lib/openssh/sshd-session"),
            ("_UID", "0"),
            ("_PID", &pid),
            ("_TRANSPORT", "syslog"),
            ("_HOSTNAME", "here"),
            ("SYSLOG_TIMESTAMP", "Jan 15 08:00:00 "),
            ("MESSAGE", &line),
        ]);
    }

    /// Somebody else's line.
    pub(crate) fn other(&mut self) {
        let line = "Failed password for root from 198.51.100.9 port 22 ssh2";
        self.entry(&[
            ("_SYSTEMD_UNIT", "casemate-gate.service"),
            ("_COMM", "casemate-gate"),
            ("_EXE", "/usr/bin/casemate-gate"),
            ("_UID", "0"),
            ("_PID", "7"),
            ("_TRANSPORT", "journal"),
            ("MESSAGE", line),
        ]);
    }

    pub(crate) fn bytes(&self) -> Vec<u8> {
        self.bytes.clone()
    }

    /// As journald writes: into the file that is there, if there is one.
    pub(crate) fn write(&self, path: &Path) {
        use std::io::Write as _;
        let mut options = std::fs::OpenOptions::new();
        let file = options.create(true).write(true).truncate(false).open(path);
        let written = file.and_then(|mut file| file.write_all(&self.bytes));
        assert!(written.is_ok(), "{written:?}");
    }
}
