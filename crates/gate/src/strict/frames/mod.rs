//! What a client's HTTP/2 frames must be, and which error it is where they are not (RFC 9113, sections 4 to 7).
//!
//! h2 reads frames and holds on to its own rules, but it names most errors PROTOCOL_ERROR and passes over others. So
//! [`Frames`] reads frame heads before h2 does, and what of the payloads it needs to know. It finds nothing wrong that a
//! client may send: what crosses with a stream's reset or with the gate's GOAWAY is none of its business, and of a stream
//! that it has forgotten it knows nothing. On a [`Fault`] that ends the connection [`FrameGuard`] lets h2 read, in place of
//! the frame, one that makes it end the connection, and sees to it that its GOAWAY has the right code.

mod block;
#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod client;
mod guard;
mod head;
mod look;
#[cfg(any(test, fuzzing))]
pub mod model;
mod reader;
mod sent;
mod streams;
#[cfg(test)]
mod tests;

pub use guard::FrameGuard;
pub use reader::{Frames, Next, Scan};
pub use sent::{Followed, Sent};

/// Longest payload of a frame that is taken, in bytes: the least that may be announced (RFC 9113, section 6.5.2).
pub const PAYLOAD_BYTES: u32 = 1 << 14;

/// Largest table that a client may compress headers with, in bytes: what holds where no other was announced (RFC 9113,
/// section 6.5.2).
pub const TABLE_BYTES: u32 = 4096;

macro_rules! faults {
    ($($(#[doc = $doc:literal])+ $variant:ident = $name:literal, $code:ident;)+) => {
        /// What is wrong with frames. Names are stable: they are in the journal.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Fault { $($(#[doc = $doc])+ $variant,)+ }

        impl Fault {
            /// All there are.
            pub const ALL: &[Self] = &[$(Self::$variant,)+];

            /// The name, as it is in the journal.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)+ }
            }

            /// What the client is told (RFC 9113, section 7).
            #[must_use]
            pub const fn code(self) -> h2::Reason {
                match self { $(Self::$variant => h2::Reason::$code,)+ }
            }
        }
    };
}

faults! {
    /// The first frame is no SETTINGS (section 3.4).
    NoSettings = "no-settings", PROTOCOL_ERROR;
    /// A payload longer than [`PAYLOAD_BYTES`], or of a length that its type does not have (section 4.2).
    FrameSize = "frame-size", FRAME_SIZE_ERROR;
    /// A frame on a stream that its type is not for, or one that begins a stream out of turn (section 5.1.1).
    StreamIdentifier = "stream-identifier", PROTOCOL_ERROR;
    /// A frame on a stream that was not begun (section 5.1).
    StreamIdle = "stream-idle", PROTOCOL_ERROR;
    /// Content or headers on a stream that the client has ended or reset (section 5.1).
    StreamClosed = "stream-closed", STREAM_CLOSED;
    /// Another frame within a block of headers, or a CONTINUATION outside of one (section 6.10).
    Continuation = "continuation", PROTOCOL_ERROR;
    /// A push by a client (section 8.4).
    Push = "push", PROTOCOL_ERROR;
    /// More padding than there is payload (sections 6.1 and 6.2).
    Padding = "padding", PROTOCOL_ERROR;
    /// A setting with a value that it can't have (section 6.5.2).
    Setting = "setting", PROTOCOL_ERROR;
    /// A first window larger than a window may be (section 6.5.2).
    WindowSize = "window-size", FLOW_CONTROL_ERROR;
    /// A window that is enlarged by nothing (section 6.9).
    WindowIncrement = "window-increment", PROTOCOL_ERROR;
    /// A block of headers that cannot be decoded (section 4.3; RFC 7541).
    Compression = "compression", COMPRESSION_ERROR;
    /// A pseudo-header in trailers (section 8.1). It ends the stream alone.
    TrailerPseudoHeader = "trailer-pseudo-header", PROTOCOL_ERROR;
}

/// What the journal has of a connection that h2 ends with this code by itself.
const fn ended_with(code: h2::Reason) -> &'static str {
    match code {
        h2::Reason::FLOW_CONTROL_ERROR => "http2-flow-control",
        // Many streams reset, endless headers, settings or empty frames.
        h2::Reason::ENHANCE_YOUR_CALM => "http2-flood",
        _ => "http2",
    }
}
