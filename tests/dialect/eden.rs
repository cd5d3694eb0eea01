//! Eden: Basic credentials, the organisation in a header, a token that a GET extends.

use std::time::Duration;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde_json::json;

use super::{Answer, Api, members};
use crate::on_both_databases;
use crate::support::{Database, PASSWORD, claims};

const LOGIN: &str = "/auth/login";
const REFRESH: &str = "/auth/refresh";
const CHECK: &str = "/auth/check";

/// Jane administers TestOrg and works in Other, which does not know of Sam.
async fn start(database: Database) -> Api {
    let api = Api::start_with(database, "eden", |dialect| {
        dialect.redirect_urls = vec!["https://app.example.com/reset-confirmation".to_owned()];
    })
    .await;
    let (jane, sam) = (api.app.user("jane").await, api.app.user("sam").await);
    let (test, other) = (api.app.organisation("testorg").await, api.app.organisation("other").await);
    api.app.member(&test, jane, &["admin"]).await;
    api.app.member(&other, jane, &["member"]).await;
    api.app.member(&test, sam, &["manager"]).await;
    api
}

fn basic(name: &str, password: &str) -> String {
    format!("Basic {}", BASE64_STANDARD.encode(format!("{name}@example.com:{password}")))
}

async fn login(api: &Api, name: &str, organisation: &str) -> Answer {
    let call = api.post(LOGIN).header("Authorization", &basic(name, PASSWORD));
    call.header("X-Org-Id", organisation).send().await
}

#[track_caller]
fn assert_refused(answer: &Answer) {
    assert_eq!(
        *answer.expect(401),
        json!({ "error": "invalid_credentials", "message": "Invalid credentials or organization." })
    );
    assert_eq!(answer.header("www-authenticate"), "", "a browser would ask for a password itself");
}

