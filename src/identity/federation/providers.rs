//! Which providers there are: those of the configuration, and those that were stored by the command line or the console.
//!
//! Both are one list. One of the configuration takes the place of a stored one with its id.

use super::{FederationError, PATIENCE, out_of_time, upstream};
use crate::app::App;
use crate::audit::{Event, Origin, Scribe};
use crate::config::{Config, Provider, RegistrationMode};
use crate::crypto::{MasterKey, Secret};
use crate::identity::session;
use crate::model::{AuditAction, FirstSignIn, OrganisationId, ProviderValueKind, SessionId, Status, UserId};
use crate::store::federation::{self as rows, ProviderValues};
use crate::store::{self, Conn};

/// A provider, wherever it was named.
#[derive(Clone, Debug)]
pub struct Upstream {
    pub settings: Provider,
    /// Whether it stands in the configuration; else in the database.
    pub configured: bool,
    pub status: Status,
    /// Whose it is: it speaks for the people of this organisation's domains only. Without one, the instance's.
    pub organisation: Option<OrganisationId>,
}

impl Upstream {
    /// What becomes of people who come for the first time.
    pub fn first_sign_in(&self, registration: RegistrationMode) -> FirstSignIn {
        self.settings.first_sign_in.unwrap_or(match registration {
            RegistrationMode::Open => FirstSignIn::CreateOrganisation,
            RegistrationMode::Invited => FirstSignIn::InvitedOnly,
            RegistrationMode::Closed => FirstSignIn::Refuse,
        })
    }

    /// Whether it counts until the transaction ends: a stored one may have been disabled a moment ago (FE-10).
    pub(super) fn is_still_active(&self, db: &mut Conn) -> Result<bool, store::Error> {
        if self.configured { Ok(true) } else { rows::hold_active(db, &self.settings.id) }
    }
}

