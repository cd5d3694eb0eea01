//! OAuth clients, as whoever runs the instance manages them.
//!
//! A client comes from its metadata on one way only: [`crate::protocol::registration`] decides what may be
//! registered; here are the choices that no client may make for itself (first party, PKCE, audiences), its secret,
//! and its place in the database.

pub mod kinds;
pub mod secrets;

pub use secrets::{BroughtSecret, Created, end_secret, rotate_secret};

use std::sync::Arc;

use crate::app::App;
use crate::audit::{Event, Origin, Scribe};
use crate::clock::Timestamp;
use crate::keys::check_jwks_registration;
use crate::model::{
    AuditAction, Client, ClientAuthMethod, ClientKey, ClientValueKind, GrantType, Resource, SigningAlg,
    Status, Topic,
};
use crate::protocol::OAuthError;
use crate::protocol::registration::ClientMetadata;
use crate::signing::LONGEST_TOKEN_LIFE;
use crate::store::clients::{Listed, Sought};
use crate::store::{self, Conn, Unique, clients, resources};

use secrets::{MIN_SECRET, give_secret, uses_secret};

/// The client of our own API.
const OWN_API: &str = "countersign:api";
/// The client of the demonstration at `/dev/app`.
pub const DEMONSTRATION: &str = "dev-app";

/// A client to be.
#[derive(Clone, Debug)]
pub struct NewClient {
    /// What the client says about itself.
    pub metadata: ClientMetadata,
    /// Taken over from another server; else one is made.
    pub client_id: Option<String>,
    /// Taken over from another server; else one is made if the client needs one.
    pub secret: Option<BroughtSecret>,
    pub terms: Terms,
}

/// What the operator decides about a client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Terms {
    /// Its users are not asked for consent.
    pub first_party: bool,
    /// Its users must have shown two factors (MF-5).
    pub require_mfa: bool,
    /// Its users must act for an organisation.
    pub require_organization: bool,
    /// Only a client that authenticates may be exempted (AZ-4).
    pub pkce_required: bool,
    /// Resources that this client is the server of: it may introspect their tokens.
    pub audiences: Vec<String>,
    /// Whether its assertions may name the token endpoint as audience (CA-3).
    pub assertion_aud_token_endpoint: bool,
}

impl Default for Terms {
    fn default() -> Self {
        Self {
            first_party: false,
            require_mfa: false,
            require_organization: false,
            pkce_required: true,
            audiences: Vec::new(),
            assertion_aud_token_endpoint: false,
        }
    }
}

/// What to change about a client; `None` leaves as it is. A list replaces the former one.
#[derive(Clone, Debug, Default)]
pub struct Change {
    pub name: Option<String>,
    pub redirect_uris: Option<Vec<String>>,
    pub post_logout_redirect_uris: Option<Vec<String>>,
    pub grant_types: Option<Vec<GrantType>>,
    pub scopes: Option<Vec<String>>,
    pub audiences: Option<Vec<String>>,
    pub first_party: Option<bool>,
    pub require_mfa: Option<bool>,
    pub require_organization: Option<bool>,
    pub pkce_required: Option<bool>,
    pub require_par: Option<bool>,
    pub id_token_alg: Option<SigningAlg>,
    /// Where a client that has secrets sends them.
    pub auth_method: Option<ClientAuthMethod>,
    pub links: Links,
    pub keys: Option<Keys>,
}

/// Where an application and what it says of itself are found. `None` leaves as it is, an empty text takes it away.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Links {
    pub logo_uri: Option<String>,
    pub client_uri: Option<String>,
    pub policy_uri: Option<String>,
    pub tos_uri: Option<String>,
    /// Where a sign-in begins at the application (OpenID Connect Core §4).
    pub initiate_login_uri: Option<String>,
}

/// The public keys of a client that signs its assertions.
#[derive(Clone, Debug, PartialEq)]
pub enum Keys {
    /// A JWK Set.
    These(serde_json::Value),
    /// Where the JWK Set is fetched from.
    At(String),
}

