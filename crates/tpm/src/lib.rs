//! Counters in a TPM 2.0 that only ever go up, whatever is put back on the disks.
//!
//! Each is an NV index of the type counter (TPM 2.0 Library, Part 1, "NV Index"; Part 3,
//! `TPM2_NV_Increment`). Of the library's hundred commands that takes five, each of one fixed
//! form, so they are written here ([`message`]) and no stack of the TPM's is linked.
//!
//! The transport is anything that is read and written: `/dev/tpmrm0`, or an emulator's socket.

mod count;
mod counter;
mod device;
mod error;
mod label;
pub mod message;

pub use count::{COUNT_TEXT_BYTES, Count, CountError};
pub use counter::{Moved, advance, read, remove};
pub use device::Device;
pub use error::Error;
pub use label::{FIRST_INDEX, LAST_INDEX, Label, PLACES, candidates};
