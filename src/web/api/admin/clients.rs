//! Applications and APIs, by the management API. Names are those of RFC 7591 where it has one.

use std::collections::BTreeMap;
use std::time::Duration;

use actix_web::HttpResponse;
use serde_json::{Value, json};

use super::manager::Manager;
use crate::model::{Client, ClientKey, GrantType, Resource, Status};
use crate::protocol::registration::ClientMetadata;
use crate::store;
use crate::tenancy::clients::{self, Change, ClientError, Created, NewClient, Terms};
use crate::tenancy::resources::{self, NewResource, ResourceError};
use crate::web::api::ask::Sent;
use crate::web::api::once::Made;
use crate::web::api::organizations::ok;
use crate::web::api::refuse::sentence;
use crate::web::api::session::done;
use crate::web::api::typed::{Integer, asked, told};
use crate::web::fault::{Fault, Refused};

asked! {
    /// `POST /clients`.
    NewClientAsked {
        client_name: String where { "minLength": 1, "maxLength": 200 },
        application_type: Option<String> where { "enum": ["web", "native"] },
        token_endpoint_auth_method: Option<String>
            where { "enum": ["client_secret_basic", "client_secret_post", "private_key_jwt", "none"] },
        grant_types: Option<Vec<String>>,
        redirect_uris: Option<Vec<String>>,
        post_logout_redirect_uris: Option<Vec<String>>,
        /// Separated by spaces.
        scope: Option<String>,
        jwks_uri: Option<String>,
        first_party: Option<bool>,
        require_mfa: Option<bool>,
        require_organization: Option<bool>,
        /// Identifiers of APIs that it is the server of.
        audiences: Option<Vec<String>>,
    }
    /// `PATCH /clients/{client}`.
    ClientChange {
        client_name: Option<String> where { "minLength": 1, "maxLength": 200 },
        redirect_uris: Option<Vec<String>>,
        post_logout_redirect_uris: Option<Vec<String>>,
        grant_types: Option<Vec<String>>,
        scope: Option<String>,
        first_party: Option<bool>,
        require_mfa: Option<bool>,
        require_organization: Option<bool>,
        require_pushed_authorization_requests: Option<bool>,
        audiences: Option<Vec<String>>,
    }
    /// `POST …/secret`.
    NewSecretAsked {
        /// Seconds that the present secret lives on.
        overlap: Option<Integer> where { "minimum": 0, "maximum": 2592000 },
    }
    /// `POST /resources`.
    NewResourceAsked {
        /// The `aud` of its tokens.
        identifier: String where { "minLength": 1, "maxLength": 2000 },
        name: String where { "minLength": 1, "maxLength": 200 },
        scopes: Vec<ScopeAsked> where { "maxItems": 200 },
        /// Seconds that an access token lives.
        access_ttl: Option<Integer> where { "minimum": 1, "maximum": 86400 },
    }
    ScopeAsked {
        scope: String where { "minLength": 1, "maxLength": 200 },
        description: String where { "maxLength": 200 },
    }
}

told! {
    Clients {
        items: Vec<ClientTold>,
        next: Option<String>,
    }
    ClientTold {
        client_id: String,
        client_name: String,
        status: String,
        application_type: String,
        token_endpoint_auth_method: String,
        grant_types: Vec<String>,
        redirect_uris: Vec<String>,
        post_logout_redirect_uris: Vec<String>,
        scope: String,
        audiences: Vec<String>,
        first_party: bool,
        require_mfa: bool,
        require_organization: bool,
        require_pushed_authorization_requests: bool,
        created_at: String,
    }
    /// With the secret, which is shown this once: asked for again with an idempotency key, it is null.
    ClientMade {
        client_secret: Option<String>,
        client: ClientTold,
    }
    Resources {
        items: Vec<ResourceTold>,
    }
    ResourceTold {
        id: String,
        identifier: String,
        name: String,
        status: String,
        access_ttl: Option<u64>,
        scopes: Vec<ScopeTold>,
    }
    ScopeTold {
        scope: String,
        description: String,
    }
}

impl Made for ClientMade {
    fn again(&self) -> Value {
        json!({ "client_secret": null, "client": self.client })
    }
}

impl Made for ResourceTold {}

