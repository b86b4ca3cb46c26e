//! Guard as a service: what is loaded, in which order it begins, and how it ends.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use daemon::{BoxError, Service, Start, Threads};
use event::Receiver;
use ipc::Limits;
use sandbox::Plan;
use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use crate::api::Api;
use crate::config::{self, Config, PROCESSES};
use crate::core::Core;
use crate::decide::Engine;
use crate::decide::never::Never;
use crate::keep::{self, Changes};
use crate::lists::Lists;
use crate::living::Living;
use crate::wall::Wall;
use crate::watch::{BOOT, MACHINE, Watch};
use crate::{listen, rules};

/// Most connections of operators: commands, one at a time.
const OPERATORS: usize = 16;

/// How long the start waits for the firewall to have all bans, and again for the journal's backlog. After that it serves all
/// the same, and what is missing follows.
const START_TIME: Duration = Duration::from_secs(10);

/// How long the start waits for block lists to be in force. Sixteen of the longest may take more.
const LISTS_TIME: Duration = Duration::from_secs(5);

/// How often the firewall is asked whether it still has what it was given.
const ASK: Duration = Duration::from_secs(1);

/// How long to wait after it did not answer.
const AGAIN: Duration = Duration::from_millis(200);

/// How often bans that are over are taken out of memory; the kernel ends them by itself.
const EXPIRE: Duration = Duration::from_secs(5);

/// How long the last changes may take to be stored when the service stops.
const LAST_TIME: Duration = Duration::from_secs(15);

/// `casemate-guard`.
#[derive(Debug)]
pub struct Guard;

impl Service for Guard {
    const STEM: &'static str = "guard";
    // The store and the journal have threads of their own, and lists are read on others.
    const THREADS: Threads = Threads::One;
    type Config = Config;

    fn check(config: &Config, _instance: Option<&str>) -> Result<(), String> {
        config.check()
    }

    fn plan(_config: &Config, _instance: Option<&str>) -> Plan {
        config::plan()
    }

    async fn serve(mut start: Start<Config>) -> Result<(), BoxError> {
        let rules = rules::in_force(&start.config.rule, &start.config.disable)?;
        let half_lives: Vec<_> = rules
            .iter()
            .map(|rule| (rule.name.clone(), rule.half_life_s))
            .collect();
        let never = Never::new(start.config.never()?);
        let mut engine = Engine::new(rules, start.config.reach(), never);
        let (events, operators) = (
            start.sockets.unix("events")?,
            start.sockets.unix("operators")?,
        );
        let key = start.credentials.key(config::STORE_KEY)?;
        let changes = Changes::default();
        let (store, engine, progress) = {
            let (half_lives, changes) = (half_lives.clone(), changes.clone());
            tokio::task::spawn_blocking(move || {
                let path = config::state().join(config::STORE_FILE);
                let anchor = config::anchor().join(config::ANCHOR_FILE);
                let store = keep::open(&path, &anchor, &key)?;
                let progress = crate::load::load(&store, &mut engine, &half_lives, &changes)?;
                Ok::<_, BoxError>((store, engine, progress))
            })
            .await??
        };
        let mut writer = tokio::spawn(keep::run(store.clone(), changes.clone()));
        let wall = Wall::new(firewall_api::Client::new(firewall_api::SOCKET));
        let core = Arc::new(Core::new(engine, wall, store, changes));
        let lists = Arc::new(Lists::default());
        let restored = tokio::time::timeout(START_TIME, restore(&core, &lists)).await;
        if restored.is_err() {
            tracing::error!(
                "the firewall does not answer, so the kernel may lack bans; the gate refuses whom it hears of"
            );
        }
        let listed = tokio::spawn({
            let (core, lists, drain) = (Arc::clone(&core), Arc::clone(&lists), start.drain.clone());
            async move { lists.run(&core, Path::new(config::BLOCKS), &drain).await }
        });
        if tokio::time::timeout(LISTS_TIME, lists.looked())
            .await
            .is_err()
        {
            tracing::warn!(
                "the gate starts before all block lists are in force: they take longer than {LISTS_TIME:?}"
            );
        }
        let watch = Watch {
            folders: Watch::folders(),
            machine: Watch::given(MACHINE),
            living: Living::new(Watch::given(BOOT), Path::new(PROCESSES)),
            pam_units: start.config.pam_units.clone(),
            cursors: progress.cursors,
            half_lives,
        };
        let (thread, caught_up) = follow(watch, Arc::clone(&core), start.drain.clone())?;
        // Where it is dropped, the thread has ended, and says so itself.
        let _ = tokio::time::timeout(START_TIME, caught_up).await;
        let bans = core.state().engine.bans.len();
        start.ready.notify(&status(&core));
        tracing::info!(bans, "bans are in force");
        let api = Arc::new(Api {
            core: Arc::clone(&core),
            lists: Arc::clone(&lists),
        });
        let few = Limits {
            connections: OPERATORS,
            ..Limits::default()
        };
        let drain = start.drain.clone();
        let kept_whole = tokio::spawn(keep_whole(
            Arc::clone(&core),
            Arc::clone(&lists),
            drain.clone(),
        ));
        let expired = tokio::spawn(expire(Arc::clone(&core), drain.clone()));
        tokio::join!(
            listen::serve(
                &start.confined,
                Arc::clone(&core),
                Receiver::new(events),
                drain.clone()
            ),
            ipc::serve(
                &start.confined,
                operators,
                few,
                drain.clone(),
                move |peer, request| {
                    let api = Arc::clone(&api);
                    async move { api.answer(peer, request).await }
                }
            ),
        );
        let _ = tokio::join!(kept_whole, expired, listed);
        let ended = tokio::task::spawn_blocking(move || thread.join()).await;
        if !matches!(ended, Ok(Ok(()))) {
            tracing::error!("the journal's reader ended in a panic");
        }
        event::flush();
        core.changes.close();
        if tokio::time::timeout(LAST_TIME, &mut writer).await.is_err() {
            tracing::error!(
                "the last changes of bans could not be stored: the next start is without them"
            );
        }
        writer.abort();
        Ok(())
    }
}

