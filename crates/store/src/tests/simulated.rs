//! A disk in memory that records, fails on demand, and loses power.

use std::io;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use super::dice::Dice;
use crate::medium::Medium;

/// What a device writes whole.
const SECTOR: usize = 512;

/// What happened to the disk, in order.
#[derive(Clone)]
pub(crate) enum Event {
    Write {
        at: usize,
        data: Vec<u8>,
    },
    SetLen(usize),
    Sync,
    /// The test's own mark, such as "so many commits were acknowledged".
    Mark(usize),
}

/// How calls fail.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Fault {
    /// ENOSPC for everything that changes the file, as on a file system that never overwrites.
    Full,
    /// ENOSPC for writes where nothing was written before.
    FullWhereNew,
    /// EIO for any call.
    Broken,
    /// EIO for a sync, after which a part was written and the cache claims all of it.
    LossySync,
}

#[derive(Default)]
struct State {
    /// What survives a power cut.
    durable: Vec<u8>,
    /// What reads show.
    cache: Vec<u8>,
    /// Since the last sync.
    pending: Vec<Event>,
    log: Option<Vec<Event>>,
    /// Bytes that have room on the disk, for [`Fault::FullWhereNew`].
    allocated: Vec<bool>,
    calls: usize,
    syncs: usize,
    /// Calls from the first to before the second fail.
    fault: Option<(Fault, usize, usize)>,
    sync_time: Duration,
}

/// The disk.
#[derive(Default)]
pub(crate) struct Simulated(Mutex<State>);

impl std::fmt::Debug for Simulated {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Simulated")
    }
}

impl Simulated {
    /// An empty disk that records from now on.
    pub(crate) fn recording() -> Arc<Self> {
        let disk = Self::default();
        disk.state().log = Some(Vec::new());
        Arc::new(disk)
    }

    /// A disk with this file on it, which records from now on.
    pub(crate) fn with(image: Vec<u8>) -> Arc<Self> {
        let state = State {
            allocated: vec![true; image.len()],
            cache: image.clone(),
            durable: image,
            log: Some(Vec::new()),
            ..State::default()
        };
        Arc::new(Self(Mutex::new(state)))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }

    pub(crate) fn mark(&self, mark: usize) {
        if let Some(log) = &mut self.state().log {
            log.push(Event::Mark(mark));
        }
    }

    pub(crate) fn take_log(&self) -> Vec<Event> {
        self.state().log.take().unwrap()
    }

    pub(crate) fn image(&self) -> Vec<u8> {
        self.state().cache.clone()
    }

    pub(crate) fn calls(&self) -> usize {
        self.state().calls
    }

    pub(crate) fn syncs(&self) -> usize {
        self.state().syncs
    }

    pub(crate) fn slow_syncs(&self, time: Duration) {
        self.state().sync_time = time;
    }

    /// Calls number `from` to `until` (excluded) fail.
    pub(crate) fn fail(&self, fault: Fault, from: usize, until: usize) {
        self.state().fault = Some((fault, from, until));
    }
}

enum Call {
    Read,
    Write(usize, usize),
    SetLen,
    Sync,
}

impl State {
    fn enter(&mut self, call: &Call) -> io::Result<()> {
        self.calls += 1;
        let Some((fault, from, until)) = self.fault else {
            return Ok(());
        };
        if self.calls < from || self.calls >= until {
            return Ok(());
        }
        let full = Err(io::ErrorKind::StorageFull.into());
        let broken = Err(io::Error::from_raw_os_error(5));
        match (fault, call) {
            (Fault::Full, Call::Write(..) | Call::SetLen) => full,
            (Fault::FullWhereNew, Call::Write(from, to))
                if self.allocated[*from..*to].contains(&false) =>
            {
                full
            }
            (Fault::Broken, _) => broken,
            (Fault::LossySync, Call::Sync) => {
                let mut dice = Dice::new(self.calls as u64);
                self.durable = lose_power(&self.durable, &self.pending, &mut dice);
                self.pending.clear();
                broken
            }
            _ => Ok(()),
        }
    }

