//! kill -9 in the middle of work: nothing acknowledged is lost, nothing spent comes back, clients just try again.

use std::time::Duration;

use futures_util::future::join_all;

use crate::on_both_databases;
use crate::support::{Process, Settings, TestApp, TestClient};

/// The retry after a restart falls into it, however slow the machine is.
const SETTINGS: &[(&str, &str)] = &[("COUNTERSIGN__LIFETIMES__REFRESH_GRACE", "60s")];

/// One family of refresh tokens, and how far its client has come.
struct Family {
    /// Every token that the client got, the first one first. The last was presented, and its answer was lost.
    tokens: Vec<String>,
}

/// Refreshes until the server is gone.
async fn refresh_on_and_on(client: TestClient, first: String) -> Family {
    let mut tokens = vec![first];
    loop {
        let presented = tokens.last().expect("there is a first one").clone();
        let fields = [("grant_type", "refresh_token"), ("refresh_token", presented.as_str())];
        match client.try_call("/oauth2/token", &fields).await {
            Ok(answer) => tokens.push(answer.expect_tokens().refresh_token().to_owned()),
            Err(_) => return Family { tokens },
        }
    }
}

on_both_databases! {
    async fn cr_1_kill_9_during_a_storm_of_refreshes_costs_nobody_anything(database) {
        let app = TestApp::start_with(database, Settings::default().real_time()).await;
        app.user("ada").await;
        let client = app.client("calendar").await;
        let mut browser = app.browser();
        let mut first = Vec::new();
        for _ in 0..8 {
            let tokens = client.sign_in(&mut browser, "ada", "openid offline_access").await;
            first.push(tokens.refresh_token().to_owned());
        }
        let revoked = client.sign_in(&mut browser, "ada", "openid offline_access").await;
        let flow = client.flow("openid");
        let code = client.authorize(&mut browser, &flow, "ada").await;
        let port = url::Url::parse(&app.issuer).unwrap().port().unwrap();
        let database = app.stop().await;

        let (server, _) = Process::start(&database, port, SETTINGS).await;
        let storm: Vec<_> = first
            .into_iter()
            .map(|token| tokio::spawn(refresh_on_and_on(client.clone(), token)))
            .collect();
        tokio::time::sleep(Duration::from_millis(700)).await;
        // Acknowledged just before the end.
        client.redeem(&flow, &code).await.expect_tokens();
        let gone = client.call("/oauth2/revoke", &[("token", revoked.refresh_token())]).await;
        assert_eq!(gone.status, 200);
        server.kill().await;
        let families: Vec<Family> = join_all(storm).await.into_iter().map(|family| family.expect("no panic")).collect();
        let answered: usize = families.iter().map(|family| family.tokens.len() - 1).sum();
        assert!(answered >= 16, "there was no storm: {answered}");

        let (_server, took) = Process::start(&database, port, SETTINGS).await;
        assert!(took < Duration::from_secs(10), "ready after {took:?}");
        client.refresh(revoked.refresh_token()).await.expect_error("invalid_grant");
        assert_eq!(client.introspect(&revoked.access_token).await["active"], false);
        for family in &families {
            // TE-5: the lost answer is given again, or for the first time.
            let presented = family.tokens.last().expect("one");
            let retried = client.refresh(presented).await.expect_tokens();
            let next = client.refresh(retried.refresh_token()).await.expect_tokens();
            assert_eq!(client.introspect(&next.access_token).await["active"], true);
        }
        client.redeem(&flow, &code).await.expect_error("invalid_grant");
        // What was spent before stays spent.
        for family in families.iter().filter(|family| family.tokens.len() > 2) {
            client.refresh(&family.tokens[0]).await.expect_error("invalid_grant");
        }
    }
}
