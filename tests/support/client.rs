//! An application: registered, sending browsers, redeeming what they bring back.

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use countersign::audit::Origin;
use countersign::crypto::Secret;
use countersign::model::{ApplicationType, ClientAuthMethod, GrantType, SigningAlg};
use countersign::protocol::registration::ClientMetadata;
use countersign::tenancy::clients::{self, BroughtSecret, NewClient};
use serde_json::{Map, Value, json};

use super::app::TestApp;
use super::browser::{Browser, Page};

/// A registered application.
#[derive(Clone)]
pub struct TestClient {
    pub client_id: String,
    pub secret: Option<String>,
    pub auth: ClientAuthMethod,
    pub redirect_uri: String,
    issuer: String,
    base: String,
    http: reqwest::Client,
}

/// What is registered.
pub struct Registration {
    /// RFC 7591 metadata.
    pub metadata: Map<String, Value>,
    /// Brought from another provider; made here otherwise.
    pub client_id: Option<String>,
    pub secret: Option<String>,
    pub first_party: bool,
    pub require_mfa: bool,
    pub require_organization: bool,
    pub pkce_required: bool,
    pub audiences: Vec<String>,
    pub assertion_aud_token_endpoint: bool,
}

/// One authorization request on its way.
#[derive(Clone, Debug)]
pub struct Flow {
    pub parameters: Vec<(String, String)>,
    pub verifier: String,
    pub state: String,
    pub nonce: String,
}

/// What the token endpoint answered.
#[derive(Clone, Debug)]
pub struct TokenAnswer {
    pub status: u16,
    pub headers: reqwest::header::HeaderMap,
    pub body: Value,
}

/// Tokens, with their claims read but not verified.
#[derive(Clone, Debug)]
pub struct Tokens {
    pub access_token: String,
    pub refresh_token: Option<String>,
    pub id_token: Option<String>,
    pub body: Value,
}

impl Registration {
    /// Adds or replaces a member of the metadata.
    pub fn set(&mut self, member: &str, value: impl Into<Value>) {
        self.metadata.insert(member.to_owned(), value.into());
    }
}

impl TestClient {
    /// Registers with the defaults of an ordinary web application, adjusted.
    pub async fn register(app: &TestApp, name: &str, adjust: impl FnOnce(&mut Registration)) -> Self {
        let redirect_uri = format!("https://{name}.example.org/callback");
        let metadata = json!({
            "client_name": name,
            "redirect_uris": [redirect_uri],
            "grant_types": [GrantType::AuthorizationCode.as_str(), GrantType::RefreshToken.as_str()],
            "token_endpoint_auth_method": ClientAuthMethod::SecretBasic.as_str(),
            "application_type": ApplicationType::Web.as_str(),
            "id_token_signed_response_alg": SigningAlg::Rs256.as_str(),
            "post_logout_redirect_uris": [format!("https://{name}.example.org/signed-out")],
        });
        let Value::Object(metadata) = metadata else { unreachable!("an object was written") };
        let mut registration = Registration {
            metadata,
            client_id: None,
            secret: None,
            first_party: false,
            require_mfa: false,
            require_organization: false,
            pkce_required: true,
            audiences: Vec::new(),
            assertion_aud_token_endpoint: false,
        };
        adjust(&mut registration);
        let json = Value::Object(registration.metadata).to_string();
        let metadata = ClientMetadata::parse(json.as_bytes()).expect("good metadata");
        let new = NewClient {
            metadata,
            client_id: registration.client_id,
            secret: registration
                .secret
                .clone()
                .map(|secret| BroughtSecret { secret: Secret::from_text(secret), expires_at: None }),
            terms: clients::Terms {
                first_party: registration.first_party,
                require_mfa: registration.require_mfa,
                require_organization: registration.require_organization,
                pkce_required: registration.pkce_required,
                audiences: registration.audiences,
                assertion_aud_token_endpoint: registration.assertion_aud_token_endpoint,
            },
        };
        let created =
            clients::create(&app.app, new, &Origin::command_line()).await.expect("the client is made");
        Self {
            client_id: created.client.client_id.clone(),
            secret: created.secret.map(|secret| secret.expose().to_owned()).or(registration.secret),
            auth: created.client.auth_method,
            redirect_uri: created.client.redirect_uris.first().cloned().unwrap_or_default(),
            issuer: app.issuer.clone(),
            base: app.base.clone(),
            http: app.http.clone(),
        }
    }

