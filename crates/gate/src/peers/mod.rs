//! Other appliances that serve the same bots. Each gate hands a visitor's request to the appliance that his conversation
//! belongs to ([`crate::balance`]), and answers what others hand to it from its own bots alone, so that no request goes
//! in a circle. This gate opens no connection for it: the dialer does, for what is declared there.

mod line;
mod serve;
mod settings;
mod tls;

pub(crate) use line::{Failure, Line};
pub use serve::Door;
pub(crate) use settings::check;
pub use settings::{Other, Own};

use std::path::PathBuf;
use std::sync::Arc;

use chat_api::BotName;
use http::HeaderName;
use rustls::ServerConfig;
use secret::Credentials;

use crate::Config;
use tls::{Settings, Unusable};

/// The header by which an appliance says, in answer to a check, that it takes no new conversations.
pub(crate) const DRAINS: HeaderName = HeaderName::from_static("casemate-drains");

/// The credential with this appliance's key and certificate, as PEM.
const CREDENTIAL: &str = "gate.peer";

/// Where the keys and the way to other appliances come from.
#[derive(Debug)]
pub struct PeerSources {
    credentials: Credentials,
    authority: PathBuf,
    dialer: PathBuf,
}

impl PeerSources {
    /// The credential `gate.peer`, the authority that all appliances share (a PEM file), and the gate's socket of the
    /// dialer.
    #[must_use]
    pub fn new(
        credentials: &Credentials,
        authority: impl Into<PathBuf>,
        dialer: impl Into<PathBuf>,
    ) -> Self {
        Self {
            credentials: credentials.clone(),
            authority: authority.into(),
            dialer: dialer.into(),
        }
    }
}

/// Another appliance, and the bots that it serves; none where it serves all.
#[derive(Debug)]
pub(crate) struct Peer {
    pub(crate) name: String,
    pub(crate) line: Line,
    pub(crate) bots: Option<Vec<BotName>>,
}

/// The other appliances, and how they come in.
#[derive(Debug)]
pub(crate) struct Peers {
    pub(crate) all: Vec<Peer>,
    server: Arc<ServerConfig>,
}

impl Peers {
    /// As the settings say; none where they name no other.
    fn new(sources: &PeerSources, config: &Config) -> Result<Option<Self>, Unusable> {
        if config.appliances.is_empty() {
            return Ok(None);
        }
        let credential = |error: secret::Error| Unusable::Credential(error.to_string());
        let pem = sources.credentials.bytes(CREDENTIAL).map_err(credential)?;
        let setting = Unusable::Setting;
        let named = |name: &str| {
            settings::server_name(name).ok_or_else(|| setting(format!("{name:?} is no name")))
        };
        let others = config.appliances.iter().map(|other| named(&other.name));
        let others = others.collect::<Result<Vec<_>, _>>()?;
        let own = named(&config.appliance.name)?;
        let tls = Settings::new(&own, &pem, &sources.authority, others)?;
        let dialer = dialer_api::Client::new(&*sources.dialer);
        let mut all = Vec::new();
        for other in &config.appliances {
            let authority = other.name.parse();
            let authority =
                authority.map_err(|_| setting(format!("{:?} is no name", other.name)))?;
            let address = other.host_and_port().map_err(setting)?;
            let (tls, dialer) = (Arc::clone(&tls.client), dialer.clone());
            all.push(Peer {
                name: other.name.clone(),
                line: Line::new(named(&other.name)?, authority, address, tls, dialer),
                bots: other.bots.clone(),
            });
        }
        Ok(Some(Self {
            all,
            server: tls.server,
        }))
    }

    /// As the settings say. Where they cannot be had, visitors are served all the same, and the journal says so.
    pub(crate) fn if_usable(sources: &PeerSources, config: &Config) -> Option<Self> {
        Self::new(sources, config).unwrap_or_else(|error| {
            tracing::error!(
                "no other appliance is reached, and none gets in; visitors are served by this one alone: {error}"
            );
            None
        })
    }

    /// How the others' handshakes are made.
    pub(crate) fn server(&self) -> Arc<ServerConfig> {
        Arc::clone(&self.server)
    }
}
