//! What tests and benchmarks need, and no product: a confined thread to serve on, a clock that stands still, folders with
//! sockets, a stand-in for an AI provider, and a crowd of visitors.
//!
//! Serving takes a [`sandbox::Confined`], and only confinement makes one. So a test serves as the product does:
//!
//! ```
//! testkit::confined(|confined| async move {
//!     assert!(confined.report().landlock_abi > 0);
//! });
//! ```

mod clock;
mod confined;
mod folder;
pub mod load;
pub mod provider;

pub use clock::Clock;
pub use confined::{confined, confined_with};
pub use folder::Folder;
