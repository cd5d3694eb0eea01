//! What we say about a user: the standard claims (OpenID Connect Core §5.1) from what is stored.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

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

/// Names of stored claims that are not texts.
const BOOLEAN: &str = "phone_number_verified";
const ADDRESS: &str = "address.";

fn all(db: &mut Conn, user: &User) -> Result<UserClaims, store::Error> {
    let mut claims = UserClaims::default();
    let mut address = Map::new();
    for (name, value) in users::claims(db, user.id)? {
        match name.strip_prefix(ADDRESS) {
            Some(member) => {
                address.insert(member.to_owned(), json!(value));
            }
            None if name == BOOLEAN => {
                claims.insert(&name, json!(value == "true"));
            }
            None => {
                claims.insert(&name, json!(value));
            }
        }
    }
    claims.insert("address", Value::Object(address));
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

/// Whether a claim of this name may be stored for a user: a standard one that is a text there, or a part of the
/// address. The others follow from what is stored elsewhere, or are stated by the verification flow (PW-13).
pub fn may_be_stored(name: &str) -> bool {
    const STORED: [&str; 11] = [
        "family_name",
        "given_name",
        "middle_name",
        "nickname",
        "profile",
        "picture",
        "website",
        "gender",
        "birthdate",
        "phone_number",
        "phone_number_verified",
    ];
    const PARTS: [&str; 6] = ["formatted", "street_address", "locality", "region", "postal_code", "country"];
    match name.strip_prefix(ADDRESS) {
        Some(part) => PARTS.contains(&part),
        None => STORED.contains(&name),
    }
}
