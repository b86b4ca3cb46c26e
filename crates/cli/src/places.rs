//! Where things are on the appliance.

use std::path::PathBuf;

use chat_api::BotName;

/// The folders and sockets that the command touches.
#[derive(Debug, Clone)]
pub(crate) struct Places {
    root: PathBuf,
}

impl Places {
    pub(crate) fn below(root: PathBuf) -> Self {
        Self { root }
    }

    /// Bots that an administrator or Nix declared. Never written.
    pub(crate) fn declared_bots(&self) -> PathBuf {
        self.root.join("etc/casemate/bots")
    }

    /// Bots made at run time.
    pub(crate) fn made_bots(&self) -> PathBuf {
        self.root.join("var/lib/casemate/bots")
    }

    pub(crate) fn declared_bot(&self, bot: &BotName) -> PathBuf {
        self.declared_bots().join(format!("{bot}.toml"))
    }

    pub(crate) fn made_bot(&self, bot: &BotName) -> PathBuf {
        self.made_bots().join(format!("{bot}.toml"))
    }

    pub(crate) fn operator_socket(&self, bot: &BotName) -> PathBuf {
        self.root
            .join(format!("run/casemate/chat-operator/{bot}.sock"))
    }

    /// The bot's sealed key.
    pub(crate) fn key(&self, bot: &BotName) -> PathBuf {
        self.root
            .join(format!("var/lib/casemate/keys/chat-{bot}.cred"))
    }

    /// A new key of the bot's that is to replace its key, sealed.
    pub(crate) fn next_key(&self, bot: &BotName) -> PathBuf {
        self.key(bot).with_extension("next")
    }

    /// The bot's store.
    pub(crate) fn store(&self, bot: &BotName) -> PathBuf {
        let [_, state] = self.state(bot);
        state.join("chat.redb")
    }

    /// The folder of the bot's store, and the link to it (`StateDirectory=` with `DynamicUser=`,
    /// systemd.exec(5)).
    pub(crate) fn state(&self, bot: &BotName) -> [PathBuf; 2] {
        self.kept(&format!("casemate-chat/{bot}"))
    }

    /// What tells an older copy of the store from the newest, and the link to it.
    pub(crate) fn anchor(&self, bot: &BotName) -> [PathBuf; 2] {
        self.kept(&format!("casemate-anchor/chat-{bot}"))
    }

    /// The file in it.
    pub(crate) fn anchor_file(&self, bot: &BotName) -> PathBuf {
        let [_, folder] = self.anchor(bot);
        folder.join("chat.anchor")
    }

    /// The machine's TPM, where it has one.
    pub(crate) fn tpm(&self) -> PathBuf {
        self.root.join("dev/tpmrm0")
    }

    /// What the TPM's counter of the bot's store said when it was last read.
    pub(crate) fn counter(&self, bot: &BotName) -> PathBuf {
        self.root.join(format!("run/casemate-counter/chat-{bot}"))
    }

    fn kept(&self, name: &str) -> [PathBuf; 2] {
        ["var/lib", "var/lib/private"].map(|folder| self.root.join(folder).join(name))
    }
}
