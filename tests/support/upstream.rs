//! Identity providers to sign in through: a real one, and one that can be told to lie.

use std::collections::BTreeMap;
use std::process::Stdio;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use base64::Engine;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use countersign::clock::Clock;
use countersign::config::Provider;
use countersign::crypto::Digest;
use openssl::hash::MessageDigest;
use openssl::pkey::{PKey, Private};
use openssl::rsa::Rsa;
use openssl::sign::Signer;
use reqwest::header::{COOKIE, LOCATION, SET_COOKIE};
use serde_json::{Map, Value, json};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::process::{Child, Command};
use url::Url;

use super::app::http_client;
use super::tools;

/// A tenant of Microsoft's.
pub const TENANT: &str = "72f988bf-86f1-41af-91ab-2d7cd011db47";
const CLIENT_ID: &str = "countersign";
const CLIENT_SECRET: &str = "a secret: of 100% & more";

/// The settings of a provider that stands in for one of this kind.
fn settings(kind: &str, issuer: &str) -> Provider {
    let mut settings = json!({
        "id": kind,
        "kind": kind,
        "client_id": CLIENT_ID,
        "client_secret": CLIENT_SECRET,
        "issuer": issuer,
        "first_sign_in": "create_organisation",
        "allow_private_network": true,
    });
    if kind == "microsoft" {
        settings["tenants"] = json!(["any"]);
    }
    serde_json::from_value(settings).expect("good settings")
}

/// `oidc-provider` in Node, until it is dropped.
pub struct RealProvider {
    _child: Child,
    kind: &'static str,
    origin: String,
    http: reqwest::Client,
}

