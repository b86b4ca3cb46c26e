//! What happens to a simulated disk, and what is wrong with it.

use super::dice::Dice;
use super::image::Image;
use super::loss;
use crate::Mark;

/// What happened to the disk, in order.
#[derive(Clone)]
pub(crate) enum Event {
    Write {
        at: usize,
        data: Vec<u8>,
    },
    SetLen(usize),
    /// A sync ended well. What it left follows as [`Self::Settled`].
    Sync,
    /// A sync ended, well or not: from here on a power cut leaves at least this.
    Settled(Image),
    /// A sync ended well and had made nothing durable.
    Lied,
    /// The test's own mark, such as "so many commits were acknowledged".
    Mark(usize),
    /// The test's own mark: this state is being written.
    Trying(usize),
    /// The test's own mark: this state, and no other, is to be found.
    Certain(usize),
    /// The anchor was told of a commit.
    Anchored(Mark),
    /// The anchor was asked not to lose what it was told.
    AnchorSettled,
}

/// How calls fail.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Fault {
    /// ENOSPC for everything that changes the file, as on a file system that never overwrites.
    Full,
    /// ENOSPC for writes where nothing was written before.
    FullWhereNew,
    /// EIO for any call; of a write, a part may have been done.
    Broken,
    /// EIO for a sync, after which a part was written, the cache claims all of it, and the next
    /// sync succeeds without the rest (Linux marks what it could not write clean).
    LossySync,
}

/// What is wrong with a disk, to prove that the tests find it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Sabotage {
    /// Syncs do nothing.
    NoSync,
    /// After a failed sync the cache goes on to show what was lost.
    NoForget,
}

/// Applies events in full.
pub(crate) fn apply(image: &mut Vec<u8>, events: &[Event]) {
    let mut pages = Image::of(image);
    pages.apply(events);
    *image = pages.to_vec();
}

/// What a power cut leaves of `pending` on top of `durable`: see [`loss::lose_power`].
pub(crate) fn lose_power(durable: &[u8], pending: &[Event], dice: &mut Dice) -> Vec<u8> {
    loss::lose_power(&Image::of(durable), pending, dice).to_vec()
}
