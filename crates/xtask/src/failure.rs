//! What a failed step says to the person at the terminal.

use std::fmt::{self, Display};

/// A failure in words: what did not work and, where it is known, what to do about it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Failure(String);

/// The result of every step.
pub(crate) type Outcome<T> = Result<T, Failure>;

impl Failure {
    /// A failure that says `message`.
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self(message.into())
    }

    /// An outcome that failed with `message`.
    pub(crate) fn because<T>(message: impl Into<String>) -> Outcome<T> {
        Err(Self::new(message))
    }
}

impl Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Failure {}

/// Says what was being done when a lower layer failed.
pub(crate) trait While<T> {
    /// Turns the error into a failure that reads `what: the error`.
    fn during(self, what: impl Display) -> Outcome<T>;
}

impl<T, E: Display> While<T> for Result<T, E> {
    fn during(self, what: impl Display) -> Outcome<T> {
        self.map_err(|error| Failure(format!("{what}: {error}")))
    }
}

impl<T> While<T> for Option<T> {
    fn during(self, what: impl Display) -> Outcome<T> {
        self.ok_or_else(|| Failure(what.to_string()))
    }
}