    /// An ordinary request for these scopes.
    pub fn flow(&self, scope: &str) -> Flow {
        let verifier = BASE64_URL_SAFE_NO_PAD.encode(countersign::crypto::Random::system().bytes::<32>());
        let challenge = countersign::crypto::Digest::of(verifier.as_bytes()).base64url();
        let (state, nonce) = ("st4te".to_owned(), "n0nce".to_owned());
        let parameters = [
            ("response_type", "code"),
            ("client_id", &self.client_id),
            ("redirect_uri", &self.redirect_uri),
            ("scope", scope),
            ("state", &state),
            ("nonce", &nonce),
            ("code_challenge", &challenge),
            ("code_challenge_method", "S256"),
        ];
        let parameters = parameters.into_iter().map(|(n, v)| (n.to_owned(), v.to_owned())).collect();
        Flow { parameters, verifier, state, nonce }
    }

    /// The whole way: login and consent as they come up, then the code is redeemed.
    pub async fn sign_in(&self, browser: &mut Browser, name: &str, scope: &str) -> Tokens {
        let flow = self.flow(scope);
        let code = self.authorize(browser, &flow, name).await;
        self.redeem(&flow, &code).await.expect_tokens()
    }

    /// Sends the browser and answers the pages that come up; gives the code.
    pub async fn authorize(&self, browser: &mut Browser, flow: &Flow, name: &str) -> String {
        let page = self.visit(browser, flow, name).await;
        let query = page.query();
        assert_eq!(query.get("iss"), Some(&self.issuer), "{page:?}");
        query.get("code").unwrap_or_else(|| panic!("no code at {}: {}", page.url, page.text())).clone()
    }

    /// The same up to whatever comes after login and consent.
    pub async fn visit(&self, browser: &mut Browser, flow: &Flow, name: &str) -> Page {
        let mut page = browser.get(&flow.path()).await;
        for _ in 0..4 {
            if page.has_id("login-form") {
                page = browser.answer_login(&page, name, super::PASSWORD).await;
            } else if page.has_id("consent-form") {
                page = browser.submit(&page, "consent-form", &[], Some(("action", "allow"))).await;
            }
        }
        page
    }

    /// Redeems a code with the verifier of its flow.
    pub async fn redeem(&self, flow: &Flow, code: &str) -> TokenAnswer {
        self.token(&[
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", &self.redirect_uri),
            ("code_verifier", &flow.verifier),
        ])
        .await
    }

    pub async fn refresh(&self, refresh_token: &str) -> TokenAnswer {
        self.token(&[("grant_type", "refresh_token"), ("refresh_token", refresh_token)]).await
    }

    /// The token endpoint, as this client.
    pub async fn token(&self, fields: &[(&str, &str)]) -> TokenAnswer {
        self.call("/oauth2/token", fields).await
    }

    /// The same application, which asks this node.
    pub fn at(&self, node: &TestApp) -> Self {
        Self { issuer: node.base.clone(), ..self.clone() }
    }

    /// Any endpoint at which clients authenticate.
    pub async fn call(&self, path: &str, fields: &[(&str, &str)]) -> TokenAnswer {
        self.try_call(path, fields).await.expect("the server answers")
    }

