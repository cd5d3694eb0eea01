//! Authorization requests that are refused.

use std::time::Duration;

use countersign::audit::Origin;
use countersign::model::Status;
use countersign::tenancy::clients;
use serde_json::json;

use super::{assert_told, brought, member, shown, why};
use crate::on_both_databases;
use crate::support::{TestApp, TestClient};

on_both_databases! {
    async fn lo_3_a_wrong_redirect_uri_is_told_by_the_part_that_differs(database) {
        let app = TestApp::start(database).await;
        let client = app.client("calendar").await;
        let ours = "https://calendar.example.org/callback";
        for (asked, part, theirs, registered) in [
            ("https://calendar.example.org/callback/", "trailing slash", "/callback/", "/callback"),
            ("https://calendar.example.org:8443/callback", "port", "8443", "none"),
            ("http://calendar.example.org/callback", "scheme", "http", "https"),
            ("https://www.example.org/callback", "host", "www.example.org", "calendar.example.org"),
            ("https://calendar.example.org/callback?code=hunter2", "query", "code=…", "none"),
        ] {
            let flow = client.flow("openid").with("redirect_uri", asked);
            let page = app.browser().get(&flow.path()).await;
            assert_eq!(page.status, 400);
            let found = why(&app, &shown(&page)).await;
            let facts = [
                ("differs in", part), ("asked", theirs), ("registered", registered), ("nearest registered", ours),
            ];
            assert_told(&found, "redirect_uri", &facts);
            assert_eq!(found.told.kind.as_str(), "authorize");
            assert_eq!(found.told.client.map(|client| client.client_id), Some(client.client_id.clone()));
        }
    }

    async fn lo_3_an_error_that_the_browser_carries_home_has_the_reference(database) {
        let app = TestApp::start(database).await;
        let client = app.client("calendar").await;
        let mut browser = app.browser();
        for (flow, rule, facts) in [
            (client.flow("openid").without("code_challenge").without("code_challenge_method"), "pkce_missing", vec![]),
            (client.flow("openid").with("code_challenge_method", "plain"), "pkce_challenge", vec![("code_challenge_method", "plain")]),
            (client.flow("openid").with("response_type", "token"), "response", vec![("response_type", "token")]),
            (client.flow("openid").with("resource", "https://api.example.com"), "resource", vec![("resource", "https://api.example.com"), ("state", "unknown")]),
            (client.flow("openid").with("max_age", "soon"), "parameter", vec![("error", "invalid_request")]),
        ] {
            let page = browser.get(&flow.path()).await;
            assert_told(&why(&app, &brought(&page)).await, rule, &facts);
        }
        // The same where the browser has been under way for a while.
        let page = browser.get(&client.flow("openid").with("prompt", "none").path()).await;
        assert_eq!(page.query()["error"], "login_required");
        let found = why(&app, &brought(&page)).await;
        assert_told(&found, "interaction_needed", &[("needed", "the user has to sign in")]);
        assert!(found.told.route.starts_with("/oauth2/authorize"), "{}", found.told.route);
    }

    async fn lo_3_who_belongs_to_no_organisation_is_told_by_name(database) {
        let app = TestApp::start(database).await;
        let ada = app.user("ada").await;
        let client = app.client("calendar").await;
        let (organisation, other) = (app.organisation("acme").await, app.organisation("other").await);
        app.member(&organisation, ada, &["member"]).await;
        let mut browser = app.signed_in("ada").await;
        let page = browser.get(&client.flow("openid").with("organization", &other.slug).path()).await;
        assert_eq!(page.query()["error"], "access_denied");
        let found = why(&app, &brought(&page)).await;
        assert_told(&found, "membership", &[("asked for", &other.slug), ("member of", &organisation.slug)]);
        let events: Vec<&str> = found.events.iter().map(|event| event.action.as_str()).collect();
        assert_eq!(events, ["consent.refused"], "what was recorded of the same request");
    }

    async fn lo_3_an_unknown_client_and_a_disabled_one_are_told_apart(database) {
        let app = TestApp::start(database).await;
        let client = app.client("timetable").await;
        clients::set_status(&app.app, &client.client_id, Status::Disabled, &Origin::command_line()).await.unwrap();
        let page = app.browser().get(&client.flow("openid").path()).await;
        assert_told(&why(&app, &shown(&page)).await, "client_disabled", &[]);
        let page = app.browser().get("/oauth2/authorize?client_id=calendar&response_type=code").await;
        assert_told(&why(&app, &shown(&page)).await, "client_unknown", &[("client_id", "calendar")]);
    }

    async fn lo_3_a_pushed_request_is_told_by_what_became_of_it(database) {
        let app = TestApp::start(database).await;
        let client = app.client("calendar").await;
        let other = app.client("other").await;
        let flow = client.flow("openid");
        let fields: Vec<(&str, &str)> =
            flow.parameters.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let pushed = client.call("/oauth2/par", &fields).await;
        let uri = pushed.body["request_uri"].as_str().unwrap().to_owned();
        let visit = async |client: &TestClient, uri: &str| {
            let query = url::form_urlencoded::Serializer::new(String::new())
                .extend_pairs([("client_id", client.client_id.as_str()), ("request_uri", uri)])
                .finish();
            let page = app.browser().get(&format!("/oauth2/authorize?{query}")).await;
            why(&app, &shown(&page)).await
        };
        assert_told(&visit(&other, &uri).await, "pushed_request", &[("state", "pushed by another client")]);
        app.advance(Duration::from_secs(100));
        assert_told(&visit(&client, &uri).await, "pushed_request", &[("state", "expired"), ("seconds ago", "40")]);
        let unknown = format!("{}x", &uri[..uri.len() - 1]);
        assert_told(&visit(&client, &unknown).await, "pushed_request", &[("state", "unknown")]);

        // And what cannot be pushed at all.
        let refused = client.call("/oauth2/par", &[("response_type", "code"), ("redirect_uri", "https://x.example")]).await;
        assert_eq!(refused.body["error"], json!("invalid_request"));
        assert_told(&why(&app, &member(&refused)).await, "redirect_uri", &[("differs in", "host")]);
    }

    async fn lo_3_a_sign_in_that_is_over_and_a_form_of_another_browser_are_told(database) {
        let app = TestApp::start(database).await;
        let client = app.client("calendar").await;
        let mut browser = app.browser();
        let page = browser.get(&client.flow("openid").path()).await;
        let elsewhere = app.browser().get(&page.url).await;
        assert_told(&why(&app, &shown(&elsewhere)).await, "request_over", &[]);
        let mut stranger = app.browser();
        stranger.get("/login").await;
        let refused = stranger.answer_login(&page, "ada", "x").await;
        assert_told(&why(&app, &shown(&refused)).await, "form_expired", &[]);
    }
}
