//! What we say about a user: the standard claims (OpenID Connect Core §5.1) from what is stored.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::protocol::claims::{ClaimsRequest, UserClaims, userinfo_claims};
use crate::protocol::scope::ScopeSet;
use crate::store::users::{self, User};
use crate::store::{self, Conn};

/// The claims of userinfo: those of the scopes and those asked for by name.
pub fn for_userinfo(
    db: &mut Conn,
    user: &User,
    scopes: &ScopeSet,
    asked: &ClaimsRequest,
) -> Result<UserClaims, store::Error> {
    select(db, user, &userinfo_claims(scopes, asked))
}

/// User claims of the ID token: only those asked for there by name (OpenID Connect Core §5.4, §5.5).
pub fn for_id_token(db: &mut Conn, user: &User, asked: &ClaimsRequest) -> Result<UserClaims, store::Error> {
    select(db, user, &asked.id_token.keys().cloned().collect())
}

fn select(db: &mut Conn, user: &User, names: &BTreeSet<String>) -> Result<UserClaims, store::Error> {
    if names.is_empty() {
        return Ok(UserClaims::default());
    }
    Ok(all(db, user)?.only(names))
}

fn all(db: &mut Conn, user: &User) -> Result<UserClaims, store::Error> {
    let mut claims = UserClaims::default();
    for (name, value) in users::claims(db, user.id)? {
        claims.insert(&name, value_of(&name, value));
    }
    claims.insert("name", json!(user.name));
    claims.insert("locale", json!(user.locale));
    claims.insert("zoneinfo", json!(user.zoneinfo));
    claims.insert("updated_at", json!(user.updated_at.seconds()));
    let email = users::primary_email(db, user.id)?;
    let shown = user.username.clone().or_else(|| email.as_ref().map(|email| email.address.clone()));
    claims.insert("preferred_username", json!(shown));
    if let Some(email) = email {
        claims.insert("email", json!(email.address));
        claims.insert("email_verified", json!(email.verified_at.is_some()));
    }
    Ok(claims)
}

/// A stored claim is text, save an address (a JSON object) and a flag (OpenID Connect Core §5.1);
/// [`crate::tenancy::users`] sees to that form.
fn value_of(name: &str, stored: String) -> Value {
    match name {
        "address" => serde_json::from_str(&stored).unwrap_or(Value::Null),
        "phone_number_verified" => Value::Bool(stored == "true"),
        _ => Value::String(stored),
    }
}