/// Why a client was not made or changed.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    #[error("the client is refused: {}", .0.description())]
    Metadata(OAuthError),
    #[error("the client is refused: jwks: {0}")]
    Keys(String),
    #[error(
        "the client_id must have 1 to 200 characters of letters, digits and . _ ~ : / - and not begin with `usr_` or `svc_`"
    )]
    BadClientId,
    #[error(
        "the client_secret must be random: {MIN_SECRET} to 512 characters of printable ASCII, not a few repeated"
    )]
    WeakSecret,
    #[error("a client that authenticates by {0} has no client_secret: leave it out")]
    SecretNotUsed(ClientAuthMethod),
    #[error(
        "a client without authentication must use PKCE: leave out the exemption, or give it a way to authenticate"
    )]
    PublicWithoutPkce,
    #[error("no resource is called {0}: make it first (`countersign resource add`)")]
    UnknownAudience(String),
    #[error("another client has this client_id")]
    Taken,
    #[error("there is no such client: `countersign client list` shows them")]
    NoSuchClient,
    #[error(
        "the client has two live secrets already; the older one ends at {0}: wait, or rotate without overlap"
    )]
    TwoSecrets(Timestamp),
    #[error("a client that authenticates by {0} keeps to it: make another client")]
    MethodStays(ClientAuthMethod),
    #[error("there is no such secret, or it has ended")]
    NoSuchSecret,
    #[error("it is the client's only secret: make a new one first, or disable the client")]
    LastSecret,
    #[error(transparent)]
    Store(store::Error),
}

impl From<store::Error> for ClientError {
    fn from(error: store::Error) -> Self {
        match error {
            store::Error::Taken(Unique::ClientId) => Self::Taken,
            other => Self::Store(other),
        }
    }
}

/// The client with this key or this `client_id`.
pub async fn find(app: &App, which: &str) -> Result<Option<Client>, store::Error> {
    let which = which.to_owned();
    app.db
        .read(move |db| {
            let by_key = match which.parse::<ClientKey>() {
                Ok(key) => clients::find(db, key)?,
                Err(_) => None,
            };
            // Whose key looks the same was never given another's: a `client_id` that is made is the client's own key.
            by_key.map_or_else(|| clients::find_by_client_id(db, &which), |found| Ok(Some(found)))
        })
        .await
}

/// Up to `limit` clients, the newest first, before the one named.
pub async fn search(
    app: &App,
    sought: Sought,
    before: Option<ClientKey>,
    limit: i64,
) -> Result<Vec<Listed>, store::Error> {
    app.db.read(move |db| clients::search(db, &sought, before, limit)).await
}

/// The same clients, with everything that is stored of each.
pub async fn search_whole(
    app: &App,
    sought: Sought,
    before: Option<ClientKey>,
    limit: i64,
) -> Result<Vec<Client>, store::Error> {
    app.db.read(move |db| clients::search_whole(db, &sought, before, limit)).await
}

/// A client that has to do with a resource.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Related {
    pub key: ClientKey,
    pub name: String,
    /// The scopes of the resource that it may ask for.
    pub scopes: Vec<String>,
    /// Whether it is the server of the resource.
    pub serves: bool,
}

/// The clients that may ask for a resource's scopes or are its server, by name.
pub async fn of_resource(app: &App, resource: &Resource) -> Result<Vec<Related>, store::Error> {
    const MOST: i64 = 1_000;
    let resource = resource.clone();
    let rows = app
        .db
        .read(move |db| {
            let scopes: Vec<&str> = resource.scopes.keys().map(String::as_str).collect();
            clients::of_resource(db, &scopes, &resource.identifier, MOST)
        })
        .await?;
    let mut related: Vec<Related> = Vec::new();
    for (key, name, kind, value) in rows {
        if related.last().is_none_or(|last| last.key != key) {
            related.push(Related { key, name, scopes: Vec::new(), serves: false });
        }
        let Some(last) = related.last_mut() else { continue };
        match kind {
            ClientValueKind::Audience => last.serves = true,
            _ => last.scopes.push(value),
        }
    }
    Ok(related)
}

