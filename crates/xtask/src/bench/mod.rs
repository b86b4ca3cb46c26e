//! `cargo xtask bench`: measurements that say whether a promise holds.

mod appliance;
mod beside;
mod boot;
mod booted;
mod figure;
mod gate;
mod guard;
mod load;
mod provided;
mod rounds;
mod store;
mod usage;

use std::path::PathBuf;
use std::process::ExitCode;

use crate::failure::{Failure, Outcome};
use figure::Figure;

/// What `bench` may be told.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Options {
    /// The benchmark: `appliance` measures chat turns, memory and the boot of a booted appliance; `boot` a first boot;
    /// `gate` the gate beside Debian's nginx; `guard` bans beside Debian's fail2ban; `store` the encrypted store beside redb, SQLite and SQLCipher
    #[arg(default_value = BENCHES[0].name)]
    name: String,
    /// Print one JSON object instead of a table; it is the last line
    #[arg(long)]
    json: bool,
    /// Measure a conventional stack in the same run. SCRIPT starts one that serves POST
    /// https://127.0.0.1:8444/api/chat with a body of `conversation` and `message`, streams `data: {"delta":…}` and ends
    /// with `data: [DONE]`; it returns when the stack serves. `SCRIPT stop` ends it. LLM_URL says where its provider is
    #[arg(long, value_name = "SCRIPT")]
    beside: Option<PathBuf>,
    /// How often everything is measured in turn; medians count
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=100))]
    rounds: u32,
    /// Seconds of load in each; of `store`, seconds for each figure, in which its four contenders take turns
    #[arg(long, default_value_t = 8, value_parser = clap::value_parser!(u64).range(1..=3600))]
    seconds: u64,
    /// Connections, each one turn after the other
    #[arg(long, default_value_t = 32, value_parser = clap::value_parser!(u32).range(1..=4096))]
    connections: u32,
    /// Let the provider's words come one by one, 40 ms apart, as real ones do, instead of all at once. Turns a second are
    /// then a matter of the connections alone, and turns for each second of processor time one of passing words on
    #[arg(long)]
    slow: bool,
    /// Where `store` puts its files, for it is this folder's disk that is measured; the checkout's `target` otherwise. They
    /// take about 1 GiB and are gone afterwards
    #[arg(long, value_name = "FOLDER")]
    folder: Option<PathBuf>,
}

/// A benchmark: its name, and how it is run.
struct Bench {
    name: &'static str,
    run: fn(&Options) -> Outcome<Vec<Figure>>,
}

/// Every benchmark there is; the first is the one that is run when none is named.
const BENCHES: &[Bench] = &[
    Bench {
        name: "appliance",
        run: appliance::run,
    },
    Bench {
        name: "boot",
        run: boot::run,
    },
    Bench {
        name: "gate",
        run: gate::run,
    },
    Bench {
        name: "guard",
        run: guard::run,
    },
    Bench {
        name: "store",
        run: store::run,
    },
];

/// Runs one benchmark; success means that every figure holds.
pub(crate) fn bench(options: &Options) -> Outcome<ExitCode> {
    let Some(bench) = BENCHES.iter().find(|bench| bench.name == options.name) else {
        let names: Vec<_> = BENCHES.iter().map(|bench| bench.name).collect();
        return Failure::because(format!(
            "there is no benchmark {}; there are: {}",
            options.name,
            names.join(", ")
        ));
    };
    let figures = (bench.run)(options)?;
    if options.json {
        println!("{}", figure::json(bench.name, &figures));
    } else {
        print!("\n{}", figure::table(&figures));
    }
    Ok(if figures.iter().all(Figure::holds) {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
