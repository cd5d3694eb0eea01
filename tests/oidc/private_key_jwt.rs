//! `private_key_jwt`: what an assertion has to be (CA-3, RFC 7523 §3, OpenID Connect Core §9).

use std::time::Duration;

use serde_json::{Value, json};

use crate::on_both_databases;
use crate::support::{ClientKey, Database, KeyServer, Settings, TestApp, TestClient, TokenAnswer, unsigned};
use countersign::config::Config;
use countersign::model::SigningAlg;

/// RFC 7523 §2.2.
pub const TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// The claims of a good assertion, whose `jti` was never used.
pub fn good_claims(app: &TestApp, client: &TestClient) -> Value {
    let now = app.clock.now().seconds();
    json!({
        "iss": client.client_id,
        "sub": client.client_id,
        "aud": app.issuer,
        "jti": countersign::crypto::Secret::generate(&countersign::crypto::Random::system()).expose(),
        "iat": now,
        "exp": now + 60,
    })
}

pub fn assertion(app: &TestApp, client: &TestClient, key: &ClientKey) -> String {
    key.sign(&good_claims(app, client))
}

/// Asks for a token with this assertion.
async fn present(client: &TestClient, assertion: &str) -> TokenAnswer {
    client
        .token(&[
            ("grant_type", "client_credentials"),
            ("client_assertion_type", TYPE),
            ("client_assertion", assertion),
        ])
        .await
}

/// Many wrong tries in one test are no attack.
fn patient() -> Settings {
    Settings::with(be_patient)
}

fn be_patient(config: &mut Config) {
    config.limits.client_secret_failures.count = 100_000;
}

async fn machine(app: &TestApp, name: &str, keys: Value) -> TestClient {
    TestClient::register(app, name, |registration| {
        registration.set("token_endpoint_auth_method", "private_key_jwt");
        registration.set("grant_types", json!(["client_credentials", "authorization_code"]));
        registration.set("jwks", keys);
    })
    .await
}

async fn ready(database: Database) -> (TestApp, TestClient, ClientKey) {
    let app = TestApp::start_with(database, patient()).await;
    let key = ClientKey::new(SigningAlg::Es256, "k1");
    let client = machine(&app, "batch", key.jwks()).await;
    (app, client, key)
}

