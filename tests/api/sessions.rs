//! Signing in, staying so, signing out; the caller's own matters.

use countersign::audit::Origin;
use countersign::tenancy::clients;
use serde_json::{Value, json};

use super::Api;
use crate::on_both_databases;
use crate::support::{PASSWORD, Settings, verified};

const NEW_PASSWORD: &str = "seventeen harbours of amber";

on_both_databases! {
    async fn lg_1_a_password_gives_ordinary_tokens_and_says_where_the_person_belongs(database) {
        let api = Api::start(database).await;
        let (acme, other) = (api.app.organisation("acme").await, api.app.organisation("other").await);
        let lab = api.app.workspace(&acme, "lab").await;
        let grace = api.app.user("grace").await;
        api.app.member(&acme, grace, &["manager"]).await;
        api.app.advance(std::time::Duration::from_secs(1));
        api.app.member_of(&acme, Some(lab), grace, &["admin"]).await;
        api.app.member(&other, grace, &["member"]).await;
        let answer = api.sign_in("grace").await;
        let body = answer.expect(200);
        assert_eq!((&body["token_type"], &body["expires_in"]), (&json!("Bearer"), &json!(900)));
        assert_eq!(body["user"]["id"], json!(grace));
        assert_eq!(body["user"]["email"], "grace@example.com");
        assert_eq!(body["organization"]["slug"], "acme", "the one joined first");
        assert_eq!(body["roles"], json!(["manager"]));
        let slugs: Vec<&Value> = body["memberships"].as_array().unwrap().iter().map(|one| &one["organization"]["slug"]).collect();
        assert_eq!(slugs, ["acme", "other"]);
        assert_eq!(body["memberships"][0]["workspaces"][0]["workspace"]["slug"], "lab");
        assert_eq!(body["memberships"][0]["workspaces"][0]["roles"], json!(["admin"]));

        let (header, claims) = verified(&api.app, &answer.text("/access_token")).await;
        assert_eq!(header["typ"], "at+jwt");
        assert_eq!(claims["aud"], json!(format!("{}/api/v1", api.app.issuer)));
        assert_eq!((&claims["sub"], &claims["org"]), (&json!(grace), &json!(acme.id)));
        assert!(claims["sid"].is_string());

        let named = json!({ "login": "grace@example.com", "password": PASSWORD, "organization": "other" });
        assert_eq!(api.post("/sign-in", named).await.expect(200)["organization"]["id"], json!(other.id));
        let wrong = json!({ "login": "grace@example.com", "password": "wrong" });
        api.post("/sign-in", wrong).await.refused(401, "invalid_credentials");
        let nobody = json!({ "login": "nobody@example.com", "password": PASSWORD });
        api.post("/sign-in", nobody).await.refused(401, "invalid_credentials");
    }

    async fn or_1_ar_5_headers_choose_among_memberships_and_never_say_more(database) {
        let api = Api::start(database).await;
        let (acme, mine) = (api.app.organisation("acme").await, api.app.organisation("mine").await);
        api.app.organisation("strangers").await;
        let lab = api.app.workspace(&acme, "lab").await;
        let grace = api.app.user("grace").await;
        api.app.member(&acme, grace, &["member"]).await;
        api.app.advance(std::time::Duration::from_secs(1));
        api.app.member(&mine, grace, &["admin"]).await;
        let token = api.sign_in("grace").await.text("/access_token");
        let me = api.about("/me", &token, &[("X-Organization-ID", &acme.id.to_string())]).await;
        assert_eq!(me.expect(200)["organization"]["slug"], "acme");
        let lab_id = lab.to_string();
        let here = api.about("/me", &token, &[("X-Workspace-ID", &lab_id)]).await;
        assert_eq!(here.expect(200)["workspace"]["slug"], "lab");
        let mut told = Vec::new();
        for unknown in ["strangers", "org_00000000000070008000000000000007", "nothing", "%%%", "a b"] {
            let refused = api.about("/me", &token, &[("X-Organization-ID", unknown)]).await;
            refused.refused(403, "organisation_denied");
            told.push(refused.body);
        }
        told.dedup();
        assert_eq!(told.len(), 1, "one answer for all");
        api.about("/me", &token, &[("X-Organization-ID", "mine")]).await.refused(400, "organisation_mismatch");
        for headers in [
            &[("X-Organization-ID", "acme"), ("X-Organization-ID", "mine")][..],
            &[("X_Organization_ID", "acme")],
        ] {
            api.about("/me", &token, headers).await.refused(400, "invalid_request");
        }

        let switched = api.call("POST", "/switch", &token, json!({ "organization": "mine" })).await;
        assert_eq!(switched.expect(200)["roles"], json!(["admin"]));
        api.call("GET", "/me", &token, Value::Null).await.refused(401, "token_invalid");
        let token = switched.text("/access_token");
        api.call("POST", "/switch", &token, json!({ "organization": "strangers" })).await.refused(403, "organisation_denied");
        assert_eq!(api.call("GET", "/me", &token, Value::Null).await.expect(200)["organization"]["slug"], "mine");
    }

    async fn lg_1_refreshing_rotates_and_signing_out_ends_it_all(database) {
        let api = Api::start(database).await;
        api.app.user("grace").await;
        let first = api.sign_in("grace").await;
        first.expect(200);
        let second = api.post("/refresh", json!({ "refresh_token": first.text("/refresh_token") })).await;
        second.expect(200);
        assert_ne!(second.text("/refresh_token"), first.text("/refresh_token"));
        let token = second.text("/access_token");
        api.call("POST", "/sign-out", &token, json!({})).await.expect(204);
        api.call("GET", "/me", &token, Value::Null).await.refused(401, "token_invalid");
        let gone = api.post("/refresh", json!({ "refresh_token": second.text("/refresh_token") })).await;
        gone.refused(401, "token_invalid");
        assert_eq!(gone.header("www-authenticate"), "Bearer");
        assert_eq!(api.app.live_sessions("grace").await, 0);
        api.post("/sign-out", json!({})).await.refused(401, "token_missing");
        api.post("/sign-out", json!({ "refresh_token": "nonsense" })).await.refused(401, "token_invalid");
        let again = api.sign_in("grace").await;
        api.post("/sign-out", json!({ "refresh_token": again.text("/refresh_token") })).await.expect(204);
        api.app.advance(std::time::Duration::from_secs(1));
        let late = api.sign_in("grace").await.text("/access_token");
        api.app.advance(std::time::Duration::from_secs(901));
        api.call("GET", "/me", &late, Value::Null).await.refused(401, "token_expired");
    }

    async fn mf_5_who_owes_a_second_factor_is_sent_elsewhere(database) {
        let api = Api::start(database).await;
        api.app.user("grace").await;
        api.sign_in("grace").await.expect(200);
        let change = clients::Change { require_mfa: Some(true), ..Default::default() };
        clients::change(&api.app.app, "countersign:api", change, &Origin::command_line()).await.expect("changed");
        api.sign_in("grace").await.refused(403, "factor_required");
    }

    async fn lg_1_passwords_are_switched_off_for_an_organisation(database) {
        let api = Api::start(database).await;
        let acme = api.app.organisation("acme").await;
        let grace = api.app.user("grace").await;
        api.app.member(&acme, grace, &["member"]).await;
        api.forbid_passwords(&acme).await;
        api.sign_in("grace").await.refused(403, "forbidden");
        assert_eq!(api.app.live_sessions("grace").await, 0);
    }

    async fn lg_1_passwords_are_switched_off_for_the_instance(database) {
        let settings = Settings::with(|config| config.password.json_sign_in = false);
        let api = Api::start_with(database, settings).await;
        api.app.user("grace").await;
        api.sign_in("grace").await.refused(403, "forbidden");
        let wrong = json!({ "login": "grace@example.com", "password": "wrong" });
        api.post("/sign-in", wrong).await.refused(403, "forbidden");
        assert_eq!(api.app.live_sessions("grace").await, 0);
        // Nothing but passwords is switched off.
        api.post("/magic-link", json!({ "email": "grace@example.com" })).await.expect(202);
        let token = api.mailed_token("/login/magic/").await;
        api.post("/magic-link/redeem", json!({ "token": token })).await.expect(200);
    }

    async fn the_caller_changes_what_may_be_changed_and_nothing_else(database) {
        let api = Api::start(database).await;
        api.app.user("grace").await;
        let token = api.sign_in("grace").await.text("/access_token");
        let changed = api.call("PATCH", "/me", &token, json!({ "name": "Grace Hopper", "locale": "de" })).await;
        assert_eq!(changed.expect(200)["user"]["name"], "Grace Hopper");
        assert_eq!(changed.body["user"]["locale"], "de");
        for (bad, status, code) in [
            (json!({ "name": "" }), 422, "invalid_value"),
            (json!({ "is_admin": true }), 400, "invalid_request"),
            (json!({ "email": "x@example.com" }), 400, "invalid_request"),
            (json!({ "name": 1 }), 400, "invalid_request"),
        ] {
            api.call("PATCH", "/me", &token, bad).await.refused(status, code);
        }
        assert_eq!(api.call("GET", "/me", &token, Value::Null).await.expect(200)["user"]["name"], "Grace Hopper");
        api.call("GET", "/me", "nonsense", Value::Null).await.refused(401, "token_invalid");
    }

    async fn se_5_a_new_password_ends_every_other_session(database) {
        let api = Api::start(database).await;
        api.app.user("grace").await;
        let (mine, other) = (api.sign_in("grace").await, api.sign_in("grace").await);
        let (mine, other) = (mine.text("/access_token"), other.text("/access_token"));
        let change = |current: &str, new: &str| json!({ "current_password": current, "new_password": new });
        let wrong = api.call("POST", "/password/change", &mine, change("wrong", NEW_PASSWORD)).await;
        wrong.refused(422, "wrong_password");
        let weak = api.call("POST", "/password/change", &mine, change(PASSWORD, "short")).await;
        weak.refused(422, "weak_password");
        api.call("POST", "/password/change", &mine, change(PASSWORD, NEW_PASSWORD)).await.expect(204);
        api.call("GET", "/me", &mine, Value::Null).await.expect(200);
        api.call("GET", "/me", &other, Value::Null).await.refused(401, "token_invalid");
        api.sign_in("grace").await.refused(401, "invalid_credentials");
    }

    async fn pw_6_a_forgotten_password_is_set_by_a_mailed_link(database) {
        let api = Api::start(database).await;
        api.app.user("grace").await;
        let unknown = api.post("/password/forgot", json!({ "email": "nobody@example.com" })).await;
        let known = api.post("/password/forgot", json!({ "email": "grace@example.com" })).await;
        assert_eq!(unknown.expect(202), known.expect(202));
        let outside = json!({ "email": "grace@example.com", "redirect_url": "https://evil.example.com/" });
        api.post("/password/forgot", outside).await.refused(422, "redirect_refused");
        let token = api.mailed_token("/recover/").await;
        let set = json!({ "token": token, "new_password": NEW_PASSWORD });
        api.post("/password/reset", set.clone()).await.expect(204);
        api.post("/password/reset", set).await.refused(422, "link_expired");
        let login = json!({ "login": "grace@example.com", "password": NEW_PASSWORD });
        api.post("/sign-in", login).await.expect(200);
    }

    async fn pw_7_a_mailed_link_signs_in_once(database) {
        let api = Api::start(database).await;
        api.app.user("grace").await;
        api.post("/magic-link", json!({ "email": "grace@example.com" })).await.expect(202);
        let token = api.mailed_token("/login/magic/").await;
        let entered = api.post("/magic-link/redeem", json!({ "token": token })).await;
        assert_eq!(entered.expect(200)["user"]["email"], "grace@example.com");
        api.post("/magic-link/redeem", json!({ "token": token })).await.refused(422, "link_expired");
    }

    async fn lg_3_a_providers_token_must_be_one_and_good(database) {
        let api = Api::start(database).await;
        let bad = json!({ "id_token": "nonsense" });
        api.post("/upstream/google", bad).await.refused(401, "provider_refused");
        for unclear in [json!({}), json!({ "id_token": "a", "access_token": "b" })] {
            api.post("/upstream/google", unclear).await.refused(422, "invalid_value");
        }
    }

    async fn se_6_the_caller_sees_and_ends_their_own_sessions_only(database) {
        let api = Api::start(database).await;
        api.app.user("grace").await;
        api.app.user("mallory").await;
        let (first, second) = (api.sign_in("grace").await, api.sign_in("grace").await);
        let token = second.text("/access_token");
        let list = api.call("GET", "/sessions", &token, Value::Null).await;
        let items = list.expect(200)["items"].as_array().unwrap().clone();
        assert_eq!(items.len(), 2);
        let other = items.iter().find(|item| item["current"] == false).expect("another")["id"].as_str().unwrap().to_owned();
        let path = format!("/sessions/{other}");
        let stranger = api.sign_in("mallory").await.text("/access_token");
        api.call("DELETE", &path, &stranger, Value::Null).await.refused(404, "not_found");
        api.call("DELETE", "/sessions/nonsense", &stranger, Value::Null).await.refused(404, "not_found");
        api.call("DELETE", &path, &token, Value::Null).await.expect(204);
        api.call("GET", "/me", &first.text("/access_token"), Value::Null).await.refused(401, "token_invalid");
        api.call("GET", "/me", &token, Value::Null).await.expect(200);
    }
}
