//! User claims: which scope gives which, what the `claims` parameter asks, and which names nobody may set.
//!
//! Where the values come from is decided by whoever knows the user.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::OAuthError;
use super::scope::{self, ScopeSet};

const PROFILE_CLAIMS: &[&str] = &[
    "name",
    "family_name",
    "given_name",
    "middle_name",
    "nickname",
    "preferred_username",
    "profile",
    "picture",
    "website",
    "gender",
    "birthdate",
    "zoneinfo",
    "locale",
    "updated_at",
];
const EMAIL_CLAIMS: &[&str] = &["email", "email_verified"];
const ADDRESS_CLAIMS: &[&str] = &["address"];
const PHONE_CLAIMS: &[&str] = &["phone_number", "phone_number_verified"];

/// Claims that the provider states itself and that may be asked for by name.
const PROTOCOL_CLAIMS: &[&str] = &["sub", "auth_time", "acr", "amr", "sid"];

/// What is said of the organisation that the user acts for. Stated by the provider alone (TK-7).
const ORGANISATION_CLAIMS: &[&str] = &["org", "org_slug", "roles", "permissions"];

/// Names that neither a custom claim nor a mapping may set or override (TK-7).
const RESERVED: &[&str] = &[
    "iss",
    "sub",
    "aud",
    "exp",
    "iat",
    "nbf",
    "jti",
    "sid",
    "acr",
    "amr",
    "auth_time",
    "email_verified",
    "scope",
    "client_id",
    "org",
    "org_slug",
    "roles",
    "permissions",
    "cnf",
    "act",
    "azp",
    "nonce",
    "at_hash",
    "c_hash",
    "s_hash",
    "gid",
    "typ",
    "events",
    "status",
];

/// The claims that a scope stands for (OpenID Connect Core §5.4).
pub fn claims_of(scope: &str) -> &'static [&'static str] {
    match scope {
        scope::PROFILE => PROFILE_CLAIMS,
        scope::EMAIL => EMAIL_CLAIMS,
        scope::ADDRESS => ADDRESS_CLAIMS,
        scope::PHONE => PHONE_CLAIMS,
        _ => &[],
    }
}

/// The claims about the user that exist here (OpenID Connect Core §5.1).
pub fn user_claims() -> impl Iterator<Item = &'static str> {
    scope::STANDARD.into_iter().flat_map(|scope| claims_of(scope).iter().copied())
}

/// What discovery lists as `claims_supported`.
pub fn supported() -> impl Iterator<Item = &'static str> {
    PROTOCOL_CLAIMS.iter().chain(ORGANISATION_CLAIMS).copied().chain(user_claims())
}

/// Whether only the provider itself may state a claim of this name.
pub fn is_reserved(name: &str) -> bool {
    RESERVED.contains(&name)
}

/// Claims about a user, as userinfo and ID tokens carry them beside the protocol's own.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct UserClaims(Map<String, Value>);

impl UserClaims {
    /// Adds a claim, if its name is free to be set and it says something: userinfo has no nulls and no empty
    /// texts (OpenID Connect Core §5.3.2).
    pub fn insert(&mut self, name: &str, value: Value) -> bool {
        let empty = match &value {
            Value::Null => true,
            Value::String(text) => text.is_empty(),
            Value::Object(members) => members.is_empty(),
            _ => false,
        };
        let allowed = !is_reserved(name) || user_claims().any(|known| known == name);
        if allowed && !empty {
            self.0.insert(name.to_owned(), value);
        }
        allowed && !empty
    }

    pub fn get(&self, name: &str) -> Option<&Value> {
        self.0.get(name)
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Only those named.
    #[must_use]
    pub fn only(&self, names: &BTreeSet<String>) -> Self {
        Self(
            self.0
                .iter()
                .filter(|(name, _)| names.contains(*name))
                .map(|(n, v)| (n.clone(), v.clone()))
                .collect(),
        )
    }
}

/// The `claims` parameter (OpenID Connect Core §5.5), less what does not exist here.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ClaimsRequest {
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub userinfo: BTreeMap<String, ClaimWish>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub id_token: BTreeMap<String, ClaimWish>,
}

