//! Pure: the messages between those who report events and the one who decides on them.
//!
//! Each message is one packet of a Unix socket of type `SOCK_SEQPACKET`: a byte with the version, and then the
//! message in [postcard](https://postcard.jamesmunns.com)'s encoding. A packet that is longer, shorter or other
//! than that is refused whole.

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use crate::Event;

/// The first byte of every packet. Another one is another contract.
pub const VERSION: u8 = 1;

/// The longest packet with a [`Message`], in bytes.
pub const MESSAGE_BYTES: usize = 1024;

/// The longest packet with an [`Answer`], in bytes.
pub const ANSWER_BYTES: usize = 8192;

/// The most bans, or prefixes, in one [`Answer`].
pub const BANS_A_MESSAGE: usize = 256;

/// The shortest IPv4 prefix that can be banned, in bits.
pub const PREFIX_BITS_V4: u8 = 8;

/// The shortest IPv6 prefix that can be banned, in bits.
pub const PREFIX_BITS_V6: u8 = 16;

/// What a service says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Message<'a> {
    /// An event was seen.
    Report(#[serde(borrow)] Report<'a>),
    /// From now on it wants to know every ban: those in force first, and [`Answer::Current`] behind them.
    Follow,
}

/// An event, or several of one kind and client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report<'a> {
    /// Rises with each report of a connection, from 1.
    pub sequence: u64,
    /// How many events it stands for; at least 1.
    pub count: u32,
    /// How many events the sender could not keep since its last report, of kinds and clients that it does not tell
    /// apart any more.
    pub lost: u32,
    /// The first of them.
    #[serde(borrow)]
    pub event: Event<'a>,
}

/// What the one who decides says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Answer {
    /// The report of that sequence, and all before it on this connection, were judged.
    Judged {
        /// [`Report::sequence`]
        sequence: u64,
        /// The ban that this report led to.
        ban: Option<Ban>,
    },
    /// These bans are in force now. Only to followers.
    Banned(Vec<Ban>),
    /// All bans that were in force when the follower asked were said. Only to followers.
    Current,
    /// These prefixes are no longer banned. Only to followers.
    Lifted(Vec<IpNet>),
}

/// Who is refused, and for how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ban {
    /// Whose addresses.
    pub prefix: IpNet,
    /// Seconds until it ends; none where it does not.
    pub left_s: Option<u32>,
}

/// Why a packet is no message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum WireError {
    /// The other side speaks another version of the contract, or another language.
    #[error("a packet of another version than {VERSION}: both sides have to be of one release")]
    Version,
    /// Longer than a packet may be.
    #[error("a packet that is too long")]
    TooLong,
    /// It ends too early or too late, or says what cannot be.
    #[error("a packet that is no message of this contract")]
    Malformed,
}

impl Message<'_> {
    /// Writes it into `packet` and returns what is to be sent.
    ///
    /// # Errors
    /// [`WireError::TooLong`]: no event is as long as that.
    pub fn encode<'p>(&self, packet: &'p mut [u8; MESSAGE_BYTES]) -> Result<&'p [u8], WireError> {
        packet[0] = VERSION;
        let written = postcard::to_slice(self, &mut packet[1..]).map_err(|_| WireError::TooLong)?;
        let length = 1 + written.len();
        Ok(&packet[..length])
    }
}

impl<'a> Message<'a> {
    /// Reads one packet, which may hold anything.
    ///
    /// # Errors
    /// [`WireError`]; the connection is not worth reading further then.
    pub fn decode(packet: &'a [u8]) -> Result<Self, WireError> {
        let message: Self = body(packet, MESSAGE_BYTES)?;
        match message {
            Self::Report(Report { count: 0, .. }) => Err(WireError::Malformed),
            message => Ok(message),
        }
    }
}

impl Answer {
    /// The packet to be sent.
    ///
    /// # Errors
    /// [`WireError::TooLong`] where it has more than [`BANS_A_MESSAGE`].
    pub fn encode(&self) -> Result<Vec<u8>, WireError> {
        if self.entries() > BANS_A_MESSAGE {
            return Err(WireError::TooLong);
        }
        let packet = postcard::to_extend(self, vec![VERSION]).map_err(|_| WireError::TooLong)?;
        if packet.len() > ANSWER_BYTES {
            return Err(WireError::TooLong);
        }
        Ok(packet)
    }

    /// Reads one packet, which may hold anything.
    ///
    /// # Errors
    /// [`WireError`]; among what is malformed are prefixes shorter than can be banned.
    pub fn decode(packet: &[u8]) -> Result<Self, WireError> {
        let answer: Self = body(packet, ANSWER_BYTES)?;
        let plausible = match &answer {
            Self::Judged { ban, .. } => ban.iter().all(|ban| can_be_banned(&ban.prefix)),
            Self::Banned(bans) => bans.iter().all(|ban| can_be_banned(&ban.prefix)),
            Self::Lifted(prefixes) => prefixes.iter().all(can_be_banned),
            Self::Current => true,
        };
        if !plausible || answer.entries() > BANS_A_MESSAGE {
            return Err(WireError::Malformed);
        }
        Ok(answer)
    }

    const fn entries(&self) -> usize {
        match self {
            Self::Judged { .. } | Self::Current => 0,
            Self::Banned(bans) => bans.len(),
            Self::Lifted(prefixes) => prefixes.len(),
        }
    }
}

/// Whether a prefix is long enough to be banned, and written as one: with no bit set behind it, and IPv4 as IPv4.
#[must_use]
pub fn can_be_banned(prefix: &IpNet) -> bool {
    let long_enough = match prefix {
        IpNet::V4(v4) => v4.prefix_len() >= PREFIX_BITS_V4,
        IpNet::V6(v6) => v6.prefix_len() >= PREFIX_BITS_V6 && v6.addr().to_ipv4_mapped().is_none(),
    };
    long_enough && prefix.trunc() == *prefix
}

fn body<'a, T: Deserialize<'a>>(packet: &'a [u8], most_bytes: usize) -> Result<T, WireError> {
    if packet.len() > most_bytes {
        return Err(WireError::TooLong);
    }
    let (version, body) = packet.split_first().ok_or(WireError::Malformed)?;
    if *version != VERSION {
        return Err(WireError::Version);
    }
    match postcard::take_from_bytes(body) {
        Ok((message, [])) => Ok(message),
        _ => Err(WireError::Malformed),
    }
}

#[cfg(test)]
mod tests;
