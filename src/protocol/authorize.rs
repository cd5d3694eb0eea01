//! The authorization request: from parameters to a validated request that is stored and does not change any
//! more (AZ-8).
//!
//! Client and redirect URI come first: until both hold, an error is a page (AZ-1). What happens to the valid
//! request is decided by [`super::next_step`].

use std::collections::BTreeSet;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::crypto::Secret;
use crate::model::explanation::{Explanation, Rule};
use crate::model::{Client, GrantType};

use super::claims::ClaimsRequest;
use super::redirect::ClientRedirect;
use super::response::ResponseMode;
use super::scope::{self, ScopeSet};
use super::targets::{Registry, targets};
use super::{ErrorCode, OAuthError, Params, pkce};

/// What a client asked for, checked. Stored as JSON while the browser is on its way.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct AuthorizationRequest {
    pub client_id: String,
    pub redirect_uri: String,
    pub response_mode: ResponseMode,
    pub state: Option<String>,
    /// The asked scopes that exist and that the client may ask for.
    pub scope: ScopeSet,
    pub nonce: Option<String>,
    /// Of method S256, the only one.
    pub code_challenge: Option<String>,
    pub prompt: BTreeSet<Prompt>,
    /// Seconds. The client's `default_max_age` where the request said nothing.
    pub max_age: Option<u32>,
    pub login_hint: Option<String>,
    /// The `sub` that the answer must be about, from a verified `id_token_hint` or from the claims request.
    pub hint_subject: Option<String>,
    pub acr_values: Vec<String>,
    pub ui_locales: Vec<String>,
    pub claims: ClaimsRequest,
    pub resources: Vec<String>,
    /// The organisation that the user is to act for: an id or a short name, as it was sent. Whether there is such a one
    /// is nobody's business but its members' (OR-1).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub organization: Option<String>,
}

/// Values of `prompt` (OpenID Connect Core §3.1.2.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Prompt {
    None,
    Login,
    Consent,
    SelectAccount,
}

impl Prompt {
    pub const ALL: [Self; 4] = [Self::None, Self::Login, Self::Consent, Self::SelectAccount];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Login => "login",
            Self::Consent => "consent",
            Self::SelectAccount => "select_account",
        }
    }

    fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|prompt| prompt.as_str() == text)
    }
}

/// Who must send a PKCE challenge.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PkcePolicy {
    /// Every client, save those exempted one by one.
    #[default]
    Required,
    /// Public clients only.
    Public,
}

impl PkcePolicy {
    /// A public client is never exempt, whatever its row says.
    fn demands(self, client: &Client) -> bool {
        !client.is_confidential() || (self == Self::Required && client.pkce_required)
    }
}

/// Where the parameters came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Channel {
    /// The authorization endpoint, through the browser.
    Browser,
    /// The pushed authorization request endpoint, from the authenticated client (RFC 9126).
    Pushed,
}

/// What a request is checked against, beside its client.
#[derive(Clone, Copy)]
pub struct Policy<'a> {
    pub registry: Registry<'a>,
    pub pkce: PkcePolicy,
    pub channel: Channel,
    /// Verifies an `id_token_hint` (signature and audience; it may have expired) and gives its `sub`.
    pub hint_subject: &'a dyn Fn(&str) -> Option<String>,
}

/// What a pushed request's reference starts with (RFC 9126 §2.2). The rest is a secret.
const PUSHED: &str = "urn:ietf:params:oauth:request_uri:";

/// The `request_uri` that a pushed request is given.
pub fn pushed_uri(reference: &Secret) -> String {
    format!("{PUSHED}{}", reference.expose())
}

/// The reference of a pushed request, if that is what the browser brings. It stands for the whole request:
/// other parameters than `client_id` are then not looked at (RFC 9126 §4).
pub fn pushed_reference(params: &Params) -> Option<Secret> {
    params.get("request_uri")?.strip_prefix(PUSHED).map(Secret::from_text)
}

/// Where an error is allowed to go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AuthorizeFailure {
    /// An error page with status 400: there is no address that may be trusted.
    Page(OAuthError),
    /// Back to the client. Boxed, so that the many results with an error stay small.
    Redirect(Box<ClientRedirect>, OAuthError),
}

