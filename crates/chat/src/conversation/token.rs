//! What opens a conversation.

use std::fmt;

use data_encoding::HEXLOWER;
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

use super::{NoRandomness, random};

/// 256 random bits that open one conversation, written as 64 hexadecimal digits. The visitor alone has it; the store has
/// its [`TokenHash`]. Random bits need no slow hash: there is nothing to guess.
pub struct Token([u8; Self::BYTES]);

/// The SHA-256 hash of a [`Token`].
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct TokenHash([u8; Self::BYTES]);

impl Token {
    const BYTES: usize = 32;

    /// A new one.
    ///
    /// # Errors
    /// [`NoRandomness`].
    pub fn random() -> Result<Self, NoRandomness> {
        random().map(Self)
    }

    /// Reads the token that a client sends.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let bytes = HEXLOWER.decode(text.as_bytes()).ok()?;
        bytes.try_into().ok().map(Self)
    }

    /// The token as its visitor gets it, once.
    #[must_use]
    pub fn expose(&self) -> String {
        HEXLOWER.encode(&self.0)
    }

    /// What is stored of it.
    #[must_use]
    pub fn hash(&self) -> TokenHash {
        TokenHash(Sha256::digest(self.0).into())
    }
}

impl TokenHash {
    /// Its length in bytes.
    pub const BYTES: usize = 32;

    /// Whether this is the hash of that token. Takes the same time whatever the token.
    #[must_use]
    pub fn admits(&self, token: &Token) -> bool {
        self.0.ct_eq(&token.hash().0).into()
    }

    /// Its bytes, as they are stored.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; Self::BYTES] {
        &self.0
    }
}

impl From<[u8; TokenHash::BYTES]> for TokenHash {
    fn from(bytes: [u8; Self::BYTES]) -> Self {
        Self(bytes)
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[secret]")
    }
}

impl fmt::Debug for TokenHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[hash]")
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn a_token_opens_what_it_was_made_for() {
        let (one, other) = (Token::random().unwrap(), Token::random().unwrap());
        let hash = one.hash();
        assert!(hash.admits(&Token::parse(&one.expose()).unwrap()));
        assert!(!hash.admits(&other));
        assert_eq!(format!("{one:?} {hash:?}"), "[secret] [hash]");
    }

    #[test]
    fn the_hash_is_sha_256() {
        let token = Token::parse(&"0".repeat(64)).unwrap();
        let known = "66687aadf862bd776c8fc18b8e9f8e20089714856ee233b3902a591d0d5f2925";
        assert_eq!(HEXLOWER.encode(token.hash().as_bytes()), known);
    }

    #[test]
    fn what_is_no_token_is_refused() {
        for text in [
            "",
            "0",
            &"0".repeat(63),
            &"0".repeat(65),
            &"g".repeat(64),
            &"A".repeat(64),
        ] {
            assert!(Token::parse(text).is_none(), "{text:?}");
        }
    }
}
