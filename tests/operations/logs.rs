//! The log of the real binary at its most talkative has no secret in it (LO-2).

use serde_json::Value;

use crate::on_both_databases;
use crate::support::{PASSWORD, Process, Settings, TestApp, TestClient};

on_both_databases! {
    async fn lo_2_a_whole_sign_in_at_trace_level_leaves_no_secret_in_the_log(database) {
        let app = TestApp::start_with(database, Settings::default().real_time()).await;
        app.user("ada").await;
        let basic = app.client("calendar").await;
        let post = TestClient::register(&app, "notes", |registration| {
            registration.metadata.insert("token_endpoint_auth_method".into(), "client_secret_post".into());
        }).await;
        let port = url::Url::parse(&app.issuer).unwrap().port().unwrap();
        let mut browser = app.browser();
        let database = app.stop().await;
        let settings = [("COUNTERSIGN__LOG__LEVEL", "trace"), ("COUNTERSIGN__LOG__FORMAT", "json")];
        let (mut server, _) = Process::start(&database, port, &settings).await;

        let mut secrets: Vec<(&str, String)> = vec![
            ("password", PASSWORD.to_owned()),
            ("password", PASSWORD.replace(' ', "+")),
            ("password", PASSWORD.replace(' ', "%20")),
            ("wrong password", "wr0ng-pass-phrase".to_owned()),
            ("client secret", basic.secret.clone().unwrap()),
            ("client secret", post.secret.clone().unwrap()),
            ("wrong client secret", "wr0ng-client-secret".to_owned()),
            ("address", "ada@example.com".to_owned()),
            ("address", "ada%40example.com".to_owned()),
        ];
        let page = browser.get("/login").await;
        browser.answer_login(&page, "ada", "wr0ng-pass-phrase").await;
        for client in [&basic, &post] {
            let flow = client.flow("openid email offline_access");
            let page = browser.get(&flow.path()).await;
            for form in page.forms() {
                secrets.extend(form.field("csrf").map(|csrf| ("csrf", csrf.to_owned())));
            }
            let code = client.authorize(&mut browser, &flow, "ada").await;
            let tokens = client.redeem(&flow, &code).await.expect_tokens();
            let next = client.refresh(tokens.refresh_token()).await.expect_tokens();
            client.introspect(&next.access_token).await;
            client.userinfo(&next.access_token).await;
            client.redeem(&flow, &code).await.expect_error("invalid_grant");
            client.call("/oauth2/revoke", &[("token", next.refresh_token())]).await;
            browser.get(&format!("/oauth2/logout?id_token_hint={}", next.id_token.as_ref().unwrap())).await;
            for tokens in [&tokens, &next] {
                secrets.push(("access token", tokens.access_token.clone()));
                secrets.push(("refresh token", tokens.refresh_token().to_owned()));
                secrets.push(("ID token", tokens.id_token.clone().unwrap()));
            }
            secrets.extend([("code", code), ("verifier", flow.verifier.clone())]);
        }
        let mut wrong = post.clone();
        wrong.secret = Some("wr0ng-client-secret".to_owned());
        wrong.refresh("nothing").await.expect_error("invalid_client");
        for (name, value) in &browser.cookies {
            assert!(!value.is_empty(), "{name}");
            secrets.extend(value.split('.').filter(|part| part.len() > 20).map(|part| ("cookie", part.to_owned())));
        }
        assert!(secrets.iter().any(|(name, _)| *name == "cookie") && secrets.iter().any(|(name, _)| *name == "csrf"));

        server.terminate();
        assert!(server.ended(std::time::Duration::from_secs(10)).await.success());
        let log = server.log();
        assert!(log.lines().count() > 20, "{log}");
        for line in log.lines() {
            let record: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
            assert!(record["level"].is_string() && record["timestamp"].is_string(), "{line}");
        }
        for (name, secret) in &secrets {
            let told: Vec<&str> = log.lines().filter(|line| line.contains(secret.as_str())).take(3).collect();
            assert!(told.is_empty(), "the {name} {secret} is in the log:\n{}", told.join("\n"));
        }
        // Signatures alone would do, too.
        for (name, secret) in secrets.iter().filter(|(_, secret)| secret.starts_with("eyJ")) {
            let signature = secret.rsplit('.').next().unwrap();
            assert!(!log.contains(signature), "the signature of the {name} is in the log");
        }
        assert!(log.contains("/oauth2/token") && log.contains("request_id"), "{log}");
    }
}
