//! OrgStack: a token of a day for a name or an address, and no refresh.

use std::time::Duration;

use serde_json::{Value, json};

use super::{Answer, Api, members};
use crate::on_both_databases;
use crate::support::{Database, PASSWORD, claims};

const LOGIN: &str = "/api/auth/login";
const CHECK: &str = "/api/auth/check";

async fn start(database: Database) -> Api {
    let api = Api::start(database, "orgstack").await;
    api.app.user_with("ada.lovelace+work", |new| new.username = Some("ada".to_owned())).await;
    api
}

async fn login(api: &Api, username: &str) -> Answer {
    api.post(LOGIN).json(&json!({ "username": username, "password": PASSWORD })).send().await
}

#[track_caller]
fn assert_error(answer: &Answer, status: u16, text: &str) {
    assert_eq!(*answer.expect(status), json!({ "error": text, "status": status }));
}

on_both_databases! {
    async fn os_1_a_user_name_or_an_address_signs_in(database) {
        let api = start(database).await;
        for name in ["ada", "ADA", "ada.lovelace+work@example.com", " Ada.Lovelace+Work@Example.com "] {
            let answer = login(&api, name).await;
            answer.expect(200);
            assert_eq!(answer.text("/username"), "ada", "the one that the account is called by");
        }
    }

    async fn os_2_a_login_answers_token_user_and_seconds(database) {
        let api = start(database).await;
        let answer = login(&api, "ada").await;
        let body = answer.expect(200);
        assert_eq!(members(body), ["expiresIn", "token", "userId", "username"]);
        let said = claims(&answer.text("/token"));
        assert_eq!((&body["userId"], &body["expiresIn"]), (&said["sub"], &json!(86_400)));
        assert_eq!(said["exp"].as_i64().unwrap() - said["iat"].as_i64().unwrap(), 86_400);
    }

    async fn os_3_bad_credentials_are_401_and_a_malformed_request_is_400(database) {
        let api = start(database).await;
        let post = |body: Value| api.post(LOGIN).json(&body).send();
        let wrong = post(json!({ "username": "ada", "password": "wrong" })).await;
        assert_error(&wrong, 401, "Invalid username or password");
        assert_error(&post(json!({ "username": "ada", "password": "" })).await, 400, "`password` is required.");
        assert_error(&post(json!({ "password": PASSWORD })).await, 400, "`username` is required.");
        assert_eq!(post(json!(["ada"])).await.status, 400);
        let broken = api.post(LOGIN).body("application/json", "{\"username\":").send().await;
        assert_error(&broken, 400, "The body is not valid JSON.");
    }

    async fn os_4_the_texts_of_errors_are_exact(database) {
        let api = start(database).await;
        assert_error(&api.get(CHECK).send().await, 401, "Missing authorization header");
        assert_error(&api.get(CHECK).bearer("x").send().await, 401, "Invalid or expired token");
        let token = login(&api, "ada").await.text("/token");
        let answer = api.get(&format!("{CHECK}?role=admin")).bearer(&token).send().await;
        assert_error(&answer, 403, "Insufficient permissions");
        api.app.advance(Duration::from_secs(86_400));
        assert_error(&api.get(CHECK).bearer(&token).send().await, 401, "Invalid or expired token");
    }

    async fn os_5_there_is_no_refresh_and_logging_in_again_goes_on(database) {
        let api = start(database).await;
        let first = login(&api, "ada").await.text("/token");
        assert_eq!(api.post("/api/auth/refresh").bearer(&first).send().await.status, 404);
        api.app.advance(Duration::from_secs(86_400));
        api.get(CHECK).bearer(&first).send().await.expect(401);
        let second = login(&api, "ada").await.text("/token");
        api.get(CHECK).bearer(&second).send().await.expect(204);
    }

    async fn os_6_no_token_is_logged_or_kept_and_none_is_read_from_an_address(database) {
        let api = start(database).await;
        let token = login(&api, "ada").await.text("/token");
        assert_eq!(api.get(&format!("{CHECK}?token={token}")).send().await.status, 401);
        let events = api.app.read(|db| countersign::store::audit::newest(db, 100)).await;
        assert!(events.iter().all(|event| !event.detail.contains(&token)));
    }

    async fn os_silent_the_answer_is_the_same_for_a_name_in_any_case_and_an_empty_password_is_400(database) {
        let api = start(database).await;
        let (name, address) = (login(&api, "ADA").await, login(&api, "ADA.LOVELACE+WORK@EXAMPLE.COM").await);
        for answer in [&name, &address] {
            let body = answer.expect(200);
            let said = claims(&answer.text("/token"));
            assert_eq!((&body["username"], &body["userId"]), (&json!("ada"), &said["userId"]));
            let life = said["exp"].as_i64().unwrap() - said["iat"].as_i64().unwrap();
            assert_eq!(body["expiresIn"], json!(life), "a number, not a text");
        }
        let empty = api.post(LOGIN).json(&json!({ "username": "ada", "password": "" })).send().await;
        assert_error(&empty, 400, "`password` is required.");
    }

    async fn os_silent_several_logins_live_side_by_side_and_ids_stay(database) {
        let api = start(database).await;
        let (one, two) = (login(&api, "ada").await, login(&api, "ada").await);
        assert_eq!(one.text("/userId"), two.text("/userId"));
        assert_ne!(one.text("/token"), two.text("/token"));
        for answer in [&one, &two] {
            api.get(CHECK).bearer(&answer.text("/token")).send().await.expect(204);
        }
        api.post("/api/auth/logout").bearer(&one.text("/token")).send().await.expect(204);
        api.get(CHECK).bearer(&one.text("/token")).send().await.expect(401);
        api.get(CHECK).bearer(&two.text("/token")).send().await.expect(204);
    }
}

#[test]
fn os_6_a_public_address_without_https_stops_the_start() {
    let file = tempfile::NamedTempFile::new().expect("a file");
    let start = |issuer: &str| {
        let text = format!("issuer = \"{issuer}\"\n[[dialects]]\nuse = \"orgstack\"\npath = \"/o\"\n");
        std::fs::write(file.path(), text).expect("written");
        countersign::config::load(Some(file.path()), std::iter::empty()).map(drop)
    };
    let told = start("http://id.example.com").expect_err("it must not start").to_string();
    assert!(told.contains("issuer"), "{told}");
    let local = start("http://localhost:8080");
    assert!(local.is_ok(), "{local:?}");
}
