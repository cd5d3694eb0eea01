//! Whether a provider's token proves who somebody is, and what it says of them (FE-4 to FE-6).
//!
//! The issuer, the audience, the keys and the algorithms are all ours or the provider's configured ones: nothing that
//! decides is taken from the token. What it says is read only once its signature is good.

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use openidconnect::core::{
    CoreIdToken, CoreIdTokenVerifier, CoreJsonWebKeySet, CoreJwsSigningAlgorithm as Alg,
};
use openidconnect::{ClaimsVerificationError, ClientId, IssuerUrl, Nonce, SignatureVerificationError};
use serde_json::{Map, Value};

use super::authority::Rule;
use crate::clock::Timestamp;
use crate::config::Provider;
use crate::crypto::{Digest, constant_time_eq};
use crate::keys::json::parse_object;
use crate::keys::peek_header;
use crate::model::{EmailAddress, ProviderKind};

/// What is accepted. `none` and HMAC are not: whoever knows our secret there is not the provider.
const ALGORITHMS: [Alg; 6] = [
    Alg::RsaSsaPkcs1V15Sha256,
    Alg::RsaSsaPssSha256,
    Alg::EcdsaP256Sha256,
    Alg::EcdsaP384Sha384,
    Alg::RsaSsaPkcs1V15Sha512,
    Alg::EdDsa,
];

/// How far a provider's clock may be ahead of ours, in seconds.
const SKEW: i64 = 60;

/// Longer than any sane token.
const MAX_TOKEN: usize = 16 * 1024;
const MAX_SUBJECT: usize = 255;

/// What kind of token it is, and where it came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// The ID token that a code was exchanged for.
    FromCode,
    /// An ID token that an application brought: a native one may have got it under an id of its own (`azp`).
    Brought,
    /// An access token of Microsoft's that an application brought.
    AccessToken,
}

/// What the token's nonce is compared with.
#[derive(Clone, Debug)]
pub(super) enum NonceCheck {
    /// It must be there and have this digest (FE-2).
    Digest(Digest),
    /// The application compares it, or sent none: the token is good once.
    Unasked,
}

/// Why a token is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Fault {
    /// No key fits: the copy of the provider's keys may be old.
    #[error("no key of the provider fits the token, which names {0}")]
    UnknownKey(String),
    #[error("{0}")]
    Refused(String),
}

/// Somebody whom a provider vouches for.
#[derive(Clone, PartialEq)]
pub(super) struct Person {
    /// With the tenant, where the provider has tenants (FE-1).
    pub issuer: String,
    pub subject: String,
    pub email: Option<EmailAddress>,
    /// Whether the address counts as theirs (FE-6).
    pub email_verified: bool,
    pub name: Option<String>,
    /// Standard claims that are kept as they are.
    pub claims: Vec<(&'static str, String)>,
    /// When the provider asked who is there, where it says so.
    pub authenticated_at: Option<Timestamp>,
    /// When the token ends.
    pub expires_at: Timestamp,
}

impl std::fmt::Debug for Person {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Person")
            .field("issuer", &self.issuer)
            .field("verified", &self.email_verified)
            .finish()
    }
}

impl Person {
    /// What the provider calls them, for showing: the address, or a name.
    pub(super) fn label(&self) -> String {
        let email = self.email.as_ref().map(|email| email.as_str().to_owned());
        email.or_else(|| self.name.clone()).unwrap_or_default()
    }
}

/// What a proven token says.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Proven {
    issuer: String,
    claims: Map<String, Value>,
}

/// Proves a token against one issuer, one audience and one set of keys.
pub(super) fn verify(
    settings: &Provider,
    rule: &Rule,
    jwks: &str,
    token: &str,
    nonce: &NonceCheck,
    kind: Kind,
    now: Timestamp,
) -> Result<Proven, Fault> {
    let claimed = payload(token)?;
    let tenant = text(&claimed, "tid");
    let issuer = rule
        .issuer(settings, tenant)
        .ok_or_else(|| refused("its tenant is not among those whose people may come"))?;
    check_signature(settings, &issuer, jwks, token, nonce)?;
    // The same bytes, whose signature is good now.
    let claims = claimed;
    check_claims(settings, &issuer, &claims, kind, now)?;
    Ok(Proven { issuer, claims })
}

impl Proven {
    /// Who it is.
    /// Everything that was said, as JSON for people to read.
    pub(super) fn readable(&self) -> String {
        serde_json::to_string_pretty(&self.claims).unwrap_or_default()
    }

