//! Pure: looks at the few payloads that matter: settings, windows, padding, and blocks of headers.

use super::Fault;
use super::block::Block;

/// Bytes of one setting (RFC 9113, section 6.5.1).
pub(super) const SETTING_BYTES: usize = 6;

/// What is looked at in a payload.
#[derive(Debug, Clone, Copy)]
pub(super) enum Look {
    Nothing,
    /// Nothing, and h2 does not see it.
    Dropped,
    /// So many bytes of a setting or of a window's increment, and those in one.
    Number(usize, u64),
    /// The padding's length, of DATA.
    Padding,
    Headers(Headers),
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Headers {
    pub(super) stream: u32,
    /// Whether they end with this frame.
    pub(super) end_here: bool,
    pub(super) are_trailers: bool,
    /// Whether the padding's length comes first.
    pub(super) is_padded: bool,
    /// Bytes before the headers.
    pub(super) skip: usize,
    /// Bytes behind them.
    pub(super) padding: usize,
}

impl Look {
    /// Looks at a piece of a payload, behind which `left` bytes of it are to come.
    pub(super) fn at(
        &mut self,
        mut piece: &[u8],
        left: usize,
        block: &mut Block,
    ) -> Result<(), Fault> {
        match self {
            Self::Nothing | Self::Dropped => Ok(()),
            Self::Padding => {
                let [padding, behind @ ..] = piece else {
                    return Ok(());
                };
                *self = Self::Nothing;
                require(usize::from(*padding) <= behind.len() + left, Fault::Padding)
            }
            Self::Number(bytes, number) => {
                for byte in piece {
                    *number = *number << 8 | u64::from(*byte);
                    *bytes += 1;
                    if *bytes == SETTING_BYTES {
                        setting(*number)?;
                        (*bytes, *number) = (0, 0);
                    }
                }
                Ok(())
            }
            Self::Headers(headers) => {
                if let (true, [padding, behind @ ..]) = (headers.is_padded, piece) {
                    headers.is_padded = false;
                    headers.padding = usize::from(*padding);
                    piece = behind;
                    let most = piece.len() + left;
                    let taken = headers.skip + headers.padding;
                    require(taken <= most, Fault::Padding)?;
                }
                let skipped = piece.len().min(headers.skip);
                headers.skip -= skipped;
                let padding = headers.padding.saturating_sub(left);
                let end = piece.len().saturating_sub(padding).max(skipped);
                block.read(&piece[skipped..end])
            }
        }
    }
}

/// Whether a setting has a value that it can have (RFC 9113, section 6.5.2; RFC 8441, section 3).
const fn setting(setting: u64) -> Result<(), Fault> {
    let (name, value) = (setting >> 32, setting & u32::MAX as u64);
    match name {
        // ENABLE_PUSH and ENABLE_CONNECT_PROTOCOL.
        0x2 | 0x8 if value > 1 => Err(Fault::Setting),
        // INITIAL_WINDOW_SIZE
        0x4 if value >= 1 << 31 => Err(Fault::WindowSize),
        // MAX_FRAME_SIZE
        0x5 if value < 1 << 14 || value >= 1 << 24 => Err(Fault::Setting),
        _ => Ok(()),
    }
}

pub(super) const fn require(holds: bool, fault: Fault) -> Result<(), Fault> {
    if holds { Ok(()) } else { Err(fault) }
}