/// Makes a client.
pub async fn create(app: &App, new: NewClient, origin: &Origin) -> Result<Created, ClientError> {
    let scribe = app.scribe(origin);
    let key = ClientKey::new(scribe.now, &scribe.random);
    let client_id = match new.client_id {
        Some(id) => check_client_id(id)?,
        None => key.to_string(),
    };
    let mut client = described(&new.metadata, key, client_id, scribe.now, &new.terms)?;
    let secret = give_secret(&mut client, new.secret, &scribe)?;
    let stored = client.clone();
    let outcome = app.db.write(move |db| {
        if let Some(unknown) = unknown_audience(db, &stored.audiences)? {
            return Ok(Err(ClientError::UnknownAudience(unknown)));
        }
        clients::insert(db, &stored, scribe.now)?;
        provide_places(db, &stored, &scribe)?;
        scribe.write(db, told(AuditAction::ClientCreated, &stored))?;
        Ok(Ok(()))
    });
    outcome.await??;
    app.registry.forget(Topic::Clients);
    Ok(Created { client, secret })
}

/// The first application that is not part of this program: neither our own API, nor a dialect's, nor the demonstration.
pub async fn first(app: &App) -> Result<Option<Client>, store::Error> {
    let mut own: Vec<String> = app.dialects.iter().map(|mounted| mounted.client_id.clone()).collect();
    own.extend([OWN_API, DEMONSTRATION].map(str::to_owned));
    let most = i64::try_from(own.len()).unwrap_or(i64::MAX).saturating_add(1);
    let found = app.db.read(move |db| clients::list(db, None, most)).await?;
    Ok(found.into_iter().find(|client| !own.contains(&client.client_id)))
}

/// The client that the login API of a product acts as.
#[derive(Clone, Debug)]
pub struct Product {
    pub client_id: String,
    pub name: String,
    /// Where browsers may be sent back to.
    pub redirect_uris: Vec<String>,
}

/// Sees to it that the product's client exists, with these addresses. It has no secret, so nobody can be it at the
/// token endpoint; whoever runs the instance may give it one, demand second factors of its users or disable it.
pub async fn keep_product(app: &App, product: Product, origin: &Origin) -> Result<(), ClientError> {
    let scribe = app.scribe(origin);
    let client_id = check_client_id(product.client_id)?;
    let metadata = ClientMetadata {
        client_name: Some(product.name),
        grant_types: Some(
            [GrantType::AuthorizationCode, GrantType::RefreshToken].map(|kind| kind.to_string()).into(),
        ),
        token_endpoint_auth_method: Some(ClientAuthMethod::SecretBasic.to_string()),
        redirect_uris: product.redirect_uris,
        ..ClientMetadata::default()
    };
    // A client that goes by codes has an address to send them to. Ours is good for nothing: nobody redeems it.
    let redirect_uris = match metadata.redirect_uris.is_empty() {
        true => vec![app.config.issuer.at("/")],
        false => metadata.redirect_uris.clone(),
    };
    let metadata = ClientMetadata { redirect_uris, ..metadata };
    let terms = Terms { first_party: true, pkce_required: false, ..Terms::default() };
    let key = ClientKey::new(scribe.now, &scribe.random);
    let wanted = described(&metadata, key, client_id, scribe.now, &terms)?;
    let kept = app.db.write(move |db| keep(db, &wanted, &scribe)).await;
    match kept {
        // Another node made it at the same moment.
        Ok(()) | Err(store::Error::Taken(Unique::ClientId)) => {}
        Err(error) => return Err(error.into()),
    }
    app.registry.forget(Topic::Clients);
    Ok(())
}

/// The client of our own API for applications of the same house. Made when the API is first used.
pub async fn own_api(app: &App, origin: &Origin) -> Result<Arc<Client>, ClientError> {
    if let Some(client) = app.client(OWN_API).await? {
        return Ok(client);
    }
    let name = app.config.branding.product_name.clone();
    let product = Product { client_id: OWN_API.to_owned(), name, redirect_uris: Vec::new() };
    keep_product(app, product, origin).await?;
    app.client(OWN_API).await?.ok_or(ClientError::NoSuchClient)
}

