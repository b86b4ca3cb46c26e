//! A disk in memory that records, fails on demand, lies on demand, and can be cut off at any event.

use std::io;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use super::dice::Dice;
use super::event::{Event, Fault, Sabotage};
use super::image::Image;
use super::loss;
use crate::medium::Medium;

/// Bytes that a file system allocates at once, for [`Fault::FullWhereNew`].
const ALLOCATED: usize = 4096;

struct State {
    /// What survives a power cut in any case.
    durable: Image,
    /// What reads show.
    cache: Image,
    /// Since the last sync.
    pending: Vec<Event>,
    log: Vec<Event>,
    /// Whether a sync has failed, so that the cache may show what is not on the disk.
    doubtful: bool,
    /// Which parts have room on the disk.
    allocated: Vec<bool>,
    calls: usize,
    syncs: usize,
    /// Calls from the first to before the second fail.
    fault: Option<(Fault, usize, usize)>,
    /// So many syncs will still succeed, and so many then fail as [`Fault::LossySync`].
    lossy: (usize, usize),
    /// Syncs in a hundred that lie.
    lies: usize,
    sabotage: Option<Sabotage>,
    sync_time: Duration,
    dice: Dice,
}

/// The disk.
pub(crate) struct Simulated(Mutex<State>);

impl std::fmt::Debug for Simulated {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Simulated")
    }
}

impl Simulated {
    /// An empty disk.
    pub(crate) fn recording() -> Arc<Self> {
        Self::holding(Image::default())
    }

    /// A disk with this file on it.
    pub(crate) fn with(image: Vec<u8>) -> Arc<Self> {
        Self::holding(Image::of(&image))
    }

    /// A disk with this file on it.
    pub(crate) fn holding(image: Image) -> Arc<Self> {
        Arc::new(Self(Mutex::new(State {
            allocated: vec![true; image.len().div_ceil(ALLOCATED)],
            cache: image.clone(),
            durable: image,
            pending: Vec::new(),
            log: Vec::new(),
            doubtful: false,
            calls: 0,
            syncs: 0,
            fault: None,
            lossy: (0, 0),
            lies: 0,
            sabotage: None,
            sync_time: Duration::ZERO,
            dice: Dice::new(1),
        })))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }

    /// Puts the test's own mark into the log.
    pub(crate) fn mark(&self, mark: usize) {
        self.tell(Event::Mark(mark));
    }

    /// Puts the test's own event into the log.
    pub(crate) fn tell(&self, event: Event) {
        self.state().log.push(event);
    }

    /// What happened so far, which is then forgotten.
    pub(crate) fn take_log(&self) -> Vec<Event> {
        std::mem::take(&mut self.state().log)
    }

    /// What reads show.
    pub(crate) fn shown(&self) -> Image {
        self.state().cache.clone()
    }

    /// What reads show, as bytes.
    pub(crate) fn image(&self) -> Vec<u8> {
        self.state().cache.to_vec()
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

    /// After `good` more syncs, `bad` ones fail as [`Fault::LossySync`].
    pub(crate) fn fail_syncs(&self, good: usize, bad: usize) {
        self.state().lossy = (good, bad);
    }

    /// From now on `percent` of the syncs lie, and chance is thrown with `dice`.
    pub(crate) fn misbehave(&self, percent: usize, sabotage: Option<Sabotage>, dice: Dice) {
        let mut state = self.state();
        state.lies = percent;
        state.sabotage = sabotage;
        state.dice = dice;
    }
}

enum Call<'a> {
    Read,
    Write(usize, &'a [u8]),
    SetLen,
    Sync,
}

impl State {
    fn enter(&mut self, call: &Call<'_>) -> io::Result<()> {
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
            (Fault::FullWhereNew, Call::Write(at, data)) if !self.has_room(*at, data.len()) => full,
            (Fault::Broken, Call::Write(at, data)) => {
                let done = self.dice.below(data.len() + 1);
                if done > 0 {
                    self.write(*at, &data[..done]);
                }
                broken
            }
            (Fault::Broken, _) => broken,
            (Fault::LossySync, Call::Sync) => self.lose(),
            _ => Ok(()),
        }
    }

    /// Fails a sync.
    fn lose(&mut self) -> io::Result<()> {
        self.durable = loss::lose_power(&self.durable, &self.pending, &mut self.dice);
        self.settle();
        self.doubtful = true;
        // The cache may drop what it believes to be on the disk, at any time.
        if self.dice.percent(15) {
            self.cache = self.durable.clone();
        }
        Err(io::Error::from_raw_os_error(5))
    }

    fn has_room(&self, at: usize, length: usize) -> bool {
        (at / ALLOCATED..(at + length).div_ceil(ALLOCATED))
            .all(|part| self.allocated.get(part).copied().unwrap_or(false))
    }

    fn settle(&mut self) {
        self.pending.clear();
        self.durable.settle();
        self.log.push(Event::Settled(self.durable.clone()));
    }

    fn note(&mut self, event: Event) {
        self.log.push(event.clone());
        self.pending.push(event);
    }

    fn resize(&mut self, len: usize) {
        self.cache.resize(len);
        self.allocated.resize(len.div_ceil(ALLOCATED), false);
        self.note(Event::SetLen(len));
    }

    fn write(&mut self, at: usize, data: &[u8]) {
        let end = at + data.len();
        if self.cache.len() < end {
            self.resize(end);
        }
        self.cache.write(at, data);
        self.allocated[at / ALLOCATED..end.div_ceil(ALLOCATED)].fill(true);
        self.note(Event::Write {
            at,
            data: data.to_vec(),
        });
    }
}

impl Medium for Simulated {
    fn read_at(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let mut state = self.state();
        state.enter(&Call::Read)?;
        let at = usize::try_from(offset).unwrap();
        if state.cache.read(at, out) {
            Ok(())
        } else {
            Err(io::ErrorKind::UnexpectedEof.into())
        }
    }

    fn write_at(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let mut state = self.state();
        let at = usize::try_from(offset).unwrap();
        state.enter(&Call::Write(at, data))?;
        state.write(at, data);
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
        state.resize(usize::try_from(bytes).unwrap());
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        let mut state = self.state();
        state.enter(&Call::Sync)?;
        match &mut state.lossy {
            (0, 0) => {}
            (0, bad) => {
                *bad -= 1;
                return state.lose();
            }
            (good, _) => *good -= 1,
        }
        state.syncs += 1;
        let lies = state.lies;
        if state.sabotage == Some(Sabotage::NoSync) {
            return Ok(());
        }
        if lies > 0 && state.dice.percent(lies) {
            state.log.push(Event::Lied);
            return Ok(());
        }
        let state = &mut *state;
        state.durable.apply(&state.pending);
        state.log.push(Event::Sync);
        state.settle();
        if !state.sync_time.is_zero() {
            std::thread::sleep(state.sync_time);
        }
        Ok(())
    }

    fn forget(&self) -> io::Result<()> {
        let mut state = self.state();
        state.enter(&Call::Read)?;
        if state.doubtful && state.sabotage != Some(Sabotage::NoForget) {
            let mut cache = state.durable.clone();
            cache.apply(&state.pending);
            state.cache = cache;
            state.doubtful = false;
        }
        Ok(())
    }
}
