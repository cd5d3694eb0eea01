//! Applications, by the management API. Names are those of RFC 7591 where it has one.

use actix_web::HttpResponse;
use actix_web::web::Query;
use serde::Deserialize;
use serde_json::{Value, json};

use super::manager::Manager;
use super::users::word;
use crate::clock::Timestamp;
use crate::model::{Client, ClientAuthMethod, ClientKey, ClientSecretId, GrantType, SigningAlg, Status};
use crate::protocol::registration::ClientMetadata;
use crate::store::clients::Sought;
use crate::tenancy::clients::secrets::{LONGEST_OVERLAP, is_live};
use crate::tenancy::clients::{self, Change, ClientError, Created, Keys, Links, NewClient, Terms};
use crate::web::api::ask::Sent;
use crate::web::api::once::Made;
use crate::web::api::organizations::ok;
use crate::web::api::page::query_without_page;
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
        /// Its public keys, a JWK Set.
        jwks: Option<Value> where { "type": "object" },
        jwks_uri: Option<String>,
        /// Taken over from another server; one is made if it is left out.
        client_id: Option<String> where { "minLength": 1, "maxLength": 200 },
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
        /// Whether its requests must have PKCE: only an application that authenticates may do without.
        pkce_required: Option<bool>,
        audiences: Option<Vec<String>>,
        /// Of an application that has secrets.
        token_endpoint_auth_method: Option<String>
            where { "enum": ["client_secret_basic", "client_secret_post"] },
        id_token_signed_response_alg: Option<String> where { "enum": ["RS256", "ES256", "EdDSA"] },
        /// Where it and what it says of itself are found. An empty text takes a value away.
        logo_uri: Option<String>,
        client_uri: Option<String>,
        policy_uri: Option<String>,
        tos_uri: Option<String>,
        initiate_login_uri: Option<String>,
        /// Its public keys: by value, or where they are.
        jwks: Option<Value> where { "type": "object" },
        jwks_uri: Option<String>,
    }
    /// `POST …/secret`.
    NewSecretAsked {
        /// Seconds that the present secret lives on.
        overlap: Option<Integer> where { "minimum": 0, "maximum": 2592000 },
    }
}

told! {
    Clients {
        items: Vec<ClientTold>,
        next: Option<String>,
    }
    ClientTold {
        id: String,
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
        pkce_required: bool,
        id_token_signed_response_alg: String,
        logo_uri: Option<String>,
        client_uri: Option<String>,
        policy_uri: Option<String>,
        tos_uri: Option<String>,
        initiate_login_uri: Option<String>,
        jwks: Option<Value>,
        jwks_uri: Option<String>,
        secrets: Vec<SecretTold>,
        created_at: String,
    }
    /// Without its text, which nobody knows.
    SecretTold {
        id: String,
        created_at: String,
        expires_at: Option<String>,
        is_live: bool,
    }
    /// With the secret, which is shown this once: asked for again with an idempotency key, it is null.
    ClientMade {
        client_secret: Option<String>,
        client: ClientTold,
    }
}

impl Made for ClientMade {
    fn again(&self) -> Value {
        json!({ "client_secret": null, "client": self.client })
    }
}

fn told(client: &Client, now: Timestamp) -> ClientTold {
    let secrets = client.secrets.iter().map(|secret| SecretTold {
        id: secret.id.to_string(),
        created_at: secret.created_at.rfc3339(),
        expires_at: secret.expires_at.map(|at| at.rfc3339()),
        is_live: is_live(secret, now),
    });
    // What is stored was checked when it came in.
    let jwks = client.jwks.as_deref().and_then(|jwks| serde_json::from_str(jwks).ok());
    ClientTold {
        id: client.key.to_string(),
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
        pkce_required: client.pkce_required,
        id_token_signed_response_alg: client.id_token_alg.to_string(),
        logo_uri: client.logo_uri.clone(),
        client_uri: client.client_uri.clone(),
        policy_uri: client.policy_uri.clone(),
        tos_uri: client.tos_uri.clone(),
        initiate_login_uri: client.initiate_login_uri.clone(),
        jwks,
        jwks_uri: client.jwks_uri.clone(),
        secrets: secrets.collect(),
        created_at: client.created_at.rfc3339(),
    }
}

impl ClientMade {
    fn of(created: &Created, now: Timestamp) -> Self {
        let client_secret = created.secret.as_ref().map(|secret| secret.expose().to_owned());
        Self { client_secret, client: told(&created.client, now) }
    }
}