on_both_databases! {
    async fn ed_1_basic_credentials_and_a_header_sign_in_whatever_the_body_is(database) {
        let api = start(database).await;
        login(&api, "jane", "TestOrg").await.expect(200);
        let with = || {
            api.post(LOGIN).header("Authorization", &basic("jane", PASSWORD)).header("X-Org-Id", "TestOrg")
        };
        with().json(&json!({ "organization": { "name": "TestOrg" } })).send().await.expect(200);
        with().body("application/json", "").send().await.expect(200);
        with().body("text/plain", "TestOrg").send().await.expect(200);
        with().body("application/json", "{not json").send().await.expect(200);
        assert_eq!(with().body("application/json", "x".repeat(70_000)).send().await.status, 413);
    }

    async fn ed_2_a_login_answers_token_end_and_user(database) {
        let api = start(database).await;
        let answer = login(&api, "jane", "TestOrg").await;
        let body = answer.expect(200);
        assert_eq!(members(body), ["expires", "token", "user"]);
        assert_eq!(body["user"], json!({ "username": "jane@example.com", "accessLevel": "Admin" }));
        let expires = answer.text("/expires");
        assert!(expires.len() == 20 && expires.ends_with('Z'), "{expires}: whole seconds");
        let call = api.post(LOGIN).header("Authorization", &basic("jane", "wrong"));
        assert_refused(&call.header("X-Org-Id", "TestOrg").send().await);
    }

    async fn ed_3_without_an_organisation_nobody_signs_in_and_id_and_slug_both_name_it(database) {
        let api = start(database).await;
        let call = api.post(LOGIN).header("Authorization", &basic("jane", PASSWORD));
        assert_refused(&call.send().await);
        assert_refused(&login(&api, "jane", "").await);
        let id = claims(&login(&api, "jane", "TESTORG").await.text("/token"))["orgId"].clone();
        login(&api, "jane", id.as_str().expect("an id")).await.expect(200);
    }

    async fn ed_4_the_token_says_who_where_and_what(database) {
        let api = start(database).await;
        let said = claims(&login(&api, "sam", "testorg").await.text("/token"));
        assert_eq!((&said["username"], &said["accessLevel"]), (&json!("sam@example.com"), &json!("Manager")));
        assert_eq!(said["orgSlug"], "testorg");
        assert!(said["orgId"].as_str().is_some_and(|id| id.starts_with("org_")));
    }

    async fn ed_5_a_get_extends_a_valid_token_and_no_other(database) {
        let api = start(database).await;
        let first = login(&api, "jane", "TestOrg").await;
        api.app.advance(Duration::from_secs(3_600));
        let second = api.get(REFRESH).bearer(&first.text("/token")).send().await;
        let body = second.expect(200);
        assert_eq!(members(body), ["expires", "token", "user"]);
        let said = claims(&second.text("/token"));
        assert_eq!(said["exp"].as_i64().unwrap() - said["iat"].as_i64().unwrap(), 2 * 3_600);
        assert!(second.text("/expires") > first.text("/expires"));
        // Safe to repeat (LG-2), and only for who shows the token in the header.
        api.get(REFRESH).bearer(&first.text("/token")).send().await.expect(200);
        let cookie = api.get(REFRESH).header("Cookie", &format!("token={}", first.text("/token")));
        cookie.send().await.expect(401);
        api.get(REFRESH).send().await.expect(401);
        api.get(REFRESH).bearer("x.y.z").send().await.expect(401);
        api.app.advance(Duration::from_secs(2 * 3_600));
        let expired = api.get(REFRESH).bearer(&first.text("/token")).send().await;
        assert_eq!(expired.expect(401)["error"], "token_expired");
    }

    async fn ed_5_silent_a_token_of_one_organisation_stays_there(database) {
        let api = start(database).await;
        let token = login(&api, "jane", "TestOrg").await.text("/token");
        let moved = api.get(REFRESH).bearer(&token).header("X-Org-Id", "other").send().await;
        assert_eq!(claims(&moved.text("/token"))["orgSlug"], "testorg");
        assert_eq!(moved.text("/user/accessLevel"), "Admin");
    }

    async fn ed_6_a_reset_is_answered_alike_and_its_mail_leads_to_our_own_page(database) {
        let api = start(database).await;
        let ask = |email: &str, redirect: &str| {
            let body = json!({ "email": email, "redirectUrl": redirect });
            api.post("/auth/password/reset").json(&body).send()
        };
        let registered = "https://app.example.com/reset-confirmation";
        let (known, unknown) = (ask("jane@example.com", registered).await, ask("nobody@example.com", registered).await);
        for answer in [&known, &unknown] {
            let body = answer.expect(200);
            assert_eq!(members(body), ["message", "requestId"]);
            assert_eq!(body["message"], "Password reset instructions have been sent to your email address");
            assert!(answer.text("/requestId").starts_with("pr_"));
        }
        assert_ne!(known.text("/requestId"), unknown.text("/requestId"));
        let refused = ask("jane@example.com", "https://evil.example/").await;
        assert_eq!(refused.expect(400)["error"], "redirect_refused");
        assert!(!api.mailed_token("/recover/").await.is_empty(), "PW-14: our own page, whoever asked");
        assert!(api.mails().await.iter().all(|mail| !mail.body_text.contains("evil.example")));
    }

    async fn ed_7_failures_are_recorded_and_lead_to_429(database) {
        let api = start(database).await;
        for _ in 0..10 {
            let call = api.post(LOGIN).header("Authorization", &basic("jane", "wrong"));
            assert_refused(&call.header("X-Org-Id", "TestOrg").send().await);
        }
        let locked = login(&api, "jane", "TestOrg").await;
        assert_eq!(locked.expect(429)["error"], "rate_limited");
        assert!(locked.header("retry-after").parse::<u64>().is_ok());
        // The same for an account that does not exist.
        for _ in 0..10 {
            let call = api.post(LOGIN).header("Authorization", &basic("nobody", "wrong"));
            assert_refused(&call.header("X-Org-Id", "TestOrg").send().await);
        }
        let call = api.post(LOGIN).header("Authorization", &basic("nobody", "wrong"));
        assert_eq!(call.header("X-Org-Id", "TestOrg").send().await.status, 429);
        let token = login(&api, "sam", "TestOrg").await.text("/token");
        api.get(&format!("{CHECK}?token={token}&access_token={token}")).send().await.expect(401);
        let failures = api.app.audit().await.iter().filter(|event| *event == "session.begun failure").count();
        assert_eq!(failures, 20);
    }

    async fn ed_8_the_page_to_go_to_when_a_refresh_fails_is_there(database) {
        let api = start(database).await;
        let answer = api.get("/login").send().await;
        assert_eq!((answer.status, answer.header("location")), (303, format!("{}/login", api.app.issuer).as_str()));
        let life = claims(&login(&api, "jane", "TestOrg").await.text("/token"));
        let seconds = life["exp"].as_i64().unwrap() - life["iat"].as_i64().unwrap();
        assert!(seconds > 300, "clients refresh five minutes before the end");
    }

    async fn ed_9_who_belongs_to_several_chooses_by_the_header(database) {
        let api = start(database).await;
        for (organisation, level) in [("testorg", "Admin"), ("other", "Member")] {
            let answer = login(&api, "jane", organisation).await;
            assert_eq!(answer.text("/user/accessLevel"), level);
            let token = answer.text("/token");
            assert_eq!(claims(&token)["orgSlug"], organisation);
            let passed = api.get(CHECK).bearer(&token).send().await;
            assert_eq!(passed.header("x-access-level"), level);
        }
    }

    async fn ed_silent_an_unknown_organisation_a_stranger_and_a_wrong_password_are_one_answer(database) {
        let api = start(database).await;
        for (name, organisation) in
            [("jane", "nowhere"), ("sam", "other"), ("jane", "org_0"), ("jane", "%%%"), ("nobody", "testorg")]
        {
            assert_refused(&login(&api, name, organisation).await);
        }
        assert_eq!(api.app.live_sessions("sam").await, 0, "who is refused is not signed in");
        assert_eq!(api.app.live_sessions("jane").await, 0);
    }

    async fn ed_silent_a_password_may_hold_colons_and_letters_of_any_alphabet(database) {
        let api = start(database).await;
        let password = "pä:ss:wörd and ever more ß";
        let user = api.app.user_with("zoe", |new| new.password = Some(countersign::crypto::Secret::from_text(password)));
        let test = api.app.organisation("third").await;
        api.app.member(&test, user.await, &["member"]).await;
        let latin_1: Vec<u8> =
            format!("zoe@example.com:{password}").chars().map(|c| u8::try_from(u32::from(c)).unwrap()).collect();
        for bytes in [format!("zoe@example.com:{password}").into_bytes(), latin_1] {
            let header = format!("Basic {}", BASE64_STANDARD.encode(bytes));
            let call = api.post(LOGIN).header("Authorization", &header).header("X-Org-Id", "third");
            call.send().await.expect(200);
        }
    }
}