/// Why a provider was not stored or changed.
#[derive(Debug, thiserror::Error)]
pub enum ProviderError {
    /// Settings, and what is wrong with each.
    #[error("{}", .0.iter().map(|(field, reason)| format!("{field} {reason}")).collect::<Vec<_>>().join("\n"))]
    Bad(Vec<(&'static str, String)>),
    #[error("there is a provider with this id already")]
    IdTaken,
    #[error("there is no such provider")]
    NoSuchProvider,
    #[error("this provider stands in the configuration; change it there and start again")]
    Configured,
    #[error(transparent)]
    Store(store::Error),
}

impl From<store::Error> for ProviderError {
    fn from(error: store::Error) -> Self {
        match error {
            store::Error::Taken(_) => Self::IdTaken,
            other => Self::Store(other),
        }
    }
}

/// Every provider, disabled or not, in the order of its button.
pub async fn all(app: &App) -> Result<Vec<Upstream>, store::Error> {
    let stored = app.db.read(rows::providers).await?;
    let mut all: Vec<Upstream> = configured(&app.config).cloned().map(of_config).collect();
    for (row, values) in stored {
        if !configured(&app.config).any(|known| known.id == row.id) {
            all.push(of_row(row, values, &app.master)?);
        }
    }
    Ok(all)
}

/// The ones that people can sign in with.
pub async fn active(app: &App) -> Result<Vec<Upstream>, store::Error> {
    let mut all = all(app).await?;
    all.retain(|upstream| upstream.status == Status::Active);
    Ok(all)
}

/// The ones that are offered to everybody. An organisation's own are nobody else's business (OR-7).
pub async fn offered(app: &App) -> Result<Vec<Upstream>, store::Error> {
    let mut active = active(app).await?;
    active.retain(|upstream| upstream.organisation.is_none());
    Ok(active)
}

/// The one with this id, disabled or not.
pub async fn find(app: &App, id: &str) -> Result<Option<Upstream>, store::Error> {
    Ok(all(app).await?.into_iter().find(|upstream| upstream.settings.id == id))
}

/// The one with this id, if people can sign in with it.
pub async fn find_active(app: &App, id: &str) -> Result<Option<Upstream>, store::Error> {
    Ok(find(app, id).await?.filter(|upstream| upstream.status == Status::Active))
}

fn configured(config: &Config) -> impl Iterator<Item = &Provider> {
    config.providers.iter()
}

fn of_config(settings: Provider) -> Upstream {
    Upstream { settings, configured: true, status: Status::Active, organisation: None }
}

fn of_row(row: rows::Provider, values: ProviderValues, master: &MasterKey) -> Result<Upstream, store::Error> {
    let of = |wanted: ProviderValueKind| {
        values.iter().filter(|(kind, _)| *kind == wanted).map(|(_, value)| value.clone()).collect()
    };
    let client_secret =
        row.secret_sealed.as_deref().map(|sealed| unseal(master, &row.id, sealed)).transpose()?;
    Ok(Upstream {
        configured: false,
        status: row.status,
        organisation: row.organisation_id,
        settings: Provider {
            kind: row.kind,
            name: row.name,
            client_id: row.client_id,
            client_secret,
            client_secret_file: None,
            issuer: row.issuer,
            tenants: of(ProviderValueKind::Tenant),
            email_domains: of(ProviderValueKind::EmailDomain),
            scopes: of(ProviderValueKind::Scope),
            first_sign_in: row.first_sign_in,
            allow_private_network: row.allow_private_network,
            id: row.id,
        },
    })
}

fn sealing_context(id: &str) -> Vec<u8> {
    [b"provider secret ".as_slice(), id.as_bytes()].concat()
}

fn unseal(master: &MasterKey, id: &str, sealed: &[u8]) -> Result<Secret, store::Error> {
    let broken = |error: &dyn std::fmt::Display| store::Error::broken("the secret of a provider", error);
    let opened = master.unseal(&sealing_context(id), sealed).map_err(|error| broken(&error))?;
    Ok(Secret::from_text(std::str::from_utf8(&opened).map_err(|error| broken(&error))?))
}

/// Stores a provider.
///
/// # Errors
/// If something is wrong with it, or there is one with its id.
pub async fn add(app: &App, settings: Provider, origin: &Origin) -> Result<(), ProviderError> {
    add_for(app, settings, None, origin).await
}

/// Stores a provider of an organisation's own, or of the instance.
///
/// # Errors
/// As [`add`].
pub async fn add_for(
    app: &App,
    settings: Provider,
    organisation: Option<OrganisationId>,
    origin: &Origin,
) -> Result<(), ProviderError> {
    add_as(app, settings, organisation, Status::Active, origin).await
}

/// Stores a provider that may be disabled at first, until it was tried.
///
/// # Errors
/// As [`add`].
pub async fn add_as(
    app: &App,
    settings: Provider,
    organisation: Option<OrganisationId>,
    status: Status,
    origin: &Origin,
) -> Result<(), ProviderError> {
    let bad = settings.problems();
    if !bad.is_empty() {
        return Err(ProviderError::Bad(bad));
    }
    if configured(&app.config).any(|known| known.id == settings.id) {
        return Err(ProviderError::IdTaken);
    }
    let (scribe, master) = (app.scribe(origin), app.master.clone());
    app.db
        .write(move |db| {
            let (row, values) = to_row(&settings, organisation, &master, &scribe);
            rows::insert_provider(db, &rows::Provider { status, ..row }, &values)?;
            let event = event(AuditAction::ProviderCreated, &settings.id).organisation(organisation);
            scribe.write(db, event.detail("status", status.as_str()))
        })
        .await?;
    Ok(())
}

/// Changes a stored provider; without a secret the one it has stays. Its id and kind stay in any case. Who came by its
/// word is signed out if another now speaks, or for fewer people (FE-10).
///
/// # Errors
/// If something is wrong with it, or there is no such one.
pub async fn set(app: &App, settings: Provider, origin: &Origin) -> Result<(), ProviderError> {
    let old = find(app, &settings.id).await?.ok_or(ProviderError::NoSuchProvider)?;
    if old.configured {
        return Err(ProviderError::Configured);
    }
    let settings = Provider {
        kind: old.settings.kind,
        client_secret: settings.client_secret.or_else(|| old.settings.client_secret.clone()),
        ..settings
    };
    let bad = settings.problems();
    if !bad.is_empty() {
        return Err(ProviderError::Bad(bad));
    }
    let speaks_otherwise = settings.issuer != old.settings.issuer
        || settings.tenants != old.settings.tenants
        || settings.email_domains != old.settings.email_domains;
    let (master, organisation) = (app.master.clone(), old.organisation);
    change(app, &settings.id.clone(), origin, move |db, id, scribe| {
        let (row, values) = to_row(&settings, organisation, &master, scribe);
        if !rows::update_provider(db, &row, &values)? {
            return Ok(false);
        }
        if speaks_otherwise {
            end_what_rests_on(db, id, None, scribe)?;
        }
        scribe.write(db, event(AuditAction::ProviderChanged, id).organisation(organisation))?;
        Ok(true)
    })
    .await
}

/// Changes a stored provider in what `change` says of it; the rest stays. The secret that it has is not shown to `change`.
///
/// # Errors
/// As [`set`].
pub async fn alter(
    app: &App,
    id: &str,
    change: impl FnOnce(&mut Provider),
    origin: &Origin,
) -> Result<(), ProviderError> {
    let found = find(app, id).await?.ok_or(ProviderError::NoSuchProvider)?;
    let mut settings = Provider { client_secret: None, ..found.settings };
    change(&mut settings);
    set(app, Provider { id: id.to_owned(), ..settings }, origin).await
}

/// What a provider said of itself.
#[derive(Clone, Debug)]
pub struct Found {
    pub issuer: String,
    /// Where people are sent.
    pub authorization_endpoint: String,
}

/// Asks a provider for its metadata and keys, before anybody is sent there. Nothing is stored.
///
/// # Errors
/// If it does not answer as the settings say that it does.
pub async fn discover(app: &App, settings: &Provider) -> Result<Found, FederationError> {
    let asking = async {
        let documents = upstream::documents(app, settings).await?;
        upstream::check(app, settings, &documents).await?;
        Ok(Found {
            issuer: documents.issuer().to_owned(),
            authorization_endpoint: documents.authorization_endpoint().to_owned(),
        })
    };
    tokio::time::timeout(PATIENCE, asking).await.unwrap_or_else(|_| Err(out_of_time()))
}

/// Where the provider sends people back to: to be registered there.
pub fn callback(app: &App, id: &str) -> String {
    app.config.issuer.at(&format!("/login/federation/{id}/callback"))
}

fn to_row(
    settings: &Provider,
    organisation: Option<OrganisationId>,
    master: &MasterKey,
    scribe: &Scribe,
) -> (rows::Provider, ProviderValues) {
    let seal = |secret: &Secret| {
        master.seal(&scribe.random, &sealing_context(&settings.id), secret.expose().as_bytes())
    };
    let row = rows::Provider {
        id: settings.id.clone(),
        kind: settings.kind,
        name: settings.name.clone(),
        client_id: settings.client_id.clone(),
        secret_sealed: settings.client_secret.as_ref().map(seal),
        issuer: settings.issuer.clone(),
        first_sign_in: settings.first_sign_in,
        allow_private_network: settings.allow_private_network,
        status: Status::Active,
        created_at: scribe.now,
        organisation_id: organisation,
    };
    let mut values = ProviderValues::new();
    for (kind, list) in [
        (ProviderValueKind::Tenant, &settings.tenants),
        (ProviderValueKind::EmailDomain, &settings.email_domains),
        (ProviderValueKind::Scope, &settings.scopes),
    ] {
        for value in list {
            // Naming a value twice means it once.
            if !values.iter().any(|known| *known == (kind, value.clone())) {
                values.push((kind, value.clone()));
            }
        }
    }
    (row, values)
}

/// Disables a stored provider or enables it again. Disabling ends what rests on its word (FE-10); what ended
/// stays ended.
pub async fn set_status(app: &App, id: &str, status: Status, origin: &Origin) -> Result<(), ProviderError> {
    change(app, id, origin, move |db, id, scribe| {
        if !rows::set_provider_status(db, id, status)? {
            return Ok(false);
        }
        if status == Status::Disabled {
            end_what_rests_on(db, id, None, scribe)?;
        }
        scribe.write(db, event(AuditAction::ProviderChanged, id).detail("status", status.as_str()))?;
        Ok(true)
    })
    .await
}

/// Removes a stored provider, and ends what rests on its word. Who people are there is kept, for the day when
/// it comes back under the same id and with the same issuer.
pub async fn remove(app: &App, id: &str, origin: &Origin) -> Result<(), ProviderError> {
    change(app, id, origin, |db, id, scribe| {
        if !rows::remove_provider(db, id)? {
            return Ok(false);
        }
        end_what_rests_on(db, id, None, scribe)?;
        scribe.write(db, event(AuditAction::ProviderRemoved, id))?;
        Ok(true)
    })
    .await
}

async fn change(
    app: &App,
    id: &str,
    origin: &Origin,
    mut act: impl FnMut(&mut Conn, &str, &Scribe) -> Result<bool, store::Error> + Send + 'static,
) -> Result<(), ProviderError> {
    if configured(&app.config).any(|known| known.id == id) {
        return Err(ProviderError::Configured);
    }
    let (id, scribe) = (id.to_owned(), app.scribe(origin));
    let changed = app.db.write(move |db| act(db, &id, &scribe)).await?;
    if changed { Ok(()) } else { Err(ProviderError::NoSuchProvider) }
}

/// Ends what rests on the word of providers that are there no more: at start, for one that was taken out of the
/// configuration (FE-10). Says how many sessions ended.
pub async fn end_of_removed(app: &App, origin: &Origin) -> Result<usize, store::Error> {
    let active: Vec<String> = active(app).await?.into_iter().map(|upstream| upstream.settings.id).collect();
    let scribe = app.scribe(origin);
    app.db
        .write(move |db| {
            let mut ended = 0;
            for provider in rows::providers_in_use(db)? {
                if !active.contains(&provider) {
                    ended += end_what_rests_on(db, &provider, None, &scribe)?;
                }
            }
            Ok(ended)
        })
        .await
}

/// Whose sign-ins end: this user's, but not the session at work.
#[derive(Clone, Copy, Debug)]
pub(super) struct OthersOf {
    pub user: UserId,
    pub but: SessionId,
}

/// Sessions that were begun by this provider's word, sign-ins that wait for a second factor after it, and every grant
/// that began in them: everybody's, or one user's.
pub(super) fn end_what_rests_on(
    db: &mut Conn,
    id: &str,
    whose: Option<OthersOf>,
    scribe: &Scribe,
) -> Result<usize, store::Error> {
    rows::end_waiting(db, id, whose.map(|whose| whose.user))?;
    let mut count = 0;
    for (session, user) in rows::sessions_by_provider(db, id)? {
        if whose.is_some_and(|whose| user != whose.user || session == whose.but) {
            continue;
        }
        count += usize::from(session::end(db, session, user, scribe)?);
        rows::revoke_grants_begun_in(db, session, scribe.now)?;
    }
    Ok(count)
}

fn event(action: AuditAction, id: &str) -> Event {
    Event::success(action).detail("provider", id)
}
