//! Identity providers, by the management API. What we are called there is told, our secret there never.

use actix_web::HttpResponse;

use super::manager::Manager;
use super::organizations::known;
use super::users::word;
use crate::config::Provider;
use crate::crypto::Secret;
use crate::identity::federation::FederationError;
use crate::identity::federation::providers::{self, ProviderError, Upstream};
use crate::model::{FirstSignIn, ProviderKind, Status};
use crate::web::api::ask::Sent;
use crate::web::api::once::Made;
use crate::web::api::organizations::ok;
use crate::web::api::session::done;
use crate::web::api::typed::{asked, told};
use crate::web::fault::{Fault, Refused};

asked! {
    /// `POST /providers`.
    NewProvider {
        /// Its name in addresses, such as `/login/federation/google`.
        id: String where { "minLength": 1, "maxLength": 32, "pattern": "^[a-z0-9][a-z0-9-]{0,31}$" },
        kind: String where { "enum": ["google", "microsoft", "oidc"] },
        /// What its button says.
        name: Option<String> where { "maxLength": 60 },
        /// What we are called there.
        client_id: String where { "minLength": 1, "maxLength": 255 },
        client_secret: Option<Secret>,
        /// Exactly as its metadata spells it; for `oidc` only.
        issuer: Option<String> where { "maxLength": 2000 },
        /// Microsoft's tenants whose people may come, or `any`.
        tenants: Option<Vec<String>>,
        /// For `oidc`: domains for which its word about an address counts. None: all.
        email_domains: Option<Vec<String>>,
        /// Asked for besides `openid profile email`.
        scopes: Option<Vec<String>>,
        /// What becomes of people who come for the first time; as `registration.mode` says if left out.
        first_sign_in: Option<String> where { "enum": ["create_organisation", "invited_only", "refuse"] },
        allow_private_network: Option<bool>,
        /// Whose own it is: an id or a short name.
        organization: Option<String> where { "minLength": 1, "maxLength": 64 },
        /// Offered at once; else when it is enabled.
        enabled: Option<bool>,
    }
    /// `PATCH /providers/{provider}`. An empty text takes a value away.
    ProviderChange {
        name: Option<String> where { "maxLength": 60 },
        client_id: Option<String> where { "minLength": 1, "maxLength": 255 },
        client_secret: Option<Secret>,
        issuer: Option<String> where { "maxLength": 2000 },
        tenants: Option<Vec<String>>,
        email_domains: Option<Vec<String>>,
        scopes: Option<Vec<String>>,
        /// Empty: as `registration.mode` says.
        first_sign_in: Option<String> where { "enum": ["create_organisation", "invited_only", "refuse", ""] },
        allow_private_network: Option<bool>,
    }
}

told! {
    Providers {
        items: Vec<ProviderTold>,
        next: Option<String>,
    }
    ProviderTold {
        id: String,
        kind: String,
        name: String,
        status: String,
        /// `configuration` or `database`: what stands in the configuration is changed there.
        source: String,
        client_id: String,
        has_client_secret: bool,
        issuer: Option<String>,
        tenants: Vec<String>,
        email_domains: Vec<String>,
        scopes: Vec<String>,
        first_sign_in: String,
        allow_private_network: bool,
        /// Whose own it is; the instance's if null.
        organization: Option<String>,
        /// To be registered there.
        redirect_uri: String,
    }
    /// Whether the provider answers as it should.
    Discovered {
        answers: bool,
        issuer: Option<String>,
        /// Where people are sent.
        authorization_endpoint: Option<String>,
        /// What is wrong.
        why: Option<String>,
    }
}

impl Made for ProviderTold {}

impl From<ProviderError> for Refused {
    fn from(error: ProviderError) -> Self {
        match error {
            ProviderError::Bad(problems) => {
                let problems = problems.iter().map(|(field, reason)| format!("`{field}` {reason}."));
                Self::with_detail(Fault::InvalidValue, problems.collect::<Vec<_>>().join(" "))
            }
            ProviderError::IdTaken => Self::with_detail(
                Fault::Conflict,
                "There is a provider with this id already: choose another id.",
            ),
            ProviderError::NoSuchProvider => Fault::NotFound.into(),
            ProviderError::Configured => Self::with_detail(
                Fault::Conflict,
                "This provider stands in the configuration: change it there and start again.",
            ),
            ProviderError::Store(error) => error.into(),
        }
    }
}

fn told(manager: &Manager, upstream: &Upstream) -> ProviderTold {
    let (settings, app) = (&upstream.settings, manager.app());
    ProviderTold {
        id: settings.id.clone(),
        kind: settings.kind.to_string(),
        name: settings.label(),
        status: upstream.status.to_string(),
        source: if upstream.configured { "configuration" } else { "database" }.to_owned(),
        client_id: settings.client_id.clone(),
        has_client_secret: settings.client_secret.is_some(),
        issuer: settings.issuer.clone(),
        tenants: settings.tenants.clone(),
        email_domains: settings.email_domains.clone(),
        scopes: settings.scopes.clone(),
        first_sign_in: upstream.first_sign_in(app.config.registration_mode()).to_string(),
        allow_private_network: settings.allow_private_network,
        organization: upstream.organisation.map(|id| id.to_string()),
        redirect_uri: providers::callback(app, &settings.id),
    }
}

