//! What holds for every call: types, limits, problems, and what scripts of other origins may read.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::{Answer, Api};
use crate::on_both_databases;
use crate::support::TestClient;

on_both_databases! {
    async fn hl_1_bodies_are_json_of_known_fields_and_limited(database) {
        let api = Api::start(database).await;
        let send = |content_type: &str, body: String| {
            Answer::of(api.request("POST", "/sign-in").header("content-type", content_type).body(body))
        };
        let good = json!({ "login": "nobody", "password": "x" }).to_string();
        for content_type in ["text/plain", "application/x-www-form-urlencoded", "application/xml"] {
            send(content_type, good.clone()).await.refused(415, "unsupported_media_type");
        }
        let none = api.request("POST", "/sign-in").body(good.clone());
        Answer::of(none).await.refused(415, "unsupported_media_type");
        for (bad, says) in [
            ("", "not valid JSON"),
            ("{", "not valid JSON"),
            ("[]", ""),
            ("{} {}", "`login` is missing"),
            (r#"{"login":"a"}"#, "`password` is missing"),
            (r#"{"login":"a","password":"b","extra":1}"#, "`extra` is not known here: expected one of `login`, "),
            (r#"{"login":"a","login":"a","password":"b"}"#, "`login` is there twice"),
            (r#"{"login":["a"],"password":"b"}"#, "`login` cannot be taken"),
            (r#"{"login":"a","password":["hunter2"]}"#, "`password` cannot be taken"),
        ] {
            let refused = send("application/json", bad.to_owned()).await;
            refused.refused(400, "invalid_request");
            let detail = refused.body["detail"].as_str().unwrap_or_default();
            assert!(detail.contains(says), "{bad}: {detail}");
            assert!(!refused.body.to_string().contains("hunter2"), "LO-2: {}", refused.body);
        }
        let deep = format!(r#"{{"login":{}{}}}"#, "[".repeat(40), "]".repeat(40));
        send("application/json", deep).await.refused(400, "invalid_request");
        send("application/json", " ".repeat(65 * 1024)).await.refused(413, "body_too_large");
        send("application/json", " ".repeat(257 * 1024)).await.refused(413, "body_too_large");
    }

    async fn hl_1_nobodys_body_is_waited_for_before_it_is_known_whose_it_is(database) {
        let api = Api::start(database).await;
        let url = reqwest::Url::parse(&api.app.url("/api/v1/organizations")).unwrap();
        let address = (url.host_str().unwrap(), url.port().unwrap());
        let mut stream = TcpStream::connect(address).await.unwrap();
        let head = "POST /api/v1/organizations HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n\
                    Content-Length: 1000\r\n\r\n{";
        stream.write_all(head.as_bytes()).await.unwrap();
        let mut answer = [0; 12];
        let read = tokio::time::timeout(Duration::from_secs(10), stream.read_exact(&mut answer)).await;
        read.expect("an answer, although the body never comes").unwrap();
        assert_eq!(&answer, b"HTTP/1.1 401");
    }

    async fn what_is_not_there_is_a_problem_too(database) {
        let api = Api::start(database).await;
        Answer::of(api.request("GET", "/nothing")).await.refused(404, "not_found");
        Answer::of(api.request("GET", "")).await.refused(404, "not_found");
        let wrong = Answer::of(api.request("PUT", "/me")).await;
        wrong.refused(405, "method_not_allowed");
        assert_eq!(wrong.header("allow"), "GET, PATCH");
        Answer::of(api.request("GET", "/me")).await.refused(401, "token_missing");
        Answer::of(api.request("GET", "/me").header("x-api-key", "cs_k_x")).await.refused(401, "token_missing");
        let both = api.request("GET", "/me").bearer_auth("t").header("x-api-key", "k");
        Answer::of(both).await.refused(400, "two_credentials");
        let long = api.request("GET", &format!("/me?{}", "a".repeat(9_000)));
        Answer::of(long).await.refused(414, "uri_too_long");
    }

    async fn ch_4_scripts_of_registered_origins_may_call_without_cookies(database) {
        let api = Api::start(database).await;
        TestClient::register(&api.app, "spa", |registration| {
            registration.set("token_endpoint_auth_method", json!("none"));
            registration.set("redirect_uris", json!(["https://spa.example.com/back"]));
        })
        .await;
        for (origin, allowed) in [("https://spa.example.com", true), ("https://evil.example.com", false)] {
            let ask = api
                .request("OPTIONS", "/me")
                .header("origin", origin)
                .header("access-control-request-method", "PATCH")
                .send()
                .await
                .unwrap();
            let methods = ask.headers().get("access-control-allow-methods").map(|told| told.to_str().unwrap());
            assert_eq!(methods.is_some_and(|methods| methods.contains("PATCH")), allowed, "{origin}");
            let answer = Answer::of(api.request("GET", "/me").header("origin", origin)).await;
            assert_eq!(answer.header("access-control-allow-origin") == origin, allowed);
            assert!(!answer.headers.contains_key("access-control-allow-credentials"));
        }
    }

    async fn the_description_has_every_operation_and_they_are_there(database) {
        let api = Api::start(database).await;
        let told = api.request("GET", "/openapi.json").send().await.unwrap();
        assert_eq!(told.status(), 200);
        let told: Value = told.json().await.unwrap();
        assert_eq!(told["openapi"], "3.1.0");
        assert_eq!(told["servers"][0]["url"], json!(format!("{}/api/v1", api.app.issuer)));
        let mut seen = std::collections::BTreeSet::new();
        for (path, operations) in told["paths"].as_object().unwrap() {
            for (method, operation) in operations.as_object().unwrap() {
                assert!(seen.insert(operation["operationId"].to_string()), "{operation}");
                let filled = path.replace(['{', '}'], "");
                let answer = Answer::of(api.request(&method.to_uppercase(), &filled)).await;
                assert!(![404, 405].contains(&answer.status), "{method} {path}: {}", answer.body);
                let code = answer.body["code"].as_str().unwrap();
                let expected = if operation.get("security").is_some() { "token_missing" } else { "unsupported_media_type" };
                assert_eq!(code, expected, "{method} {path}");
            }
        }
        assert!(seen.len() >= 14, "{seen:?}");
        let body = &told["paths"]["/sign-in"]["post"]["requestBody"]["content"]["application/json"]["schema"];
        assert_eq!(body["required"], json!(["login", "password"]));
        assert_eq!(body["additionalProperties"], false);
    }
}
