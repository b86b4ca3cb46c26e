//! Pure: block lists, as others write them.

pub mod crowdsec;
pub mod plain;

use crate::prefix::Prefix;

/// How a list is written, by its file's ending.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// `.txt`, `.list`, `.netset`, `.ipset`: one address or prefix a line.
    Plain,
    /// `.csv`: what `cscli decisions list -o raw` prints.
    Csv,
    /// `.json`: what `cscli decisions list -o json` prints.
    Json,
}

impl Form {
    /// That of a file's ending.
    #[must_use]
    pub fn of(ending: &str) -> Option<Self> {
        match ending {
            "txt" | "list" | "netset" | "ipset" => Some(Self::Plain),
            "csv" => Some(Self::Csv),
            "json" => Some(Self::Json),
            _ => None,
        }
    }
}

/// An address or a prefix, as text.
#[must_use]
pub fn prefix(text: &str) -> Option<Prefix> {
    if text.contains('/') {
        text.parse::<ipnet::IpNet>().ok().map(Prefix::from)
    } else {
        text.parse().ok().map(Prefix::host)
    }
}
