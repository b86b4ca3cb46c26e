//! A recorded life of a store: everything that reached the disk, and what it was to hold when.

use std::sync::Arc;

use super::anchored::{Known, Memory};
use super::content::{self, Change, Model, abandon, change, key, options, same, write};
use super::dice::{Dice, Repeatable};
use super::event::{Event, Fault};
use super::image::Image;
use super::life::{Life, Weather, changes};
use super::simulated::Simulated;
use crate::engine::Engine;
use crate::{Error, Options, Store, WriteError};

/// Commits before syncs begin to lie: a disk that lies from the first has nothing to go back to.
const HONEST: usize = 5;
/// Tries after which a store that does not recover from passing failures is stuck.
const TRIES: usize = 200;

/// What was recorded.
pub(crate) struct History {
    pub(crate) log: Vec<Event>,
    /// Every state that the store was asked to take on, in order; the marks are indices of this.
    pub(crate) states: Vec<Arc<Model>>,
    /// Index of the first event at which the file has its name.
    pub(crate) start: usize,
    pub(crate) weather: Weather,
}

struct Recorder {
    disk: Arc<Simulated>,
    /// `None` only between two openings.
    engine: Option<Engine>,
    options: Options,
    states: Vec<Arc<Model>>,
    /// Index of the state that the store has.
    now: usize,
}

impl History {
    /// Lives a life.
    pub(crate) fn record(life: &Life, dice: &mut Dice) -> Self {
        let _repeatable = Repeatable::from(dice);
        let disk = Simulated::recording();
        let options = Options {
            cache_bytes: life.cache_bytes,
            ..options()
        };
        drop(Store::make(disk.clone(), &key(), options.clone()).unwrap());
        // A new file gets its name after a sync of all that it holds, and its anchor after that.
        let mut log = disk.take_log();
        let start = log.len();
        let options = Options {
            anchor: Some(Memory::knowing(None, &disk)),
            ..options
        };
        disk.tell(Event::Certain(0));
        let engine = Engine::open(disk.clone(), &key(), options.clone()).unwrap();
        let mut recorder = Recorder {
            disk,
            engine: Some(engine),
            options,
            states: vec![Arc::default()],
            now: 0,
        };
        let lies = match life.weather {
            Weather::Lying => dice.pick(&[10, 30, 60]),
            _ => 0,
        };
        let misfortune = Dice::new(dice.next());
        recorder.disk.misbehave(0, life.sabotage, misfortune);
        for commit in 0..life.commits {
            if commit == HONEST && lies > 0 {
                let misfortune = Dice::new(dice.next());
                recorder.disk.misbehave(lies, life.sabotage, misfortune);
            }
            if life.weather == Weather::Failing && dice.percent(25) {
                recorder.fail_soon(dice);
            }
            if dice.percent(5) {
                recorder.reopen(dice);
            }
            // Were both copies of the superblock lied about, there would be nothing to go back to.
            if life.weather != Weather::Lying {
                recorder.turn_keys(dice);
            }
            recorder.commit(life, dice);
        }
        recorder.close(dice);
        log.append(&mut recorder.disk.take_log());
        Self {
            log,
            states: recorder.states,
            start,
            weather: life.weather,
        }
    }
}

impl History {
    /// The states that the store had, one after the other.
    pub(crate) fn acknowledged(&self) -> impl Iterator<Item = &Arc<Model>> {
        self.log.iter().filter_map(|event| match event {
            Event::Certain(state) => Some(&self.states[*state]),
            _ => None,
        })
    }

    /// What the anchor knows before event `point`.
    pub(crate) fn known(&self, point: usize) -> Known {
        Known::exactly(None).after(&self.log[..point])
    }

    /// How many syncs failed.
    pub(crate) fn failed_syncs(&self) -> usize {
        let failed = |pair: &&[Event]| matches!(pair, [before, Event::Settled(_)] if !matches!(before, Event::Sync));
        self.log[self.start..].windows(2).filter(failed).count()
    }

    /// The disk in the end, where the power did not fail.
    pub(crate) fn last(&self) -> Image {
        let settled = |event: &Event| matches!(event, Event::Settled(_));
        let at = self.log.iter().rposition(settled).unwrap();
        let mut image = match &self.log[at] {
            Event::Settled(image) => image.clone(),
            _ => Image::default(),
        };
        image.apply(&self.log[at..]);
        image
    }
}