on_both_databases! {
    async fn ca_3_each_algorithm_is_accepted_at_each_endpoint(database) {
        let app = TestApp::start(database).await;
        for alg in [SigningAlg::Rs256, SigningAlg::Ps256, SigningAlg::Es256, SigningAlg::EdDsa] {
            let key = ClientKey::new(alg, "k1");
            let client = machine(&app, &alg.as_str().to_lowercase(), key.jwks()).await;
            let tokens = present(&client, &assertion(&app, &client, &key)).await.expect_tokens();
            let flow = client.flow("openid");
            for (path, fields) in [
                ("/oauth2/introspect", vec![("token", tokens.access_token.as_str())]),
                ("/oauth2/revoke", vec![("token", tokens.access_token.as_str())]),
                ("/oauth2/par", flow.parameters.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect()),
            ] {
                let assertion = assertion(&app, &client, &key);
                let mut fields = fields;
                fields.extend([("client_assertion_type", TYPE), ("client_assertion", assertion.as_str())]);
                let answer = client.call(path, &fields).await;
                assert!(answer.status < 300, "{alg} {path}: {answer:?}");
            }
        }
    }

    async fn ca_3_what_an_assertion_must_say(database) {
        let (app, client, key) = ready(database).await;
        let now = app.clock.now().seconds();
        let other = machine(&app, "other", ClientKey::new(SigningAlg::Es256, "k1").jwks()).await;
        let refused: Vec<(&str, Value)> = vec![
            ("iss", json!(null)),
            ("iss", json!("someone")),
            ("iss", json!(other.client_id)),
            ("sub", json!(null)),
            ("sub", json!(other.client_id)),
            ("sub", json!([client.client_id])),
            ("aud", json!(null)),
            ("aud", json!("https://elsewhere.example")),
            ("aud", json!(format!("{}/", app.issuer))),
            ("aud", json!(app.issuer.to_uppercase())),
            ("aud", json!([app.issuer])),
            ("aud", json!([app.issuer, "https://elsewhere.example"])),
            ("aud", json!(format!("{}/oauth2/token", app.issuer))),
            ("aud", json!("")),
            ("jti", json!(null)),
            ("jti", json!("")),
            ("jti", json!(5)),
            ("jti", json!("x".repeat(300))),
            ("exp", json!(null)),
            ("exp", json!(now - 60)),
            ("exp", json!(now + 3600)),
            ("exp", json!(now + 500)),
            ("exp", json!((now + 60).to_string())),
            ("exp", json!(1e300)),
            ("exp", json!(i64::MAX)),
            ("exp", json!(-1)),
            ("iat", json!(now + 300)),
            ("iat", json!("now")),
            ("nbf", json!(now + 300)),
        ];
        for (claim, value) in refused {
            let mut claims = good_claims(&app, &client);
            match value {
                Value::Null => drop(claims.as_object_mut().unwrap().remove(claim)),
                ref value => claims[claim] = value.clone(),
            }
            let answer = present(&client, &key.sign(&claims)).await;
            assert_eq!((answer.status, &answer.body["error"]), (401, &json!("invalid_client")), "{claim} {value}");
        }
        // Clocks differ a little, and what is not asked for does no harm.
        let mut claims = good_claims(&app, &client);
        claims["iat"] = json!(now + 10);
        claims["nbf"] = json!(now + 10);
        claims["exp"] = json!(now + 300);
        claims["vendor"] = json!({"any": "thing"});
        present(&client, &key.sign(&claims)).await.expect_tokens();
        let mut claims = good_claims(&app, &client);
        claims.as_object_mut().unwrap().remove("iat");
        present(&client, &key.sign(&claims)).await.expect_tokens();
    }

    async fn ca_3_the_signature_is_of_a_registered_key_and_algorithm(database) {
        let (app, client, key) = ready(database).await;
        let claims = || good_claims(&app, &client);
        let header = |name: &str, value: Value| {
            let mut header = json!({"alg": "ES256", "kid": "k1", "typ": "JWT"});
            header[name] = value;
            header
        };
        let stranger = ClientKey::new(SigningAlg::Es256, "k1");
        let mut with_own_key = header("jwk", stranger.jwk());
        with_own_key["jku"] = json!("https://evil.example/keys");
        let hmac = {
            use openssl::{hash::MessageDigest, pkey::PKey, sign::Signer};
            let input = unsigned(&json!({"alg": "HS256", "kid": "k1"}), &claims());
            let public = key.jwk().to_string();
            let secret = PKey::hmac(public.as_bytes()).unwrap();
            let mut signer = Signer::new(MessageDigest::sha256(), &secret).unwrap();
            let tag = signer.sign_oneshot_to_vec(input.as_bytes()).unwrap();
            format!("{input}.{}", base64::Engine::encode(&base64::prelude::BASE64_URL_SAFE_NO_PAD, tag))
        };
        let good = key.sign(&claims());
        let (signed, signature) = good.rsplit_once('.').unwrap();
        let cases = [
            ("another key", stranger.sign(&claims())),
            ("a key that it brings along", stranger.sign_as(&with_own_key, &claims())),
            ("no signature", format!("{}.", unsigned(&json!({"alg": "none"}), &claims()))),
            ("none with a signature", key.sign_as(&header("alg", json!("none")), &claims())),
            ("the public key as a secret", hmac),
            ("an algorithm that the key is not for", key.sign_as(&header("alg", json!("RS256")), &claims())),
            ("an unknown kid", key.sign_as(&header("kid", json!("k2")), &claims())),
            ("a kid that is a path", key.sign_as(&header("kid", json!("../../keys")), &claims())),
            ("an unknown crit", key.sign_as(&header("crit", json!(["exp"])), &claims())),
            ("an access token's type", key.sign_as(&header("typ", json!("at+jwt")), &claims())),
            ("a signature of zeros", format!("{signed}.{}", "A".repeat(86))),
            ("a cut signature", format!("{signed}.{}", &signature[..40])),
            ("padding", format!("{good}==")),
            ("four parts", format!("{good}.x")),
            ("two parts", signed.to_owned()),
            ("no JWT", "x".to_owned()),
            ("dots", "..".to_owned()),
        ];
        for (what, assertion) in cases {
            let answer = present(&client, &assertion).await;
            assert_eq!((answer.status, &answer.body["error"]), (401, &json!("invalid_client")), "{what}");
        }
        present(&client, &key.sign_as(&json!({"alg": "ES256"}), &claims())).await.expect_tokens();
    }

    async fn ca_3_a_registered_algorithm_is_the_only_one(database) {
        let app = TestApp::start_with(database, patient()).await;
        let (rs, ps) = (ClientKey::new(SigningAlg::Rs256, "rs"), ClientKey::new(SigningAlg::Ps256, "ps"));
        let client = TestClient::register(&app, "strict", |registration| {
            registration.set("token_endpoint_auth_method", "private_key_jwt");
            registration.set("token_endpoint_auth_signing_alg", "PS256");
            registration.set("grant_types", json!(["client_credentials"]));
            registration.set("redirect_uris", json!([]));
            registration.set("jwks", json!({"keys": [rs.jwk(), ps.jwk()]}));
        })
        .await;
        present(&client, &assertion(&app, &client, &rs)).await.expect_error("invalid_client");
        present(&client, &assertion(&app, &client, &ps)).await.expect_tokens();
    }

    async fn ca_3_an_assertion_is_good_once_also_at_another_endpoint_and_after_a_restart(database) {
        let (app, client, key) = ready(database).await;
        let once = assertion(&app, &client, &key);
        present(&client, &once).await.expect_tokens();
        present(&client, &once).await.expect_error("invalid_client");
        let fields = [("token", "x"), ("client_assertion_type", TYPE), ("client_assertion", once.as_str())];
        client.call("/oauth2/revoke", &fields).await.expect_error("invalid_client");
        // The same jti in another assertion is spent too; another client's is its own.
        let mut claims = good_claims(&app, &client);
        present(&client, &key.sign(&claims)).await.expect_tokens();
        claims["exp"] = json!(app.clock.now().seconds() + 200);
        present(&client, &key.sign(&claims)).await.expect_error("invalid_client");
        let other = machine(&app, "other", key.jwks()).await;
        claims["iss"] = json!(other.client_id);
        claims["sub"] = json!(other.client_id);
        present(&other, &key.sign(&claims)).await.expect_tokens();

        // Of fifty at once, one wins.
        let race = assertion(&app, &client, &key);
        let answers = futures_util::future::join_all((0..50).map(|_| present(&client, &race))).await;
        assert_eq!(answers.iter().filter(|answer| answer.status == 200).count(), 1);

        let issuer = app.issuer.clone();
        let (clock, database) = (app.clock.clone(), app.stop().await);
        let settings = Settings::with(move |config| {
            be_patient(config);
            config.issuer = issuer.parse().unwrap();
        });
        let app = TestApp::serve(database, settings.at(&clock)).await;
        let fields = [("grant_type", "client_credentials"), ("client_assertion_type", TYPE), ("client_assertion", &once)];
        let again = app.http.post(app.url("/oauth2/token")).form(&fields).send().await.unwrap();
        TokenAnswer::of(again).await.expect_error("invalid_client");
        let fresh = assertion(&app, &client, &key);
        let fields = [("grant_type", "client_credentials"), ("client_assertion_type", TYPE), ("client_assertion", &fresh)];
        let fresh = app.http.post(app.url("/oauth2/token")).form(&fields).send().await.unwrap();
        TokenAnswer::of(fresh).await.expect_tokens();
    }

    async fn ca_3_a_switch_allows_the_token_endpoint_as_audience(database) {
        let app = TestApp::start_with(database, patient()).await;
        let key = ClientKey::new(SigningAlg::Es256, "k1");
        let client = TestClient::register(&app, "suite", |registration| {
            registration.set("token_endpoint_auth_method", "private_key_jwt");
            registration.set("grant_types", json!(["client_credentials"]));
            registration.set("redirect_uris", json!([]));
            registration.set("jwks", key.jwks());
            registration.assertion_aud_token_endpoint = true;
        })
        .await;
        let token_endpoint = format!("{}/oauth2/token", app.issuer);
        for aud in [json!(app.issuer), json!(token_endpoint), json!([token_endpoint]), json!([app.issuer, "x"])] {
            let mut claims = good_claims(&app, &client);
            claims["aud"] = aud;
            present(&client, &key.sign(&claims)).await.expect_tokens();
        }
        for aud in [json!("https://elsewhere.example/token"), json!([]), json!(["x"]), json!(5)] {
            let mut claims = good_claims(&app, &client);
            claims["aud"] = aud;
            present(&client, &key.sign(&claims)).await.expect_error("invalid_client");
        }
    }

    async fn ca_1_an_assertion_stands_alone_and_names_its_client(database) {
        let (app, client, key) = ready(database).await;
        let secret = app.client("calendar").await;
        let with = async |extra: &[(&str, &str)]| {
            let assertion = assertion(&app, &client, &key);
            let mut fields = vec![
                ("grant_type", "client_credentials"),
                ("client_assertion_type", TYPE),
                ("client_assertion", assertion.as_str()),
            ];
            fields.extend(extra);
            client.token(&fields).await
        };
        with(&[("client_id", &client.client_id)]).await.expect_tokens();
        with(&[("client_id", &secret.client_id)]).await.expect_error("invalid_client");
        with(&[("client_secret", "x")]).await.expect_error("invalid_request");
        let assertion = assertion(&app, &client, &key);
        let basic = app.http.post(app.url("/oauth2/token")).basic_auth(&client.client_id, Some("x")).form(&[
            ("grant_type", "client_credentials"),
            ("client_assertion_type", TYPE),
            ("client_assertion", &assertion),
        ]);
        TokenAnswer::of(basic.send().await.unwrap()).await.expect_error("invalid_request");
        for (kind, jwt) in [("urn:ietf:params:oauth:client-assertion-type:saml2-bearer", assertion.as_str()), ("", &assertion), (TYPE, "")] {
            let fields = [("grant_type", "client_credentials"), ("client_assertion_type", kind), ("client_assertion", jwt)];
            client.token(&fields).await.expect_error("invalid_client");
        }
        // A client of secrets does not become one of keys by signing, nor the reverse.
        let forged = key.sign(&good_claims(&app, &secret));
        present(&secret, &forged).await;
        let fields = [("grant_type", "authorization_code"), ("code", "x"), ("client_assertion_type", TYPE), ("client_assertion", &forged)];
        let answer = app.http.post(app.url("/oauth2/token")).form(&fields).send().await.unwrap();
        TokenAnswer::of(answer).await.expect_error("invalid_client");
        let fields = [("grant_type", "client_credentials"), ("client_id", client.client_id.as_str())];
        client.token(&fields).await.expect_error("invalid_client");
    }

    async fn keys_behind_a_jwks_uri_are_fetched_and_a_new_one_is_found(database) {
        let (old, new) = (ClientKey::new(SigningAlg::Es256, "old"), ClientKey::new(SigningAlg::EdDsa, "new"));
        let server = KeyServer::start(&old.jwks());
        let folder = tempfile::tempdir().unwrap();
        let ca = folder.path().join("ca.pem");
        server.write_ca(&ca);
        let settings = Settings::with(move |config| {
            be_patient(config);
            config.outbound.allow_private_network = true;
            config.outbound.extra_ca_file = Some(ca);
        });
        let app = TestApp::start_with(database, settings).await;
        let client = TestClient::register(&app, "batch", |registration| {
            registration.set("token_endpoint_auth_method", "private_key_jwt");
            registration.set("grant_types", json!(["client_credentials"]));
            registration.set("redirect_uris", json!([]));
            registration.set("jwks_uri", server.url.as_str());
        })
        .await;
        assert_eq!(server.hits(), 0, "registration fetches nothing");
        for _ in 0..3 {
            present(&client, &assertion(&app, &client, &old)).await.expect_tokens();
        }
        assert_eq!(server.hits(), 1, "a copy serves");

        // Made-up key names do not make us ask for each of them.
        app.advance(Duration::from_secs(61));
        for n in 0..5 {
            let header = json!({"alg": "ES256", "kid": format!("made up {n}")});
            let forged = old.sign_as(&header, &good_claims(&app, &client));
            present(&client, &forged).await.expect_error("invalid_client");
        }
        assert_eq!(server.hits(), 2);

        // The client rotates: its new key is unknown, so it is looked for, at most once a minute.
        server.publish(&json!({"keys": [old.jwk(), new.jwk()]}));
        present(&client, &assertion(&app, &client, &new)).await.expect_error("invalid_client");
        app.advance(Duration::from_secs(61));
        present(&client, &assertion(&app, &client, &new)).await.expect_tokens();
        present(&client, &assertion(&app, &client, &old)).await.expect_tokens();
        assert_eq!(server.hits(), 3);

        // And drops the old one, which is forgotten when the copy is too old.
        server.publish(&new.jwks());
        app.advance(Duration::from_secs(601));
        present(&client, &assertion(&app, &client, &old)).await.expect_error("invalid_client");
        present(&client, &assertion(&app, &client, &new)).await.expect_tokens();
    }

    async fn ss_1_keys_in_a_private_network_are_not_fetched_unless_allowed(database) {
        let key = ClientKey::new(SigningAlg::Es256, "k1");
        let server = KeyServer::start(&key.jwks());
        let folder = tempfile::tempdir().unwrap();
        let ca = folder.path().join("ca.pem");
        server.write_ca(&ca);
        let settings = Settings::with(move |config| config.outbound.extra_ca_file = Some(ca));
        let app = TestApp::start_with(database, settings).await;
        let client = TestClient::register(&app, "batch", |registration| {
            registration.set("token_endpoint_auth_method", "private_key_jwt");
            registration.set("grant_types", json!(["client_credentials"]));
            registration.set("redirect_uris", json!([]));
            registration.set("jwks_uri", server.url.as_str());
        })
        .await;
        let refused = present(&client, &assertion(&app, &client, &key)).await;
        refused.expect_error("invalid_client");
        assert_eq!(refused.body["error_description"], "client authentication failed", "says nothing of the network");
        assert_eq!(server.hits(), 0);
    }
}
