//! One order, from the first request to the chain.

use std::path::Path;
use std::time::Duration;

use instant_acme::{
    Account, AuthorizationStatus, CertificateIdentifier, ChallengeType, Identifier, NewOrder,
    Order, OrderStatus, RetryPolicy,
};
use rcgen::{CertificateParams, DistinguishedName, KeyPair, PKCS_ECDSA_P256_SHA256};
use rustls_pki_types::ServerName;
use zeroize::Zeroizing;

use super::challenge::Answers;
use super::{Error, Obtained, is};
use crate::config::{Acme, Challenge};
use crate::issue::joined;
use crate::leaf::Leaf;

/// How often, and for how long, the directory is asked whether it is done.
const POLLS: RetryPolicy = RetryPolicy::new()
    .initial_delay(Duration::from_millis(500))
    .backoff(1.5)
    .timeout(Duration::from_secs(90));

/// Orders a certificate for the configured names and proves that they are ours.
pub(super) async fn order(
    account: &Account,
    acme: &Acme,
    replaces: Option<&CertificateIdentifier<'static>>,
    now: u64,
    challenges: &Path,
) -> Result<Obtained, Error> {
    check_profile(account, acme)?;
    let mut order = begin(account, acme, replaces).await?;
    let mut answers = Answers::new(challenges);
    prove(&mut order, acme, &mut answers).await?;
    match order.poll_ready(&POLLS).await {
        Ok(OrderStatus::Ready) => {}
        Ok(_) | Err(instant_acme::Error::Api(_)) => return Err(refused(&mut order).await),
        Err(error) => return Err(error.into()),
    }
    drop(answers);
    let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
    let texts: Vec<String> = acme
        .names
        .iter()
        .map(|name| name.to_str().into_owned())
        .collect();
    let mut params = CertificateParams::new(texts)?;
    params.distinguished_name = DistinguishedName::new();
    order
        .finalize_csr(params.serialize_request(&key)?.der())
        .await?;
    let chain = order.poll_certificate(&POLLS).await?;
    check(&chain, &key, &acme.names, now).map_err(Error::Certificate)?;
    let key = Zeroizing::new(key.serialize_pem());
    Ok(Obtained {
        tls: joined(&key, &chain),
        chain,
    })
}

/// Says which profiles there are before the directory refuses one that there is not.
fn check_profile(account: &Account, acme: &Acme) -> Result<(), Error> {
    let Some(wanted) = &acme.profile else {
        return Ok(());
    };
    let offered: Vec<&str> = account.profiles().map(|profile| profile.name).collect();
    if offered.contains(&wanted.as_str()) {
        return Ok(());
    }
    let offered = if offered.is_empty() {
        "none".to_owned()
    } else {
        offered.join(", ")
    };
    Err(Error::Profile(wanted.clone(), offered))
}

/// Places the order as a replacement of the former certificate (RFC 9773, 5), or as a new one where
/// the directory does not take it as such.
async fn begin(
    account: &Account,
    acme: &Acme,
    replaces: Option<&CertificateIdentifier<'static>>,
) -> Result<Order, Error> {
    let identifiers: Vec<Identifier> = acme.names.iter().map(identifier).collect();
    let mut new = NewOrder::new(&identifiers);
    if let Some(profile) = &acme.profile {
        new = new.profile(profile);
    }
    let Some(replaces) = replaces else {
        return Ok(account.new_order(&new).await?);
    };
    let replacing = NewOrder::new(&identifiers).replaces(replaces.clone());
    let replacing = match &acme.profile {
        Some(profile) => replacing.profile(profile),
        None => replacing,
    };
    match account.new_order(&replacing).await {
        Ok(order) => Ok(order),
        // A limit on orders, or an account that is gone, is none of the replacement's.
        Err(instant_acme::Error::Api(problem))
            if is(&problem, "rateLimited") || is(&problem, "accountDoesNotExist") =>
        {
            Err(instant_acme::Error::Api(problem).into())
        }
        Err(error) if !is_ours(&error) => {
            tracing::info!(
                "the directory does not take the order as a renewal, so it is placed as a new one: {error}"
            );
            Ok(account.new_order(&new).await?)
        }
        Err(error) => Err(error.into()),
    }
}

