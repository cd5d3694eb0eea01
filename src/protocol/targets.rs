//! Which APIs an access token is for, and which of the granted scopes it carries there (RFC 8707, RFC 9068
//! §3).

use std::time::Duration;

use crate::model::explanation::{Explanation, Rule};
use crate::model::{Resource, Status};

use super::scope::{self, ScopeSet};
use super::{ErrorCode, OAuthError};

/// The addressees of one access token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// The `aud` claim, never empty.
    pub audience: Vec<String>,
    /// The part of the granted scopes that concerns them.
    pub scope: ScopeSet,
    /// The shortest life that one of the resources asks for; `None` means the instance's default.
    pub access_ttl: Option<Duration>,
}

/// What an instance serves: itself, and the registered resources.
#[derive(Clone, Copy, Debug)]
pub struct Registry<'a> {
    pub issuer: &'a str,
    pub resources: &'a [Resource],
}

impl<'a> Registry<'a> {
    /// The active resource with this identifier.
    pub fn find(&self, identifier: &str) -> Option<&'a Resource> {
        self.active().find(|resource| resource.identifier == identifier)
    }

    /// Whether the scope exists: a standard one, or one of an active resource.
    pub fn knows_scope(&self, scope: &str) -> bool {
        scope::is_standard(scope) || self.active().any(|resource| resource.scopes.contains_key(scope))
    }

    fn active(&self) -> impl Iterator<Item = &'a Resource> {
        self.resources.iter().filter(|resource| resource.status == Status::Active)
    }
}

/// The token's addressees, from the granted scopes and the resources asked for.
///
/// - Resources asked for: exactly these, and of the scopes those that are theirs. The issuer may be named
///   when `openid` is granted, and brings the standard scopes.
/// - None asked for: every active resource that owns a granted scope, and the issuer when a standard scope is
///   granted or there is nothing else.
pub fn targets(granted: &ScopeSet, asked: &[String], registry: &Registry<'_>) -> Result<Target, OAuthError> {
    if asked.is_empty() {
        Ok(default_target(granted, registry))
    } else {
        named_target(granted, asked, registry)
    }
}

/// The same for a client that acts for itself. Nobody but its registration says which APIs it may call, so it must hold
/// a scope of each it names; an API without scopes leaves the decision to itself.
pub fn client_targets(
    granted: &ScopeSet,
    asked: &[String],
    registry: &Registry<'_>,
) -> Result<Target, OAuthError> {
    let target = targets(granted, asked, registry)?;
    let holds_none = |resource: &Resource| {
        !resource.scopes.is_empty() && !granted.iter().any(|scope| resource.scopes.contains_key(scope))
    };
    match asked.iter().filter_map(|resource| registry.find(resource)).find(|resource| holds_none(resource)) {
        Some(resource) => {
            let scopes: Vec<&str> = resource.scopes.keys().map(String::as_str).collect();
            let told = Explanation::of(Rule::Resource)
                .with("resource", &resource.identifier)
                .with("its scopes", scopes.join(" "))
                .with("held", granted);
            Err(invalid_target("the client holds no scope of this resource").because(told))
        }
        None => Ok(target),
    }
}

/// The same at the token endpoint, where a request may only name addressees that the authorization covered
/// (RFC 8707 §2.2).
pub fn narrowed_targets(
    granted: &ScopeSet,
    authorized: &[String],
    asked: &[String],
    registry: &Registry<'_>,
) -> Result<Target, OAuthError> {
    let whole = targets(granted, authorized, registry)?;
    if asked.is_empty() {
        return Ok(whole);
    }
    match asked.iter().find(|resource| !whole.audience.contains(resource)) {
        Some(resource) => {
            let told = Explanation::of(Rule::Resource)
                .with("resource", resource)
                .with("authorized", whole.audience.join(" "));
            Err(invalid_target("resource was not part of the authorization").because(told))
        }
        None => targets(granted, asked, registry),
    }
}

fn default_target(granted: &ScopeSet, registry: &Registry<'_>) -> Target {
    let owners: Vec<&Resource> = registry
        .active()
        .filter(|resource| granted.iter().any(|scope| resource.scopes.contains_key(scope)))
        .collect();
    let with_issuer = owners.is_empty() || granted.iter().any(scope::is_standard);
    target(granted, owners, with_issuer, registry.issuer)
}

fn named_target(granted: &ScopeSet, asked: &[String], registry: &Registry<'_>) -> Result<Target, OAuthError> {
    let mut named: Vec<&Resource> = Vec::new();
    let mut with_issuer = false;
    for identifier in asked {
        match registry.find(identifier) {
            Some(resource) if named.iter().any(|known| known.id == resource.id) => {}
            Some(resource) => named.push(resource),
            None if identifier == registry.issuer && granted.contains(scope::OPENID) => with_issuer = true,
            None => return Err(unknown(identifier, registry)),
        }
    }
    Ok(target(granted, named, with_issuer, registry.issuer))
}