    /// The same, of a server that may be dying.
    pub async fn try_call(&self, path: &str, fields: &[(&str, &str)]) -> reqwest::Result<TokenAnswer> {
        let mut fields: Vec<(&str, &str)> = fields.to_vec();
        let mut request = self.http.post(format!("{}{path}", self.base));
        let secret = self.secret.as_deref().unwrap_or_default();
        match self.auth {
            ClientAuthMethod::SecretBasic => request = request.basic_auth(&self.client_id, Some(secret)),
            ClientAuthMethod::SecretPost => {
                fields.push(("client_id", &self.client_id));
                fields.push(("client_secret", secret));
            }
            ClientAuthMethod::None => fields.push(("client_id", &self.client_id)),
            ClientAuthMethod::PrivateKeyJwt => {}
        }
        TokenAnswer::read(request.form(&fields).send().await?).await
    }

    /// Whether the token is active, as this client sees it.
    pub async fn introspect(&self, token: &str) -> Value {
        let answer = self.call("/oauth2/introspect", &[("token", token)]).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.body
    }

    /// Userinfo with this access token.
    pub async fn userinfo(&self, access_token: &str) -> TokenAnswer {
        let request = self.http.get(format!("{}/oauth2/userinfo", self.base)).bearer_auth(access_token);
        TokenAnswer::of(request.send().await.expect("the server answers")).await
    }
}

impl Flow {
    /// Adds a parameter, even a second one of its name.
    pub fn and(mut self, name: &str, value: &str) -> Self {
        self.parameters.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Adds or replaces a parameter.
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.parameters.retain(|(known, _)| known != name);
        self.parameters.push((name.to_owned(), value.to_owned()));
        self
    }

    pub fn without(mut self, name: &str) -> Self {
        self.parameters.retain(|(known, _)| known != name);
        self
    }

    /// The authorization request's address.
    pub fn path(&self) -> String {
        let query =
            url::form_urlencoded::Serializer::new(String::new()).extend_pairs(&self.parameters).finish();
        format!("/oauth2/authorize?{query}")
    }
}

impl TokenAnswer {
    pub async fn of(response: reqwest::Response) -> Self {
        Self::read(response).await.expect("an answer is text")
    }

    async fn read(response: reqwest::Response) -> reqwest::Result<Self> {
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let text = response.text().await?;
        Ok(Self { status, headers, body: serde_json::from_str(&text).unwrap_or(Value::String(text)) })
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    #[track_caller]
    pub fn expect_tokens(&self) -> Tokens {
        assert_eq!(self.status, 200, "no tokens: {}", self.body);
        let text = |name: &str| self.body.get(name).and_then(Value::as_str).map(str::to_owned);
        Tokens {
            access_token: text("access_token").expect("an access token"),
            refresh_token: text("refresh_token"),
            id_token: text("id_token"),
            body: self.body.clone(),
        }
    }

    /// The error code, with the status that goes with it.
    #[track_caller]
    pub fn expect_error(&self, code: &str) {
        assert_eq!(
            self.body.get("error").and_then(Value::as_str),
            Some(code),
            "{} {}",
            self.status,
            self.body
        );
        let status = if code == "invalid_client" || code == "invalid_token" { 401 } else { 400 };
        assert_eq!(self.status, status, "{}", self.body);
    }
}

impl Tokens {
    #[track_caller]
    pub fn refresh_token(&self) -> &str {
        self.refresh_token.as_deref().expect("a refresh token")
    }

    pub fn access_claims(&self) -> Value {
        claims(&self.access_token)
    }

    #[track_caller]
    pub fn id_claims(&self) -> Value {
        claims(self.id_token.as_deref().expect("an ID token"))
    }
}

/// The payload of a JWT, unverified.
pub fn claims(jwt: &str) -> Value {
    part(jwt, 1)
}

/// The header of a JWT.
pub fn part(jwt: &str, index: usize) -> Value {
    let part = jwt.split('.').nth(index).expect("a JWT has three parts");
    let bytes = BASE64_URL_SAFE_NO_PAD.decode(part).expect("base64url");
    serde_json::from_slice(&bytes).expect("JSON")
}
