//! Two nodes of one instance on one PostgreSQL (CR-8).

use std::time::Duration;

use countersign::audit::{Origin, Scribe};
use countersign::model::{SigningAlg, Status};
use countersign::tenancy::{clients, users};

use super::soon;
use crate::support::status::is_listed;
use crate::support::{Database, Settings, TestApp, part};

/// What acts everywhere acts within this.
const EVERYWHERE: Duration = Duration::from_secs(5);

async fn kids(node: &TestApp) -> String {
    let answer = node.http.get(format!("{}/.well-known/jwks.json", node.base)).send().await.unwrap();
    answer.text().await.unwrap()
}

fn scribe(app: &TestApp) -> Scribe {
    Scribe { now: app.clock.now(), random: app.app.random.clone(), origin: Origin::command_line() }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cr_8_a_flow_begun_on_one_node_ends_on_another() {
    let one = TestApp::start(Database::Postgres).await;
    let two = one.another_node().await;
    let ada = one.user("ada").await;
    let here = one.client("calendar").await;
    let there = here.at(&two);
    let flow = here.flow("openid offline_access");
    let code = here.authorize(&mut one.browser(), &flow, "ada").await;
    let tokens = there.redeem(&flow, &code).await.expect_tokens();
    here.redeem(&flow, &code).await.expect_error("invalid_grant");

    let tokens_again = {
        let flow = here.flow("openid offline_access");
        let code = here.authorize(&mut one.browser(), &flow, "ada").await;
        there.redeem(&flow, &code).await.expect_tokens()
    };
    assert!(
        !there.introspect(&tokens.access_token).await["active"].as_bool().unwrap(),
        "the code was replayed"
    );
    let next = here.refresh(tokens_again.refresh_token()).await.expect_tokens();
    assert_eq!(there.introspect(&next.access_token).await["active"], true);
    assert_eq!(there.userinfo(&next.access_token).await.body["sub"], ada.to_string());

    // A revocation and a disabled user are known to every node at once: they are asked of the database.
    assert_eq!(there.call("/oauth2/revoke", &[("token", &next.access_token)]).await.status, 200);
    assert_eq!(here.introspect(&next.access_token).await["active"], false);
    let newest = here.refresh(next.refresh_token()).await.expect_tokens();
    users::disable(&two.app, ada, &Origin::command_line()).await.unwrap();
    here.refresh(newest.refresh_token()).await.expect_error("invalid_grant");
    assert_eq!(here.introspect(&newest.access_token).await["active"], false);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cr_8_a_changed_client_is_noticed_everywhere() {
    let one = TestApp::start(Database::Postgres).await;
    let two = one.another_node().await;
    one.user("ada").await;
    let here = one.client("calendar").await;
    let there = here.at(&two);
    let tokens = here.sign_in(&mut one.browser(), "ada", "openid offline_access").await;
    let tokens = there.refresh(tokens.refresh_token()).await.expect_tokens();
    clients::set_status(&one.app, &here.client_id, Status::Disabled, &Origin::command_line()).await.unwrap();
    soon(EVERYWHERE, || async { there.refresh(tokens.refresh_token()).await.status == 401 }).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tk_10_tk_11_both_nodes_obey_the_stored_times_of_keys_and_see_a_revocation() {
    let settings = Settings::with(|config| config.keys.publish_ahead = Duration::from_secs(86_400));
    let one = TestApp::start_with(Database::Postgres, settings).await;
    let two = one.another_node().await;
    one.user("ada").await;
    let here = one.client("calendar").await;
    let there = here.at(&two);
    let tokens = here.sign_in(&mut one.browser(), "ada", "openid offline_access").await;
    let old = part(&tokens.access_token, 0)["kid"].as_str().unwrap().to_owned();

    let new = one.app.signing.rotate(&one.app.db, SigningAlg::Es256, scribe(&one)).await.unwrap();
    soon(EVERYWHERE, || async { kids(&two).await.contains(&new) }).await;
    let tokens = there.refresh(tokens.refresh_token()).await.expect_tokens();
    assert_eq!(part(&tokens.access_token, 0)["kid"], old.as_str(), "published is not signing");
    one.advance(Duration::from_secs(86_400));
    let mut current = tokens;
    for node in [&here, &there] {
        current = node.refresh(current.refresh_token()).await.expect_tokens();
        assert_eq!(
            part(&current.access_token, 0)["kid"],
            new.as_str(),
            "both change at the same stored moment"
        );
    }

    one.app.signing.revoke(&one.app.db, &new, scribe(&one)).await.unwrap();
    assert!(!kids(&one).await.contains(&new));
    soon(EVERYWHERE, || async { !kids(&two).await.contains(&new) }).await;
    assert_eq!(there.introspect(&current.access_token).await["active"], false);
    assert_eq!(there.userinfo(&current.access_token).await.status, 401);
    let fresh = there.refresh(current.refresh_token()).await.expect_tokens();
    assert_eq!(here.introspect(&fresh.access_token).await["active"], true);
    assert_ne!(part(&fresh.access_token, 0)["kid"], new.as_str());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cr_8_a_revocation_is_on_the_list_of_every_node() {
    let one = TestApp::start(Database::Postgres).await;
    let two = one.another_node().await;
    one.user("ada").await;
    let here = one.client("calendar").await;
    let there = here.at(&two);
    let tokens = here.sign_in(&mut one.browser(), "ada", "openid offline_access").await;
    let others = there.refresh(tokens.refresh_token()).await.expect_tokens();
    let good = here.sign_in(&mut one.browser(), "ada", "openid").await;
    assert!(!is_listed(&one, &others.access_token).await, "a token of the other node has its place here");
    assert_eq!(there.call("/oauth2/revoke", &[("token", others.refresh_token())]).await.status, 200);
    for token in [&tokens.access_token, &others.access_token] {
        for node in [&one, &two] {
            soon(EVERYWHERE, || is_listed(node, token)).await;
            assert!(!is_listed(node, &good.access_token).await);
        }
    }
}
