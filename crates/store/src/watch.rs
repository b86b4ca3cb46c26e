//! How a long task shows how far it is, and is told to stop.

use std::ops::ControlFlow;

use crate::error::Error;

/// What a step counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// Blocks of 4096 bytes.
    Blocks,
    /// Bytes.
    Bytes,
    /// Records.
    Records,
}

/// How far a long task is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Step {
    /// What is being done, such as `checking`.
    pub doing: &'static str,
    /// What is counted.
    pub unit: Unit,
    /// How much is done.
    pub done: u64,
    /// How much there is in all, where that is known.
    pub of: Option<u64>,
}

/// Is shown each step, often, and so returns fast; with [`ControlFlow::Break`] the task ends with
/// [`Error::Stopped`].
pub type Watch<'a> = dyn FnMut(&Step) -> ControlFlow<()> + 'a;

impl Step {
    /// Shows the step.
    pub(crate) fn show(self, watch: &mut Watch<'_>) -> Result<(), Error> {
        match watch(&self) {
            ControlFlow::Continue(()) => Ok(()),
            ControlFlow::Break(()) => Err(Error::Stopped),
        }
    }
}