fn target(granted: &ScopeSet, resources: Vec<&Resource>, with_issuer: bool, issuer: &str) -> Target {
    let mut audience: Vec<String> = resources.iter().map(|resource| resource.identifier.clone()).collect();
    if with_issuer {
        audience.push(issuer.to_owned());
    }
    let scope = granted.filtered(|scope| {
        (with_issuer && scope::is_standard(scope)) || resources.iter().any(|r| r.scopes.contains_key(scope))
    });
    Target { audience, scope, access_ttl: resources.iter().filter_map(|resource| resource.access_ttl).min() }
}

/// There is no such resource, or it is disabled; or it is ourselves, without `openid`.
fn unknown(identifier: &str, registry: &Registry<'_>) -> OAuthError {
    let is_disabled = registry.resources.iter().any(|resource| resource.identifier == identifier);
    let state = match (identifier == registry.issuer, is_disabled) {
        (true, _) => "the issuer, which needs the scope openid",
        (false, true) => "disabled",
        (false, false) => "unknown",
    };
    let known: Vec<&str> = registry.active().map(|resource| resource.identifier.as_str()).collect();
    let told = Explanation::of(Rule::Resource)
        .with("resource", identifier)
        .with("state", state)
        .with("known", known.join(" "));
    invalid_target("resource is not known here").because(told)
}

fn invalid_target(text: &str) -> OAuthError {
    OAuthError::new(ErrorCode::InvalidTarget, text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::fixtures::{API, FILES, ISSUER, registry, resources, strings};

    fn check(scope: &str, asked: &[&str]) -> Result<(String, String, Option<u64>), ErrorCode> {
        let resources = resources();
        targets(&ScopeSet::parse(scope).unwrap(), &strings(asked), &registry(&resources))
            .map(|t| (t.audience.join(" "), t.scope.to_string(), t.access_ttl.map(|ttl| ttl.as_secs())))
            .map_err(|error| error.code)
    }

    #[test]
    fn te_9_a_client_names_only_apis_of_which_it_holds_a_scope() {
        let resources = resources();
        let check = |scope: &str, asked: &[&str]| {
            client_targets(&ScopeSet::parse(scope).unwrap(), &strings(asked), &registry(&resources))
                .map(|target| target.audience.join(" "))
                .map_err(|error| error.code)
        };
        assert_eq!(check("api:read", &[API]), Ok(API.to_owned()));
        assert_eq!(check("", &[]), Ok(ISSUER.to_owned()));
        assert_eq!(check("", &[API]), Err(ErrorCode::InvalidTarget));
        assert_eq!(check("api:read", &[API, FILES]), Err(ErrorCode::InvalidTarget));
    }

    #[test]
    fn rfc_8707_audience_and_scope() {
        type Case<'a> = (&'a str, &'a [&'a str], &'a str, &'a str, Option<u64>);
        let cases: [Case<'_>; 11] = [
            ("", &[], ISSUER, "", None),
            ("openid email", &[], ISSUER, "openid email", None),
            ("api:read", &[], API, "api:read", Some(300)),
            (
                "openid api:read",
                &[],
                "https://api.example.com https://id.example.com",
                "openid api:read",
                Some(300),
            ),
            ("shared", &[], "https://api.example.com https://files.example.com", "shared", Some(60)),
            ("openid api:read", &[API], API, "api:read", Some(300)),
            (
                "openid api:read files:read",
                &[FILES, API],
                "https://files.example.com https://api.example.com",
                "api:read files:read",
                Some(60),
            ),
            ("openid api:read", &[API, API], API, "api:read", Some(300)),
            ("openid email api:read", &[ISSUER], ISSUER, "openid email", None),
            (
                "openid api:read",
                &[ISSUER, API],
                "https://api.example.com https://id.example.com",
                "openid api:read",
                Some(300),
            ),
            ("openid", &[API], API, "", Some(300)),
        ];
        for (scope, asked, audience, kept, ttl) in cases {
            let expected = Ok((audience.to_owned(), kept.to_owned(), ttl));
            assert_eq!(check(scope, asked), expected, "{scope} {asked:?}");
        }
    }

    #[test]
    fn rfc_8707_unknown_targets_are_refused() {
        for asked in
            ["https://unknown.example.com", "https://old.example.com", "https://api.example.com/", "", "x"]
        {
            assert_eq!(check("openid api:read", &[asked]), Err(ErrorCode::InvalidTarget), "{asked}");
        }
        assert_eq!(check("api:read", &[ISSUER]), Err(ErrorCode::InvalidTarget), "the issuer needs openid");
    }

    #[test]
    fn te_6_the_token_endpoint_narrows_and_never_widens() {
        let resources = resources();
        let scope = ScopeSet::parse("openid api:read files:read").unwrap();
        let narrowed = |authorized: &[&str], asked: &[&str]| {
            narrowed_targets(&scope, &strings(authorized), &strings(asked), &registry(&resources))
                .map(|target| target.audience.join(" "))
                .map_err(|error| error.code)
        };
        assert_eq!(narrowed(&[API, FILES], &[FILES]), Ok(FILES.to_owned()));
        assert_eq!(narrowed(&[], &[FILES]), Ok(FILES.to_owned()));
        assert_eq!(narrowed(&[API], &[]), Ok(API.to_owned()));
        assert_eq!(narrowed(&[API], &[FILES]), Err(ErrorCode::InvalidTarget));
        assert_eq!(narrowed(&[API], &[ISSUER]), Err(ErrorCode::InvalidTarget));
    }
}
