//! OAuth clients. Every change bumps the version that tells each node's cache to read again.

use std::collections::HashMap;

use diesel::dsl::{exists, not};
use diesel::prelude::*;
use diesel::sql_types::Text;

use super::schema::{client_secrets, client_values, clients};
use super::{Conn, Error, status, upsert};
use crate::clock::Timestamp;
use crate::crypto::Digest;
use crate::model::{
    ApplicationType, Client, ClientAuthMethod, ClientKey, ClientSecret, ClientSecretId, ClientValueKind,
    GrantType, Place, SigningAlg, Status, Topic,
};

diesel::define_sql_function! {
    fn lower(text: Text) -> Text;
}

#[derive(Queryable, Selectable, Insertable, AsChangeset)]
#[diesel(table_name = clients, treat_none_as_null = true)]
struct Row {
    id: ClientKey,
    client_id: String,
    name: String,
    status: Status,
    application_type: ApplicationType,
    auth_method: ClientAuthMethod,
    first_party: bool,
    require_mfa: bool,
    require_organization: bool,
    pkce_required: bool,
    require_par: bool,
    require_auth_time: bool,
    default_max_age: Option<i64>,
    id_token_alg: SigningAlg,
    userinfo_alg: Option<SigningAlg>,
    assertion_alg: Option<SigningAlg>,
    assertion_aud_token_endpoint: bool,
    jwks: Option<String>,
    jwks_uri: Option<String>,
    logo_uri: Option<String>,
    client_uri: Option<String>,
    policy_uri: Option<String>,
    tos_uri: Option<String>,
    initiate_login_uri: Option<String>,
    created_at: Timestamp,
    updated_at: Timestamp,
}

impl Row {
    fn of(client: &Client, now: Timestamp) -> Self {
        Self {
            id: client.key,
            client_id: client.client_id.clone(),
            name: client.name.clone(),
            status: client.status,
            application_type: client.application_type,
            auth_method: client.auth_method,
            first_party: client.first_party,
            require_mfa: client.require_mfa,
            require_organization: client.require_organization,
            pkce_required: client.pkce_required,
            require_par: client.require_par,
            require_auth_time: client.require_auth_time,
            default_max_age: client.default_max_age,
            id_token_alg: client.id_token_alg,
            userinfo_alg: client.userinfo_alg,
            assertion_alg: client.assertion_alg,
            assertion_aud_token_endpoint: client.assertion_aud_token_endpoint,
            jwks: client.jwks.clone(),
            jwks_uri: client.jwks_uri.clone(),
            logo_uri: client.logo_uri.clone(),
            client_uri: client.client_uri.clone(),
            policy_uri: client.policy_uri.clone(),
            tos_uri: client.tos_uri.clone(),
            initiate_login_uri: client.initiate_login_uri.clone(),
            created_at: client.created_at,
            updated_at: now,
        }
    }

    fn into_client(
        self,
        mut values: Values,
        secrets: Vec<ClientSecret>,
        places: Vec<Place>,
    ) -> Result<Client, Error> {
        let mut list = |kind| values.remove(&kind).unwrap_or_default();
        let grant_types = list(ClientValueKind::GrantType)
            .iter()
            .map(|text| GrantType::parse(text).ok_or_else(|| Error::broken("a client's grant type", text)))
            .collect::<Result<_, _>>()?;
        Ok(Client {
            redirect_uris: list(ClientValueKind::RedirectUri),
            post_logout_redirect_uris: list(ClientValueKind::PostLogoutRedirectUri),
            scopes: list(ClientValueKind::Scope),
            contacts: list(ClientValueKind::Contact),
            audiences: list(ClientValueKind::Audience),
            default_acr_values: list(ClientValueKind::DefaultAcrValue),
            grant_types,
            secrets,
            key: self.id,
            client_id: self.client_id,
            name: self.name,
            status: self.status,
            application_type: self.application_type,
            auth_method: self.auth_method,
            first_party: self.first_party,
            require_mfa: self.require_mfa,
            require_organization: self.require_organization,
            pkce_required: self.pkce_required,
            require_par: self.require_par,
            default_max_age: self.default_max_age,
            require_auth_time: self.require_auth_time,
            id_token_alg: self.id_token_alg,
            userinfo_alg: self.userinfo_alg,
            assertion_alg: self.assertion_alg,
            assertion_aud_token_endpoint: self.assertion_aud_token_endpoint,
            jwks: self.jwks,
            jwks_uri: self.jwks_uri,
            logo_uri: self.logo_uri,
            client_uri: self.client_uri,
            policy_uri: self.policy_uri,
            tos_uri: self.tos_uri,
            initiate_login_uri: self.initiate_login_uri,
            created_at: self.created_at,
            places,
        })
    }
}

