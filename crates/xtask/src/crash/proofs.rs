//! What is proven, and how often.

/// Where a proof's code is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Program {
    /// The store's own unit tests.
    Inside,
    /// A test beside the store, by its file's name.
    Beside(&'static str),
}

/// A proof: a test of the store that takes its cases from the environment.
#[derive(Debug)]
pub(super) struct Proof {
    pub(super) name: &'static str,
    pub(super) about: &'static str,
    pub(super) program: Program,
    /// The test's name in its program.
    pub(super) test: &'static str,
    /// Cases that are promised.
    pub(super) cases: u64,
    /// Cases that one process runs: some seconds of work, so that there is progress to be told.
    pub(super) share: u64,
}

/// Every proof there is.
pub(super) const PROOFS: &[Proof] = &[
    Proof {
        name: "power",
        about: "simulated power losses: all open, nothing acknowledged is lost, nothing is wrong",
        program: Program::Inside,
        test: "tests::power::proof_power",
        cases: 10_000_000,
        share: 10_240,
    },
    Proof {
        name: "lies",
        about: "power losses of disks whose syncs lie: nothing is wrong",
        program: Program::Inside,
        test: "tests::power::proof_lies",
        cases: 1_000_000,
        share: 10_240,
    },
    Proof {
        name: "mutation",
        about: "changed, swapped and replayed parts of the file: nothing is wrong, no panic",
        program: Program::Inside,
        test: "tests::mutation::proof_mutation",
        cases: 1_000_000,
        share: 10_240,
    },
];
