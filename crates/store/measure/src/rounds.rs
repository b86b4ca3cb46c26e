//! The rounds: in each, everyone loads, is read, shrinks, and commits.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::contender::{Contender, Outcome, Who};
use crate::disk::Syncs;
use crate::records::{self, BATCH, HOT, Key, Order, RECORDS};
use crate::turns::{self, Done};
use crate::{disk, sqlite};

/// How long one reads before the next has its turn.
const READ_TURN: Duration = Duration::from_millis(50);
/// How long each reads before that counts.
const WARM_UP: Duration = Duration::from_millis(500);
/// The length of a turn for writers, who end a turn with a last commit that fewer of them share.
const COMMIT_TURN: Duration = Duration::from_millis(100);
/// Syncs of the disk that are timed after each round of these turns.
const SYNCS: usize = 8;
/// Reads between two looks at the clock.
const READS: usize = 64;
/// Keys that are drawn for a figure's reads; after the last comes the first again.
const DRAWN: usize = 1 << 17;
/// Writers at once.
const WRITERS: [(u32, &str); 2] = [(1, "commits_1"), (16, "commits_16")];
/// The numbers of records that are committed alone begin behind those that are loaded, and each turn's far from the last's.
const TURN_NUMBERS: u64 = 1 << 24;

/// What was seen: by figure and contender, one value for each round.
#[derive(Default)]
struct Seen(BTreeMap<String, BTreeMap<&'static str, Vec<f64>>>);

impl Seen {
    fn add(&mut self, figure: &str, who: &'static str, value: f64) {
        let figure = self.0.entry(figure.to_owned()).or_default();
        figure.entry(who).or_default().push(value);
    }

    fn add_all(&mut self, figure: &str, done: &[Done], value: fn(Done) -> f64) {
        for (who, done) in Who::ALL.iter().zip(done) {
            self.add(figure, who.name(), value(*done));
        }
    }
}

/// How a figure's reads are made.
type Read = fn(&dyn Contender, &[Key]) -> Outcome<()>;

/// Measures everything so often, in files in `folder` that are gone afterwards. What takes as long as one lets it takes
/// `seconds` for each figure of a round.
pub(crate) fn measure(folder: &Path, rounds: u32, seconds: u32) -> Outcome<Value> {
    let mut seen = Seen::default();
    for round in 0..rounds {
        let say = |what: &str| eprintln!("  round {} of {rounds}: {what}", round + 1);
        let folder = tempfile::tempdir_in(folder)?;
        let mut one = Round {
            folder: folder.path(),
            share: Duration::from_secs(seconds.into()),
            number: round,
            seen: &mut seen,
        };
        say("loading in the order of keys");
        one.load("load_in_order", Order::ByKey)?;
        say("compacting");
        one.compact("bytes_in_order")?;
        one.forget()?;
        say("loading in random order");
        let contenders = one.load("load_at_random", Order::Random)?;
        say("reading");
        one.read(&contenders, "reads_cached", HOT, |one, keys| one.read(keys))?;
        one.read(&contenders, "reads_cached_together", HOT, |one, keys| {
            one.read_together(keys)
        })?;
        one.read(&contenders, "reads_of_all", RECORDS, |one, keys| {
            one.read(keys)
        })?;
        drop(contenders);
        say("compacting");
        one.compact("bytes_at_random")?;
        say("committing");
        one.commit()?;
    }
    let (sqlite, sqlcipher) = sqlite::versions()?;
    Ok(json!({ "seen": seen.0, "sqlite": sqlite, "sqlcipher": sqlcipher }))
}

/// What was done before the first turn.
fn nobodys() -> [Done; Who::ALL.len()] {
    [Done::default(); Who::ALL.len()]
}

struct Round<'r> {
    folder: &'r Path,
    /// The time for one figure, shared by all.
    share: Duration,
    number: u32,
    seen: &'r mut Seen,
}

impl Round<'_> {
    fn open(&self) -> Outcome<Vec<Box<dyn Contender>>> {
        Who::ALL.iter().map(|who| who.open(self.folder)).collect()
    }

    fn turns(&self, each: Duration) -> usize {
        let all = each * u32::try_from(Who::ALL.len()).unwrap_or(u32::MAX);
        usize::try_from(self.share.as_millis() / all.as_millis())
            .unwrap_or(usize::MAX)
            .max(1)
    }

    fn load(&mut self, figure: &str, order: Order) -> Outcome<Vec<Box<dyn Contender>>> {
        let contenders = self.open()?;
        let mut done = nobodys();
        for (number, keys) in records::keys(order).chunks(BATCH).enumerate() {
            turns::turn(&contenders, &mut done, number, |_, one| {
                one.load(keys)?;
                Ok(keys.len() as u64)
            })?;
        }
        self.seen.add_all(figure, &done, Done::rate);
        Ok(contenders)
    }

    fn read(
        &mut self,
        contenders: &[Box<dyn Contender>],
        figure: &str,
        among: u32,
        read: Read,
    ) -> Outcome<()> {
        let keys = records::draw(DRAWN, among, self.number.into());
        let mut next = [0; Who::ALL.len()];
        let mut for_long = |length: Duration, whose: usize, one: &dyn Contender| {
            let until = Instant::now() + length;
            let mut count = 0;
            while Instant::now() < until {
                let from = next[whose] % DRAWN;
                read(one, &keys[from..from + READS])?;
                next[whose] += READS;
                count += READS as u64;
            }
            Ok(count)
        };
        // The first turns fill the caches and do not count.
        turns::turn(contenders, &mut nobodys(), 0, |whose, one| {
            for_long(WARM_UP, whose, one)
        })?;
        let mut done = nobodys();
        for number in 0..self.turns(READ_TURN) {
            turns::turn(contenders, &mut done, number, |whose, one| {
                for_long(READ_TURN, whose, one)
            })?;
        }
        self.seen.add_all(figure, &done, Done::rate);
        Ok(())
    }

    fn compact(&mut self, figure: &str) -> Outcome<()> {
        for who in Who::ALL {
            who.compact(self.folder)?;
            #[expect(clippy::cast_precision_loss, reason = "sizes are far below 2^52")]
            let size = disk::size(self.folder, who)? as f64;
            self.seen.add(figure, who.name(), size);
        }
        Ok(())
    }

    fn commit(&mut self) -> Outcome<()> {
        let contenders = self.open()?;
        let mut syncs = Syncs::new(self.folder)?;
        let mut first = u64::from(RECORDS);
        for (writers, figure) in WRITERS {
            let mut done = nobodys();
            for number in 0..self.turns(COMMIT_TURN) {
                turns::turn(&contenders, &mut done, number, |_, one| {
                    one.commit(writers, first, Instant::now() + COMMIT_TURN)
                })?;
                first += TURN_NUMBERS;
                syncs.sample(SYNCS)?;
            }
            self.seen.add_all(figure, &done, Done::rate);
            self.seen
                .add_all(&format!("written_{figure}"), &done, Done::written_each);
        }
        let (median, mean) = syncs.seconds().ok_or("no sync was timed")?;
        self.seen.add("sync_ms", "disk", median * 1e3);
        self.seen.add("sync_mean_ms", "disk", mean * 1e3);
        Ok(())
    }

    /// Removes everyone's files.
    fn forget(&self) -> Outcome<()> {
        for entry in std::fs::read_dir(self.folder)? {
            std::fs::remove_file(entry?.path())?;
        }
        Ok(())
    }
}
