//! What can go wrong with a TPM.

use crate::message::{Code, Malformed};

/// Why a counter could not be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The device failed, or closed.
    #[error("the TPM could not be spoken to, so its counter is unknown")]
    Io(#[from] std::io::Error),
    /// The answer is not of the form that the command has.
    #[error("the TPM's answer makes no sense ({0}), so its counter is unknown")]
    Malformed(#[from] Malformed),
    /// The TPM refused the command.
    #[error(
        "the TPM refused to {act} (response code {code}), so its counter is unknown; \
         `tpm2_rc_decode {code}` says what that means"
    )]
    Refused {
        /// What it was asked for.
        act: &'static str,
        /// Its answer.
        code: Code,
    },
    /// No room, or too many indexes.
    #[error(
        "the TPM has no room for another counter: an older copy of this store that is put back \
         together with its anchor goes unnoticed; free an NV index (`tpm2_nvundefine`) and \
         start the unit again"
    )]
    Full,
    /// The places that this counter may have are taken by others.
    #[error(
        "the TPM's indexes that this counter may have are all in use by others: an older copy of \
         this store that is put back together with its anchor goes unnoticed; free one of them \
         (`tpm2_nvundefine`), from {0:#010x} on, and start the unit again"
    )]
    Taken(u32),
    /// There is none, or not the one that was asked for.
    #[error(
        "the TPM's counter is not the one that was read before: somebody removed it meanwhile; \
         the store refuses to open the next time, and then says what to do"
    )]
    Gone,
    /// Its first value could not be foretold.
    #[error(
        "other counters of the TPM moved each time that this one was made; start the unit again"
    )]
    Restless,
}

impl Error {
    /// The TPM's own answer, where that is what went wrong.
    pub(crate) fn code(&self) -> Option<Code> {
        match self {
            Self::Refused { code, .. } => Some(*code),
            _ => None,
        }
    }
}
