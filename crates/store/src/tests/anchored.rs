//! An anchor in memory, which loses with the power what it was not asked to settle.

use std::sync::{Arc, Mutex};

use super::dice::Dice;
use super::event::Event;
use super::simulated::Simulated;
use crate::{Anchor, Error, Mark};

/// What an anchor can know after a power cut: any of these.
#[derive(Clone, Default)]
pub(crate) struct Known(Vec<Option<Mark>>);

impl Known {
    /// That and no other.
    pub(crate) fn exactly(mark: Option<Mark>) -> Self {
        Self(vec![mark])
    }

    /// What is known after `log`, where this was before it.
    pub(crate) fn after(&self, log: &[Event]) -> Self {
        let mut known = self.0.clone();
        for event in log {
            match event {
                Event::Anchored(mark) => known.push(Some(*mark)),
                Event::AnchorSettled => drop(known.drain(..known.len() - 1)),
                _ => {}
            }
        }
        Self(known)
    }

    /// What the power cut leaves.
    pub(crate) fn lose_power(&self, dice: &mut Dice) -> Option<Mark> {
        dice.pick(&self.0)
    }

    /// The newest.
    pub(crate) fn newest(&self) -> Option<Mark> {
        self.0.last().copied().flatten()
    }
}

/// The anchor; it tells the disk's log what becomes of it.
#[derive(Debug)]
pub(crate) struct Memory {
    mark: Mutex<Option<Mark>>,
    disk: Arc<Simulated>,
}

impl Memory {
    pub(crate) fn knowing(mark: Option<Mark>, disk: &Arc<Simulated>) -> Arc<dyn Anchor> {
        Arc::new(Self {
            mark: Mutex::new(mark),
            disk: Arc::clone(disk),
        })
    }
}

impl Anchor for Memory {
    fn read(&self, _file: &[u8; 16]) -> Result<Option<Mark>, Error> {
        Ok(*self.mark.lock().unwrap())
    }

    fn advance(&self, mark: &Mark) -> Result<(), Error> {
        *self.mark.lock().unwrap() = Some(*mark);
        self.disk.tell(Event::Anchored(*mark));
        Ok(())
    }

    fn settle(&self) -> Result<(), Error> {
        self.disk.tell(Event::AnchorSettled);
        Ok(())
    }
}
