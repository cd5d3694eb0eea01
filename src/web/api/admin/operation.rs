//! What runs the service, by the management API: signing keys and who fetches them, settings in force, login APIs.

use actix_web::HttpResponse;

use super::manager::Manager;
use crate::model::SigningAlg;
use crate::signing::{ALGORITHMS, KeySummary, SigningError, summarise};
use crate::store::signing_keys;
use crate::usage::{Range, Span};
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
    Readers {
        items: Vec<ReaderTold>,
    }
    ReaderTold {
        /// As it calls itself, or `other`.
        program: String,
        /// Within the last month.
        fetches: i64,
        /// When the hour began in which it was last here.
        last_at: String,
    }
    Dialects {
        items: Vec<DialectTold>,
    }
    DialectTold {
        name: String,
        /// A path or a host.
        place: String,
        /// The `aud` of its tokens.
        audience: String,
        client: String,
        endpoints: Vec<EndpointTold>,
    }
    EndpointTold {
        method: String,
        path: String,
        action: String,
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

pub async fn settings(manager: Manager) -> Result<HttpResponse, Refused> {
    let items = manager.app().settings().into_iter().map(|one| SettingTold {
        key: one.key,
        value: one.value,
        source: one.source.to_string(),
    });
    Ok(ok(&Settings { items: items.collect() }))
}

pub async fn readers(manager: Manager) -> Result<HttpResponse, Refused> {
    let app = manager.app();
    let span = Span::last(Range::Month, app.clock.now(), None);
    let readers = app.usage.key_readers(&app.db, &span).await?;
    let items = readers.into_iter().map(|reader| ReaderTold {
        fetches: reader.amounts.iter().sum(),
        last_at: reader.last.rfc3339(),
        program: reader.program,
    });
    Ok(ok(&Readers { items: items.collect() }))
}

pub async fn dialects(manager: Manager) -> Result<HttpResponse, Refused> {
    let items = manager.app().dialects.iter().map(|mounted| DialectTold {
        name: mounted.dialect.name.clone(),
        place: mounted.place().to_owned(),
        audience: mounted.audience.clone(),
        client: mounted.client_id.clone(),
        endpoints: mounted
            .dialect
            .endpoints
            .iter()
            .map(|endpoint| EndpointTold {
                method: endpoint.method.as_str().to_owned(),
                path: endpoint.route.text(),
                action: endpoint.action.as_str().to_owned(),
            })
            .collect(),
    });
    Ok(ok(&Dialects { items: items.collect() }))
}
