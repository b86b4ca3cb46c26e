//! Pure: which streams a client has begun, and which of them it has ended.

use super::Fault;

/// Streams that are remembered, from the last one begun backwards: twice as many as may be open at once, so that little
/// is forgotten but streams that go on for long. Of what is forgotten nothing is known to be wrong.
const REMEMBERED: u32 = u128::BITS;

/// What begins with HEADERS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Begins {
    Request,
    Trailers,
    /// The stream is forgotten.
    Unknown,
}

/// Only what the client itself did counts: what comes on a stream that was reset here may have been under way.
#[derive(Debug, Default)]
pub(super) struct Streams {
    /// The last one begun.
    last: u32,
    /// Whether the stream was begun that many streams before the last one.
    begun: u128,
    /// Whether the client has ended or reset it.
    ended: u128,
}

impl Streams {
    /// The place of a stream that was begun, or passed over; none where it is forgotten.
    const fn bit(&self, stream: u32) -> Option<u128> {
        let back = (self.last - stream) / 2;
        if back < REMEMBERED {
            Some(1 << back)
        } else {
            None
        }
    }

    const fn is_idle(&self, stream: u32) -> bool {
        // Streams of even numbers would be the gate's, which begins none.
        stream > self.last || stream.is_multiple_of(2)
    }

    /// HEADERS came.
    pub(super) fn headers(&mut self, stream: u32) -> Result<Begins, Fault> {
        if stream.is_multiple_of(2) {
            return Err(Fault::StreamIdentifier);
        }
        if stream > self.last {
            let on = (stream - self.last).div_ceil(2);
            self.begun = self.begun.checked_shl(on).unwrap_or(0) | 1;
            self.ended = self.ended.checked_shl(on).unwrap_or(0);
            self.last = stream;
            return Ok(Begins::Request);
        }
        match self.bit(stream) {
            None => Ok(Begins::Unknown),
            Some(bit) if self.begun & bit == 0 => Err(Fault::StreamIdentifier),
            Some(bit) if self.ended & bit != 0 => Err(Fault::StreamClosed),
            Some(_) => Ok(Begins::Trailers),
        }
    }

    /// DATA came.
    pub(super) const fn data(&self, stream: u32) -> Result<(), Fault> {
        if self.is_idle(stream) {
            return Err(Fault::StreamIdle);
        }
        match self.bit(stream) {
            Some(bit) if self.ended & bit != 0 || self.begun & bit == 0 => Err(Fault::StreamClosed),
            _ => Ok(()),
        }
    }

    /// RST_STREAM or WINDOW_UPDATE came, which do no harm on a stream that was closed (RFC 9113, section 5.1).
    pub(super) const fn control(&self, stream: u32) -> Result<(), Fault> {
        if self.is_idle(stream) {
            return Err(Fault::StreamIdle);
        }
        Ok(())
    }

    /// The client sends nothing more on a stream that it has begun.
    pub(super) const fn end(&mut self, stream: u32) {
        if let Some(bit) = self.bit(stream) {
            self.ended |= bit;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_client_ended_is_closed_until_it_is_forgotten() {
        let mut streams = Streams::default();
        assert_eq!(streams.data(1), Err(Fault::StreamIdle));
        assert_eq!(streams.headers(1), Ok(Begins::Request));
        assert_eq!(streams.headers(1), Ok(Begins::Trailers));
        assert_eq!(streams.data(1), Ok(()));
        streams.end(1);
        assert_eq!(streams.data(1), Err(Fault::StreamClosed));
        assert_eq!(streams.headers(1), Err(Fault::StreamClosed));
        assert_eq!(streams.control(1), Ok(()));
        let next = 2 * REMEMBERED - 1;
        assert_eq!(streams.headers(next), Ok(Begins::Request));
        assert_eq!(streams.data(1), Err(Fault::StreamClosed));
        assert_eq!(streams.headers(next + 2), Ok(Begins::Request));
        assert_eq!(streams.data(1), Ok(()));
        assert_eq!(streams.headers(1), Ok(Begins::Unknown));
        streams.end(1);
    }

    #[test]
    fn what_was_passed_over_is_closed_and_cannot_begin() {
        let mut streams = Streams::default();
        assert_eq!(streams.headers(5), Ok(Begins::Request));
        assert_eq!(streams.headers(3), Err(Fault::StreamIdentifier));
        assert_eq!(streams.data(3), Err(Fault::StreamClosed));
        assert_eq!(streams.headers(6), Err(Fault::StreamIdentifier));
        assert_eq!(streams.data(4), Err(Fault::StreamIdle));
        assert_eq!(streams.control(7), Err(Fault::StreamIdle));
        assert_eq!(streams.headers(u32::MAX >> 1), Ok(Begins::Request));
        assert_eq!(streams.headers(5), Ok(Begins::Unknown));
    }
}
