//! npm `jose` and PyJWT verify access tokens as an API would: from the JWKS alone, in one long life, while the
//! provider's keys change.

use std::time::{Duration, Instant};

use countersign::audit::Origin;
use countersign::model::SigningAlg;
use serde_json::{Value, json};

use super::{ECOSYSTEMS, start_with};
use crate::on_both_databases;
use crate::support::{Dialogue, Settings, TestApp, TestClient, part};

/// How long a new key is published before it signs; a day where no test is waiting.
const PUBLISH_AHEAD: Duration = Duration::from_secs(2);

/// An API in another language, with the keys that it holds.
struct Api<'a> {
    issuer: &'a str,
    verifier: Dialogue,
}

impl Api<'_> {
    async fn ask(&mut self, token: &str) -> Value {
        let question =
            json!({ "issuer": self.issuer, "audience": self.issuer, "typ": "at+jwt", "token": token });
        self.verifier.ask(&question).await
    }

    /// Verifies, having fetched the JWKS so many times in all.
    async fn expect(&mut self, token: &str, fetches: u64) {
        let answer = self.ask(token).await;
        assert_eq!((&answer["ok"], answer["fetches"].as_u64()), (&json!(true), Some(fetches)), "{answer:#}");
    }
}

on_both_databases! {
    async fn tk_10_tokens_verify_across_a_rotation_and_tk_11_a_revoked_key_is_gone(database) {
        let settings = Settings::with(|config| config.keys.publish_ahead = PUBLISH_AHEAD);
        let app = start_with(database, settings).await;
        let robot = robot(&app).await;
        let mut apis = ECOSYSTEMS.map(|ecosystem| Api { issuer: &app.issuer, verifier: ecosystem.verifier() });

        let before = token(&robot).await;
        for api in &mut apis {
            api.expect(&before, 1).await;
        }

        // The successor is published first: tokens are signed as before, and the JWKS has both keys.
        let successor = rotate(&app).await;
        let meanwhile = token(&robot).await;
        assert_eq!(kid(&meanwhile), kid(&before));
        assert!(published(&app).await.contains(&successor));

        let after = once_signed_by(&robot, &successor).await;
        for api in &mut apis {
            // An unknown key makes a verifier look again; what the old key signed stays good.
            api.expect(&after, 2).await;
            api.expect(&before, 2).await;
            api.expect(&meanwhile, 2).await;
        }

        // An emergency: the key that signs is withdrawn, and another one signs at once.
        app.app.signing.revoke(&app.app.db, &successor, scribe(&app)).await.expect("it is revoked");
        let replaced = token(&robot).await;
        assert!(![kid(&before), successor.clone()].contains(&kid(&replaced)));
        assert!(!published(&app).await.contains(&successor));
        for api in &mut apis {
            api.expect(&replaced, 3).await;
            let refused = api.ask(&after).await;
            assert_eq!(refused["ok"], false, "{refused:#}");
            api.expect(&before, refused["fetches"].as_u64().expect("a number")).await;
        }
        assert_eq!(robot.introspect(&after).await, json!({ "active": false }));
    }

    async fn a_token_that_was_touched_or_is_for_another_is_refused(database) {
        let app = start_with(database, Settings::default()).await;
        let robot = robot(&app).await;
        let good = token(&robot).await;
        let (signed, signature) = good.rsplit_once('.').expect("three parts");
        let (header, payload) = signed.split_once('.').expect("three parts");
        let other = token(&robot).await;
        let foreign_payload = other.split('.').nth(1).expect("three parts");
        assert_ne!(payload, foreign_payload);
        let unsigned = "eyJhbGciOiJub25lIiwidHlwIjoiYXQrand0In0";
        for ecosystem in ECOSYSTEMS {
            let mut api = Api { issuer: &app.issuer, verifier: ecosystem.verifier() };
            api.expect(&good, 1).await;
            let touched = [
                format!("{header}.{foreign_payload}.{signature}"),
                format!("{unsigned}.{payload}."),
                format!("{signed}.{}", other.rsplit_once('.').expect("three parts").1),
            ];
            for token in &touched {
                assert_eq!(api.ask(token).await["ok"], false, "{token}");
            }
            for (member, value) in [("audience", "https://api.example.org/other"), ("typ", "JWT")] {
                let mut question = json!({ "issuer": app.issuer, "audience": app.issuer, "token": good });
                question[member] = json!(value);
                assert_eq!(api.verifier.ask(&question).await["ok"], false, "{question}");
            }
        }
    }
}

async fn robot(app: &TestApp) -> TestClient {
    TestClient::register(app, "robot", |registration| {
        let members = [
            ("grant_types", json!(["client_credentials"])),
            ("response_types", json!([])),
            ("redirect_uris", json!([])),
            ("post_logout_redirect_uris", json!([])),
        ];
        registration.metadata.extend(members.map(|(name, value)| (name.to_owned(), value)));
    })
    .await
}

async fn token(robot: &TestClient) -> String {
    robot.token(&[("grant_type", "client_credentials")]).await.expect_tokens().access_token
}

async fn rotate(app: &TestApp) -> String {
    let rotated = app.app.signing.rotate(&app.app.db, SigningAlg::Es256, scribe(app)).await;
    rotated.expect("a successor is made")
}

fn scribe(app: &TestApp) -> countersign::audit::Scribe {
    app.app.scribe(&Origin::command_line())
}

/// The first token that this key signed; it has to come soon after the key was due.
async fn once_signed_by(robot: &TestClient, key: &str) -> String {
    let asked = Instant::now();
    loop {
        let token = token(robot).await;
        if kid(&token) == key {
            return token;
        }
        assert!(asked.elapsed() < PUBLISH_AHEAD + Duration::from_secs(5), "{key} does not sign");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

async fn published(app: &TestApp) -> Vec<String> {
    let answer = app.http.get(app.url("/.well-known/jwks.json")).send().await.expect("the server answers");
    let text = answer.text().await.expect("text");
    let jwks: Value = serde_json::from_str(&text).expect("JSON");
    let keys = jwks["keys"].as_array().expect("keys");
    keys.iter().map(|key| key["kid"].as_str().expect("a kid").to_owned()).collect()
}

fn kid(token: &str) -> String {
    part(token, 0)["kid"].as_str().expect("a kid").to_owned()
}