/// Adds a client with its lists and secrets.
pub fn insert(db: &mut Conn, client: &Client, now: Timestamp) -> Result<(), Error> {
    diesel::insert_into(clients::table).values(Row::of(client, now)).execute(db)?;
    insert_lists(db, client)?;
    for secret in &client.secrets {
        insert_secret(db, client.key, secret)?;
    }
    upsert::bump_version(db, Topic::Clients)?;
    Ok(())
}

/// Writes the client as it is now, except its secrets.
pub fn update(db: &mut Conn, client: &Client, now: Timestamp) -> Result<(), Error> {
    diesel::update(clients::table.find(client.key)).set(Row::of(client, now)).execute(db)?;
    diesel::delete(client_values::table.filter(client_values::client_id.eq(client.key))).execute(db)?;
    insert_lists(db, client)?;
    upsert::bump_version(db, Topic::Clients)?;
    Ok(())
}

fn insert_lists(db: &mut Conn, client: &Client) -> Result<(), Error> {
    let grant_types: Vec<String> = client.grant_types.iter().map(ToString::to_string).collect();
    let lists = [
        (ClientValueKind::RedirectUri, &client.redirect_uris),
        (ClientValueKind::PostLogoutRedirectUri, &client.post_logout_redirect_uris),
        (ClientValueKind::GrantType, &grant_types),
        (ClientValueKind::Scope, &client.scopes),
        (ClientValueKind::Contact, &client.contacts),
        (ClientValueKind::Audience, &client.audiences),
        (ClientValueKind::DefaultAcrValue, &client.default_acr_values),
    ];
    for (kind, values) in lists {
        for (position, value) in (0_i64..).zip(values) {
            diesel::insert_into(client_values::table)
                .values((
                    client_values::client_id.eq(client.key),
                    client_values::kind.eq(kind),
                    client_values::value.eq(value),
                    client_values::position.eq(position),
                ))
                .execute(db)?;
        }
    }
    Ok(())
}

/// Adds a secret beside those that the client has (CA-2).
pub fn add_secret(db: &mut Conn, client: ClientKey, secret: &ClientSecret) -> Result<(), Error> {
    insert_secret(db, client, secret)?;
    upsert::bump_version(db, Topic::Clients)?;
    Ok(())
}

fn insert_secret(db: &mut Conn, client: ClientKey, secret: &ClientSecret) -> Result<(), Error> {
    diesel::insert_into(client_secrets::table)
        .values((
            client_secrets::id.eq(secret.id),
            client_secrets::client_id.eq(client),
            client_secrets::digest.eq(secret.digest),
            client_secrets::created_at.eq(secret.created_at),
            client_secrets::expires_at.eq(secret.expires_at),
        ))
        .execute(db)?;
    Ok(())
}

/// Lets the client's present secrets end at `at`, unless they end sooner.
pub fn expire_secrets(db: &mut Conn, client: ClientKey, at: Timestamp) -> Result<(), Error> {
    let outliving = client_secrets::table
        .filter(client_secrets::client_id.eq(client))
        .filter(client_secrets::expires_at.is_null().or(client_secrets::expires_at.gt(at)));
    diesel::update(outliving).set(client_secrets::expires_at.eq(at)).execute(db)?;
    upsert::bump_version(db, Topic::Clients)?;
    Ok(())
}

