//! Power cuts that strike a store and its key table at the same moment.

use std::io;
use std::sync::{Arc, Mutex};

use super::dice::{Dice, cases, seed};
use super::event::{Event, apply, lose_power};
use super::pair::{ALL, Drawer, Pair, begin, erase, traces, values};
use super::simulated::Simulated;
use super::{key, put};
use crate::engine::Engine;
use crate::medium::Medium;
use crate::{Error, Options, Store, Subject};

const DATA: usize = 0;
const KEYS: usize = 1;

type Log = Arc<Mutex<Vec<(usize, Event)>>>;

/// A disk whose changes go into one log with those of another.
#[derive(Debug)]
struct Tapped {
    disk: Arc<Simulated>,
    which: usize,
    log: Log,
}

impl std::fmt::Debug for Event {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Event")
    }
}

impl Tapped {
    fn note<T>(&self, event: Event, call: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
        let mut log = self.log.lock().unwrap();
        let result = call()?;
        log.push((self.which, event));
        Ok(result)
    }
}

impl Medium for Tapped {
    fn read_at(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.disk.read_at(offset, out)
    }

    fn write_at(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let (at, data) = (usize::try_from(offset).unwrap(), data.to_vec());
        let event = Event::Write {
            at,
            data: data.clone(),
        };
        self.note(event, || self.disk.write_at(offset, &data))
    }

    fn len(&self) -> io::Result<u64> {
        self.disk.len()
    }

    fn set_len(&self, bytes: u64) -> io::Result<()> {
        let event = Event::SetLen(usize::try_from(bytes).unwrap());
        self.note(event, || self.disk.set_len(bytes))
    }

    fn sync(&self) -> io::Result<()> {
        self.note(Event::Sync, || self.disk.sync())
    }

    fn forget(&self) -> io::Result<()> {
        self.disk.forget()
    }
}

type Images = [Vec<u8>; 2];

/// Opens both disks, recording what happens to them.
fn tapped(images: &Images) -> (Log, Result<Store, Error>) {
    let log = Log::default();
    let tap = |which: usize| {
        let disk = Simulated::with(images[which].clone());
        let log = Arc::clone(&log);
        Arc::new(Tapped { disk, which, log })
    };
    let (data, keys) = (tap(DATA), tap(KEYS));
    let store = Engine::open(data, &key(), Options::default())
        .and_then(|engine| Store::start_with(engine, Box::new(Drawer::with(keys)), false));
    (log, store)
}

/// What a power cut after `log` leaves of both disks.
fn cut(before: &Images, log: &[(usize, Event)], dice: &mut Dice) -> Images {
    [DATA, KEYS].map(|which| {
        let events: Vec<Event> = log
            .iter()
            .filter(|(of, _)| *of == which)
            .map(|(_, event)| event.clone())
            .collect();
        let synced = events.iter().rposition(|e| matches!(e, Event::Sync));
        let (done, pending) = events.split_at(synced.map_or(0, |at| at + 1));
        let mut durable = before[which].clone();
        apply(&mut durable, done);
        lose_power(&durable, pending, dice)
    })
}

/// A subject whose fate is followed.
struct Followed {
    subject: Subject,
    name: &'static [u8],
    /// Erasing begins and is acknowledged at these places in the log.
    erased: Option<(usize, usize)>,
}

/// What must hold after a cut at `point`. `old` are images of the data with all subjects in them.
fn check(images: &Images, old: &[Vec<u8>], all: &[Followed], point: usize, what: &str) {
    let [data, keys] = images.clone();
    let pair = Pair::of(data, keys);
    let store = pair
        .open()
        .unwrap_or_else(|error| panic!("{what}: {error}"));
    let keys = pair.keys.image();
    let found: Vec<usize> = all
        .iter()
        .map(|one| traces(&store, one.subject, one.name))
        .collect();
    for (one, found) in all.iter().zip(&found) {
        let (began, ended) = one.erased.unwrap_or((usize::MAX, usize::MAX));
        let right = match *found {
            ALL => point < ended,
            0 => point >= began,
            _ => false,
        };
        assert!(right, "{what}: {found} traces of {:?}", one.subject);
    }
    drop(store);
    for data in old {
        let store = Pair::of(data.clone(), keys.clone()).open().unwrap();
        for (one, found) in all.iter().zip(&found) {
            let left = traces(&store, one.subject, one.name);
            assert_eq!(left, *found, "{what}: {:?} in an old image", one.subject);
        }
    }
}

