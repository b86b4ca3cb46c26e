//! Lines of the journal, and who is logged in by them.

use std::net::IpAddr;
use std::sync::Arc;

use guard_api::Ban;
use guard_api::limits::OPERATOR_SECONDS;

use super::Core;
use crate::decide::never::{Process, Session};
use crate::keep::Change;
use crate::messages::Line;
use crate::schema::Sessions;

impl Core {
    /// A line of the journal that is believed. Gives the bans that follow. Whether a session is live that begins by it,
    /// [`Self::end_dead`] is told.
    pub fn line(&self, line: Line, process: Process, unit: &Arc<str>, at_ms: u64) -> Vec<Ban> {
        match line {
            Line::Seen { kind, client } => self.judge(kind, client, unit, 1, Some(at_ms)).new,
            Line::LoggedIn(address) => {
                let begun = at_ms / 1000;
                self.state()
                    .engine
                    .never
                    .begin(process, Session { address, begun });
                self.keep_sessions();
                Vec::new()
            }
            Line::LoggedOut => {
                if self.state().engine.never.end(process).is_some() {
                    self.keep_sessions();
                }
                Vec::new()
            }
        }
    }

    /// Ends the sessions whose process is not there: their end is not in the journal where the machine stopped, or the
    /// journal has a gap.
    pub fn end_dead(&self, is_live: impl Fn(Process) -> bool) {
        let all: Vec<_> = {
            let state = self.state();
            let sessions = state.engine.never.sessions();
            sessions.map(|(process, _)| process).collect()
        };
        let dead: Vec<_> = all
            .into_iter()
            .filter(|process| !is_live(*process))
            .collect();
        if dead.is_empty() {
            return;
        }
        for process in dead {
            self.state().engine.never.end(process);
        }
        self.keep_sessions();
    }

    fn keep_sessions(&self) {
        let sessions = Sessions {
            sessions: self.state().engine.never.sessions().collect(),
        };
        self.changes.put(Change::Sessions(Box::new(sessions)));
    }

    /// An operator works from that address.
    pub fn operator(&self, address: IpAddr) {
        let until = self.now_s() + OPERATOR_SECONDS;
        self.state().engine.never.operator(address, until);
    }
}
