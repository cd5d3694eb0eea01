//! What runs the service, by the management API: signing keys, mail that waits, settings in force.

use actix_web::HttpResponse;

use super::manager::Manager;
use crate::model::{MessageId, SigningAlg};
use crate::signing::{ALGORITHMS, KeySummary, SigningError, summarise};
use crate::store::{outbox, signing_keys};
use crate::tenancy::post;
use crate::web::api::ask::Sent;
use crate::web::api::organizations::ok;
use crate::web::api::session::done;
use crate::web::api::typed::{asked, told};
use crate::web::fault::{Fault, Refused};

asked! {
    /// `POST /keys/rotate`.
    RotateAsked {
        /// Only this algorithm; all of them if left out.
        alg: Option<String> where { "enum": ["RS256", "ES256", "EdDSA"] },
    }
}

told! {
    Keys {
        items: Vec<KeyTold>,
    }
    KeyTold {
        kid: String,
        alg: String,
        /// `waiting`, `signing`, `retired` or `revoked`.
        state: String,
        published_at: String,
        active_from: String,
        retired_at: Option<String>,
        revoked_at: Option<String>,
    }
    Messages {
        items: Vec<MessageTold>,
        next: Option<String>,
    }
    MessageTold {
        id: String,
        recipient: String,
        subject: String,
        /// `waiting`, `sent` or `failed`.
        state: String,
        attempts: i64,
        last_error: Option<String>,
        created_at: String,
        sent_at: Option<String>,
        failed_at: Option<String>,
    }
    Settings {
        items: Vec<SettingTold>,
    }
    SettingTold {
        key: String,
        value: String,
        source: String,
    }
}

impl From<KeySummary> for KeyTold {
    fn from(key: KeySummary) -> Self {
        Self {
            kid: key.kid,
            alg: key.alg.to_string(),
            state: key.state.to_owned(),
            published_at: key.published_at,
            active_from: key.active_from,
            retired_at: key.retired_at,
            revoked_at: key.revoked_at,
        }
    }
}

impl From<SigningError> for Refused {
    fn from(error: SigningError) -> Self {
        match error {
            SigningError::Store(error) => error.into(),
            other => Self::internal(other),
        }
    }
}

async fn told_keys(manager: &Manager) -> Result<Vec<KeyTold>, Refused> {
    let rows = manager.app().db.read(signing_keys::all).await?;
    Ok(summarise(&rows, manager.app().clock.now()).into_iter().map(KeyTold::from).collect())
}

pub async fn keys(manager: Manager) -> Result<HttpResponse, Refused> {
    Ok(ok(&Keys { items: told_keys(&manager).await? }))
}

pub async fn rotate(
    Sent { by: manager, asked, .. }: Sent<Manager, RotateAsked>,
) -> Result<HttpResponse, Refused> {
    let alg = super::users::word::<SigningAlg>("alg", asked.alg.as_deref())?;
    if alg.is_some_and(|alg| !ALGORITHMS.contains(&alg)) {
        return Err(Refused::with_detail(Fault::InvalidValue, "`alg`: nothing is signed with it here."));
    }
    let app = manager.app();
    for one in ALGORITHMS.into_iter().filter(|one| alg.is_none_or(|alg| alg == *one)) {
        app.signing.rotate(&app.db, one, app.scribe(manager.origin())).await?;
    }
    Ok(ok(&Keys { items: told_keys(&manager).await? }))
}

pub async fn revoke(manager: Manager) -> Result<HttpResponse, Refused> {
    let kid = manager.named::<String>("kid")?;
    let rows = manager.app().db.read(signing_keys::all).await?;
    if !rows.iter().any(|row| row.kid == kid && row.revoked_at.is_none()) {
        return Err(Fault::NotFound.into());
    }
    let app = manager.app();
    app.signing.revoke(&app.db, &kid, app.scribe(manager.origin())).await?;
    Ok(done())
}

fn told_message(message: &outbox::Message) -> MessageTold {
    MessageTold {
        id: message.id.to_string(),
        recipient: message.recipient.clone(),
        subject: message.subject.clone(),
        state: post::state(message).as_str().to_owned(),
        attempts: message.attempts,
        last_error: message.last_error.clone(),
        created_at: message.created_at.rfc3339(),
        sent_at: message.sent_at.map(|at| at.rfc3339()),
        failed_at: message.failed_at.map(|at| at.rfc3339()),
    }
}

pub async fn mail(manager: Manager) -> Result<HttpResponse, Refused> {
    let list = manager.list("mail");
    let page = list.page_beside::<MessageId>(manager.request(), &["state"])?;
    let looked = crate::web::api::page::query_without_page::<Looked>(manager.request())?;
    let state = super::users::word::<post::State>("state", looked.state.as_deref())?;
    let found = post::list(manager.app(), state, page.after, page.limit + 1).await?;
    let (found, next) = list.cut(found, page.limit, |message| message.id);
    Ok(ok(&Messages { items: found.iter().map(told_message).collect(), next }))
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Looked {
    state: Option<String>,
}

pub async fn send_again(manager: Manager) -> Result<HttpResponse, Refused> {
    let again = post::send_again(manager.app(), manager.named("message")?, manager.origin()).await?;
    if again { Ok(done()) } else { Err(Fault::NotFound.into()) }
}

pub async fn settings(manager: Manager) -> Result<HttpResponse, Refused> {
    let items = manager.app().settings().into_iter().map(|one| SettingTold {
        key: one.key,
        value: one.value,
        source: one.source.to_string(),
    });
    Ok(ok(&Settings { items: items.collect() }))
}