fn told(client: &Client) -> ClientTold {
    ClientTold {
        client_id: client.client_id.clone(),
        client_name: client.name.clone(),
        status: client.status.to_string(),
        application_type: client.application_type.to_string(),
        token_endpoint_auth_method: client.auth_method.to_string(),
        grant_types: client.grant_types.iter().map(ToString::to_string).collect(),
        redirect_uris: client.redirect_uris.clone(),
        post_logout_redirect_uris: client.post_logout_redirect_uris.clone(),
        scope: client.scopes.join(" "),
        audiences: client.audiences.clone(),
        first_party: client.first_party,
        require_mfa: client.require_mfa,
        require_organization: client.require_organization,
        require_pushed_authorization_requests: client.require_par,
        created_at: client.created_at.rfc3339(),
    }
}

impl From<Created> for ClientMade {
    fn from(created: Created) -> Self {
        let client_secret = created.secret.as_ref().map(|secret| secret.expose().to_owned());
        Self { client_secret, client: told(&created.client) }
    }
}

impl From<ClientError> for Refused {
    fn from(error: ClientError) -> Self {
        match error {
            ClientError::Store(error) => error.into(),
            ClientError::NoSuchClient => Fault::NotFound.into(),
            ClientError::Taken => Self::with_detail(Fault::Conflict, sentence(&error)),
            ClientError::TwoSecrets(at) => {
                let why = format!(
                    "The client has two live secrets already; the older one ends at {}.",
                    at.rfc3339()
                );
                Self::with_detail(Fault::Conflict, why)
            }
            ClientError::UnknownAudience(which) => Self::with_detail(
                Fault::InvalidValue,
                format!("No resource is called `{which}`: make it first."),
            ),
            other => Self::with_detail(Fault::InvalidValue, sentence(&other)),
        }
    }
}

impl From<ResourceError> for Refused {
    fn from(error: ResourceError) -> Self {
        match error {
            ResourceError::Store(error) => error.into(),
            ResourceError::NoSuchResource => Fault::NotFound.into(),
            ResourceError::Taken => Self::with_detail(Fault::Conflict, sentence(&error)),
            other => Self::with_detail(Fault::InvalidValue, sentence(&other)),
        }
    }
}

pub async fn list(manager: Manager) -> Result<HttpResponse, Refused> {
    let list = manager.list("clients");
    let page = list.page::<ClientKey>(manager.request())?;
    let (after, limit) = (page.after, page.limit);
    let found = manager.app().db.read(move |db| store::clients::list(db, after, limit + 1)).await?;
    let (found, next) = list.cut(found, limit, |client| client.key);
    Ok(ok(&Clients { items: found.iter().map(told).collect(), next }))
}

async fn find(manager: &Manager) -> Result<Client, Refused> {
    let client_id = manager.named::<String>("client")?;
    let found = manager.app().db.read(move |db| store::clients::find_by_client_id(db, &client_id)).await?;
    found.ok_or_else(|| Fault::NotFound.into())
}

pub async fn show(manager: Manager) -> Result<HttpResponse, Refused> {
    Ok(ok(&told(&find(&manager).await?)))
}

pub async fn create(
    Sent { by: manager, asked, once }: Sent<Manager, NewClientAsked>,
) -> Result<HttpResponse, Refused> {
    let metadata = ClientMetadata {
        client_name: Some(asked.client_name),
        application_type: asked.application_type,
        token_endpoint_auth_method: asked.token_endpoint_auth_method,
        grant_types: asked.grant_types,
        redirect_uris: asked.redirect_uris.unwrap_or_default(),
        post_logout_redirect_uris: asked.post_logout_redirect_uris.unwrap_or_default(),
        scope: asked.scope,
        jwks_uri: asked.jwks_uri,
        ..ClientMetadata::default()
    };
    let terms = Terms {
        first_party: asked.first_party.unwrap_or_default(),
        require_mfa: asked.require_mfa.unwrap_or_default(),
        require_organization: asked.require_organization.unwrap_or_default(),
        audiences: asked.audiences.unwrap_or_default(),
        ..Terms::default()
    };
    let new = NewClient { metadata, client_id: None, secret: None, terms };
    let app = manager.call.app.clone();
    let make = async move |origin| Ok(ClientMade::from(clients::create(&app, new, &origin).await?));
    once.make(&manager.call, &manager.identity(), make).await
}

