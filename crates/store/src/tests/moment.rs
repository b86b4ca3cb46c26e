//! What is known at one moment of a disk's log, and so what a power cut may leave there.

use std::sync::Arc;

use super::anchored::Known;
use super::content::Model;
use super::event::Event;
use super::image::Image;

/// What may be found.
#[derive(Clone)]
pub(super) struct Allowed {
    /// Any one of these.
    pub(super) states: Vec<Arc<Model>>,
    /// Whether the disk had lied about what is being looked for. Then the store may refuse,
    /// saying that it is damaged; what it shows must be right all the same.
    pub(super) lied: bool,
}

/// What is known at one moment of a log.
pub(super) struct Moment<'l> {
    /// What the disk has for certain.
    pub(super) durable: Image,
    /// What it may have.
    pub(super) pending: &'l [Event],
    pub(super) allowed: Allowed,
    /// What the anchor may know, where there is one.
    pub(super) known: Option<Known>,
}

/// What is known of `log` before event `point`. `start` is the disk before all of it, on which
/// `allowed` was to be found.
pub(super) fn moment<'l>(
    start: &Image,
    allowed: &Allowed,
    log: &'l [Event],
    states: &[Arc<Model>],
    point: usize,
) -> Moment<'l> {
    let settled = log[..point]
        .iter()
        .rposition(|event| matches!(event, Event::Settled(_)));
    let (durable, pending) = match settled.map(|at| (at, &log[at])) {
        Some((at, Event::Settled(image))) => (image.clone(), &log[at + 1..point]),
        _ => (start.clone(), &log[..point]),
    };
    // What was missing once may be needed later.
    let lied = allowed.lied || pending.iter().any(|event| matches!(event, Event::Lied));
    let mut now = None;
    let mut trying = Vec::new();
    for event in log[..point].iter().rev() {
        match event {
            Event::Trying(state) if now.is_none() => trying.push(Arc::clone(&states[*state])),
            Event::Certain(state) if now.is_none() => now = Some(*state),
            _ => {}
        }
        if now.is_some() {
            break;
        }
    }
    let mut found = match now {
        Some(state) => vec![Arc::clone(&states[state])],
        None => allowed.states.clone(),
    };
    if lied {
        // Any that was certain at some time: what came after may never have reached the disk.
        let certain = log[..point].iter().filter_map(|event| match event {
            Event::Certain(state) => Some(Arc::clone(&states[*state])),
            _ => None,
        });
        found.extend(certain);
        found.extend(allowed.states.iter().cloned());
    }
    found.append(&mut trying);
    Moment {
        durable,
        pending,
        allowed: Allowed {
            states: found,
            lied,
        },
        known: None,
    }
}