impl RealProvider {
    /// One that speaks as this kind does, with these accounts.
    pub async fn start(kind: &'static str, accounts: Value) -> Self {
        let mut child = Command::new(tools::variable("COUNTERSIGN_TEST_NODE"))
            .arg(tools::path("tests/upstream/provider.mjs"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .expect("Node starts");
        let client = json!({ "client_id": CLIENT_ID, "client_secret": CLIENT_SECRET });
        let job = json!({ "shape": kind, "client": client, "accounts": accounts, "tenant": TENANT });
        let stdin = child.stdin.as_mut().expect("standard input is piped");
        stdin.write_all(format!("{job}\n").as_bytes()).await.expect("the provider reads its job");
        let stdout = child.stdout.take().expect("standard output is piped");
        let mut line = String::new();
        let mut stdout = BufReader::new(stdout);
        tokio::time::timeout(Duration::from_secs(30), stdout.read_line(&mut line))
            .await
            .expect("the provider starts in time")
            .expect("the provider says where it is");
        let told: Value = serde_json::from_str(&line).unwrap_or_else(|_| {
            panic!("the provider does not start: npm ci --prefix tests/upstream? {line}")
        });
        let origin = told["origin"].as_str().expect("its address").to_owned();
        Self { _child: child, kind, origin, http: http_client() }
    }

    /// For the configuration.
    pub fn settings(&self) -> Provider {
        match self.kind {
            "microsoft" => settings(self.kind, &format!("{}/{{tenantid}}/v2.0", self.origin)),
            kind => settings(kind, &self.origin),
        }
    }

    /// Signs in there as this account, from where our redirect leads, and gives the address that leads back.
    pub async fn sign_in(&self, address: &str, account: &str) -> String {
        let (back, asked) = self.visit(address, account).await;
        assert_eq!(asked, 2, "who they are, and whether they allow it");
        back
    }

    /// The address that leads back, and how often the provider asked something before.
    async fn visit(&self, address: &str, account: &str) -> (String, usize) {
        let mut cookies: BTreeMap<String, String> = BTreeMap::new();
        let mut url = Url::parse(address).expect("an address");
        let mut asked = 0;
        for _ in 0..10 {
            if url.path().contains("/interaction/") {
                asked += 1;
                url.query_pairs_mut().append_pair("account", account);
            }
            let jar: Vec<String> = cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
            let request = self.http.get(url.clone()).header(COOKIE, jar.join("; "));
            let response = request.send().await.expect("the provider answers");
            for cookie in response.headers().get_all(SET_COOKIE) {
                let cookie = cookie.to_str().expect("text").split(';').next().expect("a pair");
                let (name, value) = cookie.split_once('=').expect("a pair");
                cookies.insert(name.to_owned(), value.to_owned());
            }
            let Some(location) = response.headers().get(LOCATION).cloned() else {
                panic!("{url}: {}", response.text().await.unwrap_or_default());
            };
            url = url.join(location.to_str().expect("an address is text")).expect("an address");
            if !url.as_str().starts_with(&self.origin) {
                return (url.into(), asked);
            }
        }
        panic!("the provider leads in circles: {url}")
    }
}

/// With what the mock signs an ID token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signing {
    /// As it should be.
    Rs256,
    /// With a key that is not in its JWKS, under the name of one that is.
    WrongKey,
    /// With a key that is in the JWKS from now on.
    NewKey,
    /// Under a name that the JWKS does not have.
    UnknownKey,
    /// Not at all.
    None,
    /// With our secret as the key.
    OurSecret,
    /// With its public key as the secret (RFC 8725 §2.1).
    PublicKeyAsSecret,
}

/// What the mock does. Changed by tests at any time.
pub struct Behaviour {
    /// Members of its metadata, replaced; `null` removes.
    pub metadata: Value,
    /// Claims of the ID token, replaced; `null` removes.
    pub claims: Value,
    pub signing: Signing,
    /// What the token endpoint answers instead: status and body.
    pub token_answer: Option<(u16, String)>,
    /// Paths that answer by a redirect to elsewhere on it, never, or with too much.
    pub redirecting: &'static str,
    pub hanging: &'static str,
    pub huge: &'static str,
    /// Requests by path.
    pub hits: BTreeMap<String, usize>,
    has_new_key: bool,
    /// What the authorization request asked for, by code.
    codes: BTreeMap<String, Map<String, Value>>,
}

/// A provider that lies when it is told to. It insists on what we owe it: PKCE, our secret, the redirect URI.
#[derive(Clone)]
pub struct Mock {
    pub origin: String,
    kind: &'static str,
    clock: Clock,
    behaviour: Arc<Mutex<Behaviour>>,
}

impl Mock {
    /// One that stands in for this kind, and whose clock is this one.
    pub async fn start(kind: &'static str, clock: Clock) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let origin = format!("http://{}", listener.local_addr().expect("the address is known"));
        let behaviour = Behaviour {
            metadata: json!({}),
            claims: json!({}),
            signing: Signing::Rs256,
            token_answer: None,
            redirecting: "",
            hanging: "",
            huge: "",
            hits: BTreeMap::new(),
            has_new_key: false,
            codes: BTreeMap::new(),
        };
        let mock = Self { origin, kind, clock, behaviour: Arc::new(Mutex::new(behaviour)) };
        let served = mock.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(served.clone().answer(stream));
            }
        });
        mock
    }

    pub fn settings(&self) -> Provider {
        match self.kind {
            "microsoft" => settings(self.kind, &format!("{}/{{tenantid}}/v2.0", self.origin)),
            kind => settings(kind, &self.origin),
        }
    }

    pub fn behave(&self) -> MutexGuard<'_, Behaviour> {
        self.behaviour.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Replaces claims of the ID tokens to come; `null` removes one.
    pub fn claim(&self, claims: Value) {
        self.behave().claims = claims;
    }

    pub fn hits(&self, path: &str) -> usize {
        self.behave().hits.get(path).copied().unwrap_or_default()
    }

    /// The issuer of its tokens.
    pub fn issuer(&self) -> String {
        match self.kind {
            "microsoft" => format!("{}/{TENANT}/v2.0", self.origin),
            _ => self.origin.clone(),
        }
    }

    /// What it leads back with, from where our redirect leads: state, code and the rest, as a query.
    pub fn consent(&self, address: &str) -> Vec<(String, String)> {
        let url = Url::parse(address).expect("an address");
        assert!(address.starts_with(&format!("{}/authorize?", self.origin)), "{address}");
        let asked: Map<String, Value> =
            url.query_pairs().map(|(name, value)| (name.into_owned(), json!(value))).collect();
        for (name, value) in
            [("response_type", "code"), ("client_id", CLIENT_ID), ("code_challenge_method", "S256")]
        {
            assert_eq!(asked[name], value, "{address}");
        }
        for (name, length) in [("state", 43), ("nonce", 43), ("code_challenge", 43)] {
            assert!(asked[name].as_str().expect("text").len() >= length, "{name}: FE-2");
        }
        let state = asked["state"].as_str().expect("text").to_owned();
        let code = format!("code of {state}");
        self.behave().codes.insert(code.clone(), asked);
        vec![("state".to_owned(), state), ("code".to_owned(), code)]
    }

    /// An ID token with this nonce.
    pub fn id_token(&self, nonce: Option<&str>) -> String {
        let now = self.clock.now().seconds();
        let mut claims = json!({
            "iss": self.issuer(),
            "sub": "42",
            "aud": CLIENT_ID,
            "iat": now,
            "exp": now + 300,
            "auth_time": now,
            "name": "Ada Lovelace",
            "email": "ada@example.com",
        });
        match self.kind {
            "google" => {
                claims["email_verified"] = json!(true);
                claims["hd"] = json!("example.com");
            }
            "microsoft" => {
                claims["tid"] = json!(TENANT);
                claims["oid"] = json!("00000000-0000-0000-0000-000000000042");
                claims["ver"] = json!("2.0");
            }
            _ => claims["email_verified"] = json!(true),
        }
        if let Some(nonce) = nonce {
            claims["nonce"] = json!(nonce);
        }
        let mut behaviour = self.behave();
        replace(&mut claims, &behaviour.claims);
        behaviour.has_new_key |= behaviour.signing == Signing::NewKey;
        sign(behaviour.signing, &claims)
    }

    async fn answer(self, mut stream: TcpStream) {
        let Some(request) = Request::read(&mut stream).await else { return };
        let path = request.path.clone();
        let hanging = {
            let mut behaviour = self.behave();
            *behaviour.hits.entry(path.clone()).or_default() += 1;
            !behaviour.hanging.is_empty() && path.ends_with(behaviour.hanging)
        };
        if hanging {
            // Until whoever asked has gone.
            let _ = stream.read(&mut [0; 1]).await;
            return;
        }
        let (status, more, body) = self.respond(&request);
        let head = format!(
            "HTTP/1.1 {status} X\r\nContent-Type: application/json\r\n{more}Content-Length: {}\r\nConnection: close\r\n\r\n",
            body.len()
        );
        // Whoever asked may have gone: that is what some tests are about.
        let _ = stream.write_all(format!("{head}{body}").as_bytes()).await;
    }

    fn respond(&self, request: &Request) -> (u16, String, String) {
        let path = request.path.as_str();
        {
            let behaviour = self.behave();
            let is = |named: &str| !named.is_empty() && path.ends_with(named);
            if is(behaviour.redirecting) {
                return (302, format!("Location: {}/elsewhere\r\n", self.origin), String::new());
            }
            if is(behaviour.huge) {
                return (200, String::new(), json!({ "padding": "x".repeat(300_000) }).to_string());
            }
        }
        let text = |value: Value| (200, String::new(), value.to_string());
        match path {
            "/jwks" => {
                let keys = keys();
                let mut published = vec![keys.jwk("1", &keys.good)];
                if self.behave().has_new_key {
                    published.push(keys.jwk("2", &keys.other));
                }
                text(json!({ "keys": published }))
            }
            "/token" => self.tokens(request),
            path if path.ends_with("/.well-known/openid-configuration") => text(self.metadata(path)),
            _ => (404, String::new(), "{}".to_owned()),
        }
    }

    fn metadata(&self, path: &str) -> Value {
        let at = |path: &str| json!(format!("{}{path}", self.origin));
        let issuer = match (self.kind, path.split('/').nth(1)) {
            ("microsoft", Some("common" | "organizations")) => format!("{}/{{tenantid}}/v2.0", self.origin),
            _ => self.issuer(),
        };
        let mut metadata = json!({
            "issuer": issuer,
            "authorization_endpoint": at("/authorize"),
            "token_endpoint": at("/token"),
            "jwks_uri": at("/jwks"),
        });
        replace(&mut metadata, &self.behave().metadata);
        metadata
    }

    fn tokens(&self, request: &Request) -> (u16, String, String) {
        if let Some((status, body)) = self.behave().token_answer.clone() {
            return (status, String::new(), body);
        }
        let form: BTreeMap<String, String> =
            url::form_urlencoded::parse(request.body.as_bytes()).into_owned().collect();
        let asked = self.behave().codes.remove(&form["code"]);
        let refusal = |error: &str| (400, String::new(), json!({ "error": error }).to_string());
        let Some(asked) = asked else { return refusal("invalid_grant") };
        // RFC 6749 §2.3.1: both are form-encoded before they are joined.
        let encoded = |text: &str| url::form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
        let basic = format!("{}:{}", encoded(CLIENT_ID), encoded(CLIENT_SECRET));
        let in_header = request.authorization == format!("Basic {}", BASE64_STANDARD.encode(basic));
        let in_body = form.get("client_secret").is_some_and(|secret| secret == CLIENT_SECRET);
        let post_only = self.behave().metadata.get("token_endpoint_auth_methods_supported").is_some();
        if (in_header, in_body) != (!post_only, post_only) {
            return refusal("invalid_client");
        }
        let challenge = Digest::of(form["code_verifier"].as_bytes()).base64url();
        if asked["code_challenge"] != challenge.as_str()
            || asked["redirect_uri"] != form["redirect_uri"].as_str()
        {
            return refusal("invalid_grant");
        }
        let id_token = self.id_token(asked["nonce"].as_str());
        let tokens = json!({
            "access_token": "opaque",
            "token_type": "Bearer",
            "expires_in": 60,
            "id_token": id_token,
        });
        (200, String::new(), tokens.to_string())
    }
}

