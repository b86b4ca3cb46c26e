//! Pure: the fields of an entry that count.
//!
//! Names that begin with an underscore are journald's own: nobody who logs can set them (systemd.journal-fields(7)).

/// Longest value that is read, in bytes.
pub const VALUE_BYTES: usize = 1024;

/// A field that counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Name {
    /// `_SYSTEMD_UNIT`
    Unit,
    /// `_COMM`, the name of the process.
    Process,
    /// `_EXE`, the path of its program.
    Program,
    /// `_UID`, the user that it runs as.
    User,
    /// `_PID`
    Pid,
    /// `_TRANSPORT`, how the entry came.
    Transport,
    /// `MESSAGE`, the line itself: not journald's own.
    Message,
}

/// How many there are.
pub const NAMES: usize = 7;

impl Name {
    /// Takes a payload, `NAME=VALUE`, apart.
    #[must_use]
    pub fn of(payload: &[u8]) -> Option<(Self, &[u8])> {
        let equals = payload.iter().take(24).position(|byte| *byte == b'=')?;
        let (name, value) = payload.split_at_checked(equals)?;
        let name = match name {
            b"_SYSTEMD_UNIT" => Self::Unit,
            b"_COMM" => Self::Process,
            b"_EXE" => Self::Program,
            b"_UID" => Self::User,
            b"_PID" => Self::Pid,
            b"_TRANSPORT" => Self::Transport,
            b"MESSAGE" => Self::Message,
            _ => return None,
        };
        Some((name, value.get(1..)?))
    }
}

/// The fields of one entry, in room that is used again.
#[derive(Debug, Default)]
pub struct Fields {
    values: [Vec<u8>; NAMES],
    there: [u8; NAMES],
}

impl Fields {
    /// Empties it.
    pub fn clear(&mut self) {
        self.there = [0; NAMES];
    }

    /// Takes a field.
    pub fn put(&mut self, name: Name, value: &[u8]) {
        let at = name as usize;
        if let (Some(there), Some(room)) = (self.there.get_mut(at), self.values.get_mut(at)) {
            *there = there.saturating_add(1);
            room.clear();
            room.extend_from_slice(value);
        }
    }

    /// The value of a field that is there exactly once, and is UTF-8.
    #[must_use]
    pub fn get(&self, name: Name) -> Option<&str> {
        let at = name as usize;
        let once = self.there.get(at) == Some(&1);
        let value = self.values.get(at).filter(|_| once)?;
        std::str::from_utf8(value).ok()
    }
}
