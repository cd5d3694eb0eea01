//! Clients in other languages, in the way that the documents print them, from sign-in to sign-out; behind them an API
//! that knows nothing but the JWKS.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::{Api, shipped};
use crate::on_both_databases;
use crate::support::{Database, Dialogue, PASSWORD, Settings, node, python};

/// Ada administers an organisation called acme.
async fn start(database: Database, name: &'static str) -> Api {
    let settings = Settings::with(move |config| config.dialects.push(shipped(name))).real_time();
    let api = Api::serve(database, settings, &format!("/{name}")).await;
    let ada = api.app.user_with("ada", |new| new.username = Some("ada".to_owned())).await;
    let acme = api.app.organisation("acme").await;
    api.app.member(&acme, ada, &["admin"]).await;
    api
}

fn job(api: &Api, more: Value) -> Value {
    let mut job = json!({
        "base_url": api.audience(), "issuer": api.app.issuer, "audience": api.audience(),
        "email": "ada@example.com", "username": "ada@example.com", "password": PASSWORD, "org": "acme",
    });
    let members = more.as_object().expect("an object").clone();
    job.as_object_mut().expect("an object").extend(members);
    job
}

/// APIs in two languages that know the JWKS and the revocations, and ask nobody else.
fn verifiers() -> [Dialogue; 2] {
    [Dialogue::node("verify_offline.mjs"), Dialogue::python("verify_offline.py")]
}

async fn accepts(verifier: &mut Dialogue, api: &Api, token: &str) -> bool {
    let question = json!({ "issuer": api.app.issuer, "audience": api.audience(), "token": token });
    verifier.ask(&question).await["ok"] == true
}

#[track_caller]
fn assert_members(report: &Value, expected: &Value) {
    for (name, value) in expected.as_object().expect("an object") {
        assert_eq!(&report[name], value, "{name}: {report:#}");
    }
}

on_both_databases! {
    async fn jk_7_a_client_of_jack_in_javascript(database) {
        let api = start(database, "jack").await;
        let report = node("dialects.mjs", &job(&api, json!({ "api": "jack" }))).await;
        assert_members(&report, &json!({
            "wrong": [401, "INVALID_CREDENTIALS"], "role": "admin", "later": true, "check": 204, "logout": 200,
            "gone": [401, "TOKEN_INVALID"], "none": [401, "TOKEN_MISSING"],
        }));
    }

    async fn ed_8_clients_of_eden_in_javascript_and_python(database) {
        let api = start(database, "eden").await;
        let report = node("dialects.mjs", &job(&api, json!({ "api": "eden" }))).await;
        assert_members(&report, &json!({
            "wrong": "Authentication failed", "level": "Admin", "timer": true, "refresh": 200, "logout": 204,
            "failed": 401, "page": 303,
        }));
        assert_eq!(report["claims"]["orgSlug"], "acme");
        let report = python("eden.py", &job(&api, json!({}))).await;
        assert_members(&report, &json!({
            "wrong": false, "foreign": false, "login": true, "due_now": false, "due_at_end": true, "refresh": true,
            "refreshed": true, "after_refresh": 204, "logout": 204, "after_logout": 401,
            "refresh_after_logout": false,
        }));
        assert_eq!(report["claims"]["accessLevel"], "Admin");
    }

    async fn os_5_a_client_of_orgstack_in_javascript(database) {
        let api = start(database, "orgstack").await;
        let report = node("dialects.mjs", &job(&api, json!({ "api": "orgstack" }))).await;
        assert_members(&report, &json!({
            "first": 204, "second": 204, "logins": 1, "life": 86_400, "again": 204, "logins_at_end": 2,
            "wrong": { "error": "Invalid username or password", "status": 401 },
        }));
        assert_members(&report["answer"], &json!({ "username": "ada", "expiresIn": 86_400 }));
    }

    async fn seed_te_12_a_client_of_tendedloop_in_javascript(database) {
        let api = start(database, "tendedloop").await;
        let report = node("dialects.mjs", &job(&api, json!({ "api": "tendedloop" }))).await;
        assert_members(&report, &json!({
            "me": "ada@example.com", "refreshed": 200, "verified": "access", "logout": 200,
            "end": [401, "UNAUTHORIZED"],
            "limited": {
                "success": false, "error": "Too many attempts. Please try again later.", "code": "RATE_LIMITED",
            },
        }));
        assert_eq!(report["claims"]["roles"], json!(["ADMIN"]));
    }

    async fn ja_7_a_client_of_jardine_in_javascript(database) {
        let api = start(database, "jardine").await;
        let report = node("dialects.mjs", &job(&api, json!({ "api": "jardine" }))).await;
        assert_members(&report, &json!({
            "memberships": 1, "scoped": 200, "foreign": [403, "organisation_denied"], "name": "Ada Lovelace",
            "refreshed": 200, "logout": 204, "gone": [401, "token_invalid"],
        }));
        assert_eq!(report["claims"]["role"], "admin");
    }

    async fn jk_5_a_logout_reaches_apis_that_verify_offline_by_the_revocations(database) {
        let settings = Settings::with(|config| {
            config.lifetimes.status_list = Duration::from_secs(1);
            config.dialects.push(shipped("jack"));
        });
        let api = Api::serve(database, settings.real_time(), "/jack").await;
        api.member("ada", "member").await;
        let login = async || api.login("/api/v1/auth/login", "ada").await.text("/data/token");
        let (ended, kept) = (login().await, login().await);
        let mut verifiers = verifiers();
        for verifier in &mut verifiers {
            assert!(accepts(verifier, &api, &ended).await && accepts(verifier, &api, &kept).await);
        }
        api.post("/api/v1/auth/logout").bearer(&ended).send().await.expect(200);
        let began = Instant::now();
        for verifier in &mut verifiers {
            while accepts(verifier, &api, &ended).await {
                assert!(began.elapsed() < Duration::from_secs(3), "an API has not learnt of it");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
            assert!(accepts(verifier, &api, &kept).await);
        }
    }
}