impl AuthorizeFailure {
    /// For PAR, where every failure is JSON to the authenticated client.
    pub fn into_oauth_error(self) -> OAuthError {
        match self {
            Self::Page(error) | Self::Redirect(_, error) => error,
        }
    }
}

impl AuthorizationRequest {
    /// The proof that the browser may go back to the client, made anew from the stored request: the client
    /// may have lost its redirect URI meanwhile (CA-5).
    pub fn redirect(&self, client: &Client, issuer: &str) -> Result<ClientRedirect, OAuthError> {
        ClientRedirect::check(client, &self.redirect_uri, self.state.as_deref(), self.response_mode, issuer)
    }

    /// The `acr` values that the client would like, the most wanted first: see [`super::acr::acr_answer`].
    pub fn asked_acr(&self) -> impl Iterator<Item = &str> {
        let by_claim = self.claims.essential_acr().into_iter().chain(self.claims.voluntary_acr());
        by_claim.chain(self.acr_values.iter().map(String::as_str))
    }

    /// Whether an ID token is asked for.
    pub fn is_openid(&self) -> bool {
        self.scope.contains(scope::OPENID)
    }

    pub fn prompts(&self, prompt: Prompt) -> bool {
        self.prompt.contains(&prompt)
    }

    /// The user claims that consent has to name beside the scopes.
    pub fn extra_claims(&self) -> BTreeSet<String> {
        self.claims.beyond(&self.scope)
    }
}

/// Neither state nor nonce nor login hint: these are the client's and the user's (LO-2).
impl fmt::Debug for AuthorizationRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AuthorizationRequest")
            .field("client_id", &self.client_id)
            .field("redirect_uri", &self.redirect_uri)
            .field("scope", &self.scope)
            .finish_non_exhaustive()
    }
}

/// Checks a request against its client: `None` where its `client_id` names none (RFC 6749 §4.1.1).
pub fn validate(
    params: &Params,
    client: Option<&Client>,
    policy: &Policy<'_>,
) -> Result<AuthorizationRequest, AuthorizeFailure> {
    let client = check_client(params, client, policy).map_err(AuthorizeFailure::Page)?;
    let redirect = check_redirect(params, client, policy).map_err(AuthorizeFailure::Page)?;
    match check_rest(params, client, &redirect, policy) {
        Ok(request) => Ok(request),
        Err(error) => Err(AuthorizeFailure::Redirect(Box::new(redirect), error)),
    }
}

fn check_client<'a>(
    params: &Params,
    client: Option<&'a Client>,
    policy: &Policy<'_>,
) -> Result<&'a Client, OAuthError> {
    // A pushed request is from whoever authenticated; naming oneself again is optional there.
    let named = match (params.get("client_id"), policy.channel) {
        (None, Channel::Browser) => return Err(OAuthError::invalid_request("client_id is missing")),
        (named, _) => named,
    };
    match client {
        Some(client) if named.is_some_and(|id| id != client.client_id) => {
            Err(OAuthError::invalid_request("client_id is another client's"))
        }
        Some(client) if client.is_active() => Ok(client),
        Some(_) => {
            let text = "client_id names a client that is disabled";
            Err(OAuthError::new(ErrorCode::UnauthorizedClient, text).because(Rule::ClientDisabled))
        }
        None => {
            let unknown = Explanation::of(Rule::ClientUnknown).with("client_id", named.unwrap_or_default());
            let text = "client_id names no client that is known here";
            Err(OAuthError::invalid_request(text).because(unknown))
        }
    }
}

fn check_redirect(
    params: &Params,
    client: &Client,
    policy: &Policy<'_>,
) -> Result<ClientRedirect, OAuthError> {
    let uri = params.require("redirect_uri")?;
    // An unknown mode is reported by the default one, below.
    let mode = params.get("response_mode").and_then(ResponseMode::parse).unwrap_or_default();
    ClientRedirect::check(client, uri, params.get("state"), mode, policy.registry.issuer)
}