fn replace(object: &mut Value, by: &Value) {
    let members = object.as_object_mut().expect("an object");
    for (name, value) in by.as_object().expect("an object") {
        match value {
            Value::Null => members.remove(name),
            value => members.insert(name.clone(), value.clone()),
        };
    }
}

struct Request {
    path: String,
    authorization: String,
    body: String,
}

impl Request {
    async fn read(stream: &mut TcpStream) -> Option<Self> {
        let mut bytes = Vec::new();
        let (head, length) = loop {
            let mut chunk = [0; 4096];
            let count = stream.read(&mut chunk).await.ok().filter(|count| *count > 0)?;
            bytes.extend_from_slice(&chunk[..count]);
            let text = String::from_utf8_lossy(&bytes).into_owned();
            let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
            let length: usize = header(head, "content-length").parse().unwrap_or_default();
            if body.len() >= length {
                break (head.to_owned(), length);
            }
        };
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let target = head.split(' ').nth(1)?;
        Some(Self {
            path: target.split('?').next().unwrap_or_default().to_owned(),
            authorization: header(&head, "authorization"),
            body: text[text.len() - length..].to_owned(),
        })
    }
}

fn header(head: &str, name: &str) -> String {
    let line = head.lines().filter_map(|line| line.split_once(": "));
    let mut found =
        line.filter(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.to_owned());
    found.next().unwrap_or_default()
}

