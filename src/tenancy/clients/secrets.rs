//! The secrets of clients: made here, or taken over from another server; two at most, while one takes the other's place.

use std::time::Duration;

use super::{ClientError, told};
use crate::app::App;
use crate::audit::{Origin, Scribe};
use crate::clock::Timestamp;
use crate::crypto::{Random, Secret};
use crate::model::{AuditAction, Client, ClientAuthMethod, ClientSecret, ClientSecretId, Topic};
use crate::store::clients;

/// How long a former secret may live on at most.
pub const LONGEST_OVERLAP: Duration = Duration::from_secs(30 * 86_400);

/// A secret that another server made.
#[derive(Clone, Debug)]
pub struct BroughtSecret {
    pub secret: Secret,
    pub expires_at: Option<Timestamp>,
}

/// A client that was just made.
#[derive(Clone, Debug)]
pub struct Created {
    pub client: Client,
    /// The secret that was made for it: shown now and never again (CA-2).
    pub secret: Option<Secret>,
}

/// A secret taken over is stored as a plain digest, so it must be long: ours have 43 characters.
pub(super) const MIN_SECRET: usize = 32;

/// Gives the client a new secret; the present one lives on for `overlap` (CA-2).
pub async fn rotate_secret(
    app: &App,
    client_id: &str,
    overlap: Duration,
    origin: &Origin,
) -> Result<Created, ClientError> {
    let (scribe, client_id) = (app.scribe(origin), client_id.to_owned());
    let outcome = app.db.write(move |db| {
        clients::hold(db, &client_id)?;
        let Some(client) = clients::find_by_client_id(db, &client_id)? else {
            return Ok(Err(ClientError::NoSuchClient));
        };
        if !uses_secret(client.auth_method) {
            return Ok(Err(ClientError::SecretNotUsed(client.auth_method)));
        }
        if let Some(end) = earliest_of_two(&client.secrets, scribe.now).filter(|_| !overlap.is_zero()) {
            return Ok(Err(ClientError::TwoSecrets(end)));
        }
        let (secret, row) = make_secret(scribe.now, &scribe.random);
        clients::expire_secrets(db, client.key, scribe.now.plus(overlap))?;
        clients::add_secret(db, client.key, &row)?;
        let event = told(AuditAction::ClientChanged, &client)
            .detail("secret_rotated", true)
            .detail("overlap_seconds", overlap.as_secs());
        scribe.write(db, event)?;
        // With the end of the present ones.
        let changed = clients::find_by_client_id(db, &client_id)?;
        Ok(changed.map(|client| Created { client, secret: Some(secret) }).ok_or(ClientError::NoSuchClient))
    });
    let created = outcome.await??;
    app.registry.forget(Topic::Clients);
    Ok(created)
}

/// Ends one of the client's secrets now. The last one that lives is not ended: a client without a secret is disabled,
/// and disabling says so.
pub async fn end_secret(
    app: &App,
    client_id: &str,
    secret: ClientSecretId,
    origin: &Origin,
) -> Result<Client, ClientError> {
    let (scribe, client_id) = (app.scribe(origin), client_id.to_owned());
    let outcome = app.db.write(move |db| {
        clients::hold(db, &client_id)?;
        let Some(client) = clients::find_by_client_id(db, &client_id)? else {
            return Ok(Err(ClientError::NoSuchClient));
        };
        let live = client.secrets.iter().filter(|one| is_live(one, scribe.now));
        if live.clone().all(|one| one.id == secret) && live.count() == 1 {
            return Ok(Err(ClientError::LastSecret));
        }
        if !clients::end_secret(db, client.key, secret, scribe.now)? {
            return Ok(Err(ClientError::NoSuchSecret));
        }
        let event = told(AuditAction::ClientChanged, &client).detail("secret_ended", secret.to_string());
        scribe.write(db, event)?;
        Ok(Ok(client))
    });
    let client = outcome.await??;
    app.registry.forget(Topic::Clients);
    Ok(client)
}

/// Whether the secret is taken at this time.
pub fn is_live(secret: &ClientSecret, now: Timestamp) -> bool {
    secret.expires_at.is_none_or(|end| now < end)
}

/// Makes the client's secret, or takes over the one that was brought. Answers the one that must be shown.
pub(super) fn give_secret(
    client: &mut Client,
    brought: Option<BroughtSecret>,
    scribe: &Scribe,
) -> Result<Option<Secret>, ClientError> {
    match (uses_secret(client.auth_method), brought) {
        (false, None) => Ok(None),
        (false, Some(_)) => Err(ClientError::SecretNotUsed(client.auth_method)),
        (true, None) => {
            let (secret, row) = make_secret(scribe.now, &scribe.random);
            client.secrets.push(row);
            Ok(Some(secret))
        }
        (true, Some(brought)) => {
            check_secret(brought.secret.expose())?;
            client.secrets.push(ClientSecret {
                id: ClientSecretId::new(scribe.now, &scribe.random),
                digest: brought.secret.digest(),
                created_at: scribe.now,
                expires_at: brought.expires_at,
            });
            Ok(None)
        }
    }
}

fn make_secret(now: Timestamp, random: &Random) -> (Secret, ClientSecret) {
    let secret = Secret::generate(random);
    let id = ClientSecretId::new(now, random);
    let row = ClientSecret { id, digest: secret.digest(), created_at: now, expires_at: None };
    (secret, row)
}

/// When the first of two live secrets ends; `None` if at most one is live.
fn earliest_of_two(secrets: &[ClientSecret], now: Timestamp) -> Option<Timestamp> {
    let live: Vec<&ClientSecret> = secrets.iter().filter(|secret| is_live(secret, now)).collect();
    if live.len() < 2 {
        return None;
    }
    live.iter().filter_map(|secret| secret.expires_at).min()
}

/// Whether clients that authenticate so have a secret.
pub fn uses_secret(method: ClientAuthMethod) -> bool {
    matches!(method, ClientAuthMethod::SecretBasic | ClientAuthMethod::SecretPost)
}

fn check_secret(secret: &str) -> Result<(), ClientError> {
    let mut different: Vec<u8> = secret.bytes().collect();
    different.sort_unstable();
    different.dedup();
    let plain = secret.chars().all(|c| c.is_ascii_graphic());
    if !plain || !(MIN_SECRET..=512).contains(&secret.len()) || different.len() < 10 {
        return Err(ClientError::WeakSecret);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ca_2_a_secret_that_is_taken_over_must_be_long_and_random() {
        assert!(check_secret("0123456789abcdef0123456789abcdef").is_ok());
        for bad in ["short", &"ab".repeat(20), &"x y".repeat(20), "0123456789abcdef0123456789abcde"] {
            assert!(check_secret(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn ca_2_two_secrets_live_at_most() {
        let random = Random::system();
        let secret = |expires_at: Option<i64>| ClientSecret {
            expires_at: expires_at.map(Timestamp),
            ..make_secret(Timestamp(0), &random).1
        };
        let now = Timestamp(10);
        let cases = [
            (vec![], None),
            (vec![secret(None)], None),
            (vec![secret(Some(10)), secret(None)], None),
            (vec![secret(Some(11)), secret(None)], Some(Timestamp(11))),
            (vec![secret(Some(11)), secret(Some(30))], Some(Timestamp(11))),
        ];
        for (secrets, end) in cases {
            assert_eq!(earliest_of_two(&secrets, now), end);
        }
    }
}