fn check_rest(
    params: &Params,
    client: &Client,
    redirect: &ClientRedirect,
    policy: &Policy<'_>,
) -> Result<AuthorizationRequest, OAuthError> {
    refuse_request_objects(params, policy)?;
    check_response(params, client)?;
    if policy.channel == Channel::Browser && client.require_par {
        let text = "this client has to push its requests (RFC 9126)";
        return Err(OAuthError::invalid_request(text).because(Rule::PushRequired));
    }
    let code_challenge = check_pkce(params, client, policy)?;
    let scope = permitted_scopes(params, client, &policy.registry)?;
    let claims = params.get("claims").map(ClaimsRequest::parse).transpose()?.unwrap_or_default();
    let resources: Vec<String> = params.all("resource").map(str::to_owned).collect();
    targets(&scope, &resources, &policy.registry)?;
    let acr_values = words(params, "acr_values")?;
    Ok(AuthorizationRequest {
        client_id: client.client_id.clone(),
        redirect_uri: redirect.uri().to_owned(),
        response_mode: redirect.mode(),
        state: params.get("state").map(str::to_owned),
        nonce: params.get("nonce").map(str::to_owned),
        code_challenge,
        prompt: check_prompt(params)?,
        max_age: check_max_age(params, client)?,
        login_hint: params.get("login_hint").map(str::to_owned),
        hint_subject: check_subject(params, &claims, policy)?,
        acr_values: if acr_values.is_empty() { client.default_acr_values.clone() } else { acr_values },
        ui_locales: words(params, "ui_locales")?,
        organization: params.get("organization").map(str::to_owned),
        scope,
        claims,
        resources,
    })
}

/// Request objects do not exist here (OpenID Connect Core §6); a reference to a pushed request is resolved
/// before.
fn refuse_request_objects(params: &Params, policy: &Policy<'_>) -> Result<(), OAuthError> {
    let refuse = |code, text: &str| Err(OAuthError::new(code, text));
    if params.get("request").is_some() {
        return refuse(ErrorCode::RequestNotSupported, "request is not supported");
    }
    match (params.get("request_uri"), policy.channel) {
        // RFC 9126 §2.1.
        (Some(_), Channel::Pushed) => refuse(ErrorCode::InvalidRequest, "request_uri cannot be pushed"),
        (Some(_), Channel::Browser) => refuse(
            ErrorCode::RequestUriNotSupported,
            "request_uri is supported only for requests that were pushed to this provider",
        ),
        (None, _) if params.get("registration").is_some() => {
            refuse(ErrorCode::RegistrationNotSupported, "registration is not supported")
        }
        (None, _) => Ok(()),
    }
}

fn check_response(params: &Params, client: &Client) -> Result<(), OAuthError> {
    let mode = params.get("response_mode");
    if mode.is_some_and(|mode| ResponseMode::parse(mode).is_none()) {
        let asked = Explanation::of(Rule::Response).with("response_mode", mode.unwrap_or_default());
        let text = "response_mode has to be query or form_post";
        return Err(OAuthError::invalid_request(text).because(asked));
    }
    let response_type = params.require("response_type")?;
    if response_type != "code" {
        let text = "response_type has to be code";
        let asked = Explanation::of(Rule::Response).with("response_type", response_type);
        return Err(OAuthError::new(ErrorCode::UnsupportedResponseType, text).because(asked));
    }
    if !client.may_use(GrantType::AuthorizationCode) {
        let text = "this client is not registered for the grant type authorization_code";
        let missing = grant_type_missing(client, GrantType::AuthorizationCode);
        return Err(OAuthError::new(ErrorCode::UnauthorizedClient, text).because(missing));
    }
    Ok(())
}

/// The facts for a client that is not registered for what it does.
pub fn grant_type_missing(client: &Client, asked: GrantType) -> Explanation {
    let registered: Vec<&str> = client.grant_types.iter().map(|known| known.as_str()).collect();
    Explanation::of(Rule::GrantType).with("asked", asked).with("registered", registered.join(" "))
}