fn keep(db: &mut Conn, wanted: &Client, scribe: &Scribe) -> Result<(), store::Error> {
    let Some(found) = clients::find_by_client_id(db, &wanted.client_id)? else {
        clients::insert(db, wanted, scribe.now)?;
        return scribe.write(db, told(AuditAction::ClientCreated, wanted));
    };
    let same = found.redirect_uris == wanted.redirect_uris
        && found.grant_types == wanted.grant_types
        && found.first_party;
    if same {
        return Ok(());
    }
    let updated = Client {
        redirect_uris: wanted.redirect_uris.clone(),
        grant_types: wanted.grant_types.clone(),
        first_party: true,
        ..found
    };
    clients::update(db, &updated, scribe.now)?;
    scribe.write(db, told(AuditAction::ClientChanged, &updated))
}

/// Changes what the operator may change; the result passes the same checks as a new client.
pub async fn change(
    app: &App,
    client_id: &str,
    change: Change,
    origin: &Origin,
) -> Result<Client, ClientError> {
    let (scribe, client_id) = (app.scribe(origin), client_id.to_owned());
    let outcome = app.db.write(move |db| {
        let Some(old) = clients::find_by_client_id(db, &client_id)? else {
            return Ok(Err(ClientError::NoSuchClient));
        };
        let new = match changed(old, &change) {
            Ok(new) => new,
            Err(refused) => return Ok(Err(refused)),
        };
        if let Some(unknown) = unknown_audience(db, change.audiences.as_deref().unwrap_or_default())? {
            return Ok(Err(ClientError::UnknownAudience(unknown)));
        }
        clients::update(db, &new, scribe.now)?;
        provide_places(db, &new, &scribe)?;
        scribe.write(db, told(AuditAction::ClientChanged, &new))?;
        Ok(Ok(new))
    });
    let client = outcome.await??;
    app.registry.forget(Topic::Clients);
    Ok(client)
}

/// Disables or enables a client; a disabled one gets nothing more, whatever it holds (CA-5).
pub async fn set_status(
    app: &App,
    client_id: &str,
    status: Status,
    origin: &Origin,
) -> Result<Client, ClientError> {
    let (scribe, client_id) = (app.scribe(origin), client_id.to_owned());
    let outcome = app.db.write(move |db| {
        let Some(client) = clients::find_by_client_id(db, &client_id)? else { return Ok(None) };
        let client = Client { status, ..client };
        clients::set_status(db, client.key, status, scribe.now)?;
        match status {
            Status::Active => provide_places(db, &client, &scribe)?,
            Status::Disabled => revoke_tokens(db, &client, &scribe)?,
        }
        scribe.write(db, told(AuditAction::ClientChanged, &client).detail("status", status.as_str()))?;
        Ok(Some(client))
    });
    let client = outcome.await?;
    app.registry.forget(Topic::Clients);
    client.ok_or(ClientError::NoSuchClient)
}

/// Removes a client with its grants and consents.
pub async fn remove(app: &App, client_id: &str, origin: &Origin) -> Result<Client, ClientError> {
    let (scribe, client_id) = (app.scribe(origin), client_id.to_owned());
    let outcome = app.db.write(move |db| {
        let Some(client) = clients::find_by_client_id(db, &client_id)? else { return Ok(None) };
        // First, so that a lease of places that is taken at this moment is waited for.
        clients::set_status(db, client.key, Status::Disabled, scribe.now)?;
        revoke_tokens(db, &client, &scribe)?;
        clients::remove(db, client.key)?;
        scribe.write(db, told(AuditAction::ClientRemoved, &client))?;
        Ok(Some(client))
    });
    let client = outcome.await?;
    app.registry.forget(Topic::Clients);
    client.ok_or(ClientError::NoSuchClient)
}

/// So that offline verifiers can learn of the end of its own tokens.
fn provide_places(db: &mut Conn, client: &Client, scribe: &Scribe) -> Result<(), store::Error> {
    match client.may_use(GrantType::ClientCredentials) && client.is_active() {
        true => store::status::provide_client(db, client.key, &scribe.random),
        false => Ok(()),
    }
}

/// Tells offline verifiers that every token issued to this client is dead.
fn revoke_tokens(db: &mut Conn, client: &Client, scribe: &Scribe) -> Result<(), store::Error> {
    store::status::revoke_of_client(db, client.key, scribe.now.plus(LONGEST_TOKEN_LIFE), scribe.now)
}