pub async fn change(
    Sent { by: manager, asked, .. }: Sent<Manager, ClientChange>,
) -> Result<HttpResponse, Refused> {
    let grant_types = asked.grant_types.map(|words| {
        let read = |word: &String| word.parse::<GrantType>();
        words.iter().map(read).collect::<Result<Vec<_>, _>>()
    });
    let grant_types = grant_types
        .transpose()
        .map_err(|why| Refused::with_detail(Fault::InvalidValue, format!("`grant_types`: {why}.")))?;
    let change = Change {
        name: asked.client_name,
        redirect_uris: asked.redirect_uris,
        post_logout_redirect_uris: asked.post_logout_redirect_uris,
        grant_types,
        scopes: asked.scope.map(|scope| scope.split_whitespace().map(str::to_owned).collect()),
        audiences: asked.audiences,
        first_party: asked.first_party,
        require_mfa: asked.require_mfa,
        require_organization: asked.require_organization,
        pkce_required: None,
        require_par: asked.require_pushed_authorization_requests,
        ..Change::default()
    };
    let client_id = manager.named::<String>("client")?;
    let changed = clients::change(manager.app(), &client_id, change, manager.origin()).await?;
    Ok(ok(&told(&changed)))
}

pub async fn new_secret(
    Sent { by: manager, asked, once }: Sent<Manager, NewSecretAsked>,
) -> Result<HttpResponse, Refused> {
    const LONGEST: Duration = Duration::from_secs(30 * 86_400);
    let overlap = asked.overlap.map(Integer::seconds).unwrap_or_default();
    if overlap > LONGEST {
        return Err(Refused::with_detail(Fault::InvalidValue, "`overlap` must be at most 30 days."));
    }
    let client_id = manager.named::<String>("client")?;
    let app = manager.call.app.clone();
    let make = async move |origin| {
        Ok(ClientMade::from(clients::rotate_secret(&app, &client_id, overlap, &origin).await?))
    };
    once.make(&manager.call, &manager.identity(), make).await
}

async fn set_status(manager: &Manager, status: Status) -> Result<HttpResponse, Refused> {
    let client_id = manager.named::<String>("client")?;
    clients::set_status(manager.app(), &client_id, status, manager.origin()).await?;
    Ok(done())
}

pub async fn disable(manager: Manager) -> Result<HttpResponse, Refused> {
    set_status(&manager, Status::Disabled).await
}

pub async fn enable(manager: Manager) -> Result<HttpResponse, Refused> {
    set_status(&manager, Status::Active).await
}

pub async fn remove(manager: Manager) -> Result<HttpResponse, Refused> {
    let client_id = manager.named::<String>("client")?;
    clients::remove(manager.app(), &client_id, manager.origin()).await?;
    Ok(done())
}

fn told_resource(resource: &Resource) -> ResourceTold {
    let scope = |(scope, description): (&String, &String)| ScopeTold {
        scope: scope.clone(),
        description: description.clone(),
    };
    ResourceTold {
        id: resource.id.to_string(),
        identifier: resource.identifier.clone(),
        name: resource.name.clone(),
        status: resource.status.to_string(),
        access_ttl: resource.access_ttl.map(|ttl| ttl.as_secs()),
        scopes: resource.scopes.iter().map(scope).collect(),
    }
}

/// All of them: an instance has few.
pub async fn resources(manager: Manager) -> Result<HttpResponse, Refused> {
    let found = manager.app().db.read(store::resources::all).await?;
    Ok(ok(&Resources { items: found.iter().map(told_resource).collect() }))
}

pub async fn new_resource(
    Sent { by: manager, asked, once }: Sent<Manager, NewResourceAsked>,
) -> Result<HttpResponse, Refused> {
    let scopes: BTreeMap<String, String> =
        asked.scopes.into_iter().map(|asked| (asked.scope, asked.description)).collect();
    let access_ttl = asked.access_ttl.map(Integer::seconds);
    let new = NewResource { identifier: asked.identifier, name: asked.name, scopes, access_ttl };
    let app = manager.call.app.clone();
    let make = async move |origin| Ok(told_resource(&resources::create(&app, new, &origin).await?));
    once.make(&manager.call, &manager.identity(), make).await
}

async fn set_resource_status(manager: &Manager, status: Status) -> Result<HttpResponse, Refused> {
    let which = manager.named::<String>("resource")?;
    resources::set_status(manager.app(), &which, status, manager.origin()).await?;
    Ok(done())
}

pub async fn disable_resource(manager: Manager) -> Result<HttpResponse, Refused> {
    set_resource_status(&manager, Status::Disabled).await
}

pub async fn enable_resource(manager: Manager) -> Result<HttpResponse, Refused> {
    set_resource_status(&manager, Status::Active).await
}

pub async fn remove_resource(manager: Manager) -> Result<HttpResponse, Refused> {
    let which = manager.named::<String>("resource")?;
    resources::remove(manager.app(), &which, manager.origin()).await?;
    Ok(done())
}
