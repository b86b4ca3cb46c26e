//! `[limits]` in `gate.toml`: how much a client may ask for.

use std::time::Duration;

use ipnet::IpNet;
use serde::Deserialize;

use super::bucket::Quota;

/// Requests a minute of one client that make a bot answer. A person types a few.
const CHAT: u32 = 100;
/// Requests a minute of one client to operators' pages.
const ADMIN: u32 = 10;
/// All other requests a minute of one client: pages, their files, stored
/// conversations. These are answered from memory. Opening the widget takes about
/// ten, so this is five visitors a second behind one office's address, and still
/// far too little to load a processor.
const GENERAL: u32 = 3000;
/// Requests a minute that make one bot answer, of all clients. A bot answers 256
/// at once; this is 100 a second.
const BOT: u32 = 6000;
/// Requests a minute that make any bot answer, of all clients.
const ALL: u32 = 12_000;
/// Open connections of one client. A browser needs one over HTTP/2, six over
/// HTTP/1.1; 128 clients must come together to fill the gate's 8192.
const CONNECTIONS: u32 = 64;
/// Requests of one client that are being answered. A bot has places for 1024.
const STREAMS: u32 = 128;
/// Open WebSockets of one client. A visitor needs one in each page that he has open.
const SOCKETS: u32 = 16;
/// Messages a minute of one client on one WebSocket. A person types a few.
const SOCKET_MESSAGES: u32 = 60;
/// Frames a minute of one client on one WebSocket: beside messages the pieces of long ones, pings and pongs.
const SOCKET_FRAMES: u32 = 600;
/// Longest message of a client on a WebSocket, in bytes: as long as the longest body of a request.
const SOCKET_MESSAGE_BYTES: u64 = chat_api::limits::REQUEST_BYTES as u64;
/// The most that may be set, in bytes: 64 MiB.
const SOCKET_MESSAGE_BYTES_MAX: u64 = 64 << 20;
/// Milliseconds of silence after which a client is sent a ping: shorter than the minute after which many firewalls
/// forget a connection.
const SOCKET_PING_MS: u64 = 30_000;
/// Milliseconds for its pong.
const SOCKET_PONG_MS: u64 = 15_000;
/// Milliseconds after which a WebSocket is closed on which nobody said anything: an hour.
const SOCKET_IDLE_MS: u64 = 3_600_000;
/// Milliseconds for closing.
const SOCKET_CLOSE_MS: u64 = 5_000;
/// Shortest and longest time that may be set, in milliseconds: a day at most.
const SOCKET_MS_RANGE: std::ops::RangeInclusive<u64> = 100..=86_400_000;
/// Longest time for closing that may be set, in milliseconds: the gate waits for it when it stops.
const SOCKET_CLOSE_MS_MAX: u64 = 10_000;
/// The most that any of these may be set to.
const MOST: u32 = 1_000_000;
/// Networks that may be exempt at most.
const EXEMPT_MAX: usize = 64;

/// A minute, for which rates are set.
const MINUTE: Duration = Duration::from_secs(60);

/// What one client, one bot and all together may do.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// Requests a minute of one client that make a bot answer.
    pub chat_per_minute: u32,
    /// Requests a minute of one client to operators' pages.
    pub admin_per_minute: u32,
    /// All other requests a minute of one client.
    pub general_per_minute: u32,
    /// Requests a minute that make one bot answer.
    pub bot_per_minute: u32,
    /// Requests a minute that make any bot answer.
    pub all_per_minute: u32,
    /// Open connections of one client.
    pub connections: u32,
    /// Requests of one client that are being answered.
    pub streams: u32,
    /// Open WebSockets of one client.
    pub sockets: u32,
    /// Messages a minute of one client on one WebSocket. Each counts for `chat_per_minute` too.
    pub socket_messages_per_minute: u32,
    /// Frames a minute of one client on one WebSocket.
    pub socket_frames_per_minute: u32,
    /// Longest message of a client on a WebSocket, in bytes.
    pub socket_message_bytes: u64,
    /// Milliseconds of a client's silence on a WebSocket after which it is sent a ping.
    pub socket_ping_ms: u64,
    /// Milliseconds for its pong. Who does not read for as long as both together is cut off too.
    pub socket_pong_ms: u64,
    /// Milliseconds after which a WebSocket is closed on which nobody said anything.
    pub socket_idle_ms: u64,
    /// Milliseconds for closing a WebSocket.
    pub socket_close_ms: u64,
    /// Networks whose clients have no limit of their own, such as a monitor's. What
    /// holds for a bot and for all holds for them too.
    pub exempt: Vec<IpNet>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            chat_per_minute: CHAT,
            admin_per_minute: ADMIN,
            general_per_minute: GENERAL,
            bot_per_minute: BOT,
            all_per_minute: ALL,
            connections: CONNECTIONS,
            streams: STREAMS,
            sockets: SOCKETS,
            socket_messages_per_minute: SOCKET_MESSAGES,
            socket_frames_per_minute: SOCKET_FRAMES,
            socket_message_bytes: SOCKET_MESSAGE_BYTES,
            socket_ping_ms: SOCKET_PING_MS,
            socket_pong_ms: SOCKET_PONG_MS,
            socket_idle_ms: SOCKET_IDLE_MS,
            socket_close_ms: SOCKET_CLOSE_MS,
            exempt: Vec::new(),
        }
    }
}

