//! What names a conversation, and what opens it.

mod text;
mod token;

pub use chat_api::ConversationId;
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