/// Active clients whose last secret ends before then or has ended, by what they call themselves and are called; the one
/// that ends first comes first.
pub fn ending_secrets(
    db: &mut Conn,
    before: Timestamp,
    limit: i64,
) -> Result<Vec<(String, String, Timestamp)>, Error> {
    let lasting = diesel::alias!(client_secrets as lasting);
    let lasts = lasting.filter(lasting.field(client_secrets::client_id).eq(clients::id)).filter(
        lasting
            .field(client_secrets::expires_at)
            .is_null()
            .or(lasting.field(client_secrets::expires_at).ge(before)),
    );
    let ending = clients::table
        .inner_join(client_secrets::table.on(client_secrets::client_id.eq(clients::id)))
        .filter(clients::status.eq(Status::Active))
        .filter(clients::auth_method.eq_any([ClientAuthMethod::SecretBasic, ClientAuthMethod::SecretPost]))
        .filter(client_secrets::expires_at.lt(before))
        .filter(not(exists(lasts)));
    let rows: Vec<(String, String, Option<Timestamp>)> = ending
        // Two may be ending: what counts is the later one.
        .order((client_secrets::expires_at.desc(), clients::id.asc()))
        .limit(limit)
        .select((clients::client_id, clients::name, client_secrets::expires_at))
        .load(db)?;
    let mut ends: Vec<(String, String, Timestamp)> = Vec::new();
    for (client_id, name, at) in rows {
        if let Some(at) = at.filter(|_| ends.iter().all(|(known, _, _)| *known != client_id)) {
            ends.push((client_id, name, at));
        }
    }
    ends.sort_by_key(|(_, _, at)| *at);
    Ok(ends)
}

pub fn set_status(db: &mut Conn, client: ClientKey, status: Status, now: Timestamp) -> Result<bool, Error> {
    let changed = diesel::update(clients::table.find(client))
        .set((clients::status.eq(status), clients::updated_at.eq(now)))
        .execute(db)?;
    upsert::bump_version(db, Topic::Clients)?;
    Ok(changed == 1)
}

/// Removes the client with its grants, consents and requests.
pub fn remove(db: &mut Conn, client: ClientKey) -> Result<bool, Error> {
    let removed = diesel::delete(clients::table.find(client)).execute(db)?;
    upsert::bump_version(db, Topic::Clients)?;
    Ok(removed == 1)
}

pub fn find_by_client_id(db: &mut Conn, client_id: &str) -> Result<Option<Client>, Error> {
    let row = clients::table
        .filter(clients::client_id.eq(client_id))
        .select(Row::as_select())
        .first(db)
        .optional()?;
    row.map(|row| complete(db, row)).transpose()
}

pub fn find(db: &mut Conn, key: ClientKey) -> Result<Option<Client>, Error> {
    let row = clients::table.find(key).select(Row::as_select()).first(db).optional()?;
    row.map(|row| complete(db, row)).transpose()
}

/// The redirect URIs of active clients that run in a browser or on a device, where they keep no secret.
pub fn public_redirect_uris(db: &mut Conn) -> Result<Vec<String>, Error> {
    let public = clients::table
        .filter(clients::status.eq(Status::Active))
        .filter(clients::auth_method.eq(ClientAuthMethod::None))
        .select(clients::id);
    Ok(client_values::table
        .filter(client_values::kind.eq(ClientValueKind::RedirectUri))
        .filter(client_values::client_id.eq_any(public))
        .select(client_values::value)
        .distinct()
        .load(db)?)
}

/// Up to `limit` clients in order of creation, after the one named.
pub fn list(db: &mut Conn, after: Option<ClientKey>, limit: i64) -> Result<Vec<Client>, Error> {
    let mut query = clients::table.select(Row::as_select()).into_boxed();
    if let Some(after) = after {
        query = query.filter(clients::id.gt(after));
    }
    let rows = query.order(clients::id.asc()).limit(limit).load(db)?;
    complete_all(db, rows)
}