impl From<ClientError> for Refused {
    fn from(error: ClientError) -> Self {
        match error {
            ClientError::Store(error) => error.into(),
            ClientError::NoSuchClient => Fault::NotFound.into(),
            ClientError::NoSuchSecret => {
                Self::with_detail(Fault::NotFound, "The application has no such secret, or it has ended.")
            }
            ClientError::LastSecret => Self::with_detail(
                Fault::Conflict,
                "It is the only secret: make a new one first, or disable the application.",
            ),
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

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Looked {
    q: Option<String>,
    status: Option<String>,
}

pub async fn list(manager: Manager) -> Result<HttpResponse, Refused> {
    let list = manager.list("clients");
    let page = list.page_beside::<ClientKey>(manager.request(), &["q", "status"])?;
    let Query(looked) = query_without_page::<Looked>(manager.request())?;
    let sought = Sought {
        words: Sought::words_of(looked.q.as_deref().unwrap_or_default()),
        status: word::<Status>("status", looked.status.as_deref())?,
    };
    let now = manager.app().clock.now();
    let found = clients::search_whole(manager.app(), sought, page.after, page.limit + 1).await?;
    let (found, next) = list.cut(found, page.limit, |client| client.key);
    Ok(ok(&Clients { items: found.iter().map(|client| told(client, now)).collect(), next }))
}

/// The application in the path, by its `client_id` or `id`.
pub(super) async fn find(manager: &Manager) -> Result<Client, Refused> {
    let which = manager.named::<String>("client")?;
    clients::find(manager.app(), &which).await?.ok_or_else(|| Fault::NotFound.into())
}

/// The same, if whoever gets hold of it can do no more with it than this caller.
async fn found_within_reach(manager: &Manager) -> Result<Client, Refused> {
    let client = find(manager).await?;
    manager.may_give(client.scopes.iter().map(String::as_str))?;
    Ok(client)
}

fn words_of(scope: Option<&str>) -> impl Iterator<Item = &str> {
    scope.unwrap_or_default().split_whitespace()
}

pub async fn show(manager: Manager) -> Result<HttpResponse, Refused> {
    let client = find(&manager).await?;
    Ok(ok(&told(&client, manager.app().clock.now())))
}

pub async fn create(
    Sent { by: manager, asked, once }: Sent<Manager, NewClientAsked>,
) -> Result<HttpResponse, Refused> {
    manager.may_give(words_of(asked.scope.as_deref()))?;
    let metadata = ClientMetadata {
        client_name: Some(asked.client_name),
        application_type: asked.application_type,
        token_endpoint_auth_method: asked.token_endpoint_auth_method,
        grant_types: asked.grant_types,
        redirect_uris: asked.redirect_uris.unwrap_or_default(),
        post_logout_redirect_uris: asked.post_logout_redirect_uris.unwrap_or_default(),
        scope: asked.scope,
        jwks: asked.jwks,
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
    let new = NewClient { metadata, client_id: asked.client_id, secret: None, terms };
    let app = manager.call.app.clone();
    let make =
        async move |origin| Ok(ClientMade::of(&clients::create(&app, new, &origin).await?, app.clock.now()));
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
    let keys = match (asked.jwks, asked.jwks_uri) {
        (Some(_), Some(_)) => {
            return Err(Refused::with_detail(Fault::InvalidValue, "Send `jwks` or `jwks_uri`, not both."));
        }
        (Some(jwks), None) => Some(Keys::These(jwks)),
        (None, uri) => uri.map(Keys::At),
    };
    let client = found_within_reach(&manager).await?;
    manager.may_give(words_of(asked.scope.as_deref()))?;
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
        pkce_required: asked.pkce_required,
        require_par: asked.require_pushed_authorization_requests,
        id_token_alg: word::<SigningAlg>(
            "id_token_signed_response_alg",
            asked.id_token_signed_response_alg.as_deref(),
        )?,
        auth_method: word::<ClientAuthMethod>(
            "token_endpoint_auth_method",
            asked.token_endpoint_auth_method.as_deref(),
        )?,
        links: Links {
            logo_uri: asked.logo_uri,
            client_uri: asked.client_uri,
            policy_uri: asked.policy_uri,
            tos_uri: asked.tos_uri,
            initiate_login_uri: asked.initiate_login_uri,
        },
        keys,
    };
    let changed = clients::change(manager.app(), &client.client_id, change, manager.origin()).await?;
    Ok(ok(&told(&changed, manager.app().clock.now())))
}

pub async fn new_secret(
    Sent { by: manager, asked, once }: Sent<Manager, NewSecretAsked>,
) -> Result<HttpResponse, Refused> {
    let overlap = asked.overlap.map(Integer::seconds).unwrap_or_default();
    if overlap > LONGEST_OVERLAP {
        return Err(Refused::with_detail(Fault::InvalidValue, "`overlap` must be at most 30 days."));
    }
    let client_id = found_within_reach(&manager).await?.client_id;
    let app = manager.call.app.clone();
    let make = async move |origin| {
        let made = clients::rotate_secret(&app, &client_id, overlap, &origin).await?;
        Ok(ClientMade::of(&made, app.clock.now()))
    };
    once.make(&manager.call, &manager.identity(), make).await
}

pub async fn end_secret(manager: Manager) -> Result<HttpResponse, Refused> {
    let client_id = find(&manager).await?.client_id;
    let secret = manager.named::<ClientSecretId>("secret")?;
    clients::end_secret(manager.app(), &client_id, secret, manager.origin()).await?;
    Ok(done())
}

async fn set_status(manager: &Manager, status: Status) -> Result<HttpResponse, Refused> {
    let client_id = find(manager).await?.client_id;
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
    let client_id = find(&manager).await?.client_id;
    clients::remove(manager.app(), &client_id, manager.origin()).await?;
    Ok(done())
}