fn check_pkce(params: &Params, client: &Client, policy: &Policy<'_>) -> Result<Option<String>, OAuthError> {
    let challenge = pkce::check_challenge(params.get("code_challenge"), params.get("code_challenge_method"))?;
    if challenge.is_none() && policy.pkce.demands(client) {
        let public = if client.is_confidential() { "no" } else { "yes" };
        let missing = Explanation::of(Rule::PkceMissing).with("public client", public);
        let text = "code_challenge is missing: PKCE with S256 is required";
        return Err(OAuthError::invalid_request(text).because(missing));
    }
    Ok(challenge)
}

fn permitted_scopes(
    params: &Params,
    client: &Client,
    registry: &Registry<'_>,
) -> Result<ScopeSet, OAuthError> {
    let asked = ScopeSet::parse(params.get("scope").unwrap_or_default())?;
    Ok(asked.filtered(|scope| may_ask(client, scope, registry)))
}

/// Whether a client may have this scope. Unknown scopes are left out and not an error (OpenID Connect Core
/// §3.1.2.1).
pub fn may_ask(client: &Client, scope: &str, registry: &Registry<'_>) -> bool {
    let registered = if client.scopes.is_empty() {
        scope::is_standard(scope)
    } else {
        client.scopes.iter().any(|known| known == scope) && registry.knows_scope(scope)
    };
    registered && (scope != scope::OFFLINE_ACCESS || client.may_use(GrantType::RefreshToken))
}

fn check_prompt(params: &Params) -> Result<BTreeSet<Prompt>, OAuthError> {
    let prompts = params
        .get("prompt")
        .unwrap_or_default()
        .split(' ')
        .filter(|word| !word.is_empty())
        .map(|word| {
            Prompt::parse(word).ok_or_else(|| OAuthError::invalid_request("prompt has an unknown value"))
        })
        .collect::<Result<BTreeSet<_>, _>>()?;
    if prompts.contains(&Prompt::None) && prompts.len() > 1 {
        return Err(OAuthError::invalid_request("prompt none stands alone"));
    }
    Ok(prompts)
}

fn check_max_age(params: &Params, client: &Client) -> Result<Option<u32>, OAuthError> {
    let bad = || OAuthError::invalid_request("max_age is not a number of seconds");
    match params.get("max_age") {
        // `parse` alone would take a sign.
        Some(text) if text.bytes().all(|b| b.is_ascii_digit()) => text.parse().map(Some).map_err(|_| bad()),
        Some(_) => Err(bad()),
        None => Ok(client.default_max_age.map(|seconds| u32::try_from(seconds.max(0)).unwrap_or(u32::MAX))),
    }
}

/// The user whom the client expects: an `id_token_hint`, or `sub` with a value in the claims request. Both
/// mean that an answer about another user would be wrong (OpenID Connect Core §3.1.2.2).
fn check_subject(
    params: &Params,
    claims: &ClaimsRequest,
    policy: &Policy<'_>,
) -> Result<Option<String>, OAuthError> {
    let bad =
        || OAuthError::invalid_request("id_token_hint is not an ID token of this provider for this client");
    let hinted =
        params.get("id_token_hint").map(|hint| (policy.hint_subject)(hint).ok_or_else(bad)).transpose()?;
    match (hinted, claims.subject()) {
        (Some(hinted), Some(asked)) if hinted != asked => {
            Err(OAuthError::invalid_request("id_token_hint and claims name different users"))
        }
        (Some(hinted), _) => Ok(Some(hinted)),
        (None, asked) => Ok(asked.map(str::to_owned)),
    }
}

