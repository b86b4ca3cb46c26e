//! Notices that somebody else has changed the table, where the kernel lets them.

use std::os::fd::{AsFd, BorrowedFd};

use rustix::net::netlink;

use super::{Table, TableError};
use crate::netlink::{Malformed, Message, Socket};
use crate::nft::{CHANGES, FIXED_BYTES, INET, TABLE, kind};

/// Hears of every change to the kernel's packet filter.
#[derive(Debug)]
pub struct Watch {
    socket: Socket,
    own_port: u32,
}

impl Watch {
    /// Hears from now on of changes that `table` did not make.
    ///
    /// # Errors
    /// Whatever the kernel says.
    pub fn begin(table: &Table) -> Result<Self, TableError> {
        Ok(Self {
            socket: Socket::open(Some(netlink::NETFILTER), CHANGES)?,
            own_port: table.port()?,
        })
    }

    /// What was heard since the last time: `Some(true)` where somebody else has changed the table, `None` where too much
    /// was said to tell.
    ///
    /// # Errors
    /// Whatever the kernel says.
    pub fn heard(&mut self) -> Result<Option<bool>, TableError> {
        let (own_port, mut foreign) = (self.own_port, false);
        let heard = self.socket.heard(|message| {
            foreign |= message.port != own_port && is_of_table(message).unwrap_or(true);
        });
        match heard {
            Ok(()) => Ok(Some(foreign)),
            Err(error) if error.is_overrun() => Ok(if foreign { Some(true) } else { None }),
            Err(error) => Err(error.into()),
        }
    }
}

impl AsFd for Watch {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

/// Whether a message is about the firewall's table. Pure.
fn is_of_table(message: &Message<'_>) -> Result<bool, Malformed> {
    if message.kind == kind::NEW_GENERATION {
        return Ok(false);
    }
    // Another family may have a table of that name.
    if message.body.first() != Some(&INET) {
        return Ok(false);
    }
    // The first attribute of every other message is the table's name.
    let name = message.attributes(FIXED_BYTES)?.next().transpose()?;
    name.map_or(
        Ok(false),
        |name| Ok(name.kind == 1 && name.text()? == TABLE),
    )
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::netlink::{Header, Writer, messages};

    #[test]
    fn only_its_own_table_is_its_own() {
        let of = |family: u8, table: &str| {
            let mut writer = Writer::default();
            let header = Header {
                kind: kind::DELETE_TABLE,
                flags: 0,
                sequence: 0,
            };
            writer.begin(header, &[family, 0, 0, 0]);
            writer.put_text(1, table);
            let message = messages(writer.bytes()).next().unwrap().unwrap();
            is_of_table(&message).unwrap()
        };
        assert!(of(INET, TABLE));
        assert!(!of(INET, "other"));
        assert!(!of(2, TABLE), "which is IPv4's");
    }
}
