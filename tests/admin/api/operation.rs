//! Sessions, grants, mail, numbers and login APIs, by the management API.

use std::time::Duration;

use serde_json::{Value, json};

use super::{Api, each};
use crate::on_both_databases;

on_both_databases! {
    async fn se_5_sessions_and_grants_of_all_are_seen_and_ended(database) {
        let api = Api::start(database).await;
        let token = api.everything().await;
        let calendar = api.app.client("calendar").await;
        let (mut refresh, mut browsers) = (Vec::new(), Vec::new());
        for name in ["ada", "bob"] {
            api.app.user(name).await;
            let mut browser = api.app.browser();
            let tokens = calendar.sign_in(&mut browser, name, "openid offline_access").await;
            refresh.push(tokens.refresh_token.expect("a refresh token"));
            browsers.push(browser);
            api.app.advance(Duration::from_secs(1));
        }
        let grants = api.pages("/grants", &token).await;
        assert_eq!(each(&grants, "client"), [calendar.client_id.clone(), calendar.client_id.clone()]);
        assert_eq!(grants[0]["offline"], true);
        let at = format!("/grants/{}", grants[0]["id"].as_str().unwrap());
        api.call("delete", &at, &token, Value::Null).await.is(204);
        calendar.refresh(&refresh[1]).await.expect_error("invalid_grant");
        calendar.refresh(&refresh[0]).await.expect_tokens();
        api.call("delete", &at, &token, Value::Null).await.is(404);
        assert_eq!(api.pages("/grants", &token).await.len(), 1);

        let sessions = api.pages("/sessions", &token).await;
        assert_eq!(sessions.len(), 2, "{sessions:?}");
        assert_eq!(sessions[0]["user"], grants[0]["user"], "the newest first");
        let at = format!("/sessions/{}", sessions[0]["id"].as_str().unwrap());
        api.call("delete", &at, &token, Value::Null).await.is(204);
        assert!(browsers[1].get("/account").await.has_id("login-form"));
        assert!(!browsers[0].get("/account").await.has_id("login-form"));
        api.call("delete", &at, &token, Value::Null).await.is(404);
        // Whoever may see users does not see everybody's sessions by that.
        let less = api.token("admin.users:read admin.users:write").await;
        api.get("/sessions", &less).await.refused(403, "admin.sessions:read");
    }

    async fn mail_is_tested_and_its_domain_looked_at(database) {
        let api = Api::start(database).await;
        let token = api.everything().await;
        let sent = api.make("/mail/test", &token, &json!({ "email": "ops@example.com" })).await;
        let mail = api.app.read(|db| countersign::store::outbox::newest(db, 10)).await;
        assert_eq!(mail.iter().filter(|mail| mail.recipient == "ops@example.com").count(), 1, "one, however often");
        let at = format!("/mail/{}", sent["id"].as_str().unwrap());
        let told = api.get(&at, &token).await;
        assert_eq!(told.is(200)["recipient"], "ops@example.com");
        assert!(!told.body.to_string().contains(&mail[0].body_text), "what it says is not told");
        api.call("post", "/mail/test", &token, json!({ "email": "nobody" })).await.refused(422, "`email`");

        let from = api.app.app.config.mail_from().address.folded().to_owned();
        let domain = from.split('@').nth(1).unwrap();
        api.dns.set(domain, &["v=spf1 mx -all"]);
        api.dns.set(&format!("s1._domainkey.{domain}"), &["v=DKIM1; p=abc"]);
        let records = api.get("/mail/check?selector=s1", &token).await;
        let items = records.is(200)["items"].as_array().unwrap();
        assert_eq!(each(items, "record"), ["SPF", "DMARC", "DKIM"]);
        assert_eq!(each(items, "state"), ["found", "missing", "found"], "{}", records.body);
        assert_eq!(items[0]["says"], "v=spf1 mx -all");
        assert_eq!(api.get("/mail/check", &token).await.is(200)["items"].as_array().unwrap().len(), 2);
    }

    async fn how_the_service_does_is_told_in_one_answer(database) {
        let api = Api::start_with(database, |config| {
            let eden = json!({ "use": "eden", "path": "/eden" });
            config.dialects = vec![serde_json::from_value(eden).expect("good settings")];
        }).await;
        let token = api.everything().await;
        api.app.user("ada").await;
        let _browser = api.app.signed_in("ada").await;
        api.app.app.usage.keys_fetched(Some("gateway/1.0"), api.app.clock.now());
        api.app.app.usage.write(&api.app.app.db).await.expect("counted");
        let told = api.get("/overview", &token).await;
        let overview = told.is(200);
        assert_eq!((&overview["sessions"], &overview["range"]), (&json!(1), &json!("24h")));
        let codes = each(overview["findings"].as_array().unwrap(), "code");
        assert_eq!(codes, ["clock_off"], "the clock of a test stands still: {overview}");
        assert!(each(overview["findings"].as_array().unwrap(), "advice").iter().all(|advice| !advice.is_empty()));
        let sum: i64 = overview["sign_ins"][0]["amounts"].as_array().unwrap().iter().map(|one| one.as_i64().unwrap()).sum();
        assert_eq!(sum, 1, "{overview}");
        assert_eq!(overview["slots"].as_array().unwrap().len(), 24);
        let own = overview["tokens"].as_array().unwrap().iter().find(|one| one["client"] == json!(api.client.client_id));
        assert!(own.is_some_and(|own| own["total"] == 1), "{overview}");
        assert_eq!(api.get("/overview?range=7d", &token).await.is(200)["slots"].as_array().unwrap().len(), 7);
        api.get("/overview?range=year", &token).await.refused(422, "24h, 7d or 30d");
        let readers = api.get("/keys/readers", &token).await;
        assert_eq!((&readers.is(200)["items"][0]["program"], &readers.body["items"][0]["fetches"]), (&json!("gateway"), &json!(1)), "{}", readers.body);
        let dialects = api.get("/dialects", &token).await;
        assert_eq!((&dialects.is(200)["items"][0]["name"], &dialects.body["items"][0]["place"]), (&json!("eden"), &json!("/eden")));
        assert!(dialects.body["items"][0]["endpoints"].as_array().unwrap().len() > 3);
    }

    async fn lo_1_one_event_and_what_is_stored_of_somebody(database) {
        let api = Api::start(database).await;
        let token = api.everything().await;
        let ada = api.app.user("ada").await;
        let copy = api.call("post", &format!("/users/{ada}/export"), &token, Value::Null).await;
        assert!(copy.is(200).to_string().contains("ada@example.com"), "{}", copy.body);
        let found = api.get("/audit?action=user.data_exported&outcome=success", &token).await;
        let event = found.is(200)["items"][0].clone();
        assert_eq!((&event["user"], &event["detail"]["by_client"].is_string()), (&json!(ada.to_string()), &true), "{event}");
        assert_eq!(api.get(&format!("/audit/{}", event["id"].as_str().unwrap()), &token).await.is(200), &event);
        assert_eq!(api.get(&format!("/audit?user={ada}&outcome=denied"), &token).await.is(200)["items"], json!([]));
        api.get("/audit?outcome=odd", &token).await.refused(422, "success");
        api.get("/audit/none-such", &token).await.is(404);
        let unknown = "usr_00000000000070008000000000000000";
        api.call("post", &format!("/users/{unknown}/export"), &token, Value::Null).await.is(404);
    }
}