/// Whether the request itself failed, and not what the directory made of it.
fn is_ours(error: &instant_acme::Error) -> bool {
    matches!(error, instant_acme::Error::Other(cause) if cause.is::<Error>())
}

fn identifier(name: &ServerName<'_>) -> Identifier {
    match name {
        ServerName::IpAddress(address) => Identifier::Ip((*address).into()),
        other => Identifier::Dns(other.to_str().into_owned()),
    }
}

/// Answers the challenge of each name that is not proven yet.
async fn prove(order: &mut Order, acme: &Acme, answers: &mut Answers) -> Result<(), Error> {
    let (kind, text) = match acme.challenge {
        Challenge::Http01 => (ChallengeType::Http01, "http-01"),
        Challenge::TlsAlpn01 => (ChallengeType::TlsAlpn01, "tls-alpn-01"),
    };
    let mut authorizations = order.authorizations();
    while let Some(authorization) = authorizations.next().await {
        let mut authorization = authorization?;
        if authorization.status == AuthorizationStatus::Valid {
            continue;
        }
        let name = authorization.identifier().to_string();
        // The name becomes a file's: it has to be one of ours.
        let ours = acme.names.iter().any(|ours| ours.to_str() == name.as_str());
        if !ours {
            return Err(Error::Stranger(name));
        }
        let Some(mut challenge) = authorization.challenge(kind.clone()) else {
            return Err(Error::NoChallenge(name, text));
        };
        let answer = challenge.key_authorization();
        answers.put(acme.challenge, &name, &challenge.token, &answer)?;
        challenge.set_ready().await?;
    }
    Ok(())
}

/// Why the directory did not accept a proof, in its words.
async fn refused(order: &mut Order) -> Error {
    let mut reasons = Vec::new();
    let mut authorizations = order.authorizations();
    while let Some(authorization) = authorizations.next().await {
        let Ok(mut authorization) = authorization else {
            break;
        };
        let name = authorization.identifier().to_string();
        let Ok(state) = authorization.refresh().await else {
            break;
        };
        let errors = state
            .challenges
            .iter()
            .filter_map(|challenge| challenge.error.as_ref());
        reasons.extend(errors.map(|problem| format!("{name}: {problem}")));
    }
    Error::Refused(if reasons.is_empty() {
        "it does not say why".to_owned()
    } else {
        reasons.join("; ")
    })
}

/// Whether a chain is what was ordered: for our key and names, and good now.
fn check(chain: &str, key: &KeyPair, names: &[ServerName<'_>], now: u64) -> Result<(), String> {
    let leaf = Leaf::read(chain.as_bytes())?;
    if leaf.key != rcgen::PublicKeyData::subject_public_key_info(key) {
        return Err("it is for another key".to_owned());
    }
    if !leaf.is_for(names) {
        return Err(format!("it is for other names: {:?}", leaf.names));
    }
    if leaf.ends <= now {
        return Err("it has ended by this machine's clock; is that right?".to_owned());
    }
    Ok(())
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use rustls_pki_types::UnixTime;

    use super::*;
    use crate::issue::{Authority, LIFE, issue};

    #[test]
    fn only_what_was_ordered_is_used() {
        const NOW: u64 = 1_800_000_000;
        let time = UnixTime::since_unix_epoch(Duration::from_secs(NOW));
        let names = [ServerName::try_from("shop.example").unwrap()];
        let authority = Authority::new(time, &names).unwrap();
        let issued = issue(time, &names, &authority).unwrap();
        let key = KeyPair::from_pem(&issued.tls).unwrap();
        let other = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap();
        assert_eq!(check(&issued.chain, &key, &names, NOW), Ok(()));
        let refused = |key: &KeyPair, names: &[ServerName<'_>], now| {
            check(&issued.chain, key, names, now).unwrap_err()
        };
        assert!(refused(&other, &names, NOW).contains("another key"));
        assert!(refused(&key, &[], NOW).contains("other names"));
        assert!(refused(&key, &names, NOW + LIFE.as_secs()).contains("ended"));
        assert!(check("", &key, &names, NOW).is_err());
    }
}