/// A thread that follows the journal, and what says that it has caught up.
fn follow(
    watch: Watch,
    core: Arc<Core>,
    drain: CancellationToken,
) -> std::io::Result<(std::thread::JoinHandle<()>, oneshot::Receiver<()>)> {
    let (sender, caught_up) = oneshot::channel();
    let runtime = Handle::current();
    let thread = std::thread::Builder::new()
        .name("journal".to_owned())
        .spawn(move || {
            watch.run(&core, &runtime, &drain, || {
                // Whoever waited may have gone on without.
                let _ = sender.send(());
            });
        })?;
    Ok((thread, caught_up))
}

/// Gives the firewall everything, until it has it.
async fn restore(core: &Core, lists: &Lists) {
    while !core.restore().await {
        tokio::time::sleep(AGAIN).await;
    }
    lists.forget();
}

/// Asks the firewall whether it has everything, and gives it everything where it has not.
async fn keep_whole(core: Arc<Core>, lists: Arc<Lists>, drain: CancellationToken) {
    let work = async {
        loop {
            tokio::select! {
                () = core.wall.lost() => {}
                () = tokio::time::sleep(ASK) => core.wall.look().await,
            }
            if !core.wall.is_complete() {
                restore(&core, &lists).await;
                tracing::info!("the firewall has all bans again");
            }
        }
    };
    tokio::select! {
        () = work => {}
        () = drain.cancelled() => {}
    }
}

async fn expire(core: Arc<Core>, drain: CancellationToken) {
    let mut said = String::new();
    loop {
        tokio::select! {
            () = tokio::time::sleep(EXPIRE) => {}
            () = drain.cancelled() => return,
        }
        core.expire().await;
        let status = status(&core);
        if status != said {
            daemon::say(&status);
            said = status;
        }
    }
}

fn status(core: &Core) -> String {
    let state = core.state();
    let bans = state.engine.bans.len();
    let mode = if state.engine.is_dry_run() {
        " (dry run)"
    } else {
        ""
    };
    let force = if core.wall.is_complete() {
        ""
    } else {
        ", and the firewall lacks some"
    };
    let stored = if core.changes.trouble().0 {
        ", and the store fails"
    } else {
        ""
    };
    format!("{bans} bans{mode}{force}{stored}")
}