impl Settings {
    /// Rejects limits that would let nobody in, or that cannot be kept.
    ///
    /// # Errors
    /// A sentence that names the key.
    pub fn check(&self) -> Result<(), String> {
        for (key, value) in [
            ("chat_per_minute", self.chat_per_minute),
            ("admin_per_minute", self.admin_per_minute),
            ("general_per_minute", self.general_per_minute),
            ("bot_per_minute", self.bot_per_minute),
            ("all_per_minute", self.all_per_minute),
            ("connections", self.connections),
            ("streams", self.streams),
            ("sockets", self.sockets),
            (
                "socket_messages_per_minute",
                self.socket_messages_per_minute,
            ),
            ("socket_frames_per_minute", self.socket_frames_per_minute),
        ] {
            if !(1..=MOST).contains(&value) {
                return Err(format!("`limits.{key}` is {value}; it must be 1 to {MOST}"));
            }
        }
        let (least, most) = (*SOCKET_MS_RANGE.start(), *SOCKET_MS_RANGE.end());
        for (key, value, least, most, unit) in [
            (
                "socket_message_bytes",
                self.socket_message_bytes,
                1,
                SOCKET_MESSAGE_BYTES_MAX,
                "bytes",
            ),
            (
                "socket_ping_ms",
                self.socket_ping_ms,
                least,
                most,
                "milliseconds",
            ),
            (
                "socket_pong_ms",
                self.socket_pong_ms,
                least,
                most,
                "milliseconds",
            ),
            (
                "socket_idle_ms",
                self.socket_idle_ms,
                least,
                most,
                "milliseconds",
            ),
            (
                "socket_close_ms",
                self.socket_close_ms,
                least,
                SOCKET_CLOSE_MS_MAX,
                "milliseconds",
            ),
        ] {
            if !(least..=most).contains(&value) {
                return Err(format!(
                    "`limits.{key}` is {value}; it must be {least} to {most} {unit}"
                ));
            }
        }
        if self.exempt.len() > EXEMPT_MAX {
            let count = self.exempt.len();
            return Err(format!(
                "`limits.exempt` has {count} networks, the most is {EXEMPT_MAX}"
            ));
        }
        Ok(())
    }

    pub(crate) const fn chat(&self) -> Quota {
        Quota::new(self.chat_per_minute, MINUTE)
    }

    pub(crate) const fn admin(&self) -> Quota {
        Quota::new(self.admin_per_minute, MINUTE)
    }

    pub(crate) const fn general(&self) -> Quota {
        Quota::new(self.general_per_minute, MINUTE)
    }

    pub(crate) const fn bot(&self) -> Quota {
        Quota::new(self.bot_per_minute, MINUTE)
    }

    pub(crate) const fn all(&self) -> Quota {
        Quota::new(self.all_per_minute, MINUTE)
    }

    pub(crate) const fn socket_messages(&self) -> Quota {
        Quota::new(self.socket_messages_per_minute, MINUTE)
    }

    pub(crate) const fn socket_frames(&self) -> Quota {
        Quota::new(self.socket_frames_per_minute, MINUTE)
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn defaults_can_be_served_and_keys_are_read() {
        Settings::default().check().unwrap();
        let settings: Settings =
            daemon::parse("chat_per_minute = 5\nexempt = ['127.0.0.0/8']").unwrap();
        assert_eq!(settings.chat(), Quota::new(5, MINUTE));
        assert_eq!(settings.exempt.len(), 1);
    }

    #[test]
    fn limits_out_of_range_name_their_key() {
        for key in [
            "chat_per_minute",
            "admin_per_minute",
            "general_per_minute",
            "bot_per_minute",
            "all_per_minute",
            "connections",
            "streams",
            "sockets",
            "socket_messages_per_minute",
            "socket_frames_per_minute",
            "socket_message_bytes",
            "socket_ping_ms",
            "socket_pong_ms",
            "socket_idle_ms",
            "socket_close_ms",
        ] {
            for value in [0, 100_000_001] {
                let settings: Settings = daemon::parse(&format!("{key} = {value}")).unwrap();
                let error = settings.check().unwrap_err();
                assert!(error.contains(&format!("`limits.{key}`")), "{error}");
            }
        }
    }
}
