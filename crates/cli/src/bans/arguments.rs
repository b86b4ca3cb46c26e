//! Whom, and for how long.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use clap::Subcommand;
use guard_api::limits::BAN_SECONDS_MAX;
use ipnet::IpNet;

/// `casemate bans`
#[derive(Debug, Subcommand)]
pub(crate) enum BansCommand {
    /// Show all that is known of an address: its bans, the events that led there, how near it is to the next.
    Explain {
        /// The address.
        address: IpAddr,
    },
}

/// An address or a prefix.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Whom(pub(crate) IpNet);

impl FromStr for Whom {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let read = if text.contains('/') {
            text.parse::<IpNet>().ok()
        } else {
            text.parse::<IpAddr>()
                .ok()
                .map(|address| address.to_canonical().into())
        };
        let read =
            read.ok_or("it is no address and no prefix, such as 192.0.2.1 or 2001:db8::/64")?;
        if read.trunc() != read {
            return Err(format!(
                "it has bits beyond its length; is {} meant?",
                read.trunc()
            ));
        }
        Ok(Self(read))
    }
}

impl fmt::Display for Whom {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&super::show::prefix(&self.0))
    }
}

/// A period in seconds, read as `90s`, `15m`, `12h` or `7d`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Period(pub(crate) u64);

impl FromStr for Period {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let digits = text.len()
            - text
                .trim_start_matches(|char: char| char.is_ascii_digit())
                .len();
        let (number, unit) = text.split_at(digits);
        let factor = match unit {
            "s" => 1,
            "m" => 60,
            "h" => 3600,
            "d" => 86_400,
            _ => return Err("it is a number and s, m, h or d, such as 12h".to_owned()),
        };
        let number: Option<u64> = number.parse().ok();
        let seconds = number.and_then(|number| number.checked_mul(factor));
        seconds
            .filter(|seconds| (1..=BAN_SECONDS_MAX).contains(seconds))
            .map(Self)
            .ok_or_else(|| "it is 1 second to ten years".to_owned())
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn periods_are_read() {
        let read = |text: &str| text.parse::<Period>().map(|period| period.0);
        assert_eq!(read("90s"), Ok(90));
        assert_eq!(read("12h"), Ok(43_200));
        assert_eq!(read("7d"), Ok(604_800));
        for wrong in [
            "",
            "h",
            "12",
            "0s",
            "-1h",
            "1w",
            "99999999999999999999d",
            "9999999d",
        ] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn prefixes_are_read() {
        let read = |text: &str| text.parse::<Whom>().map(|whom| whom.to_string());
        assert_eq!(read("203.0.113.7").unwrap(), "203.0.113.7");
        assert_eq!(read("::ffff:203.0.113.7").unwrap(), "203.0.113.7");
        assert_eq!(read("2001:db8::/64").unwrap(), "2001:db8::/64");
        assert!(
            read("203.0.113.7/24")
                .unwrap_err()
                .contains("203.0.113.0/24")
        );
        assert!(read("example.com").is_err());
    }
}