    fn note(&mut self, event: Event) {
        if let Some(log) = &mut self.log {
            log.push(event.clone());
        }
        match event {
            Event::Sync => self.pending.clear(),
            event => self.pending.push(event),
        }
    }
}

impl Medium for Simulated {
    fn read_at(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let mut state = self.state();
        state.enter(&Call::Read)?;
        let at = usize::try_from(offset).unwrap();
        let source = state
            .cache
            .get(at..at + out.len())
            .ok_or(io::ErrorKind::UnexpectedEof)?;
        out.copy_from_slice(source);
        Ok(())
    }

    fn write_at(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let mut state = self.state();
        let at = usize::try_from(offset).unwrap();
        let end = at + data.len();
        if state.cache.len() < end {
            state.cache.resize(end, 0);
        }
        if state.allocated.len() < end {
            state.allocated.resize(end, false);
        }
        state.enter(&Call::Write(at, end))?;
        state.cache[at..end].copy_from_slice(data);
        state.allocated[at..end].fill(true);
        state.note(Event::Write {
            at,
            data: data.to_vec(),
        });
        Ok(())
    }

    fn len(&self) -> io::Result<u64> {
        let mut state = self.state();
        state.enter(&Call::Read)?;
        Ok(state.cache.len() as u64)
    }

    fn set_len(&self, bytes: u64) -> io::Result<()> {
        let mut state = self.state();
        state.enter(&Call::SetLen)?;
        let bytes = usize::try_from(bytes).unwrap();
        state.cache.resize(bytes, 0);
        state.allocated.resize(bytes, false);
        state.note(Event::SetLen(bytes));
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        let mut state = self.state();
        state.enter(&Call::Sync)?;
        state.syncs += 1;
        let pending = std::mem::take(&mut state.pending);
        apply(&mut state.durable, &pending);
        state.note(Event::Sync);
        let time = state.sync_time;
        drop(state);
        std::thread::sleep(time);
        Ok(())
    }

    fn forget(&self) -> io::Result<()> {
        let mut state = self.state();
        state.enter(&Call::Read)?;
        let mut cache = state.durable.clone();
        apply(&mut cache, &state.pending);
        state.cache = cache;
        Ok(())
    }
}

/// Applies events in full.
pub(crate) fn apply(image: &mut Vec<u8>, events: &[Event]) {
    for event in events {
        match event {
            Event::Write { at, data } => {
                let end = at + data.len();
                if image.len() < end {
                    image.resize(end, 0);
                }
                image[*at..end].copy_from_slice(data);
            }
            Event::SetLen(length) => image.resize(*length, 0),
            Event::Sync | Event::Mark(_) => {}
        }
    }
}

/// What a power cut leaves of `pending` on top of `durable`: of every sector, any of the contents
/// that it had meanwhile; of the changes of length, those up to some moment.
pub(crate) fn lose_power(durable: &[u8], pending: &[Event], dice: &mut Dice) -> Vec<u8> {
    let survives = [0, 10, 50, 90, 100][dice.below(5)];
    let lengths = pending
        .iter()
        .filter(|e| matches!(e, Event::SetLen(_)))
        .count();
    let mut lengths_kept = dice.below(lengths + 1);
    let mut cache = durable.to_vec();
    let mut disk = durable.to_vec();
    for event in pending {
        match event {
            Event::Write { at, data } => {
                let end = at + data.len();
                if cache.len() < end {
                    cache.resize(end, 0);
                }
                cache[*at..end].copy_from_slice(data);
                for sector in at / SECTOR..end.div_ceil(SECTOR) {
                    let to = ((sector + 1) * SECTOR).min(disk.len()).min(cache.len());
                    let from = (sector * SECTOR).min(to);
                    if dice.percent(survives) {
                        disk[from..to].copy_from_slice(&cache[from..to]);
                    }
                }
            }
            Event::SetLen(length) => {
                cache.resize(*length, 0);
                if lengths_kept > 0 {
                    lengths_kept -= 1;
                    disk.resize(*length, 0);
                }
            }
            Event::Sync | Event::Mark(_) => {}
        }
    }
    disk
}
