//! Where things are on the appliance.

use std::path::PathBuf;

use chat_api::{BotName, Instance};

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

    pub(crate) fn operator_socket(&self, instance: &Instance) -> PathBuf {
        self.root
            .join(format!("run/casemate/chat-operator/{instance}.sock"))
    }

    pub(crate) fn guard_socket(&self) -> PathBuf {
        self.root.join(guard_api::SOCKET.trim_start_matches('/'))
    }

    /// The instance's sealed key.
    pub(crate) fn key(&self, instance: &Instance) -> PathBuf {
        self.root
            .join(format!("var/lib/casemate/keys/chat-{instance}.cred"))
    }

    /// A new key that is to replace it, sealed.
    pub(crate) fn next_key(&self, instance: &Instance) -> PathBuf {
        self.key(instance).with_extension("next")
    }

    /// Its store.
    pub(crate) fn store(&self, instance: &Instance) -> PathBuf {
        let [_, state] = self.state(instance);
        state.join("chat.redb")
    }

    /// The folder of its store, and the link to it (`StateDirectory=` with `DynamicUser=`,
    /// systemd.exec(5)).
    pub(crate) fn state(&self, instance: &Instance) -> [PathBuf; 2] {
        self.kept(&format!("casemate-chat/{instance}"))
    }

    /// What tells an older copy of the store from the newest, and the link to it.
    pub(crate) fn anchor(&self, instance: &Instance) -> [PathBuf; 2] {
        self.kept(&format!("casemate-anchor/chat-{instance}"))
    }

    /// The file in it.
    pub(crate) fn anchor_file(&self, instance: &Instance) -> PathBuf {
        let [_, folder] = self.anchor(instance);
        folder.join("chat.anchor")
    }

    /// The machine's TPM, where it has one.
    pub(crate) fn tpm(&self) -> PathBuf {
        self.root.join("dev/tpmrm0")
    }

    /// What the TPM's counter of its store said when it was last read.
    pub(crate) fn counter(&self, instance: &Instance) -> PathBuf {
        self.root
            .join(format!("run/casemate-counter/chat-{instance}"))
    }

    fn kept(&self, name: &str) -> [PathBuf; 2] {
        ["var/lib", "var/lib/private"].map(|folder| self.root.join(folder).join(name))
    }
}