#[test]
fn no_power_cut_undoes_an_acknowledged_erasure() {
    let seed = seed();
    let mut dice = Dice::new(seed);
    let (pair, store, first) = Pair::make();
    let second = begin(&store, b"second").unwrap();
    let third = begin(&store, b"third").unwrap();
    drop(store);
    let before = [pair.data.image(), pair.keys.image()];
    let (log, store) = tapped(&before);
    let store = store.unwrap();
    let now = || log.lock().unwrap().len();
    let mut all = [
        (first, b"first".as_slice()),
        (second, b"second"),
        (third, b"third"),
    ]
    .map(|(subject, name)| Followed {
        subject,
        name,
        erased: None,
    });
    for at in [0, 1] {
        let began = now();
        erase(&store, all[at].subject, all[at].name).unwrap();
        all[at].erased = Some((began, now()));
        put(&store, b"other", b"x").unwrap();
        // A new reservation, so that the key table is written for something else too.
        begin(&store, b"more").unwrap();
    }
    drop(store);
    let log = std::mem::take(&mut *log.lock().unwrap());
    let each = cases(3000).div_ceil(log.len());
    let mut cuts = 0;
    for point in 0..=log.len() {
        for _ in 0..each {
            let what = format!("STORE_SEED={seed} cut at {point}");
            let images = cut(&before, &log[..point], &mut dice);
            let old = if dice.percent(30) { &before[..1] } else { &[] };
            check(&images, old, &all, point, &what);
            cuts += 1;
            if dice.percent(25) {
                // A second cut, while the pair recovers from the first.
                let (log, store) = tapped(&images);
                drop(store.unwrap());
                let log = log.lock().unwrap();
                let again = dice.below(log.len() + 1);
                let images = cut(&images, &log[..again], &mut dice);
                let what = format!("{what}, and again at {again}");
                check(&images, old, &all, point, &what);
                cuts += 1;
            }
        }
    }
    println!("{cuts} cuts over {} writes and syncs", log.len());
}

#[test]
fn neither_slot_keeps_what_an_acknowledged_erasure_destroyed() {
    let (pair, store, first) = Pair::make();
    let data = pair.data.image();
    let undamaged = |slot: usize| {
        let mut keys = pair.keys.image();
        keys[(1 - slot) * 4096 + 90] ^= 1;
        Pair::of(data.clone(), keys).open().unwrap()
    };
    for slot in [0, 1] {
        assert_eq!(traces(&undamaged(slot), first, b"first"), ALL);
    }
    erase(&store, first, b"first").unwrap();
    for slot in [0, 1] {
        assert_eq!(traces(&undamaged(slot), first, b"first"), 0);
    }
}

#[test]
fn a_key_table_grows_and_shrinks_without_leaving_anything() {
    let (pair, store, _) = Pair::make();
    let subjects: Vec<Subject> = (0..600_u16)
        .map(|n| begin(&store, &n.to_be_bytes()).unwrap())
        .collect();
    let small = pair.keys.image().len();
    for (n, subject) in (0..600_u16).zip(&subjects).filter(|(n, _)| n % 2 == 0) {
        erase(&store, *subject, &n.to_be_bytes()).unwrap();
    }
    let large = pair.keys.image().len();
    assert!(large > small, "{large} bytes");
    let kept = store.read(|tx| tx.count(super::T)).unwrap();
    assert_eq!(kept, 2 * 301);
    assert_eq!(values(&store, &5_u16.to_be_bytes()).unwrap().len(), 2);
    for (n, subject) in (0..600_u16).zip(&subjects).filter(|(n, _)| n % 2 == 1) {
        erase(&store, *subject, &n.to_be_bytes()).unwrap();
    }
    assert_eq!(pair.keys.image().len(), small);
    drop(store);
    let store = pair.open().unwrap();
    assert_eq!(traces(&store, subjects[5], &5_u16.to_be_bytes()), 0);
    assert_eq!(values(&store, b"first").unwrap().len(), 2);
}
