//! The command line of `casemate store`.

use std::path::PathBuf;

use chat_api::Instance;
use clap::{Args, Subcommand, ValueHint};
use store::Mark;

#[derive(Debug, Subcommand)]
pub(crate) enum StoreCommand {
    /// Check a store whole: with its key every block and every record, without it what is in the
    /// clear. Of a snapshot: whether it was damaged on its way.
    Verify(Chosen),
    /// Tell what a store is and what it holds: with its key also how many subjects, such as
    /// conversations, were erased for good. Those that are left are not counted, since the table of
    /// their keys does not know them one by one.
    Info(Chosen),
    /// Write what a store holds to a snapshot, still sealed, and print its receipt.
    Snapshot(Snapshot),
    /// Make a new store's file from a snapshot and the snapshots of changes that follow it.
    Restore(Restore),
    /// Change a store's key. Its content is not written anew, unless its data keys are changed too.
    Rekey(Rekey),
    /// Give the space that a store no longer needs back to the disk.
    Compact(Chosen),
    /// Go on from an older copy of a store, which was refused for being one.
    Accept(Chosen),
}

/// Which store, and the key to it.
#[derive(Debug, Args)]
pub(crate) struct Chosen {
    /// The store's file, which no service may have open.
    #[arg(value_name = "FILE", value_hint = ValueHint::FilePath, required_unless_present = "bot", conflicts_with = "bot")]
    pub(crate) file: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) key: KeyFrom,
    /// The file that remembers the store's newest commit, so that an older copy of the store is
    /// noticed. A bot's is found by itself.
    #[arg(long, value_name = "PATH", value_hint = ValueHint::FilePath)]
    pub(crate) anchor: Option<PathBuf>,
}

/// Where the key comes from.
#[derive(Debug, Args)]
pub(crate) struct KeyFrom {
    /// A bot of this appliance, or an instance of one such as `shop.2`: its store, opened with its own key.
    #[arg(long, value_name = "BOT")]
    pub(crate) bot: Option<Instance>,
    /// A file with the store's key, 32 raw bytes, such as /dev/stdin behind `systemd-creds decrypt
    /// --name=store FILE.cred -`.
    #[arg(long, value_name = "PATH", value_hint = ValueHint::FilePath)]
    pub(crate) key: Option<PathBuf>,
}

#[derive(Debug, Args)]
#[command(allow_missing_positional = true)]
pub(crate) struct Snapshot {
    #[command(flatten)]
    pub(crate) chosen: Chosen,
    /// The snapshot's file, which must not be there yet; `-` is the standard output.
    #[arg(value_name = "OUT", value_hint = ValueHint::FilePath)]
    pub(crate) out: PathBuf,
    /// The receipt of an earlier snapshot: write only what has changed since.
    #[arg(long, value_name = "RECEIPT")]
    pub(crate) since: Option<Mark>,
}

#[derive(Debug, Args)]
pub(crate) struct Restore {
    /// The file to make, which must not be there yet.
    #[arg(value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) file: PathBuf,
    /// A full snapshot, and those of changes that follow it, in order; `-` is the standard input.
    #[arg(required = true, value_name = "SNAPSHOT", value_hint = ValueHint::FilePath)]
    pub(crate) snapshots: Vec<PathBuf>,
    /// A restored store that no service has opened since: it is copied, and takes the place of
    /// the snapshots that it was made from.
    #[arg(long, value_name = "PATH", value_hint = ValueHint::FilePath)]
    pub(crate) onto: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) key: KeyFrom,
}

#[derive(Debug, Args)]
pub(crate) struct Rekey {
    #[command(flatten)]
    pub(crate) chosen: Chosen,
    /// A file with the new key: 32 random bytes. It replaces the old key at once. A bot needs
    /// none: a new key is made and sealed for it.
    #[arg(long, value_name = "PATH", value_hint = ValueHint::FilePath, required_unless_present_any = ["data", "bot"])]
    pub(crate) new_key: Option<PathBuf>,
    /// Make a new data key and write all content anew under it. This can be stopped with Ctrl-C,
    /// and goes on when it is begun again. The key stays, unless --new-key is given.
    #[arg(long)]
    pub(crate) data: bool,
}
