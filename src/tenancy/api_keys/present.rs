//! A key is presented: whose is it, and what does it allow now?

use std::time::Duration;

use crate::app::App;
use crate::audit::{Event, Origin};
use crate::crypto::Secret;
use crate::identity::limits::{self, Bucket};
use crate::model::explanation::{Explanation, Rule};
use crate::model::{ApiKeyId, AuditAction, api_key};
use crate::store::{self, Conn, api_keys};
use crate::tenancy::admission::{self, KeyAdmission, Refusal};

/// Why a key is not accepted. Whoever presents it learns no more than that it is not.
#[derive(Debug, thiserror::Error)]
pub enum KeyRefused {
    #[error("the API key is not valid")]
    Invalid,
    /// Too many wrong ones from this address.
    #[error("too many wrong API keys")]
    Throttled(Duration),
    #[error(transparent)]
    Store(#[from] store::Error),
}

/// Whose key this is and what it allows now. Asked of the database at each use, so a revocation is effective at once on
/// every node. Wrong ones are counted for each address; a right one is never refused because of them.
pub async fn authenticate(
    app: &App,
    presented: &Secret,
    origin: &Origin,
) -> Result<KeyAdmission, KeyRefused> {
    let now = app.clock.now();
    let found = match api_key::is_well_formed(presented) {
        true => {
            let digest = presented.digest();
            app.db.read(move |db| find(db, &digest, now)).await?
        }
        false => Err((None, "malformed".to_owned())),
    };
    match found {
        Ok(admitted) => {
            app.key_uses.note(admitted.key().id, admitted.key().last_used_at, now);
            Ok(admitted)
        }
        Err((key, reason)) => Err(refuse(app, key, reason, origin).await),
    }
}

type Found = Result<KeyAdmission, (Option<ApiKeyId>, String)>;

fn find(
    db: &mut Conn,
    digest: &crate::crypto::Digest,
    now: crate::clock::Timestamp,
) -> Result<Found, store::Error> {
    let Some(key) = api_keys::find_by_digest(db, digest)? else {
        return Ok(Err((None, "unknown".to_owned())));
    };
    let id = key.id;
    Ok(admission::admit_api_key(db, key, now)?.map_err(|refusal: Refusal| (Some(id), refusal.to_string())))
}

async fn refuse(app: &App, key: Option<ApiKeyId>, reason: String, origin: &Origin) -> KeyRefused {
    let scribe = app.scribe(origin);
    let told = Explanation::of(Rule::ApiKey).with("reason", reason.as_str());
    origin.slip.refuse(match key {
        Some(key) => told.with("key", key),
        None => told,
    });
    let limit = app.config.limits.api_key_failures;
    let bucket = Bucket::new("api key", &[&limits::address_key(origin.ip)]);
    let counted = app
        .db
        .write(move |db| {
            let counted = limits::reserve(db, &[(bucket, limit)], scribe.now, &scribe.origin.slip)?;
            // Beyond the limit nothing more is written, so that a flood does not fill the audit.
            if counted.is_ok() {
                let mut event = Event::denied(AuditAction::ApiKeyRefused).detail("reason", reason.as_str());
                if let Some(key) = key {
                    event = event.detail("key", key.to_string());
                }
                scribe.write(db, event)?;
            }
            Ok(counted)
        })
        .await;
    match counted {
        Ok(Ok(())) => KeyRefused::Invalid,
        Ok(Err(throttled)) => KeyRefused::Throttled(throttled.retry_after),
        Err(error) => error.into(),
    }
}
