//! Serves one bot on its two sockets.

use std::sync::Arc;
use std::time::Duration;

use chat_api::BotFile;
use daemon::{BoxError, ConfigFile, Service, Start};
use ipc::Limits;
use sandbox::{Confined, Plan};
use store::{FileAnchor, Options, Store};
use tokio::net::UnixListener;
use tokio_util::sync::CancellationToken;

use crate::bot::Bot;
use crate::config;
use crate::doors::PATIENCE;
use crate::operators::Operators;
use crate::visitors::Visitors;

/// One MiB, in bytes.
const MIB: usize = 1024 * 1024;

/// Most connections of operators: commands, one at a time.
const OPERATORS: usize = 16;

/// How long answers whose readers have gone may still take when the service stops.
const DRAIN_TIME: Duration = Duration::from_secs(3);

/// One bot's service.
#[derive(Debug)]
pub struct Chat;

impl Service for Chat {
    const STEM: &'static str = "chat";
    const CONFIG_FILE: ConfigFile = ConfigFile::Required;
    type Config = BotFile;

    fn config_stem(instance: &str) -> Result<String, String> {
        config::stem(instance)
    }

    fn check(config: &BotFile, instance: Option<&str>) -> Result<(), String> {
        config::check(config, instance)
    }

    fn plan(_config: &BotFile, instance: Option<&str>) -> Plan {
        config::plan(instance)
    }

    async fn serve(mut start: Start<BotFile>) -> Result<(), BoxError> {
        let instance = start.instance.as_deref();
        let name = config::instance(instance)?;
        let key = start.credentials.key(config::STORE_KEY)?;
        let path = config::state(instance).join(config::STORE_FILE);
        let anchor = config::anchor(instance).join(config::ANCHOR_FILE);
        let counter = config::counter(&start.credentials)?;
        let options = Options {
            cache_bytes: start.config.cache_mib as usize * MIB,
            anchor: Some(Arc::new(FileAnchor::counted(&anchor, &key, counter)?)),
            ..Options::default()
        };
        let (visitors, operators) = (
            start.sockets.unix("visitors")?,
            start.sockets.unix("operators")?,
        );
        let llm = llm_api::Client::new(config::LLM_SOCKET);
        let file = start.config;
        let bot = tokio::task::spawn_blocking(move || {
            let store = Store::open(&path, &key, options)?;
            Ok::<_, BoxError>(Arc::new(Bot::open(name, file, store, llm)?))
        })
        .await??;
        if let Some(counter) = counter
            && let Err(error) = config::say_opened(counter.next())
        {
            tracing::warn!(
                "the TPM's counter stays, so that an older copy that is put back might go unnoticed: {error}"
            );
        }
        let index = bot.library.index();
        start.ready.notify(&format!(
            "{}: {} documents, {} passages",
            bot.instance,
            index.len(),
            index.chunks()
        ));
        drop(index);
        run(
            &start.confined,
            Arc::clone(&bot),
            visitors,
            operators,
            start.drain,
        )
        .await;
        // Where this instance is one too many from now on, that is how many conversations nobody reaches.
        let (conversations, _) = bot.conversations.count()?;
        tracing::info!("it stops; conversations that stay in its store: {conversations}");
        Ok(())
    }
}

/// Serves, visitors once they are let in ([`crate::doors`]), until `drain` is cancelled, then finishes the answers under way.
pub async fn run(
    confined: &Confined,
    bot: Arc<Bot>,
    visitors: UnixListener,
    operators: UnixListener,
    drain: CancellationToken,
) {
    let for_visitors = Arc::new(Visitors::of(Arc::clone(&bot), drain.clone()));
    let for_operators = Arc::new(Operators::of(Arc::clone(&bot)));
    let few = Limits {
        connections: OPERATORS,
        ..Limits::default()
    };
    tokio::join!(
        async {
            tokio::select! {
                () = drain.cancelled() => return,
                () = bot.doors.opened(PATIENCE, || bot.library.index().len()) => {}
            }
            ipc::serve_streams(
                confined,
                visitors,
                Limits::default(),
                drain.clone(),
                move |_, request| {
                    let visitors = Arc::clone(&for_visitors);
                    async move { visitors.handle(request).await }
                },
            )
            .await;
        },
        ipc::serve(
            confined,
            operators,
            few,
            drain.clone(),
            move |_, request| {
                let operators = Arc::clone(&for_operators);
                async move { operators.handle(request).await }
            }
        ),
    );
    // Those that still wait for their turn end now; their questions are stored.
    bot.turns.close();
    bot.tasks.close();
    if tokio::time::timeout(DRAIN_TIME, bot.tasks.wait())
        .await
        .is_err()
    {
        tracing::warn!(
            "answers still under way after {DRAIN_TIME:?} were cut off; their questions are stored"
        );
    }
}