fn told(action: AuditAction, client: &Client) -> Event {
    let event = Event::success(action)
        .client(client.key)
        .detail("client_id", client.client_id.as_str())
        .detail("first_party", client.first_party)
        .detail("require_mfa", client.require_mfa)
        .detail("require_organization", client.require_organization);
    // An exemption stands out in the audit (AZ-4).
    if client.pkce_required { event } else { event.detail("pkce_required", false) }
}

/// The client that metadata and terms describe, without a secret.
fn described(
    metadata: &ClientMetadata,
    key: ClientKey,
    client_id: String,
    created_at: Timestamp,
    terms: &Terms,
) -> Result<Client, ClientError> {
    let mut client = metadata.to_client(key, client_id, created_at).map_err(ClientError::Metadata)?;
    if let Some(jwks) = &client.jwks {
        check_jwks_registration(jwks).map_err(ClientError::Keys)?;
    }
    if !terms.pkce_required && !client.is_confidential() {
        return Err(ClientError::PublicWithoutPkce);
    }
    client.first_party = terms.first_party;
    client.require_mfa = terms.require_mfa;
    client.require_organization = terms.require_organization;
    client.pkce_required = terms.pkce_required;
    client.audiences.clone_from(&terms.audiences);
    client.assertion_aud_token_endpoint = terms.assertion_aud_token_endpoint;
    Ok(client)
}

fn changed(old: Client, change: &Change) -> Result<Client, ClientError> {
    let mut metadata = metadata_of(&old);
    if let Some(name) = &change.name {
        metadata.client_name = Some(name.clone());
    }
    if let Some(uris) = &change.redirect_uris {
        metadata.redirect_uris.clone_from(uris);
    }
    if let Some(uris) = &change.post_logout_redirect_uris {
        metadata.post_logout_redirect_uris.clone_from(uris);
    }
    if let Some(grants) = &change.grant_types {
        metadata.grant_types = Some(grants.iter().map(ToString::to_string).collect());
    }
    if let Some(scopes) = &change.scopes {
        metadata.scope = Some(scopes.join(" "));
    }
    if let Some(require) = change.require_par {
        metadata.require_pushed_authorization_requests = require;
    }
    if let Some(alg) = change.id_token_alg {
        metadata.id_token_signed_response_alg = Some(alg.to_string());
    }
    if let Some(method) = change.auth_method.filter(|method| *method != old.auth_method) {
        if !uses_secret(old.auth_method) || !uses_secret(method) {
            return Err(ClientError::MethodStays(old.auth_method));
        }
        metadata.token_endpoint_auth_method = Some(method.to_string());
    }
    let link = |own: &mut Option<String>, changed: &Option<String>| {
        if let Some(uri) = changed {
            *own = Some(uri.trim().to_owned()).filter(|uri| !uri.is_empty());
        }
    };
    link(&mut metadata.logo_uri, &change.links.logo_uri);
    link(&mut metadata.client_uri, &change.links.client_uri);
    link(&mut metadata.policy_uri, &change.links.policy_uri);
    link(&mut metadata.tos_uri, &change.links.tos_uri);
    link(&mut metadata.initiate_login_uri, &change.links.initiate_login_uri);
    if let Some(keys) = &change.keys {
        (metadata.jwks, metadata.jwks_uri) = match keys {
            Keys::These(jwks) => (Some(jwks.clone()), None),
            Keys::At(uri) => (None, Some(uri.clone())),
        };
    }
    let terms = Terms {
        first_party: change.first_party.unwrap_or(old.first_party),
        require_mfa: change.require_mfa.unwrap_or(old.require_mfa),
        require_organization: change.require_organization.unwrap_or(old.require_organization),
        pkce_required: change.pkce_required.unwrap_or(old.pkce_required),
        audiences: change.audiences.clone().unwrap_or_else(|| old.audiences.clone()),
        assertion_aud_token_endpoint: old.assertion_aud_token_endpoint,
    };
    let new = described(&metadata, old.key, old.client_id, old.created_at, &terms)?;
    Ok(Client { status: old.status, secrets: old.secrets, ..new })
}

