//! A test of the tree itself: names, directions and sizes that the design promises.

mod calls;
mod code;
mod names;
mod scripts;
mod tree;

use std::time::Instant;

use super::Context;
use super::stage::Verdict;
use crate::failure::Outcome;
use crate::progress::note;
use tree::{Finding, Tree};

/// A rule: what it finds in a tree.
type Rule = fn(&Tree) -> Vec<Finding>;

const RULES: &[Rule] = &[
    names::top_level,
    names::stems,
    names::drop_ins,
    names::presets,
    calls::dependencies,
    calls::grants,
    code::decisions,
    code::doors,
    code::sizes,
    code::exemptions,
    scripts::driver_calls,
];

/// Holds the checkout to every rule.
pub(super) fn run(context: &Context) -> Outcome<Vec<Verdict>> {
    let started = Instant::now();
    let tree = Tree::of_checkout(context.workspace.root())?;
    let mut broken = 0;
    for finding in RULES.iter().flat_map(|rule| rule(&tree)) {
        let mark = if finding.advice { "advice: " } else { "" };
        note(&format!("{mark}{}: {}", finding.place, finding.text));
        broken += usize::from(!finding.advice);
    }
    Ok(vec![if broken == 0 {
        Verdict::passed("tidy", started.elapsed(), format!("{} rules", RULES.len()))
    } else {
        Verdict::failed("tidy", started.elapsed(), format!("{broken} findings"))
    }])
}