    pub(super) fn person(self, settings: &Provider) -> Result<Person, Fault> {
        read(settings, self.issuer, &self.claims)
    }

    /// Whether the address is left to userinfo, where OpenID Connect Core §5.4 puts it. Google and Microsoft, whose
    /// claims have rules of their own, say all in the token.
    pub(super) fn lacks_address(&self, settings: &Provider) -> bool {
        settings.kind == ProviderKind::Oidc && !self.claims.contains_key("email")
    }

    /// Adds what userinfo says of the same person (OpenID Connect Core §5.3.2: the `sub` must be the same). What the
    /// token says stands; the address and what is said of it come from one place.
    pub(super) fn add_userinfo(&mut self, body: &[u8]) -> Result<(), Fault> {
        let mut userinfo = parse_object(body).ok_or_else(|| refused("userinfo is no JSON object"))?;
        if text(&userinfo, "sub").is_none() || userinfo.get("sub") != self.claims.get("sub") {
            return Err(refused("userinfo is about somebody else"));
        }
        self.claims.remove("email_verified");
        for name in ["email", "email_verified", "name", "given_name", "family_name", "locale", "picture"] {
            if let (false, Some(value)) = (self.claims.contains_key(name), userinfo.remove(name)) {
                self.claims.insert(name.to_owned(), value);
            }
        }
        Ok(())
    }
}

fn refused(reason: impl Into<String>) -> Fault {
    Fault::Refused(reason.into())
}

/// The payload, unproven. A name that is there twice could mean two things (TK-12).
fn payload(token: &str) -> Result<Map<String, Value>, Fault> {
    let malformed = || refused("it is malformed");
    if token.len() > MAX_TOKEN {
        return Err(malformed());
    }
    let part = token.split('.').nth(1).ok_or_else(malformed)?;
    let bytes = BASE64_URL_SAFE_NO_PAD.decode(part).map_err(|_| malformed())?;
    parse_object(&bytes).ok_or_else(malformed)
}

fn check_signature(
    settings: &Provider,
    issuer: &str,
    jwks: &str,
    token: &str,
    nonce: &NonceCheck,
) -> Result<(), Fault> {
    let parsed: CoreIdToken = token.parse().map_err(|error| refused(format!("it is malformed: {error}")))?;
    let client_id = ClientId::new(settings.client_id.clone());
    let issuer_url =
        IssuerUrl::new(issuer.to_owned()).map_err(|error| refused(format!("its issuer: {error}")))?;
    let verifier = CoreIdTokenVerifier::new_public_client(client_id, issuer_url, key_set(jwks, issuer)?)
        .set_allowed_algs(ALGORITHMS)
        // Times are compared with our own clock, in `check_claims`.
        .set_time_fn(Default::default);
    let nonce_is_right = |found: Option<&Nonce>| match (nonce, found) {
        (NonceCheck::Unasked, _) => Ok(()),
        (NonceCheck::Digest(_), None) => Err("it has no nonce".to_owned()),
        (NonceCheck::Digest(expected), Some(found)) => {
            let found = Digest::of(found.secret().as_bytes());
            match constant_time_eq(found.as_bytes(), expected.as_bytes()) {
                true => Ok(()),
                false => Err("it has another nonce".to_owned()),
            }
        }
    };
    match parsed.claims(&verifier, nonce_is_right) {
        Ok(_) => Ok(()),
        Err(ClaimsVerificationError::SignatureVerification(SignatureVerificationError::NoMatchingKey)) => {
            Err(Fault::UnknownKey(
                peek_header(token).kid.map_or("none".to_owned(), |kid| format!("{kid:.100}")),
            ))
        }
        Err(error) => Err(refused(error.to_string())),
    }
}

/// The keys that may sign for this issuer. Microsoft says of each key for which issuer it is: a key of one tenant
/// signs for no other.
fn key_set(jwks: &str, issuer: &str) -> Result<CoreJsonWebKeySet, Fault> {
    let unreadable = |error: &dyn std::fmt::Display| refused(format!("the provider's keys: {error}"));
    let mut set: Value = serde_json::from_str(jwks).map_err(|error| unreadable(&error))?;
    if let Some(keys) = set.get_mut("keys").and_then(Value::as_array_mut) {
        keys.retain(|key| key.get("issuer").and_then(Value::as_str).is_none_or(|of| is_for(of, issuer)));
    }
    serde_json::from_value(set).map_err(|error| unreadable(&error))
}

