//! Pure: what is known of the lists, and when one is tried again.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use firewall_api::BlockName;
use guard_api::ListState;

use super::folder::Version;
use super::{Failure, LOOK, nanoseconds};

/// Longest time until a list is tried again that failed for a reason that may pass: to read a long one is work.
const AGAIN_MAX: Duration = Duration::from_secs(300);

#[derive(Debug)]
struct List {
    state: ListState,
    in_force: bool,
    /// The version that was tried last.
    tried: Option<Version>,
    /// When that is tried again; never where it is in force, or would fail in the same way.
    again: Option<Instant>,
    /// How long after that it is tried yet again.
    pause: Duration,
}

/// What is known of all.
#[derive(Debug, Default)]
pub(super) struct Known {
    lists: BTreeMap<String, List>,
    /// Files that are not taken, and a folder that cannot be read.
    ignored: Vec<ListState>,
    folder: Option<ListState>,
    lost: u64,
    strangers_ended: bool,
}

fn not_in_force(name: String, error: String) -> ListState {
    ListState {
        name,
        entries: 0,
        refused: 0,
        took_ms: 0,
        version_ns: 0,
        error: Some(error),
    }
}

impl Known {
    pub(super) fn states(&self) -> Vec<ListState> {
        let lists = self.lists.values().map(|list| &list.state);
        let all = lists.chain(&self.ignored).chain(&self.folder);
        all.cloned().collect()
    }

    pub(super) fn forget(&mut self) {
        self.lists.clear();
        self.strangers_ended = false;
        self.lost += 1;
    }

    /// How often all was lost.
    pub(super) const fn lost(&self) -> u64 {
        self.lost
    }

    pub(super) fn folder_fails(&mut self, folder: String, error: &str) {
        let told =
            format!("the folder cannot be read, so the lists in force stay as they are: {error}");
        let state = not_in_force(folder, told);
        if self.folder.as_ref() != Some(&state) {
            tracing::warn!(
                "{}: {}",
                state.name,
                state.error.as_deref().unwrap_or_default()
            );
            self.folder = Some(state);
        }
    }

    /// The folder was read, and has these files that are not taken.
    pub(super) fn ignore(&mut self, ignored: Vec<(String, String)>) {
        self.folder = None;
        let states = ignored.into_iter();
        let states: Vec<_> = states.map(|(file, why)| not_in_force(file, why)).collect();
        for state in &states {
            if !self.ignored.contains(state) {
                tracing::warn!(
                    "block list {}: {}",
                    state.name,
                    state.error.as_deref().unwrap_or_default()
                );
            }
        }
        self.ignored = states;
    }

    /// Whether that version is to be put.
    pub(super) fn is_due(&self, name: &str, version: Version, now: Instant) -> bool {
        self.lists.get(name).is_none_or(|list| {
            list.tried != Some(version) || list.again.is_some_and(|again| again <= now)
        })
    }

    /// A version is in force. Says whether it still is: not if all was lost since that was asked for last.
    pub(super) fn succeeds(&mut self, state: ListState, version: Version, lost: u64) -> bool {
        let still = self.lost == lost;
        if still {
            let list = List {
                in_force: true,
                tried: Some(version),
                again: None,
                pause: LOOK,
                state,
            };
            self.lists.insert(list.state.name.clone(), list);
        }
        still
    }

    /// A version is not in force, and the one before still is, if there was one.
    pub(super) fn fails(
        &mut self,
        name: &str,
        version: Option<Version>,
        failure: &Failure,
        now: Instant,
    ) {
        let list = self.lists.entry(name.to_owned()).or_insert_with(|| List {
            state: ListState {
                version_ns: version.map_or(0, nanoseconds),
                ..not_in_force(name.to_owned(), String::new())
            },
            in_force: false,
            tried: None,
            again: None,
            pause: LOOK,
        });
        let before = if list.in_force {
            "the version before is in force"
        } else {
            "it is not in force"
        };
        let told = format!("{before}: {}", failure.told);
        if list.state.error.as_ref() != Some(&told) {
            tracing::warn!("block list {name}: {told}");
        }
        list.state.error = Some(told);
        if list.tried != version {
            list.pause = LOOK;
        }
        list.tried = version;
        list.again = failure.passing.then(|| now + list.pause);
        list.pause = (list.pause * 2).min(AGAIN_MAX);
    }

    /// Those that are known and not `there`.
    pub(super) fn gone(&self, there: impl Fn(&str) -> bool) -> Vec<BlockName> {
        let names = self.lists.keys().filter(|name| !there(name));
        names.filter_map(|name| name.parse().ok()).collect()
    }

    pub(super) fn remove(&mut self, name: &str) {
        self.lists.remove(name);
    }

    /// Whether the firewall may have lists that are not known.
    pub(super) const fn must_end_strangers(&self) -> bool {
        !self.strangers_ended
    }

    pub(super) const fn strangers_ended(&mut self) {
        self.strangers_ended = true;
    }

    pub(super) fn is_in_force(&self, name: &str) -> bool {
        self.lists.get(name).is_some_and(|list| list.in_force)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn version(length: u64) -> Version {
        (length, None)
    }

    fn state(entries: u64) -> ListState {
        ListState {
            entries,
            error: None,
            ..not_in_force("a".to_owned(), String::new())
        }
    }

    fn failure(passing: bool) -> Failure {
        let told = "because".to_owned();
        Failure { told, passing }
    }

    #[test]
    fn what_is_in_force_stays_shown_when_a_new_version_fails() {
        let mut known = Known::default();
        assert!(known.succeeds(state(7), version(1), 0));
        known.fails("a", Some(version(2)), &failure(false), Instant::now());
        let shown = known.states().remove(0);
        assert_eq!(shown.entries, 7);
        assert!(
            shown
                .error
                .is_some_and(|error| error.contains("before is in force"))
        );
        assert!(known.is_in_force("a"));
    }

    #[test]
    fn what_fails_for_good_is_not_tried_again_and_what_may_pass_is_ever_later() {
        let (mut known, now) = (Known::default(), Instant::now());
        let far = now + Duration::from_secs(3600);
        assert!(known.is_due("a", version(1), now));
        known.fails("a", Some(version(1)), &failure(false), Instant::now());
        assert!(!known.is_due("a", version(1), far) && known.is_due("a", version(2), now));
        let mut pauses = Vec::new();
        for _ in 0..12 {
            known.fails("a", Some(version(2)), &failure(true), Instant::now());
            assert!(!known.is_due("a", version(2), now) && known.is_due("a", version(2), far));
            pauses.push(
                known
                    .lists
                    .get("a")
                    .map_or(Duration::MAX, |list| list.pause),
            );
        }
        assert!(pauses.is_sorted() && pauses.last() == Some(&AGAIN_MAX));
    }

    #[test]
    fn what_was_lost_meanwhile_is_put_again() {
        let mut known = Known::default();
        let lost = known.lost();
        known.forget();
        assert!(!known.succeeds(state(7), version(1), lost));
        assert!(known.is_due("a", version(1), Instant::now()) && known.must_end_strangers());
    }
}