/// The clients that registered one of these scopes, or that serve this audience, by name: up to `limit`.
pub fn of_resource(
    db: &mut Conn,
    scopes: &[&str],
    audience: &str,
    limit: i64,
) -> Result<Vec<(ClientKey, String, ClientValueKind, String)>, Error> {
    let asks = client_values::kind.eq(ClientValueKind::Scope).and(client_values::value.eq_any(scopes));
    let serves = client_values::kind.eq(ClientValueKind::Audience).and(client_values::value.eq(audience));
    Ok(clients::table
        .inner_join(client_values::table.on(client_values::client_id.eq(clients::id)))
        .filter(asks.or(serves))
        .order((clients::name.asc(), clients::id.asc(), client_values::position.asc()))
        .limit(limit)
        .select((clients::id, clients::name, client_values::kind, client_values::value))
        .load(db)?)
}

/// Keeps the client as it is until the transaction ends: of two who change its secrets at once, the second sees what the
/// first has done (AR-1).
pub fn hold(db: &mut Conn, client_id: &str) -> Result<(), Error> {
    let one = clients::table.filter(clients::client_id.eq(client_id));
    diesel::update(one).set(clients::status.eq(clients::status)).execute(db)?;
    Ok(())
}

/// What is looked for among the clients.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sought {
    /// Each word is in its name, its `client_id` or one of its redirect URIs.
    pub words: Vec<String>,
    pub status: Option<Status>,
}

impl Sought {
    /// Of what somebody typed; beyond eight words nothing is looked at.
    pub fn words_of(typed: &str) -> Vec<String> {
        typed.split_whitespace().take(8).map(str::to_ascii_lowercase).collect()
    }
}

/// One line of the list of clients.
#[derive(Clone, Debug, PartialEq)]
pub struct Listed {
    pub key: ClientKey,
    pub client_id: String,
    pub name: String,
    pub status: Status,
    pub application_type: ApplicationType,
    pub auth_method: ClientAuthMethod,
    pub first_party: bool,
    pub created_at: Timestamp,
    pub grant_types: Vec<GrantType>,
    pub redirect_uris: Vec<String>,
    pub audiences: Vec<String>,
}

/// Up to `limit` clients, the newest first, before the one named.
pub fn search(
    db: &mut Conn,
    sought: &Sought,
    before: Option<ClientKey>,
    limit: i64,
) -> Result<Vec<Listed>, Error> {
    let rows = rows_sought(db, sought, before, limit)?;
    let keys: Vec<ClientKey> = rows.iter().map(|row| row.id).collect();
    let mut values = values_of(db, &keys)?;
    let listed = rows.into_iter().map(|row| {
        let values = values.remove(&row.id).unwrap_or_default();
        let client = row.into_client(values, Vec::new(), Vec::new())?;
        Ok(Listed {
            key: client.key,
            client_id: client.client_id,
            name: client.name,
            status: client.status,
            application_type: client.application_type,
            auth_method: client.auth_method,
            first_party: client.first_party,
            created_at: client.created_at,
            grant_types: client.grant_types,
            redirect_uris: client.redirect_uris,
            audiences: client.audiences,
        })
    });
    listed.collect()
}

/// The same clients, each with everything that is stored of it.
pub fn search_whole(
    db: &mut Conn,
    sought: &Sought,
    before: Option<ClientKey>,
    limit: i64,
) -> Result<Vec<Client>, Error> {
    let rows = rows_sought(db, sought, before, limit)?;
    complete_all(db, rows)
}

fn rows_sought(
    db: &mut Conn,
    sought: &Sought,
    before: Option<ClientKey>,
    limit: i64,
) -> Result<Vec<Row>, Error> {
    let mut query = clients::table.select(Row::as_select()).into_boxed();
    for word in &sought.words {
        let pattern = contains(word);
        let redirects = client_values::table
            .filter(client_values::kind.eq(ClientValueKind::RedirectUri))
            .filter(lower(client_values::value).like(pattern.clone()).escape('\\'))
            .select(client_values::client_id);
        query = query.filter(
            lower(clients::name)
                .like(pattern.clone())
                .escape('\\')
                .or(lower(clients::client_id).like(pattern).escape('\\'))
                .or(clients::id.eq_any(redirects)),
        );
    }
    if let Some(status) = sought.status {
        query = query.filter(clients::status.eq(status));
    }
    if let Some(before) = before {
        query = query.filter(clients::id.lt(before));
    }
    Ok(query.order(clients::id.desc()).limit(limit).load(db)?)
}

