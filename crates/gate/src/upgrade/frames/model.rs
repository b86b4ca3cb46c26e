//! What the scanner must say of a whole stream, worked out in another way: all bytes at once, from the RFC's figure, with
//! no state carried from one call to the next. The fuzz target and the property tests hold the scanner to it.

#![expect(clippy::panic, reason = "a disagreement is a failure")]

use super::{Found, Frames, Head, Opcode, Sender, Violation};

/// One frame of a stream: its header, and how many bytes of its payload are there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// Its header.
    pub head: Head,
    /// Bytes of its payload that are there.
    pub there: u64,
}

/// All frames of a stream, as far as they may pass, and why no more may.
#[must_use]
pub fn read(sender: Sender, stream: &[u8]) -> (Vec<Seen>, Option<Violation>) {
    let (mut seen, mut rest, mut message, mut closed) = (Vec::new(), stream, None, false);
    while !rest.is_empty() {
        let (head, fin, after) = match one(sender, rest, message.is_some(), closed) {
            Ok(Some(whole)) => whole,
            Ok(None) => break,
            Err(violation) => return (seen, Some(violation)),
        };
        let total = match head.opcode {
            Opcode::Close | Opcode::Ping | Opcode::Pong => head.payload,
            _ => message.unwrap_or(0_u64).saturating_add(head.payload),
        };
        if matches!(
            head.opcode,
            Opcode::Text | Opcode::Binary | Opcode::Continuation
        ) {
            message = if fin { None } else { Some(total) };
        }
        closed = head.opcode == Opcode::Close;
        let there = head.payload.min(after.len() as u64);
        let head = Head {
            message: total,
            ..head
        };
        seen.push(Seen { head, there });
        rest = usize::try_from(there).map_or(&[], |there| &after[there..]);
    }
    (seen, None)
}

type One<'a> = Option<(Head, bool, &'a [u8])>;

fn one(sender: Sender, bytes: &[u8], within: bool, closed: bool) -> Result<One<'_>, Violation> {
    let bit = |at: usize| bytes.get(at / 8).map(|byte| byte >> (7 - at % 8) & 1 == 1);
    if closed {
        return Err(Violation::AfterClose);
    }
    if [1, 2, 3].into_iter().any(|at| bit(at) == Some(true)) {
        return Err(Violation::ReservedBit);
    }
    let fin = bit(0) == Some(true);
    let opcode = match bytes[0] % 16 {
        0 => Opcode::Continuation,
        1 => Opcode::Text,
        2 => Opcode::Binary,
        8 => Opcode::Close,
        9 => Opcode::Ping,
        10 => Opcode::Pong,
        _ => return Err(Violation::Opcode),
    };
    let control = bytes[0] % 16 >= 8;
    if control && !fin {
        return Err(Violation::ControlFragmented);
    }
    if !control && (opcode == Opcode::Continuation) != within {
        return Err(if within {
            Violation::MessageWithinMessage
        } else {
            Violation::NothingToContinue
        });
    }
    let Some(masked) = bit(8) else {
        return Ok(None);
    };
    match (sender, masked) {
        (Sender::Client, false) => return Err(Violation::NotMasked),
        (Sender::Server, true) => return Err(Violation::Masked),
        _ => {}
    }
    let written = u64::from(bytes[1] % 128);
    if control && written > 125 {
        return Err(Violation::ControlTooLong);
    }
    let (payload, mut at) = match written {
        126 => match bytes.get(2..4) {
            Some(&[a, b]) => (u64::from(u16::from_be_bytes([a, b])), 4),
            _ => return Ok(None),
        },
        127 => match bytes.get(2..10) {
            Some(&[a, b, c, d, e, f, g, h]) => (u64::from_be_bytes([a, b, c, d, e, f, g, h]), 10),
            _ => return Ok(None),
        },
        short => (short, 2),
    };
    if (at == 4 && payload < 126) || (at == 10 && payload < 65_536) {
        return Err(Violation::LengthNotMinimal);
    }
    if payload > i64::MAX as u64 {
        return Err(Violation::LengthTooLarge);
    }
    if masked {
        at += 4;
    }
    let head = Head {
        opcode,
        payload,
        message: 0,
    };
    Ok(bytes.get(at..).map(|after| (head, fin, after)))
}

/// Shows the scanner a stream in pieces whose lengths come of `cuts`, and holds it to [`read`].
///
/// # Panics
/// When they do not agree, or the scanner takes what is not there.
pub fn compare(sender: Sender, stream: &[u8], mut cuts: u64) {
    let (mut frames, mut seen, mut held) = (Frames::of(sender), Vec::<Seen>::new(), Vec::new());
    let mut rest = stream;
    let violation = 'all: loop {
        if rest.is_empty() {
            break None;
        }
        let piece = 1 + usize::try_from(cuts % 17).unwrap_or(0);
        cuts = cuts.rotate_right(5) ^ cuts.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let (piece, more) = rest.split_at(piece.min(rest.len()));
        held.extend_from_slice(piece);
        rest = more;
        loop {
            match frames.next(&held) {
                Ok(None) => break,
                Ok(Some((taken, found))) => {
                    assert!(taken > 0 && taken <= held.len(), "{taken} of {held:?}");
                    match (found, seen.last_mut()) {
                        (Found::Head(head), _) => seen.push(Seen { head, there: 0 }),
                        (Found::Payload, Some(frame)) => frame.there += taken as u64,
                        (Found::Payload, None) => panic!("payload before a header"),
                    }
                    held.drain(..taken);
                }
                Err(violation) => break 'all Some(violation),
            }
        }
    };
    let between = seen
        .last()
        .is_none_or(|frame| frame.there == frame.head.payload);
    assert_eq!(frames.is_between(), between);
    assert_eq!((seen, violation), read(sender, stream), "{stream:?}");
}
