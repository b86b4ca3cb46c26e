//! Taking turns, so that whatever else the machine does strikes all alike.

use std::time::{Duration, Instant};

use crate::contender::{Contender, Outcome};
use crate::disk;

/// What one did in its turns.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Done {
    /// How often it did what is counted.
    pub(crate) count: u64,
    /// The time that it took.
    pub(crate) time: Duration,
    /// Bytes written to disk meanwhile.
    pub(crate) written: u64,
}

impl Done {
    /// How often a second.
    #[expect(clippy::cast_precision_loss, reason = "counts are far below 2^52")]
    pub(crate) fn rate(self) -> f64 {
        self.count as f64 / self.time.as_secs_f64()
    }

    /// Bytes written each time.
    #[expect(clippy::cast_precision_loss, reason = "counts are far below 2^52")]
    pub(crate) fn written_each(self) -> f64 {
        self.written as f64 / self.count as f64
    }
}

/// Gives each contender one turn, and adds what it did to what it did before. `turn` is told whose turn it is and returns
/// its count. Who begins changes with `number`.
pub(crate) fn turn(
    contenders: &[Box<dyn Contender>],
    done: &mut [Done],
    number: usize,
    mut turn: impl FnMut(usize, &dyn Contender) -> Outcome<u64>,
) -> Outcome<()> {
    for place in 0..contenders.len() {
        let whose = (number + place) % contenders.len();
        let written = disk::written()?;
        let start = Instant::now();
        let count = turn(whose, &*contenders[whose])?;
        done[whose].time += start.elapsed();
        done[whose].count += count;
        done[whose].written += disk::written()?.saturating_sub(written);
    }
    Ok(())
}

/// Runs `work` on so many threads at once; returns the sum of what they count.
pub(crate) fn threads(count: u32, work: impl Fn(u32) -> Outcome<u64> + Sync) -> Outcome<u64> {
    std::thread::scope(|scope| {
        let work = &work;
        let handles: Vec<_> = (0..count)
            .map(|number| scope.spawn(move || work(number)))
            .collect();
        let mut sum = 0;
        for handle in handles {
            sum += handle.join().map_err(|_| "a writer panicked")??;
        }
        Ok(sum)
    })
}
