//! What one bot's process holds.

use std::sync::Arc;
use std::time::SystemTime;

use chat_api::{BotFile, BotName, Instance, operator, visitor};
use store::Store;
use tokio::sync::Semaphore;
use tokio_util::task::TaskTracker;
use tracing::Instrument as _;

use crate::conversation::ConversationId;
use crate::conversations::Conversations;
use crate::doors::Doors;
use crate::error::Error;
use crate::library::Library;
use crate::live::Live;

/// Most answers that are made at the same time.
pub const ANSWERS: usize = 256;

/// Most answers that wait for their turn. Whoever comes when all places are taken is told to come back.
pub const WAITING: usize = 768;

/// One bot, or one instance of it: its file, its documents, its conversations and the answers under way.
#[derive(Debug)]
pub struct Bot {
    /// Its name.
    pub name: BotName,
    /// Its name as one of the bot's instances.
    pub instance: Instance,
    /// Whether visitors are let in.
    pub doors: Doors,
    /// Its file.
    pub file: BotFile,
    /// Its documents.
    pub library: Arc<Library>,
    /// Its conversations.
    pub conversations: Conversations,
    /// The provider broker.
    pub llm: llm_api::Client,
    /// The answers under way.
    pub live: Arc<Live>,
    /// Places for answers, waiting or not.
    pub places: Arc<Semaphore>,
    /// Turns for answers that are made.
    pub turns: Semaphore,
    /// The tasks that answer.
    pub tasks: TaskTracker,
    started: u64,
}

impl Bot {
    /// Opens a bot over its store. Blocks while the documents are read.
    ///
    /// # Errors
    /// When the store fails.
    pub fn open(
        instance: Instance,
        file: BotFile,
        store: Store,
        llm: llm_api::Client,
    ) -> Result<Self, Error> {
        Ok(Self {
            library: Arc::new(Library::open(store.clone(), file.language)?),
            conversations: Conversations::in_store(store),
            name: instance.bot().clone(),
            doors: Doors::of(&instance),
            instance,
            file,
            llm,
            live: Arc::default(),
            places: Arc::new(Semaphore::new(ANSWERS + WAITING)),
            turns: Semaphore::new(ANSWERS),
            tasks: TaskTracker::new(),
            started: now(),
        })
    }

    /// What a widget needs to know.
    #[must_use]
    pub fn info(&self) -> visitor::BotInfo {
        visitor::BotInfo {
            name: self.name.clone(),
            title: self.file.title.clone(),
            greeting: self.file.greeting.clone(),
            suggestions: self.file.suggestions.clone(),
            language: self.file.language,
        }
    }

    /// Erases a conversation for good, in a task of its own: a caller that goes away leaves nothing half done.
    ///
    /// # Errors
    /// As [`Conversations::erase`].
    pub async fn erase(&self, id: ConversationId) -> Result<(), Error> {
        let conversations = self.conversations.clone();
        let erased = self
            .tasks
            .spawn(async move { conversations.erase(id).await }.in_current_span());
        erased.await.map_err(|_| Error::CutOff)??;
        tracing::info!("a conversation was erased");
        Ok(())
    }

    /// How it fares.
    ///
    /// # Errors
    /// When the store fails.
    pub fn status(&self) -> Result<operator::Status, Error> {
        let (conversations, messages) = self.conversations.count()?;
        let index = self.library.index();
        Ok(operator::Status {
            bot: self.name.clone(),
            instance: self.instance.clone(),
            open: self.doors.are_open(),
            title: self.file.title.clone(),
            documents: index.len(),
            chunks: index.chunks(),
            knowledge: index.fingerprint(),
            conversations,
            messages,
            provider: self.file.provider.clone(),
            started: self.started,
        })
    }
}

/// The time, in milliseconds since 1970.
#[must_use]
pub fn now() -> u64 {
    let since = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