/// The metadata that describes the client as it is.
fn metadata_of(client: &Client) -> ClientMetadata {
    let alg = |alg: crate::model::SigningAlg| alg.to_string();
    ClientMetadata {
        redirect_uris: client.redirect_uris.clone(),
        response_types: None,
        grant_types: Some(client.grant_types.iter().map(ToString::to_string).collect()),
        application_type: Some(client.application_type.to_string()),
        contacts: client.contacts.clone(),
        client_name: Some(client.name.clone()),
        logo_uri: client.logo_uri.clone(),
        client_uri: client.client_uri.clone(),
        policy_uri: client.policy_uri.clone(),
        tos_uri: client.tos_uri.clone(),
        jwks_uri: client.jwks_uri.clone(),
        // What is stored was checked when it came in.
        jwks: client.jwks.as_deref().and_then(|jwks| serde_json::from_str(jwks).ok()),
        scope: Some(client.scopes.join(" ")),
        id_token_signed_response_alg: Some(alg(client.id_token_alg)),
        userinfo_signed_response_alg: client.userinfo_alg.map(alg),
        token_endpoint_auth_method: Some(client.auth_method.to_string()),
        token_endpoint_auth_signing_alg: client.assertion_alg.map(alg),
        default_max_age: client.default_max_age,
        require_auth_time: client.require_auth_time,
        default_acr_values: client.default_acr_values.clone(),
        initiate_login_uri: client.initiate_login_uri.clone(),
        post_logout_redirect_uris: client.post_logout_redirect_uris.clone(),
        require_pushed_authorization_requests: client.require_par,
        other: serde_json::Map::new(),
    }
}

fn unknown_audience(db: &mut Conn, audiences: &[String]) -> Result<Option<String>, store::Error> {
    if audiences.is_empty() {
        return Ok(None);
    }
    let known = resources::all(db)?;
    Ok(audiences.iter().find(|audience| known.iter().all(|one| one.identifier != **audience)).cloned())
}

/// A client's id is never a user's, nor a machine's: the `sub` of its own tokens must not be read as another's (TE-9).
fn check_client_id(id: String) -> Result<String, ClientError> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "._~:/-".contains(c);
    if id.is_empty()
        || id.len() > 200
        || !id.chars().all(allowed)
        || id.starts_with("usr_")
        || id.starts_with("svc_")
        || id.starts_with('-')
    {
        return Err(ClientError::BadClientId);
    }
    Ok(id)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::Random;

    #[test]
    fn te_9_a_client_id_is_never_a_users_id() {
        for good in ["calendar", "https://app.example.com/client", "a:b~c_d.e-f"] {
            assert!(check_client_id(good.to_owned()).is_ok(), "{good}");
        }
        for bad in ["", "usr_0190", "svc_0190", "a b", "a\n", "é", "a\"b", &"a".repeat(201)] {
            assert!(check_client_id(bad.to_owned()).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_change_passes_the_checks_of_a_new_client() {
        let metadata = ClientMetadata {
            redirect_uris: vec!["https://app.example.com/cb".to_owned()],
            ..ClientMetadata::default()
        };
        let key = ClientKey::new(Timestamp(1), &Random::system());
        let client = described(&metadata, key, "app".to_owned(), Timestamp(1), &Terms::default()).unwrap();
        assert_eq!(changed(client.clone(), &Change::default()).unwrap(), client);
        let renamed = Change { name: Some("Calendar".to_owned()), ..Change::default() };
        assert_eq!(changed(client.clone(), &renamed).unwrap().name, "Calendar");
        let bad = [
            Change { name: Some(String::new()), ..Change::default() },
            Change { redirect_uris: Some(vec![]), ..Change::default() },
            Change { redirect_uris: Some(vec!["http://app.example.com/cb".to_owned()]), ..Change::default() },
            Change { grant_types: Some(vec![GrantType::RefreshToken]), ..Change::default() },
        ];
        for change in bad {
            assert!(matches!(changed(client.clone(), &change), Err(ClientError::Metadata(_))), "{change:?}");
        }
    }
}
