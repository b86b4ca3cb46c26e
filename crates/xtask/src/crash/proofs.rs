//! What is proven, and how often.

/// A proof: a unit test of the store that takes its cases from the environment.
#[derive(Debug)]
pub(super) struct Proof {
    pub(super) name: &'static str,
    pub(super) about: &'static str,
    /// The test's name.
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
        test: "tests::power::proof_power",
        cases: 10_000_000,
        share: 10_240,
    },
    Proof {
        name: "lies",
        about: "power losses of disks whose syncs lie: nothing is wrong",
        test: "tests::power::proof_lies",
        cases: 1_000_000,
        share: 10_240,
    },
    Proof {
        name: "mutation",
        about: "changed, swapped and replayed parts of the file: nothing is wrong, no panic",
        test: "tests::mutation::proof_mutation",
        cases: 1_000_000,
        share: 10_240,
    },
    Proof {
        name: "rollback",
        about: "older copies of the whole file: each is refused, or accepted when told to",
        test: "tests::older::proof_rollback",
        cases: 10_000,
        share: 1280,
    },
    Proof {
        name: "copies",
        about: "copies made while commits go on, in full and of changes: each is its own commit",
        test: "tests::copies::proof_copies",
        cases: 10_000,
        share: 500,
    },
    Proof {
        name: "kill",
        about: "`kill -9` under load and while opening: nothing acknowledged is lost",
        test: "tests::kill::proof_kill",
        cases: 10_000,
        share: 100,
    },
    Proof {
        name: "canary",
        about: "what is stored is in the clear in no file, stream or restored file, at any moment",
        test: "tests::canary::proof_canary",
        cases: 1_000_000,
        share: 50_000,
    },
];