impl Recorder {
    fn fail_soon(&self, dice: &mut Dice) {
        let from = self.disk.calls() + 1 + dice.below(40);
        let (fault, calls) = match dice.below(10) {
            0..=5 => {
                let bad = dice.pick(&[1, 1, 1, 2, 3, 6]);
                return self.disk.fail_syncs(dice.below(3), bad);
            }
            6..=7 => (Fault::Broken, 1 + dice.below(3)),
            8 => (Fault::Full, 1 + dice.below(30)),
            _ => (Fault::FullWhereNew, 1 + dice.below(30)),
        };
        self.disk.fail(fault, from, from + calls);
    }

    fn engine(&self) -> &Engine {
        self.engine.as_ref().unwrap()
    }

    /// Closes the store, or ends as a process that was killed.
    fn close(&mut self, dice: &mut Dice) {
        let engine = self.engine.take().unwrap();
        if dice.percent(50) {
            drop(engine);
        } else {
            abandon(engine);
        }
    }

    fn reopen(&mut self, dice: &mut Dice) {
        self.close(dice);
        for _ in 0..TRIES {
            match Engine::open(self.disk.clone(), &key(), self.options.clone()) {
                Ok(engine) => {
                    self.engine = Some(engine);
                    return;
                }
                Err(Error::Io { .. } | Error::NoSpace) => {}
                Err(error) => panic!("a passing failure became lasting: {error}"),
            }
        }
        panic!("the store does not open again after a passing failure");
    }

    /// Changes keys, or seals some blocks anew. Where a call fails nothing is lost by it.
    fn turn_keys(&self, dice: &mut Dice) {
        let engine = self.engine();
        let done = match dice.below(40) {
            0 => engine.rekey(&key()),
            1 => engine.renew(),
            2..=19 if engine.is_renewing() => engine.renew_step().map(drop),
            _ => return,
        };
        match done {
            Ok(())
            | Err(
                Error::Io { .. } | Error::NoSpace | Error::Interrupted | Error::TooManyDataKeys,
            ) => {}
            Err(error) => panic!("a passing failure became lasting: {error}"),
        }
        if let Ok(opening) = engine.present()
            && opening.failure().is_some()
        {
            engine.retire(&opening);
        }
    }

    /// Writes until the writes of this commit were stored once.
    fn commit(&mut self, life: &Life, dice: &mut Dice) {
        let writes: Vec<_> = (0..1 + dice.below(3))
            .map(|_| (changes(life, dice), dice.percent(10)))
            .collect();
        let mut next = Model::clone(&self.states[self.now]);
        for (changes, refused) in &writes {
            if !refused {
                change(&mut next, changes);
            }
        }
        self.states.push(Arc::new(next));
        let goal = self.states.len() - 1;
        for _ in 0..TRIES {
            self.disk.tell(Event::Trying(goal));
            if life.hasty {
                self.disk.tell(Event::Certain(goal));
            }
            let stored = outcome(&writes, write(self.engine(), writes.clone()));
            match stored {
                Some(true) => {
                    self.now = goal;
                    self.disk.tell(Event::Certain(goal));
                    return;
                }
                Some(false) => self.disk.tell(Event::Certain(self.now)),
                None => self.look(goal),
            }
            if self.now == goal {
                return;
            }
        }
        panic!("the store does not recover from a passing failure");
    }

    /// Finds out what became of a write of which the store could not tell.
    fn look(&mut self, goal: usize) {
        for _ in 0..TRIES {
            match content::content(self.engine()) {
                Ok(found) if same(&found, &self.states[goal]) => self.now = goal,
                Ok(found) => assert!(same(&found, &self.states[self.now]), "wrong content"),
                Err(Error::Io { .. } | Error::NoSpace | Error::Interrupted) => continue,
                Err(error) => panic!("a passing failure became lasting: {error}"),
            }
            self.disk.tell(Event::Certain(self.now));
            return;
        }
        panic!("the store cannot be read again after a passing failure");
    }
}

/// Whether the commit was stored, or `None` where the store cannot tell.
fn outcome(
    writes: &[(Vec<Change>, bool)],
    answers: Vec<Result<(), WriteError<Error>>>,
) -> Option<bool> {
    let mut stored = true;
    for ((_, refused), answer) in writes.iter().zip(answers) {
        match answer {
            Ok(()) => assert!(!refused),
            Err(WriteError::Refused(Error::Closed)) => assert!(refused),
            Err(WriteError::Store(Error::Unconfirmed(_))) => return None,
            Err(WriteError::Store(Error::NoSpace | Error::Io { .. } | Error::Interrupted)) => {
                stored = false;
            }
            Err(error) => panic!("a passing failure gave: {error}"),
        }
    }
    Some(stored)
}
