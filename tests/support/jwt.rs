//! Keys of clients, and signatures checked by another library than the one that the server signs with.

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use countersign::model::SigningAlg;
use josekit::jwk::Jwk;
use josekit::jwk::alg::ec::EcCurve;
use josekit::jwk::alg::ed::EdCurve;
use josekit::jws::{ES256, EdDSA, JwsSigner, JwsVerifier, PS256, RS256};
use serde_json::{Map, Value, json};

use super::TestApp;
use super::client::part;

/// A key that a client signs its assertions with.
pub struct ClientKey {
    alg: SigningAlg,
    kid: String,
    public: Map<String, Value>,
    signer: Box<dyn JwsSigner>,
}

impl ClientKey {
    pub fn new(alg: SigningAlg, kid: &str) -> Self {
        let pair = match alg {
            SigningAlg::Rs256 | SigningAlg::Ps256 => Jwk::generate_rsa_key(2048),
            SigningAlg::Es256 => Jwk::generate_ec_key(EcCurve::P256),
            SigningAlg::EdDsa => Jwk::generate_ed_key(EdCurve::Ed25519),
        }
        .expect("a key can be made");
        let signer: Box<dyn JwsSigner> = match alg {
            SigningAlg::Rs256 => Box::new(RS256.signer_from_jwk(&pair).expect("a signer")),
            SigningAlg::Ps256 => Box::new(PS256.signer_from_jwk(&pair).expect("a signer")),
            SigningAlg::Es256 => Box::new(ES256.signer_from_jwk(&pair).expect("a signer")),
            SigningAlg::EdDsa => Box::new(EdDSA.signer_from_jwk(&pair).expect("a signer")),
        };
        let mut public: Map<String, Value> = pair.to_public_key().expect("a public half").into();
        public.insert("kid".into(), kid.into());
        public.insert("use".into(), "sig".into());
        public.insert("alg".into(), alg.as_str().into());
        Self { alg, kid: kid.to_owned(), public, signer }
    }

    /// The public half.
    pub fn jwk(&self) -> Value {
        Value::Object(self.public.clone())
    }

    pub fn jwks(&self) -> Value {
        json!({ "keys": [self.jwk()] })
    }

    /// A JWT under this key's own name.
    pub fn sign(&self, claims: &Value) -> String {
        self.sign_as(&json!({ "alg": self.alg.as_str(), "kid": self.kid, "typ": "JWT" }), claims)
    }

    /// A JWT that says of itself what the test likes.
    pub fn sign_as(&self, header: &Value, claims: &Value) -> String {
        let input = unsigned(header, claims);
        let signature = self.signer.sign(input.as_bytes()).expect("signing works");
        format!("{input}.{}", BASE64_URL_SAFE_NO_PAD.encode(signature))
    }
}

/// Header and payload of a JWT.
pub fn unsigned(header: &Value, claims: &Value) -> String {
    let encode = |value: &Value| BASE64_URL_SAFE_NO_PAD.encode(value.to_string());
    format!("{}.{}", encode(header), encode(claims))
}

/// Header and claims of a JWT of this provider, verified as an outsider does: with the published keys alone.
pub async fn verified(app: &TestApp, jwt: &str) -> (Value, Value) {
    let answer = app.http.get(app.url("/.well-known/jwks.json")).send().await.expect("the keys are there");
    let jwks: Value = answer.json().await.expect("a JWK Set");
    let header = part(jwt, 0);
    let key = jwks["keys"].as_array().expect("keys").iter().find(|key| key["kid"] == header["kid"]);
    let key = key.unwrap_or_else(|| panic!("the key {header} is not published")).clone();
    assert_eq!(key["alg"], header["alg"], "a key signs with its own algorithm");
    let Value::Object(members) = key else { panic!("a key is an object") };
    let jwk = Jwk::from_map(members).expect("a JWK");
    let verifier: Box<dyn JwsVerifier> = match header["alg"].as_str() {
        Some("RS256") => Box::new(RS256.verifier_from_jwk(&jwk).expect("a key")),
        Some("ES256") => Box::new(ES256.verifier_from_jwk(&jwk).expect("a key")),
        Some("EdDSA") => Box::new(EdDSA.verifier_from_jwk(&jwk).expect("a key")),
        other => panic!("nobody asked for {other:?}"),
    };
    let (message, signature) = jwt.rsplit_once('.').expect("a JWS");
    let signature = BASE64_URL_SAFE_NO_PAD.decode(signature).expect("base64url without padding");
    verifier.verify(message.as_bytes(), &signature).expect("the signature is right");
    (header, part(jwt, 1))
}
