//! What a power cut leaves of writes that no sync had confirmed.

use super::dice::Dice;
use super::event::Event;
use super::image::{Image, SECTOR};

/// How the writes fare that were under way.
#[derive(Clone, Copy)]
enum Pattern {
    /// Every sector on its own, with this chance in percent.
    Sectors(usize),
    /// Every write on its own, with this chance in percent.
    Writes(usize),
    /// The first so many writes reached the disk, the others did not.
    Prefix(usize),
    /// The last so many writes reached the disk, the others did not.
    Suffix(usize),
    /// All but one sector of this write.
    AllButOneOf(usize),
    /// Nothing but one sector of this write.
    OneOf(usize),
}

/// Chance in percent that sectors are torn, where any were being written.
const TORN: usize = 30;

/// What a power cut leaves of `pending` on top of `durable`: of every sector, any of the contents
/// that it had meanwhile, or a torn one; of the changes of length, those up to some moment.
pub(crate) fn lose_power(durable: &Image, pending: &[Event], dice: &mut Dice) -> Image {
    let writes = pending
        .iter()
        .filter(|event| matches!(event, Event::Write { .. }))
        .count();
    let lengths = pending
        .iter()
        .filter(|event| matches!(event, Event::SetLen(_)))
        .count();
    let some = |dice: &mut Dice| dice.below(writes.max(1));
    let pattern = match dice.below(8) {
        0..=2 => Pattern::Sectors(dice.pick(&[0, 10, 50, 90, 100])),
        3 => Pattern::Writes(dice.pick(&[10, 50, 90])),
        4 => Pattern::Prefix(some(dice)),
        5 => Pattern::Suffix(some(dice)),
        6 => Pattern::AllButOneOf(some(dice)),
        _ => Pattern::OneOf(some(dice)),
    };
    let lengths_kept = if dice.percent(50) {
        lengths
    } else {
        dice.below(lengths + 1)
    };
    let torn = if dice.percent(TORN) {
        1 + dice.below(3)
    } else {
        0
    };
    let mut loss = Loss {
        // What reads would have shown, where writes have overlapped: sectors are written whole.
        cache: durable.clone(),
        disk: durable.clone(),
        touched: Vec::new(),
    };
    let (mut write, mut length) = (0, 0);
    for event in pending {
        match event {
            Event::Write { at, data } => {
                loss.write(*at, data, pattern, (write, writes), dice);
                write += 1;
            }
            Event::SetLen(len) => {
                loss.cache.resize(*len);
                length += 1;
                if length <= lengths_kept {
                    loss.disk.resize(*len);
                }
            }
            _ => {}
        }
    }
    for _ in 0..torn {
        loss.tear(durable, dice);
    }
    loss.disk
}

struct Loss {
    cache: Image,
    disk: Image,
    /// Sectors that were written.
    touched: Vec<usize>,
}

impl Loss {
    fn write(
        &mut self,
        at: usize,
        data: &[u8],
        pattern: Pattern,
        (number, of): (usize, usize),
        dice: &mut Dice,
    ) {
        self.cache.write(at, data);
        let sectors = at / SECTOR..(at + data.len()).div_ceil(SECTOR);
        let chosen = sectors.start + dice.below(sectors.len().max(1));
        let whole = match pattern {
            Pattern::Writes(percent) => dice.percent(percent),
            Pattern::Prefix(writes) => number < writes,
            Pattern::Suffix(writes) => number >= of - writes.min(of),
            _ => true,
        };
        for sector in sectors {
            self.touched.push(sector);
            let survives = match pattern {
                Pattern::Sectors(percent) => dice.percent(percent),
                Pattern::AllButOneOf(write) => number != write || sector != chosen,
                Pattern::OneOf(write) => number == write && sector == chosen,
                _ => whole,
            };
            if survives {
                let mut content = [0; SECTOR];
                let length = sector_length(&self.cache, sector);
                self.cache.read(sector * SECTOR, &mut content[..length]);
                put(&mut self.disk, sector, &content[..length]);
            }
        }
    }

    /// Leaves one of the sectors that were written neither old nor new.
    fn tear(&mut self, durable: &Image, dice: &mut Dice) {
        if self.touched.is_empty() {
            return;
        }
        let sector = dice.pick(&self.touched);
        let (mut old, mut new) = ([0; SECTOR], [0; SECTOR]);
        let at = sector * SECTOR;
        durable.read(at, &mut old[..sector_length(durable, sector)]);
        self.cache
            .read(at, &mut new[..sector_length(&self.cache, sector)]);
        let cut = dice.below(SECTOR);
        let torn = match dice.below(4) {
            0 => [&new[..cut], &old[cut..]].concat(),
            1 => [&old[..cut], &new[cut..]].concat(),
            2 => {
                let mut garbage = dice.bytes(SECTOR);
                garbage[..cut].copy_from_slice(&new[..cut]);
                garbage
            }
            _ => dice.bytes(SECTOR),
        };
        put(&mut self.disk, sector, &torn);
    }
}

/// Bytes of the sector that lie within the image.
fn sector_length(image: &Image, sector: usize) -> usize {
    image.len().saturating_sub(sector * SECTOR).min(SECTOR)
}

/// Writes what of the sector lies within the image: lengths are changed apart.
fn put(disk: &mut Image, sector: usize, content: &[u8]) {
    let length = sector_length(disk, sector).min(content.len());
    disk.write(sector * SECTOR, &content[..length]);
}