fn is_for(key_issuer: &str, issuer: &str) -> bool {
    match key_issuer.split_once("{tenantid}") {
        None => key_issuer == issuer,
        Some((front, back)) => issuer
            .strip_prefix(front)
            .and_then(|rest| rest.strip_suffix(back))
            .is_some_and(crate::config::is_tenant_id),
    }
}

/// What the library leaves to its caller.
fn check_claims(
    settings: &Provider,
    issuer: &str,
    claims: &Map<String, Value>,
    kind: Kind,
    now: Timestamp,
) -> Result<(), Fault> {
    let now = now.seconds();
    if text(claims, "iss") != Some(issuer) {
        return Err(refused("it is from another issuer"));
    }
    let off = |name: &str| match seconds(claims, name) {
        Some(at) => format!("its {name} is {} seconds ahead of our clock", at.saturating_sub(now)),
        None => format!("it has no {name}"),
    };
    if seconds(claims, "exp").is_none_or(|exp| exp <= now) {
        return Err(refused(format!("it has expired: {}", off("exp"))));
    }
    if seconds(claims, "iat").is_none_or(|iat| iat > now + SKEW) {
        return Err(refused(format!("it is from the future: {}", off("iat"))));
    }
    if claims.contains_key("nbf") && seconds(claims, "nbf").is_none_or(|nbf| nbf > now + SKEW) {
        return Err(refused(format!("it is not valid yet: {}", off("nbf"))));
    }
    match kind {
        Kind::FromCode => check_presenter(settings, claims, &["azp"]),
        Kind::Brought => check_address(settings, claims),
        Kind::AccessToken => check_access(settings, claims),
    }
}

/// To whom the token was issued, if it says so by one of these names (OpenID Connect Core §3.1.3.7).
fn check_presenter(settings: &Provider, claims: &Map<String, Value>, names: &[&str]) -> Result<(), Fault> {
    let mut said = names.iter().filter(|name| claims.contains_key(**name));
    if said.all(|name| text(claims, name) == Some(&settings.client_id)) {
        Ok(())
    } else {
        Err(refused("it was issued to another application"))
    }
}

/// What an application brings of Google's names an address that Google has seen to be the person's: whoever has none
/// has nothing to be known by. Whether Google may say so of the domain is another question ([`is_theirs`]).
fn check_address(settings: &Provider, claims: &Map<String, Value>) -> Result<(), Fault> {
    let is_seen = text(claims, "email").is_some() && claims.get("email_verified") == Some(&Value::Bool(true));
    if settings.kind == ProviderKind::Google && !is_seen {
        return Err(refused("its address is not verified"));
    }
    Ok(())
}

/// An access token of Microsoft's proves a person only if a person gave it to this very application: its audience may be
/// an API that others call as well. Version 2.0 says `azp`, version 1.0 `appid`, and neither is ever left out.
fn check_access(settings: &Provider, claims: &Map<String, Value>) -> Result<(), Fault> {
    const ISSUED_TO: [&str; 2] = ["azp", "appid"];
    check_presenter(settings, claims, &ISSUED_TO)?;
    if !ISSUED_TO.iter().any(|name| claims.contains_key(*name)) {
        return Err(refused("it does not say which application it was issued to"));
    }
    let is_a_persons = text(claims, "scp").is_some_and(|scopes| !scopes.trim().is_empty());
    if !is_a_persons || text(claims, "idtyp") == Some("app") {
        return Err(refused("it is no access token that a person gave"));
    }
    Ok(())
}

/// A NumericDate, which may have a fraction (RFC 7519 §2).
fn seconds(claims: &Map<String, Value>, name: &str) -> Option<i64> {
    let value = claims.get(name)?;
    #[expect(clippy::cast_possible_truncation, reason = "a float that is too large saturates")]
    value.as_i64().or_else(|| value.as_f64().map(|float| float as i64))
}

fn text<'a>(claims: &'a Map<String, Value>, name: &str) -> Option<&'a str> {
    claims.get(name).and_then(Value::as_str)
}

fn read(settings: &Provider, issuer: String, claims: &Map<String, Value>) -> Result<Person, Fault> {
    let email = text(claims, "email").and_then(|email| EmailAddress::parse(email).ok());
    let email_verified = email.as_ref().is_some_and(|email| is_theirs(settings, claims, email));
    Ok(Person {
        subject: subject(settings, claims).ok_or_else(|| refused("it names nobody"))?,
        issuer,
        email_verified,
        email,
        name: text(claims, "name").and_then(tidy),
        claims: kept(claims),
        authenticated_at: seconds(claims, "auth_time").map(Timestamp::from_seconds),
        expires_at: Timestamp::from_seconds(seconds(claims, "exp").unwrap_or_default()),
    })
}