/// The pattern of texts that have this one in them. SQLite lowers the letters of ASCII alone, so any other letter
/// stands for each one.
fn contains(word: &str) -> String {
    let mut pattern = String::from("%");
    for c in word.chars() {
        match c {
            '\\' | '%' | '_' => pattern.extend(['\\', c]),
            c if c.is_ascii() => pattern.push(c),
            _ => pattern.push('_'),
        }
    }
    pattern.push('%');
    pattern
}

/// Ends one of the client's secrets; `false` if it is none of its, or ended before.
pub fn end_secret(
    db: &mut Conn,
    client: ClientKey,
    secret: ClientSecretId,
    now: Timestamp,
) -> Result<bool, Error> {
    let live = client_secrets::table
        .filter(client_secrets::id.eq(secret))
        .filter(client_secrets::client_id.eq(client))
        .filter(client_secrets::expires_at.is_null().or(client_secrets::expires_at.gt(now)));
    let ended = diesel::update(live).set(client_secrets::expires_at.eq(now)).execute(db)?;
    upsert::bump_version(db, Topic::Clients)?;
    Ok(ended == 1)
}

type Values = HashMap<ClientValueKind, Vec<String>>;

fn values_of(db: &mut Conn, clients: &[ClientKey]) -> Result<HashMap<ClientKey, Values>, Error> {
    let rows: Vec<(ClientKey, ClientValueKind, String)> = client_values::table
        .filter(client_values::client_id.eq_any(clients))
        .order((client_values::client_id.asc(), client_values::kind.asc(), client_values::position.asc()))
        .select((client_values::client_id, client_values::kind, client_values::value))
        .load(db)?;
    let mut values: HashMap<ClientKey, Values> = HashMap::new();
    for (client, kind, value) in rows {
        values.entry(client).or_default().entry(kind).or_default().push(value);
    }
    Ok(values)
}

fn secrets_of(db: &mut Conn, clients: &[ClientKey]) -> Result<HashMap<ClientKey, Vec<ClientSecret>>, Error> {
    let rows: Vec<(ClientKey, ClientSecretId, Digest, Timestamp, Option<Timestamp>)> = client_secrets::table
        .filter(client_secrets::client_id.eq_any(clients))
        .order(client_secrets::id.asc())
        .select((
            client_secrets::client_id,
            client_secrets::id,
            client_secrets::digest,
            client_secrets::created_at,
            client_secrets::expires_at,
        ))
        .load(db)?;
    let mut secrets: HashMap<ClientKey, Vec<ClientSecret>> = HashMap::new();
    for (client, id, digest, created_at, expires_at) in rows {
        secrets.entry(client).or_default().push(ClientSecret { id, digest, created_at, expires_at });
    }
    Ok(secrets)
}

/// With everything that stands elsewhere, in few queries however many they are.
fn complete_all(db: &mut Conn, rows: Vec<Row>) -> Result<Vec<Client>, Error> {
    let keys: Vec<ClientKey> = rows.iter().map(|row| row.id).collect();
    let (mut values, mut secrets) = (values_of(db, &keys)?, secrets_of(db, &keys)?);
    let mut places = status::of_clients(db, &keys)?;
    rows.into_iter()
        .map(|row| {
            let id = row.id;
            let mut taken = Vec::new();
            places.retain(|(owner, place)| {
                let is_its = *owner == id;
                if is_its {
                    taken.push(*place);
                }
                !is_its
            });
            let secrets = secrets.remove(&id).unwrap_or_default();
            row.into_client(values.remove(&id).unwrap_or_default(), secrets, taken)
        })
        .collect()
}

fn complete(db: &mut Conn, row: Row) -> Result<Client, Error> {
    let whole = complete_all(db, vec![row])?.pop();
    whole.ok_or_else(|| Error::broken("a client", "it was read and is gone"))
}