/// In order of their ids.
pub async fn list(manager: Manager) -> Result<HttpResponse, Refused> {
    let list = manager.list("providers");
    let page = list.page::<String>(manager.request())?;
    let mut all = providers::all(manager.app()).await?;
    all.retain(|one| page.after.as_ref().is_none_or(|after| one.settings.id > *after));
    all.sort_by(|one, other| one.settings.id.cmp(&other.settings.id));
    let (found, next) = list.cut(all, page.limit, |one| one.settings.id.clone());
    Ok(ok(&Providers { items: found.iter().map(|one| told(&manager, one)).collect(), next }))
}

async fn find(manager: &Manager) -> Result<Upstream, Refused> {
    let id = manager.named::<String>("provider")?;
    providers::find(manager.app(), &id).await?.ok_or_else(|| Fault::NotFound.into())
}

pub async fn show(manager: Manager) -> Result<HttpResponse, Refused> {
    let found = find(&manager).await?;
    Ok(ok(&told(&manager, &found)))
}

/// An empty text is none.
fn text(text: String) -> Option<String> {
    Some(text.trim().to_owned()).filter(|text| !text.is_empty())
}

fn secret(secret: Option<Secret>) -> Option<Secret> {
    secret.filter(|secret| !secret.expose().is_empty())
}

pub async fn create(
    Sent { by: manager, asked, once }: Sent<Manager, NewProvider>,
) -> Result<HttpResponse, Refused> {
    let kind = word::<ProviderKind>("kind", Some(asked.kind.as_str()))?;
    let kind = kind.ok_or(Fault::InvalidValue)?;
    let organisation = match asked.organization {
        Some(which) => {
            let why = "`organization` is no organization's id or short name.";
            let found = known(&manager, which).await?;
            Some(found.ok_or_else(|| Refused::with_detail(Fault::InvalidValue, why))?.id)
        }
        None => None,
    };
    let settings = Provider {
        id: asked.id,
        kind,
        name: asked.name.and_then(text),
        client_id: asked.client_id,
        client_secret: secret(asked.client_secret),
        client_secret_file: None,
        issuer: asked.issuer.and_then(text),
        tenants: asked.tenants.unwrap_or_default(),
        email_domains: asked.email_domains.unwrap_or_default(),
        scopes: asked.scopes.unwrap_or_default(),
        first_sign_in: word::<FirstSignIn>("first_sign_in", asked.first_sign_in.as_deref())?,
        allow_private_network: asked.allow_private_network.unwrap_or_default(),
    };
    let status = if asked.enabled.unwrap_or_default() { Status::Active } else { Status::Disabled };
    let (call, identity) = (manager.call.clone(), manager.identity());
    let make = async move |origin| {
        let id = settings.id.clone();
        providers::add_as(manager.app(), settings, organisation, status, &origin).await?;
        let made = providers::find(manager.app(), &id).await?.ok_or(Fault::NotFound)?;
        Ok(told(&manager, &made))
    };
    once.make(&call, &identity, make).await
}

pub async fn change(
    Sent { by: manager, asked, .. }: Sent<Manager, ProviderChange>,
) -> Result<HttpResponse, Refused> {
    let found = find(&manager).await?;
    let first_sign_in = match asked.first_sign_in.as_deref() {
        Some("") => Some(None),
        said => word::<FirstSignIn>("first_sign_in", said)?.map(Some),
    };
    let change = move |settings: &mut Provider| {
        settings.client_secret = secret(asked.client_secret);
        if let Some(name) = asked.name {
            settings.name = text(name);
        }
        if let Some(client_id) = asked.client_id {
            settings.client_id = client_id;
        }
        if let Some(issuer) = asked.issuer {
            settings.issuer = text(issuer);
        }
        if let Some(tenants) = asked.tenants {
            settings.tenants = tenants;
        }
        if let Some(domains) = asked.email_domains {
            settings.email_domains = domains;
        }
        if let Some(scopes) = asked.scopes {
            settings.scopes = scopes;
        }
        if let Some(first) = first_sign_in {
            settings.first_sign_in = first;
        }
        if let Some(allowed) = asked.allow_private_network {
            settings.allow_private_network = allowed;
        }
    };
    providers::alter(manager.app(), &found.settings.id, change, manager.origin()).await?;
    let changed = find(&manager).await?;
    Ok(ok(&told(&manager, &changed)))
}

async fn set_status(manager: &Manager, status: Status) -> Result<HttpResponse, Refused> {
    let id = find(manager).await?.settings.id;
    providers::set_status(manager.app(), &id, status, manager.origin()).await?;
    Ok(done())
}

pub async fn disable(manager: Manager) -> Result<HttpResponse, Refused> {
    set_status(&manager, Status::Disabled).await
}

pub async fn enable(manager: Manager) -> Result<HttpResponse, Refused> {
    set_status(&manager, Status::Active).await
}

pub async fn remove(manager: Manager) -> Result<HttpResponse, Refused> {
    let id = find(&manager).await?.settings.id;
    providers::remove(manager.app(), &id, manager.origin()).await?;
    Ok(done())
}

/// What is wrong with the provider is an answer, not an error: that is what was asked.
pub async fn discover(manager: Manager) -> Result<HttpResponse, Refused> {
    let upstream = find(&manager).await?;
    let discovered = match providers::discover(manager.app(), &upstream.settings).await {
        Ok(found) => Discovered {
            answers: true,
            issuer: Some(found.issuer),
            authorization_endpoint: Some(found.authorization_endpoint),
            why: None,
        },
        Err(FederationError::Store(error)) => return Err(error.into()),
        Err(error) => Discovered {
            answers: false,
            issuer: None,
            authorization_endpoint: None,
            why: Some(error.to_string()),
        },
    };
    Ok(ok(&discovered))
}