/// Who it is at the issuer. At Microsoft, `sub` differs from application to application while `oid` is the person in
/// the tenant (FE-5).
fn subject(settings: &Provider, claims: &Map<String, Value>) -> Option<String> {
    let sub = text(claims, "sub");
    let subject = match settings.kind {
        ProviderKind::Microsoft => {
            let person = text(claims, "oid").filter(|oid| !oid.is_empty()).or(sub)?;
            format!("{}/{person}", text(claims, "tid")?)
        }
        ProviderKind::Google | ProviderKind::Oidc => sub?.to_owned(),
    };
    let is_sane = |id: &str| !id.is_empty() && id.len() <= MAX_SUBJECT && !id.chars().any(char::is_control);
    (sub.is_some_and(is_sane) && is_sane(&subject)).then_some(subject)
}

/// Whether the provider may say, and does say, that the address is this person's (FE-6). Only a boolean says so.
fn is_theirs(settings: &Provider, claims: &Map<String, Value>, email: &EmailAddress) -> bool {
    let says = |name: &str| claims.get(name) == Some(&Value::Bool(true));
    let domain = email.folded().rsplit('@').next().unwrap_or_default();
    match settings.kind {
        // Of other domains Google knows no more than that a mail was once answered.
        ProviderKind::Google => {
            let is_hosted = text(claims, "hd").is_some_and(|hd| !hd.is_empty());
            says("email_verified") && (is_hosted || matches!(domain, "gmail.com" | "googlemail.com"))
        }
        // A tenant's administrator writes any address (nOAuth), unless its domain was proven to be the tenant's.
        ProviderKind::Microsoft => says("xms_edov"),
        // Whoever configures a provider makes it the authority, for all domains or for those that are named.
        ProviderKind::Oidc => {
            let domains = &settings.email_domains;
            says("email_verified") && (domains.is_empty() || domains.iter().any(|known| known == domain))
        }
    }
}

/// Claims that are kept with a user who is made by this sign-in.
fn kept(claims: &Map<String, Value>) -> Vec<(&'static str, String)> {
    let is_picture = |value: &String| value.starts_with("https://");
    ["given_name", "family_name", "locale", "picture"]
        .into_iter()
        .filter_map(|name| Some((name, text(claims, name).and_then(tidy)?)))
        .filter(|(name, value)| *name != "picture" || is_picture(value))
        .collect()
}

