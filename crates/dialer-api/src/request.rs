//! What a caller asks for.

use serde::{Deserialize, Serialize};

/// Longest host, in bytes (a DNS name in text form: RFC 1035, 2.3.4).
pub const HOST_BYTES: usize = 253;

/// "Connect me to this port of this host."
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DialRequest {
    /// A DNS name or an IP address, at most [`HOST_BYTES`] bytes.
    pub host: String,
    /// The TCP port.
    pub port: u16,
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn the_wire_form_is_fixed() {
        let request = DialRequest {
            host: "api.example.com".to_owned(),
            port: 443,
        };
        let wire = r#"{"host":"api.example.com","port":443}"#;
        assert_eq!(serde_json::to_string(&request).unwrap(), wire);
        assert_eq!(serde_json::from_str::<DialRequest>(wire).unwrap(), request);
    }

    #[test]
    fn unknown_fields_and_impossible_ports_are_refused() {
        for wire in [
            r#"{"host":"a","port":1,"private":true}"#,
            r#"{"host":"a","port":65536}"#,
            r#"{"host":"a","port":-1}"#,
            r#"{"host":"a"}"#,
        ] {
            assert!(serde_json::from_str::<DialRequest>(wire).is_err(), "{wire}");
        }
    }
}
