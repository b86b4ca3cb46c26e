//! What names a conversation, and what opens it.

mod id;
mod text;
mod token;

pub use id::ConversationId;
pub use text::{TextError, normalise, printable};
pub use token::{Token, TokenHash};

/// The operating system gave no random bytes, so nothing can be named.
#[derive(Debug, Clone, Copy, thiserror::Error)]
#[error("the operating system gave no random bytes ({0})")]
pub struct NoRandomness(std::io::ErrorKind);

/// Random bytes of the operating system.
///
/// # Errors
/// [`NoRandomness`].
pub fn random<const N: usize>() -> Result<[u8; N], NoRandomness> {
    let mut bytes = [0; N];
    secret::fill_random(&mut bytes).map_err(|error| NoRandomness(error.kind()))?;
    Ok(bytes)
}

/// Bytes as lower-case hexadecimal digits.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    bytes
        .iter()
        .flat_map(|byte| [byte >> 4, byte & 15])
        .map(|digit| char::from(DIGITS[usize::from(digit)]))
        .collect()
}

/// The bytes that [`hex`] wrote; `None` for anything else.
#[must_use]
pub fn unhex<const N: usize>(text: &str) -> Option<[u8; N]> {
    let digit = |byte: u8| match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    };
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    if pairs.len() != N || !rest.is_empty() {
        return None;
    }
    let mut bytes = [0; N];
    for (byte, [high, low]) in bytes.iter_mut().zip(pairs) {
        *byte = digit(*high)? << 4 | digit(*low)?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn digits_read_back(bytes in any::<[u8; 16]>()) {
            prop_assert_eq!(unhex(&hex(&bytes)), Some(bytes));
        }

        #[test]
        fn what_reads_is_what_was_written(text in "[0-9a-fA-F]{0,34}|.{0,34}") {
            if let Some(bytes) = unhex::<16>(&text) {
                prop_assert_eq!(hex(&bytes), text);
            }
        }
    }
}