/// One line of readable text that is not too long (CH-5); nothing if nothing is left.
fn tidy(value: &str) -> Option<String> {
    let tidy: String = value.chars().filter(|c| !c.is_control()).take(200).collect();
    let tidy = tidy.trim();
    (!tidy.is_empty()).then(|| tidy.to_owned())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn provider(kind: &str) -> Provider {
        let table =
            json!({ "id": "p", "kind": kind, "client_id": "us", "issuer": "https://idp.example.com" });
        serde_json::from_value(table).unwrap()
    }

    fn verified(settings: &Provider, claims: Value) -> bool {
        let Value::Object(mut claims) = claims else { panic!("claims are an object") };
        claims.insert("sub".to_owned(), json!("42"));
        claims.insert("tid".to_owned(), json!("72f988bf-86f1-41af-91ab-2d7cd011db47"));
        read(settings, "https://idp.example.com".to_owned(), &claims).unwrap().email_verified
    }

    #[test]
    fn fe_6_an_address_counts_only_by_a_boolean_of_its_authority() {
        let (ada, gmail) = ("ada@example.com", "ada@gmail.com");
        let cases = [
            ("google", json!({ "email": gmail, "email_verified": true }), true),
            ("google", json!({ "email": "Ada@GMail.com", "email_verified": true }), true),
            ("google", json!({ "email": gmail, "email_verified": "true" }), false),
            ("google", json!({ "email": gmail, "email_verified": 1 }), false),
            ("google", json!({ "email": gmail }), false),
            ("google", json!({ "email": ada, "email_verified": true }), false),
            ("google", json!({ "email": ada, "email_verified": true, "hd": "" }), false),
            ("google", json!({ "email": ada, "email_verified": true, "hd": "example.com" }), true),
            ("google", json!({ "email": ada, "email_verified": false, "hd": "example.com" }), false),
            ("google", json!({ "email": "ada@gmail.com.evil.example", "email_verified": true }), false),
            ("google", json!({ "email": "nonsense", "email_verified": true, "hd": "example.com" }), false),
            ("microsoft", json!({ "email": ada, "email_verified": true }), false),
            ("microsoft", json!({ "preferred_username": ada, "upn": ada, "xms_edov": true }), false),
            ("microsoft", json!({ "email": ada, "xms_edov": true }), true),
            ("microsoft", json!({ "email": ada, "xms_edov": "true" }), false),
            ("microsoft", json!({ "email": ada, "xms_edov": false }), false),
            ("oidc", json!({ "email": ada, "email_verified": true }), true),
            ("oidc", json!({ "email": ada, "email_verified": "true" }), false),
            ("oidc", json!({ "email": ada }), false),
        ];
        for (kind, claims, counts) in cases {
            assert_eq!(verified(&provider(kind), claims.clone()), counts, "{kind} {claims}");
        }
        let bounded = Provider { email_domains: vec!["example.com".to_owned()], ..provider("oidc") };
        assert!(verified(&bounded, json!({ "email": "ada@EXAMPLE.com", "email_verified": true })));
        assert!(!verified(&bounded, json!({ "email": "ada@example.org", "email_verified": true })));
    }

    #[test]
    fn fe_5_somebody_at_microsoft_is_tenant_and_object() {
        let subject = |claims: Value| subject(&provider("microsoft"), claims.as_object().unwrap());
        assert_eq!(subject(json!({ "sub": "s", "oid": "o", "tid": "t" })).as_deref(), Some("t/o"));
        assert_eq!(subject(json!({ "sub": "s", "tid": "t" })).as_deref(), Some("t/s"));
        assert_eq!(subject(json!({ "sub": "s", "oid": "o" })), None);
        assert_eq!(subject(json!({ "oid": "o", "tid": "t" })), None);
        assert_eq!(subject(json!({ "sub": "", "tid": "t" })), None);
    }

    #[test]
    fn fe_5_a_key_of_one_tenant_signs_for_no_other() {
        let a = "https://login.microsoftonline.com/72f988bf-86f1-41af-91ab-2d7cd011db47/v2.0";
        let b = "https://login.microsoftonline.com/11111111-2222-3333-4444-555555555555/v2.0";
        let template = "https://login.microsoftonline.com/{tenantid}/v2.0";
        for (key, issuer, fits) in [
            (template, a, true),
            (template, b, true),
            (a, a, true),
            (a, b, false),
            (template, "https://login.microsoftonline.com/evil/v2.0", false),
            (template, "https://evil.example/72f988bf-86f1-41af-91ab-2d7cd011db47/v2.0", false),
        ] {
            assert_eq!(is_for(key, issuer), fits, "{key} {issuer}");
        }
    }

    #[test]
    fn ch_5_what_is_kept_is_one_readable_line() {
        let claims =
            json!({ "given_name": "A\r\nda", "locale": " ", "picture": "javascript:alert(1)", "sub": "s" });
        let person =
            read(&provider("oidc"), String::new(), claims.as_object().unwrap()).expect("it names somebody");
        assert_eq!(person.claims, [("given_name", "Ada".to_owned())]);
        assert_eq!(person.label(), "");
    }

    #[test]
    fn userinfo_is_about_the_same_person_and_completes_the_token() {
        let token = json!({ "sub": "42", "name": "Ada", "email_verified": true });
        let proven = Proven { issuer: String::new(), claims: token.as_object().unwrap().clone() };
        let add = |userinfo: Value| {
            let mut proven = proven.clone();
            proven.add_userinfo(userinfo.to_string().as_bytes())?;
            proven.person(&provider("oidc"))
        };
        let person =
            add(json!({ "sub": "42", "name": "Eve", "email": "ada@example.com", "iss": "x" })).unwrap();
        assert_eq!(person.name.as_deref(), Some("Ada"));
        assert!(
            person.email.is_some() && !person.email_verified,
            "the token's word was not about this address"
        );
        let sure = json!({ "sub": "42", "email": "ada@example.com", "email_verified": true });
        assert!(add(sure).unwrap().email_verified);
        for other in [json!({ "sub": "43" }), json!({}), json!([]), json!({ "sub": null })] {
            assert!(add(other.clone()).is_err(), "{other}");
        }
        assert!(proven.lacks_address(&provider("oidc")) && !proven.lacks_address(&provider("google")));
    }
}
