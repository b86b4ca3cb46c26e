//! Pure: reads what the kernel says of its table.

use firewall_api::Prefix;

use super::{FIXED_BYTES, SetName, kind};
use crate::netlink::{Attribute, Malformed, Message};

/// What a counter has counted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counter {
    /// Packets.
    pub packets: u64,
    /// Their bytes.
    pub bytes: u64,
}

impl std::ops::AddAssign for Counter {
    fn add_assign(&mut self, other: Self) {
        self.packets = self.packets.saturating_add(other.packets);
        self.bytes = self.bytes.saturating_add(other.bytes);
    }
}

/// An element of a set of bans, as the kernel has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Element {
    /// The prefix.
    pub prefix: Prefix,
    /// How long it lasts from now, in milliseconds.
    pub milliseconds: u64,
    /// What was dropped.
    pub counter: Counter,
}

/// The value of an attribute among those of a message or attribute.
fn find<'a>(
    mut attributes: impl Iterator<Item = Result<Attribute<'a>, Malformed>>,
    kind: u16,
) -> Result<Option<Attribute<'a>>, Malformed> {
    attributes
        .find(|one| one.as_ref().map_or(true, |one| one.kind == kind))
        .transpose()
}

/// The set that a message tells of, and for how many elements it was made, where it was for so many; `None` where it is
/// none of the firewall's.
///
/// # Errors
/// [`Malformed`].
pub fn set_of(message: &Message<'_>) -> Result<Option<(SetName, u32)>, Malformed> {
    if message.kind != kind::NEW_SET {
        return Ok(None);
    }
    let (mut name, mut size) = (None, 0);
    for attribute in message.attributes(FIXED_BYTES)? {
        let attribute = attribute?;
        match attribute.kind {
            2 => name = SetName::read(attribute.text()?),
            9 => size = find(attribute.nested(), 1)?.map_or(Ok(0), |size| size.u32())?,
            _ => {}
        }
    }
    Ok(name.map(|name| (name, size)))
}

/// The elements of `set` in a message.
///
/// # Errors
/// [`Malformed`].
pub fn elements<'a>(
    message: &Message<'a>,
    set: &'a SetName,
) -> Result<impl Iterator<Item = Result<Element, Malformed>> + use<'a>, Malformed> {
    let list = if message.kind == kind::NEW_ELEMENT {
        find(message.attributes(FIXED_BYTES)?, 3)?
    } else {
        None
    };
    Ok(list
        .into_iter()
        .flat_map(|list| list.nested())
        .map(move |element| element_of(&element?, set)))
}

/// Reads one element of `set`.
///
/// # Errors
/// [`Malformed`], also where its key is none of that set's.
pub fn element_of(element: &Attribute<'_>, set: &SetName) -> Result<Element, Malformed> {
    let (mut prefix, mut milliseconds, mut counter) = (None, 0, Counter::default());
    for part in element.nested() {
        let part = part?;
        match part.kind {
            1 => {
                let value = find(part.nested(), 1)?.ok_or(Malformed)?;
                prefix = set.key().prefix(value.value);
            }
            5 => milliseconds = part.u64()?,
            7 => counter = counter_of(&part)?.unwrap_or_default(),
            _ => {}
        }
    }
    Ok(Element {
        prefix: prefix.ok_or(Malformed)?,
        milliseconds,
        counter,
    })
}

/// All counters of a rule, added up.
///
/// # Errors
/// [`Malformed`].
pub fn rule_counters(message: &Message<'_>) -> Result<Counter, Malformed> {
    let mut sum = Counter::default();
    if message.kind != kind::NEW_RULE {
        return Ok(sum);
    }
    if let Some(expressions) = find(message.attributes(FIXED_BYTES)?, 4)? {
        for expression in expressions.nested() {
            sum += counter_of(&expression?)?.unwrap_or_default();
        }
    }
    Ok(sum)
}

/// The figures of an expression, if it is a counter.
fn counter_of(expression: &Attribute<'_>) -> Result<Option<Counter>, Malformed> {
    let name = find(expression.nested(), 1)?.ok_or(Malformed)?;
    if name.text()? != "counter" {
        return Ok(None);
    }
    let data = find(expression.nested(), 2)?.ok_or(Malformed)?;
    let figure = |kind| -> Result<u64, Malformed> {
        find(data.nested(), kind)?.map_or(Ok(0), |figure| figure.u64())
    };
    Ok(Some(Counter {
        bytes: figure(1)?,
        packets: figure(2)?,
    }))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::netlink::messages;
    use crate::nft::{Batch, Elements, Key};

    proptest! {
        /// The kernel sends elements in the form in which it takes them, with the time left in another attribute.
        #[test]
        fn elements_read_back(addresses in proptest::collection::vec((any::<[u8; 16]>(), any::<u64>(), any::<u64>()), 0..900), bits in 1_u8..=128) {
            let set = SetName::Bans(Key { v6: true, bits });
            let bans: Vec<_> = addresses
                .iter()
                .filter_map(|(address, packets, bytes)| Some(Elements {
                    prefix: Prefix::new(std::net::Ipv6Addr::from(*address).into(), bits)?,
                    milliseconds: 5,
                    counter: Counter { packets: *packets, bytes: *bytes },
                }))
                .filter(|ban| ban.prefix.address().is_ipv6())
                .collect();
            let mut batch = Batch::default();
            batch.add_bans(&set, &bans);
            let built = batch.build();
            let mut read = Vec::new();
            for message in messages(&built.bytes) {
                for element in elements(&message.unwrap(), &set).unwrap() {
                    read.push(element.unwrap());
                }
            }
            prop_assert_eq!(read.len(), bans.len());
            for (read, ban) in read.iter().zip(&bans) {
                prop_assert_eq!((read.prefix, read.counter), (ban.prefix, ban.counter));
            }
        }

        #[test]
        fn any_message_is_read_or_malformed(bytes in proptest::collection::vec(any::<u8>(), 0..300), kind in 2560_u16..2600) {
            let message = Message { kind, flags: 0, sequence: 0, port: 0, body: &bytes };
            let set = SetName::Bans(Key { v6: false, bits: 32 });
            let _ = set_of(&message);
            let _ = rule_counters(&message);
            if let Ok(read) = elements(&message, &set) {
                prop_assert!(read.count() <= bytes.len());
            }
        }
    }
}
