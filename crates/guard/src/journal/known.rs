//! What is known of fields by their place in the file: most entries share most of their fields.

use super::field::{Fields, Name};

/// Places that are remembered.
const KNOWN_MAX: usize = 8192;

/// Places that one may be remembered in. When all are taken, one of them is forgotten.
const WAYS: usize = 4;

/// What is known of a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Known {
    /// It does not count.
    Nothing,
    /// Whatever has it does not count.
    Skip,
    /// It counts, and its value is remembered.
    Field(Name),
}

/// One field. Its room is used again.
#[derive(Debug)]
struct Slot {
    at: u64,
    known: Known,
    value: Vec<u8>,
}

impl Default for Slot {
    fn default() -> Self {
        Self {
            // No object is at the file's beginning.
            at: 0,
            known: Known::Nothing,
            value: Vec::new(),
        }
    }
}

/// What is known of fields.
#[derive(Debug, Default)]
pub(super) struct Memory {
    slots: Vec<Slot>,
    next: usize,
}

impl Memory {
    /// What is known of the field at that place. Its value is put with the others.
    pub(super) fn recall(&self, at: u64, fields: &mut Fields) -> Option<Known> {
        let first = first(at);
        let ways = self.slots.get(first..first.checked_add(WAYS)?)?;
        let slot = ways.iter().find(|slot| slot.at == at)?;
        if let Known::Field(name) = slot.known {
            fields.put(name, &slot.value);
        }
        Some(slot.known)
    }

    /// Remembers a field.
    pub(super) fn learn(&mut self, at: u64, known: Known, value: &[u8]) {
        if self.slots.is_empty() {
            self.slots.resize_with(KNOWN_MAX, Slot::default);
        }
        let first = first(at);
        let Some(ways) = self.slots.get_mut(first..first + WAYS) else {
            return;
        };
        let free = ways.iter().position(|slot| slot.at == at || slot.at == 0);
        self.next = self.next.wrapping_add(1);
        if let Some(slot) = ways.get_mut(free.unwrap_or(self.next % WAYS)) {
            (slot.at, slot.known) = (at, known);
            slot.value.clear();
            slot.value.extend_from_slice(value);
        }
    }
}

/// The first of the slots that a place may be in. Objects begin at multiples of 8.
const fn first(at: u64) -> usize {
    // Fibonacci hashing: near places are spread.
    let spread = (at >> 3).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32;
    (spread % (KNOWN_MAX / WAYS) as u64) as usize * WAYS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_remembered_is_right_and_bounded() {
        let (mut memory, mut fields) = (Memory::default(), Fields::default());
        assert_eq!(memory.recall(8, &mut fields), None);
        for number in 1..50_000_u64 {
            let value = number.to_string();
            memory.learn(number * 8, Known::Field(Name::Pid), value.as_bytes());
        }
        let mut found = 0;
        for number in 1..50_000_u64 {
            fields.clear();
            if memory.recall(number * 8, &mut fields).is_some() {
                assert_eq!(fields.get(Name::Pid), Some(number.to_string().as_str()));
                found += 1;
            }
        }
        assert!(found > KNOWN_MAX / 2 && found <= KNOWN_MAX, "{found}");
        memory.learn(8, Known::Skip, b"");
        assert_eq!(memory.recall(8, &mut fields), Some(Known::Skip));
    }
}
