//! The account with a directory. Its private key is sealed like other keys.

use instant_acme::{Account, AccountCredentials, NewAccount};
use serde::Deserialize;
use zeroize::Zeroizing;

use super::Error;
use super::http::Https;
use crate::config::Acme;

/// The account that was sealed, or a new one, which is put into `made`.
pub(super) async fn open(
    acme: &Acme,
    sealed: Option<&str>,
    https: &Https,
    made: &mut Option<Zeroizing<String>>,
) -> Result<Account, Error> {
    if let Some(sealed) = sealed
        && let Some(account) = restore(acme, sealed, https).await?
    {
        return Ok(account);
    }
    let contact: Vec<&str> = acme.contact.iter().map(String::as_str).collect();
    let new = NewAccount {
        contact: &contact,
        // Without it the configuration is not accepted.
        terms_of_service_agreed: true,
        only_return_existing: false,
    };
    let (account, credentials) = Account::builder_with_http(Box::new(https.clone()))
        .create(&new, acme.directory.text.clone(), None)
        .await?;
    *made = Some(Zeroizing::new(serde_json::to_string(&credentials)?));
    tracing::info!("an account was begun with {}", acme.directory.text);
    Ok(account)
}

/// The account that was sealed, if it is one with this directory.
pub(super) async fn restore(
    acme: &Acme,
    sealed: &str,
    https: &Https,
) -> Result<Option<Account>, Error> {
    if !is_with(sealed, &acme.directory.text)? {
        return Ok(None);
    }
    let credentials: AccountCredentials = serde_json::from_str(sealed)?;
    let account = Account::builder_with_http(Box::new(https.clone()))
        .from_credentials(credentials)
        .await?;
    Ok(Some(account))
}

fn is_with(sealed: &str, directory: &str) -> serde_json::Result<bool> {
    #[derive(Deserialize)]
    struct Whose {
        directory: Option<String>,
    }
    let whose: Whose = serde_json::from_str(sealed)?;
    Ok(whose.directory.as_deref() == Some(directory))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn an_account_is_used_with_its_own_directory_alone() {
        let sealed = r#"{"id":"https://a.example/acct/1","key_pkcs8":"","directory":"https://a.example/dir"}"#;
        assert!(is_with(sealed, "https://a.example/dir").unwrap());
        assert!(!is_with(sealed, "https://b.example/dir").unwrap());
        assert!(is_with("none", "https://a.example/dir").is_err());
    }
}