/// RSA keys, made once in the process.
struct Keys {
    good: PKey<Private>,
    other: PKey<Private>,
}

fn keys() -> &'static Keys {
    static KEYS: OnceLock<Keys> = OnceLock::new();
    let fresh = || PKey::from_rsa(Rsa::generate(2048).expect("a key")).expect("a key");
    KEYS.get_or_init(|| Keys { good: fresh(), other: fresh() })
}

impl Keys {
    fn jwk(&self, kid: &str, key: &PKey<Private>) -> Value {
        let rsa = key.rsa().expect("an RSA key");
        let number = |number: &openssl::bn::BigNumRef| BASE64_URL_SAFE_NO_PAD.encode(number.to_vec());
        json!({ "kty": "RSA", "use": "sig", "kid": kid, "n": number(rsa.n()), "e": number(rsa.e()) })
    }
}

fn sign(signing: Signing, claims: &Value) -> String {
    let keys = keys();
    let (alg, kid) = match signing {
        Signing::Rs256 | Signing::WrongKey => ("RS256", "1"),
        Signing::NewKey => ("RS256", "2"),
        Signing::UnknownKey => ("RS256", "3"),
        Signing::None => ("none", "1"),
        Signing::OurSecret | Signing::PublicKeyAsSecret => ("HS256", "1"),
    };
    let encode = |bytes: &[u8]| BASE64_URL_SAFE_NO_PAD.encode(bytes);
    let header = json!({ "alg": alg, "kid": kid, "typ": "JWT" });
    let signed =
        format!("{}.{}", encode(header.to_string().as_bytes()), encode(claims.to_string().as_bytes()));
    let by = |key: &PKey<Private>| {
        let mut signer = Signer::new(MessageDigest::sha256(), key).expect("a signer");
        signer.sign_oneshot_to_vec(signed.as_bytes()).expect("a signature")
    };
    let signature = match signing {
        Signing::Rs256 => by(&keys.good),
        Signing::WrongKey | Signing::NewKey | Signing::UnknownKey => by(&keys.other),
        Signing::None => Vec::new(),
        Signing::OurSecret => by(&PKey::hmac(CLIENT_SECRET.as_bytes()).expect("a key")),
        Signing::PublicKeyAsSecret => {
            let public = keys.good.public_key_to_pem().expect("a public key");
            by(&PKey::hmac(&public).expect("a key"))
        }
    };
    format!("{signed}.{}", encode(&signature))
}
