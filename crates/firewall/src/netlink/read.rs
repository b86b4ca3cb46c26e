//! Pure: reads messages. They come from the kernel, and are read as if they came from anybody.

use super::{ATTRIBUTE_BYTES, HEADER_BYTES, aligned};

/// The bits of an attribute's type that are none of its number (`NLA_TYPE_MASK`).
const KIND_MASK: u16 = 0x3fff;

/// Bytes that are no messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the kernel sent a message that does not keep to netlink's form")]
pub struct Malformed;

/// One message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Message<'a> {
    /// What it is.
    pub kind: u16,
    /// `NLM_F_…`.
    pub flags: u16,
    /// The number of the request that it answers.
    pub sequence: u32,
    /// The port of whoever caused it.
    pub port: u32,
    /// What follows its head.
    pub body: &'a [u8],
}

impl<'a> Message<'a> {
    /// The attributes behind a fixed part of `fixed` bytes.
    ///
    /// # Errors
    /// [`Malformed`], where it is shorter than that.
    pub fn attributes(
        &self,
        fixed: usize,
    ) -> Result<impl Iterator<Item = Result<Attribute<'a>, Malformed>> + use<'a>, Malformed> {
        self.body.get(fixed..).map(attributes).ok_or(Malformed)
    }
}

/// One attribute.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Attribute<'a> {
    /// Its number.
    pub kind: u16,
    /// Its value.
    pub value: &'a [u8],
}

impl<'a> Attribute<'a> {
    /// A number in the network's order.
    ///
    /// # Errors
    /// [`Malformed`], where it has another length.
    pub fn u32(&self) -> Result<u32, Malformed> {
        let bytes = self.value.try_into().map_err(|_| Malformed)?;
        Ok(u32::from_be_bytes(bytes))
    }

    /// As [`Self::u32`].
    ///
    /// # Errors
    /// As [`Self::u32`].
    pub fn u64(&self) -> Result<u64, Malformed> {
        let bytes = self.value.try_into().map_err(|_| Malformed)?;
        Ok(u64::from_be_bytes(bytes))
    }

    /// A text, without the NUL that ends it.
    ///
    /// # Errors
    /// [`Malformed`], where it is not UTF-8.
    pub fn text(&self) -> Result<&'a str, Malformed> {
        let end = self.value.iter().position(|byte| *byte == 0);
        let bytes = &self.value[..end.unwrap_or(self.value.len())];
        std::str::from_utf8(bytes).map_err(|_| Malformed)
    }

    /// The attributes that it holds.
    pub fn nested(&self) -> impl Iterator<Item = Result<Attribute<'a>, Malformed>> + use<'a> {
        attributes(self.value)
    }
}

/// The messages in `bytes`. There is nothing after an error.
pub fn messages(mut bytes: &[u8]) -> impl Iterator<Item = Result<Message<'_>, Malformed>> {
    std::iter::from_fn(move || {
        if bytes.is_empty() {
            return None;
        }
        let read = message(bytes);
        bytes = read.map_or(&[], |(_, rest)| rest);
        Some(read.map(|(message, _)| message).ok_or(Malformed))
    })
}

fn message(bytes: &[u8]) -> Option<(Message<'_>, &[u8])> {
    let length = usize::try_from(u32_at(bytes, 0)?).ok()?;
    let message = Message {
        kind: u16_at(bytes, 4)?,
        flags: u16_at(bytes, 6)?,
        sequence: u32_at(bytes, 8)?,
        port: u32_at(bytes, 12)?,
        body: bytes.get(HEADER_BYTES..length)?,
    };
    Some((message, bytes.get(aligned(length)..).unwrap_or_default()))
}

/// The attributes in `bytes`. There is nothing after an error.
pub fn attributes(mut bytes: &[u8]) -> impl Iterator<Item = Result<Attribute<'_>, Malformed>> {
    std::iter::from_fn(move || {
        if bytes.is_empty() {
            return None;
        }
        let read = attribute(bytes);
        bytes = read.map_or(&[], |(_, rest)| rest);
        Some(read.map(|(attribute, _)| attribute).ok_or(Malformed))
    })
}

fn attribute(bytes: &[u8]) -> Option<(Attribute<'_>, &[u8])> {
    let length = usize::from(u16_at(bytes, 0)?);
    let attribute = Attribute {
        kind: u16_at(bytes, 2)? & KIND_MASK,
        value: bytes.get(ATTRIBUTE_BYTES..length)?,
    };
    Some((attribute, bytes.get(aligned(length)..).unwrap_or_default()))
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    let bytes = bytes.get(at..at + 2)?;
    Some(u16::from_ne_bytes(bytes.try_into().ok()?))
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    let bytes = bytes.get(at..at + 4)?;
    Some(u32::from_ne_bytes(bytes.try_into().ok()?))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::netlink::{Header, Writer};

    proptest! {
        #[test]
        fn what_is_written_reads_back(
            heads in proptest::collection::vec((any::<u16>(), any::<u16>(), any::<u32>()), 0..4),
            values in proptest::collection::vec((0..0x3fff_u16, proptest::collection::vec(any::<u8>(), 0..40)), 0..6),
        ) {
            let mut writer = Writer::default();
            for (kind, flags, sequence) in &heads {
                writer.begin(Header { kind: *kind, flags: *flags, sequence: *sequence }, &[1, 2, 3, 4]);
                writer.nest(7, |writer| values.iter().for_each(|(kind, value)| writer.put(*kind, value)));
                writer.put_u64(8, 9);
            }
            let read: Vec<_> = messages(writer.bytes()).collect::<Result<_, _>>().unwrap();
            prop_assert_eq!(read.len(), heads.len());
            for (message, (kind, flags, sequence)) in read.iter().zip(heads) {
                prop_assert_eq!((message.kind, message.flags, message.sequence), (kind, flags, sequence));
                let outer: Vec<_> = message.attributes(4).unwrap().collect::<Result<_, _>>().unwrap();
                prop_assert_eq!((outer[0].kind, outer[1].u64().unwrap()), (7, 9));
                let inner: Vec<_> = outer[0].nested().collect::<Result<_, _>>().unwrap();
                let inner: Vec<_> = inner.iter().map(|one| (one.kind, one.value.to_vec())).collect();
                prop_assert_eq!(&inner, &values);
            }
        }

        #[test]
        fn any_bytes_end(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            for message in messages(&bytes).flatten() {
                for attribute in message.attributes(4).into_iter().flatten().flatten() {
                    prop_assert!(attribute.nested().count() <= bytes.len());
                    let _ = attribute.text();
                }
            }
        }
    }
}