/// How one claim is asked for. `value` is kept as a list of one.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ClaimWish {
    pub essential: bool,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub values: Vec<Value>,
}

impl ClaimsRequest {
    const MAX_DEPTH: usize = 8;

    /// Reads the parameter. Unknown claims and members are ignored, wrong types are not.
    pub fn parse(text: &str) -> Result<Self, OAuthError> {
        let bad = || {
            OAuthError::invalid_request("claims is not a JSON object as OpenID Connect Core 5.5 describes")
        };
        let value: Value = serde_json::from_str(text).map_err(|_| bad())?;
        if depth(&value) > Self::MAX_DEPTH {
            return Err(bad());
        }
        let members = value.as_object().ok_or_else(bad)?;
        let read = |member: &str| wishes(members.get(member)).ok_or_else(bad);
        Ok(Self { userinfo: read("userinfo")?, id_token: read("id_token")? })
    }

    pub fn is_empty(&self) -> bool {
        self.userinfo.is_empty() && self.id_token.is_empty()
    }

    /// Claims about the user that are asked for and that none of the scopes gives: the consent page names
    /// them.
    pub fn beyond(&self, scopes: &ScopeSet) -> BTreeSet<String> {
        let by_scope: Vec<&str> = scopes.iter().flat_map(|scope| claims_of(scope).iter().copied()).collect();
        self.userinfo
            .keys()
            .chain(self.id_token.keys())
            .filter(|name| !PROTOCOL_CLAIMS.contains(&name.as_str()) && !by_scope.contains(&name.as_str()))
            .cloned()
            .collect()
    }

    /// The values of which the ID token's `acr` must be one (OpenID Connect Core §5.5.1.1). Empty: none is
    /// demanded.
    pub fn essential_acr(&self) -> Vec<&str> {
        match self.id_token.get("acr") {
            Some(wish) if wish.essential => wish.values.iter().filter_map(Value::as_str).collect(),
            _ => Vec::new(),
        }
    }

    /// The values that the ID token's `acr` would best have: as with `acr_values`, no error if it cannot.
    pub fn voluntary_acr(&self) -> Vec<&str> {
        match self.id_token.get("acr") {
            Some(wish) if !wish.essential => wish.values.iter().filter_map(Value::as_str).collect(),
            _ => Vec::new(),
        }
    }

    /// The user that the answer must be about, if `sub` is asked with a value (OpenID Connect Core §3.1.2.2).
    pub fn subject(&self) -> Option<&str> {
        let wish = self.id_token.get("sub").or_else(|| self.userinfo.get("sub"))?;
        wish.values.first().and_then(Value::as_str)
    }
}

/// The claims that userinfo answers: those of the scopes and those asked for by name.
pub fn userinfo_claims(scopes: &ScopeSet, request: &ClaimsRequest) -> BTreeSet<String> {
    let by_scope = scopes.iter().flat_map(|scope| claims_of(scope).iter().map(|name| (*name).to_owned()));
    by_scope.chain(request.userinfo.keys().cloned()).collect()
}

/// `None` where the member is neither absent, null nor an object of wishes.
fn wishes(member: Option<&Value>) -> Option<BTreeMap<String, ClaimWish>> {
    match member {
        None | Some(Value::Null) => Some(BTreeMap::new()),
        Some(Value::Object(claims)) => claims
            .iter()
            .filter(|(name, _)| supported().any(|known| known == name.as_str()))
            .map(|(name, wish)| Some((name.clone(), ClaimWish::parse(wish)?)))
            .collect(),
        Some(_) => None,
    }
}

impl ClaimWish {
    fn parse(wish: &Value) -> Option<Self> {
        let members = match wish {
            Value::Null => return Some(Self::default()),
            Value::Object(members) => members,
            _ => return None,
        };
        let essential = match members.get("essential") {
            None => false,
            Some(flag) => flag.as_bool()?,
        };
        let values = match (members.get("value"), members.get("values")) {
            (Some(value), _) => vec![value.clone()],
            (None, Some(values)) => values.as_array()?.clone(),
            (None, None) => Vec::new(),
        };
        Some(Self { essential, values })
    }
}