/// A space-separated list of preferences.
fn words(params: &Params, name: &str) -> Result<Vec<String>, OAuthError> {
    const MAX: usize = 20;
    let words: Vec<String> = params
        .get(name)
        .unwrap_or_default()
        .split(' ')
        .filter(|word| !word.is_empty())
        .map(str::to_owned)
        .collect();
    if words.len() > MAX {
        return Err(OAuthError::invalid_request(format!("{name} has more than {MAX} values")));
    }
    Ok(words)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{ApplicationType, ClientAuthMethod, Status};
    use crate::protocol::fixtures::{API, CALLBACK, FILES, ISSUER, client, registry, resources};

    const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

    /// A good request with some parameters changed; an empty value takes one away.
    fn request(changes: &[(&str, &str)]) -> Params {
        let mut pairs = vec![
            ("client_id", "calendar"),
            ("redirect_uri", CALLBACK),
            ("response_type", "code"),
            ("scope", "openid email"),
            ("state", "s"),
            ("code_challenge", CHALLENGE),
            ("code_challenge_method", "S256"),
        ];
        for (name, value) in changes {
            if *name != "resource" {
                pairs.retain(|(known, _)| known != name);
            }
            pairs.push((name, value));
        }
        let text = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish();
        Params::parse(text.as_bytes()).unwrap()
    }

    fn validated(
        client: &Client,
        channel: Channel,
        changes: &[(&str, &str)],
    ) -> Result<AuthorizationRequest, AuthorizeFailure> {
        let resources = resources();
        let hint_subject = |hint: &str| hint.strip_prefix("hint-of-").map(str::to_owned);
        let policy = Policy {
            registry: registry(&resources),
            pkce: PkcePolicy::Required,
            channel,
            hint_subject: &hint_subject,
        };
        validate(&request(changes), Some(client), &policy)
    }

    fn accepted(client: &Client, changes: &[(&str, &str)]) -> AuthorizationRequest {
        validated(client, Channel::Browser, changes)
            .unwrap_or_else(|failure| panic!("{changes:?}: {failure:?}"))
    }

    /// `page CODE` or `redirect CODE`.
    fn refused(client: &Client, changes: &[(&str, &str)]) -> String {
        match validated(client, Channel::Browser, changes) {
            Ok(request) => panic!("{changes:?} was accepted: {request:?}"),
            Err(AuthorizeFailure::Page(error)) => format!("page {}", error.code),
            Err(AuthorizeFailure::Redirect(_, error)) => format!("redirect {}", error.code),
        }
    }

    #[test]
    fn a_request_is_kept_as_asked_and_survives_storage() {
        let state = "ü\"<&".repeat(200);
        let request = accepted(
            &client(),
            &[
                ("state", &state),
                ("nonce", "n"),
                ("response_mode", "form_post"),
                ("prompt", "consent login"),
                ("max_age", "0"),
                ("login_hint", "ada@example.com"),
                ("id_token_hint", "hint-of-usr_1"),
                ("acr_values", "b a"),
                ("ui_locales", "de en-GB"),
                ("display", "popup"),
                ("claims", r#"{"userinfo":{"name":null}}"#),
                ("unknown", "ignored"),
            ],
        );
        assert_eq!(request.state.as_deref(), Some(state.as_str()));
        assert_eq!(request.nonce.as_deref(), Some("n"));
        assert_eq!(request.response_mode, ResponseMode::FormPost);
        assert_eq!(request.prompt, BTreeSet::from([Prompt::Login, Prompt::Consent]));
        assert_eq!(request.max_age, Some(0));
        assert_eq!(request.hint_subject.as_deref(), Some("usr_1"));
        assert_eq!(request.asked_acr().collect::<Vec<_>>(), ["b", "a"]);
        assert_eq!(request.ui_locales, ["de", "en-GB"]);
        assert_eq!(request.extra_claims(), BTreeSet::from(["name".to_owned()]));
        assert!(request.is_openid());
        let stored = serde_json::to_string(&request).unwrap();
        assert!(serde_json::from_str::<AuthorizationRequest>(&stored).unwrap() == request);
        assert!(!format!("{request:?}").contains("ada@"));
        assert_eq!(request.redirect(&client(), ISSUER).unwrap().state(), Some(state.as_str()));
    }

    #[test]
    fn az_1_without_client_and_redirect_there_is_only_a_page() {
        let cases: [&[(&str, &str)]; 7] = [
            &[("client_id", "")],
            &[("client_id", "other")],
            &[("redirect_uri", "")],
            &[("redirect_uri", "https://evil.example/cb")],
            &[("redirect_uri", "https://app.example.com/cb?x=1")],
            &[("redirect_uri", "https://app.example.com/cb/../cb")],
            // The first error counts, although others are there too.
            &[("redirect_uri", "https://evil.example/cb"), ("response_type", ""), ("prompt", "none")],
        ];
        for changes in cases {
            assert_eq!(refused(&client(), changes), "page invalid_request", "{changes:?}");
        }
        let mut disabled = client();
        disabled.status = Status::Disabled;
        assert_eq!(refused(&disabled, &[]), "page unauthorized_client");
        let resources = resources();
        let policy = Policy {
            registry: registry(&resources),
            pkce: PkcePolicy::Required,
            channel: Channel::Browser,
            hint_subject: &|_| None,
        };
        assert!(matches!(validate(&request(&[]), None, &policy), Err(AuthorizeFailure::Page(_))));
    }

    #[test]
    fn other_errors_go_back_to_the_client() {
        let many = "a ".repeat(21);
        let cases: [(&[(&str, &str)], &str); 30] = [
            (&[("response_type", "")], "invalid_request"),
            (&[("response_type", "id_token")], "unsupported_response_type"),
            (&[("response_type", "token")], "unsupported_response_type"),
            (&[("response_type", "code token")], "unsupported_response_type"),
            (&[("response_type", "CODE")], "unsupported_response_type"),
            (&[("response_mode", "fragment")], "invalid_request"),
            (&[("response_mode", "jwt")], "invalid_request"),
            (&[("request", "e30.e30.")], "request_not_supported"),
            (&[("request_uri", "https://app.example.com/r")], "request_uri_not_supported"),
            (&[("registration", "{}")], "registration_not_supported"),
            (&[("code_challenge", ""), ("code_challenge_method", "")], "invalid_request"),
            (&[("code_challenge_method", "")], "invalid_request"),
            (&[("code_challenge_method", "plain")], "invalid_request"),
            (&[("code_challenge", "short")], "invalid_request"),
            (&[("scope", "openid \"")], "invalid_scope"),
            (&[("prompt", "none login")], "invalid_request"),
            (&[("prompt", "create")], "invalid_request"),
            (&[("prompt", "Login")], "invalid_request"),
            (&[("max_age", "-1")], "invalid_request"),
            (&[("max_age", "+1")], "invalid_request"),
            (&[("max_age", "1.5")], "invalid_request"),
            (&[("max_age", "99999999999999999999")], "invalid_request"),
            (&[("claims", "{")], "invalid_request"),
            (&[("id_token_hint", "forged")], "invalid_request"),
            (
                &[("id_token_hint", "hint-of-a"), ("claims", r#"{"id_token":{"sub":{"value":"b"}}}"#)],
                "invalid_request",
            ),
            (&[("acr_values", &many)], "invalid_request"),
            (&[("resource", "https://unknown.example.com")], "invalid_target"),
            (&[("resource", "https://old.example.com")], "invalid_target"),
            (&[("scope", "email"), ("resource", ISSUER)], "invalid_target"),
            (&[("resource", API), ("resource", "x")], "invalid_target"),
        ];
        for (changes, code) in cases {
            assert_eq!(refused(&client(), changes), format!("redirect {code}"), "{changes:?}");
        }
        let mut machine = client();
        machine.grant_types = vec![GrantType::ClientCredentials];
        assert_eq!(refused(&machine, &[]), "redirect unauthorized_client");
    }

    #[test]
    fn errors_keep_the_response_mode_that_was_asked() {
        for (mode, expected) in [("form_post", ResponseMode::FormPost), ("fragment", ResponseMode::Query)] {
            let failure = validated(&client(), Channel::Browser, &[("response_mode", mode), ("prompt", "x")]);
            let Err(AuthorizeFailure::Redirect(redirect, _)) = failure else { panic!("{failure:?}") };
            assert_eq!((redirect.mode(), redirect.state()), (expected, Some("s")));
        }
    }

    #[test]
    fn scopes_are_narrowed_to_what_the_client_may_ask() {
        let asked = "openid email api:read api:write old:read offline_access nonsense";
        let scopes = |client: &Client| accepted(client, &[("scope", asked)]).scope.to_string();
        let mut client = client();
        assert_eq!(scopes(&client), "openid email offline_access");
        client.scopes = ["openid", "api:read", "old:read", "offline_access"].map(str::to_owned).to_vec();
        assert_eq!(scopes(&client), "openid api:read offline_access");
        client.grant_types = vec![GrantType::AuthorizationCode];
        assert_eq!(scopes(&client), "openid api:read");
        assert_eq!(accepted(&client, &[("scope", "")]).scope.to_string(), "");
    }

    #[test]
    fn az_4_pkce_is_for_all_but_exempted_confidential_clients() {
        let none = [("code_challenge", ""), ("code_challenge_method", "")];
        let run = |client: &Client, pkce| {
            let resources = resources();
            let policy = Policy {
                registry: registry(&resources),
                pkce,
                channel: Channel::Browser,
                hint_subject: &|_| None,
            };
            validate(&request(&none), Some(client), &policy).is_ok()
        };
        let (ordinary, mut exempt, mut public) = (client(), client(), client());
        exempt.pkce_required = false;
        public.pkce_required = false;
        public.auth_method = ClientAuthMethod::None;
        let cases = [
            (&ordinary, PkcePolicy::Required, false),
            (&ordinary, PkcePolicy::Public, true),
            (&exempt, PkcePolicy::Required, true),
            (&public, PkcePolicy::Required, false),
            (&public, PkcePolicy::Public, false),
        ];
        for (client, pkce, passes) in cases {
            assert_eq!(run(client, pkce), passes, "{:?} {pkce:?}", client.auth_method);
        }
    }

    #[test]
    fn te_11_pushed_requests() {
        let run = |client: &Client, changes: &[(&str, &str)]| {
            validated(client, Channel::Pushed, changes).map_err(|failure| failure.into_oauth_error().code)
        };
        let mut client = client();
        assert!(run(&client, &[("client_id", "")]).is_ok(), "the client has authenticated");
        assert_eq!(run(&client, &[("client_id", "other")]), Err(ErrorCode::InvalidRequest));
        assert_eq!(run(&client, &[("redirect_uri", "https://x.example")]), Err(ErrorCode::InvalidRequest));
        assert_eq!(run(&client, &[("request_uri", &format!("{PUSHED}x"))]), Err(ErrorCode::InvalidRequest));
        client.require_par = true;
        assert!(run(&client, &[]).is_ok());
        assert_eq!(refused(&client, &[]), "redirect invalid_request");
    }

    #[test]
    fn te_11_the_reference_of_a_pushed_request() {
        let reference = Secret::from_text("abc");
        let uri = pushed_uri(&reference);
        assert_eq!(uri, "urn:ietf:params:oauth:request_uri:abc");
        assert_eq!(pushed_reference(&request(&[("request_uri", &uri)])), Some(reference));
        assert_eq!(pushed_reference(&request(&[("request_uri", "https://app.example.com")])), None);
        assert_eq!(pushed_reference(&request(&[])), None);
    }

    #[test]
    fn the_clients_own_defaults_hold_where_it_says_nothing() {
        let mut client = client();
        client.default_max_age = Some(600);
        client.default_acr_values = vec!["gold".into()];
        let silent = accepted(&client, &[]);
        assert_eq!((silent.max_age, silent.acr_values), (Some(600), vec!["gold".to_owned()]));
        let said = accepted(&client, &[("max_age", "5"), ("acr_values", "tin")]);
        assert_eq!((said.max_age, said.acr_values), (Some(5), vec!["tin".to_owned()]));
        client.default_max_age = Some(i64::MAX);
        assert_eq!(accepted(&client, &[]).max_age, Some(u32::MAX));
    }

    #[test]
    fn resources_and_expected_users_are_kept() {
        let mut client = client();
        client.scopes = ["openid", "api:read"].map(str::to_owned).to_vec();
        let request = accepted(&client, &[("resource", API), ("resource", FILES), ("resource", ISSUER)]);
        assert_eq!(request.resources, [API, FILES, ISSUER]);
        let claims = r#"{"id_token":{"sub":{"value":"usr_2"}}}"#;
        assert_eq!(accepted(&client, &[("claims", claims)]).hint_subject.as_deref(), Some("usr_2"));
    }

    #[test]
    fn ca_5_a_redirect_uri_that_was_taken_away_is_no_longer_used() {
        let mut client = client();
        client.application_type = ApplicationType::Native;
        let request = accepted(&client, &[]);
        client.redirect_uris.clear();
        assert!(request.redirect(&client, ISSUER).is_err());
    }
}
