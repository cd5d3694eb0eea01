//! The examples of the README, as they stand there: APIs in Node and Python that learn of revocations.

use std::time::{Duration, Instant};

use countersign::audit::Origin;
use countersign::tenancy::users;
use serde_json::{Value, json};

use super::{ECOSYSTEMS, Ecosystem, start_with};
use crate::on_both_databases;
use crate::support::{Dialogue, Settings, TestApp};

/// How long the APIs keep a list: a minute where no test is waiting.
const KEPT: Duration = Duration::from_secs(1);
/// The longest that is promised: this node's half a second, and the time that a list is kept.
const DELAY: Duration = Duration::from_secs(3);

fn api(ecosystem: Ecosystem) -> Dialogue {
    match ecosystem {
        Ecosystem::Node => Dialogue::node("verify_offline.mjs"),
        Ecosystem::Python => Dialogue::python("verify_offline.py"),
    }
}

async fn ask(api: &mut Dialogue, app: &TestApp, token: &str) -> Value {
    api.ask(&json!({ "issuer": app.issuer, "audience": app.issuer, "token": token })).await
}

on_both_databases! {
    async fn apis_that_verify_offline_learn_of_a_revocation(database) {
        let settings = Settings::with(|config| config.lifetimes.status_list = KEPT);
        let app = start_with(database, settings).await;
        let (ada, _) = (app.user("ada").await, app.user("bob").await);
        let client = app.client("calendar").await;
        let good = client.sign_in(&mut app.browser(), "bob", "openid").await.access_token;
        let mut browser = app.browser();
        let signed_out = client.sign_in(&mut browser, "ada", "openid").await.access_token;
        let given_back = client.sign_in(&mut app.browser(), "ada", "openid").await.access_token;
        let disabled = client.sign_in(&mut app.browser(), "ada", "openid offline_access").await;
        let reused = client.sign_in(&mut app.browser(), "bob", "openid offline_access").await;
        let successor = client.refresh(reused.refresh_token()).await.expect_tokens();
        let newest = client.refresh(successor.refresh_token()).await.expect_tokens().access_token;
        let ended = [&signed_out, &given_back, &disabled.access_token, &newest];

        let mut apis = ECOSYSTEMS.map(api);
        for api in &mut apis {
            for token in ended.iter().copied().chain([&good]) {
                let answer = ask(api, &app, token).await;
                assert_eq!(answer["ok"], true, "{answer}");
            }
        }

        let page = browser.get("/logout").await;
        browser.submit(&page, "logout-form", &[], None).await;
        client.call("/oauth2/revoke", &[("token", &given_back)]).await;
        users::disable(&app.app, ada, &Origin::command_line()).await.expect("she is disabled");
        client.refresh(reused.refresh_token()).await.expect_error("invalid_grant");
        let began = Instant::now();
        for api in &mut apis {
            for token in ended {
                while ask(api, &app, token).await["ok"] == true {
                    assert!(began.elapsed() < DELAY, "an API has not learnt of it");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
                assert_eq!(ask(api, &app, token).await["description"], "the token was revoked");
            }
            assert_eq!(ask(api, &app, &good).await["ok"], true);
        }
    }
}