/// How deep the value nests. `serde_json` reads no deeper than 128, so the recursion is bounded.
fn depth(value: &Value) -> usize {
    1 + match value {
        Value::Array(items) => items.iter().map(depth).max().unwrap_or(0),
        Value::Object(members) => members.values().map(depth).max().unwrap_or(0),
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_parameter_is_read_and_survives_storage() {
        let request = ClaimsRequest::parse(
            r#"{"userinfo":{"given_name":{"essential":true},"picture":null,"http://x.example/y":null},
                "id_token":{"auth_time":{"essential":true},"acr":{"essential":true,"values":["a","b"]},
                "email":{"value":"x","unknown":1}},"other":5}"#,
        )
        .unwrap();
        assert_eq!(request.userinfo.keys().collect::<Vec<_>>(), ["given_name", "picture"]);
        assert!(request.userinfo["given_name"].essential);
        assert_eq!(request.essential_acr(), ["a", "b"]);
        assert_eq!(request.id_token["email"].values, [json!("x")]);
        let stored = serde_json::to_string(&request).unwrap();
        assert_eq!(serde_json::from_str::<ClaimsRequest>(&stored).unwrap(), request);
    }

    #[test]
    fn wrong_json_is_refused() {
        let deep = format!(r#"{{"userinfo":{{"name":{{"value":{}{}}}}}}}"#, "[".repeat(20), "]".repeat(20));
        let deeper = format!("{}{}", "[".repeat(2000), "]".repeat(2000));
        let bad = [
            "",
            "x",
            "[]",
            "null",
            "{\"userinfo\":[]}",
            "{\"userinfo\":{\"name\":true}}",
            "{\"id_token\":{\"acr\":{\"essential\":\"yes\"}}}",
            "{\"id_token\":{\"acr\":{\"values\":\"a\"}}}",
            "{\"id_token\":{\"acr\":null}",
            &deep,
            &deeper,
        ];
        for text in bad {
            assert!(ClaimsRequest::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn claims_beyond_the_scopes_need_consent() {
        let request = ClaimsRequest::parse(
            r#"{"userinfo":{"name":null,"email":null},"id_token":{"phone_number":null,"acr":null,"sub":null}}"#,
        )
        .unwrap();
        let scopes = ScopeSet::parse("openid email").unwrap();
        assert_eq!(request.beyond(&scopes).into_iter().collect::<Vec<_>>(), ["name", "phone_number"]);
        let given = userinfo_claims(&scopes, &request);
        assert_eq!(given.into_iter().collect::<Vec<_>>(), ["email", "email_verified", "name"]);
    }

    #[test]
    fn tk_7_reserved_names_cannot_be_set() {
        let mut claims = UserClaims::default();
        for name in RESERVED.iter().filter(|name| **name != "email_verified") {
            assert!(!claims.insert(name, json!("x")), "{name}");
        }
        assert!(claims.is_empty());
        // The provider knows this one of the user; a custom claim is asked with `is_reserved` first.
        assert!(claims.insert("email_verified", json!(true)) && is_reserved("email_verified"));
    }

    #[test]
    fn nothing_empty_is_said() {
        let mut claims = UserClaims::default();
        for value in [json!(null), json!(""), json!({})] {
            assert!(!claims.insert("name", value));
        }
        assert!(claims.insert("name", json!("Ada")) && claims.insert("updated_at", json!(0)));
        let only = claims.only(&BTreeSet::from(["name".to_owned()]));
        assert_eq!(serde_json::to_value(only).unwrap(), json!({ "name": "Ada" }));
    }

    #[test]
    fn a_value_for_sub_names_the_user() {
        let request = ClaimsRequest::parse(r#"{"id_token":{"sub":{"value":"usr_1"}}}"#).unwrap();
        assert_eq!(request.subject(), Some("usr_1"));
        assert_eq!(ClaimsRequest::parse(r#"{"id_token":{"sub":null}}"#).unwrap().subject(), None);
    }
}
