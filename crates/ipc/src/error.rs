//! The error that bodies carry.

/// Any error, sendable between threads.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;
