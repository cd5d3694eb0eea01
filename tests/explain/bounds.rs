//! What is kept has bounds: in time, in number, and in what it says.

use std::time::Duration;

use countersign::explain::{self, After, Book, Sought};
use countersign::model::RefusalKind;
use countersign::store::jobs;

use super::{member, shown, why};
use crate::on_both_databases;
use crate::store::texts;
use crate::support::{PASSWORD, Settings, TestApp};

on_both_databases! {
    async fn lo_2_a_storm_of_refusals_leaves_no_secret_behind(database) {
        let app = TestApp::start(database).await;
        app.user("ada").await;
        let client = app.client("calendar").await;
        let mut browser = app.browser();
        let flow = client.flow("openid offline_access");
        let code = client.authorize(&mut browser, &flow, "ada").await;
        let tokens = client.redeem(&flow, &code).await.expect_tokens();
        let secret = client.secret.clone().unwrap();
        let typed = "correct horse battery staple";

        // Everything where it does not belong, and everywhere that reads it.
        let held = [code.as_str(), tokens.access_token.as_str(), tokens.refresh_token(), &secret, &flow.verifier];
        for sent in held {
            for name in ["client_id", "redirect_uri", "scope", "response_type", "prompt", "resource", "organization", "id_token_hint"] {
                browser.get(&client.flow("openid").with(name, sent).path()).await;
            }
            let with_it = format!("https://calendar.example.org/callback?code={sent}#{sent}");
            browser.get(&client.flow("openid").with("redirect_uri", &with_it).path()).await;
            for fields in [
                vec![("grant_type", "authorization_code"), ("code", sent), ("redirect_uri", sent), ("code_verifier", sent)],
                vec![("grant_type", "refresh_token"), ("refresh_token", sent), ("scope", sent)],
                vec![("grant_type", sent)],
                vec![(sent, sent), (sent, sent)],
                vec![("grant_type", "urn:ietf:params:oauth:grant-type:token-exchange"), ("subject_token", sent), ("subject_token_type", sent)],
            ] {
                client.token(&fields).await;
            }
            client.call("/oauth2/introspect", &[("token", sent)]).await;
            client.userinfo(sent).await;
            let mut impostor = client.clone();
            impostor.secret = Some(sent.to_owned());
            impostor.refresh(sent).await;
            browser.get(&format!("/login/magic/{sent}")).await;
            app.http.get(app.url("/api/v1/me")).header("x-api-key", sent).send().await.unwrap();
        }
        for sent in held.into_iter().chain([typed, PASSWORD]) {
            let page = app.browser().get("/login").await;
            browser.answer_login(&page, "ada", sent).await;
            let page = browser.get("/login?other=1").await;
            browser.answer_login(&page, "ada", sent).await;
            browser.answer_login(&page, sent, sent).await;
        }
        explain::write(&app.app).await.unwrap();
        let rows = app
            .read(|db| texts(db, "SELECT reference || ' ' || kind || ' ' || rule || ' ' || detail AS text FROM refusals"))
            .await;
        assert!(rows.len() > 60, "{}", rows.len());
        for row in &rows {
            for secret in held.iter().chain(&[typed, PASSWORD, "ada@example.com"]) {
                assert!(!row.contains(secret), "{secret} is in {row}");
            }
        }
    }

    async fn lo_2_what_is_kept_is_forgotten_in_time(database) {
        let app = TestApp::start_with(database, Settings::with(|config| config.log.explain_for = Duration::from_secs(3_600))).await;
        let client = app.client("calendar").await;
        let reference = member(&client.refresh("nonsense").await);
        assert_eq!(why(&app, &reference.to_uppercase()).await.told.rule.as_str(), "refresh_unknown");
        app.advance(Duration::from_secs(3_601));
        assert!(explain::find(&app.app, &reference, None).await.unwrap().is_none(), "AR-4: judged at use");
        let now = app.clock.now();
        app.app.db.write(move |db| jobs::sweep_expired(db, now, now)).await.unwrap();
        assert_eq!(app.read(|db| texts(db, "SELECT reference AS text FROM refusals")).await, [""; 0]);
    }

    async fn rl_2_a_flood_is_kept_in_part_and_counted(database) {
        let app = TestApp::start(database).await;
        let client = app.client("calendar").await;
        let mut last = String::new();
        for _ in 0..Book::PER_SECOND + 20 {
            let page = app.browser().get(&client.flow("openid").with("redirect_uri", "https://x.example").path()).await;
            last = shown(&page);
        }
        assert!(explain::find(&app.app, &last, None).await.unwrap().is_none());
        let listed = explain::recent(&app.app, Sought::default(), None, 1_000).await.unwrap();
        assert_eq!(listed.len(), Book::PER_SECOND);
        let metrics = app.http.get(app.url("/metrics")).send().await.unwrap().text().await.unwrap();
        assert!(metrics.contains("countersign_explanations_dropped_total 20"), "{metrics}");
        // The next second has room again.
        app.advance(Duration::from_secs(1));
        let page = app.browser().get(&client.flow("openid").with("redirect_uri", "https://x.example").path()).await;
        why(&app, &shown(&page)).await;
    }

    async fn or_1_the_latest_are_listed_by_whom_they_are_about_and_page_by_page(database) {
        let app = TestApp::start(database).await;
        let ada = app.user("ada").await;
        let (client, other) = (app.client("calendar").await, app.client("other").await);
        let organisation = app.organisation("acme").await;
        let mut references = Vec::new();
        for _ in 0..5 {
            references.push(member(&client.refresh("nonsense").await));
            app.advance(Duration::from_secs(1));
        }
        other.refresh("nonsense").await;
        let mut browser = app.browser();
        let page = browser.get("/login").await;
        browser.answer_login(&page, "ada", "wrong").await;

        let key = app.app.client(&client.client_id).await.unwrap().unwrap().key;
        let of_client = Sought { client: Some(key), ..Sought::default() };
        let (mut seen, mut after) = (Vec::new(), None);
        loop {
            let page = explain::recent(&app.app, of_client.clone(), after.clone(), 2).await.unwrap();
            let Some(last) = page.last() else { break };
            after = Some(After::of(last));
            seen.extend(page.into_iter().map(|told| told.reference));
        }
        references.reverse();
        assert_eq!(seen, references, "the newest first, each once");
        for (sought, count) in [
            (Sought { kind: Some(RefusalKind::SignIn), ..Sought::default() }, 1),
            (Sought { kind: Some(RefusalKind::Token), ..Sought::default() }, 6),
            (Sought { user: Some(ada), ..Sought::default() }, 1),
            (Sought { rule: Some("password_wrong".to_owned()), ..Sought::default() }, 1),
            (Sought { organisation: Some(organisation.id), ..Sought::default() }, 0),
        ] {
            assert_eq!(explain::recent(&app.app, sought.clone(), None, 100).await.unwrap().len(), count, "{sought:?}");
        }
        // Who administers an organisation finds nothing of what is not in it.
        let found = explain::find(&app.app, &references[0], Some(organisation.id)).await.unwrap();
        assert!(found.is_none());
    }
}
