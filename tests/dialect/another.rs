//! A sixth API of another shape than the five, which needs no Rust: forms in, the token in a header of the answer,
//! another header for the token of later calls, numbers for errors.

use serde_json::json;

use super::{Api, members};
use crate::on_both_databases;
use crate::support::{Database, PASSWORD, Settings, verified};

const FILE: &str = r#"
name = "ledger"
description = "Forms in, a token in a header, numbers for errors."
body = "form"

[tokens]
access_ttl = "30m"
refresh = "bearer"
session_ttl = "8h"
claims = { uid = "{{user.id}}", label = "{{user.name}} <{{user.email}}>", grade = "{{role}}" }

[roles]
admin = "9"
"*" = "1"

[[endpoint]]
on = "PUT /session"
action = "password.sign_in"
input = { login = "{{body.j_username}}", password = "{{body.j_password}}", organisation = "{{query.firm}}" }
status = 201
headers = { X-Session-Token = "{{tokens.access}}", X-Session-Ends = "{{tokens.expires_at_unix}}" }
[endpoint.reply]
person = ["{{user.id}}", "{{user.name}}"]
greeting = "Hello {{user.name}}, {{tokens.expires_in}} s"
firm = "{{org.slug?}}"
version = 3
[endpoint.reply.firms]
each = "{{memberships}}"
item = { name = "{{item.org.name}}", grades = "{{item.roles}}" }

[[endpoint]]
on = "GET /session"
action = "refresh"
input = { token = "{{header.X-Session-Token}}" }
headers = { X-Session-Token = "{{tokens.access}}" }

[[endpoint]]
on = "DELETE /session"
action = "sign_out"
input = { token = "{{header.X-Session-Token}}" }

[[endpoint]]
on = "GET /person"
action = "me"
input = { token = "{{header.X-Session-Token}}" }
reply = { id = "{{user.id}}" }

[errors.default]
body = { fault = { no = "{{code}}", text = "{{message}}" } }
headers = { X-Fault = "{{code}}" }

[errors.invalid_credentials]
status = 418
code = 1001
message = "No such person, or another password."

[errors.token_missing]
code = 1002

[errors.token_invalid]
code = 1003

[errors.organisation_denied]
like = "invalid_credentials"
"#;

async fn start(database: Database) -> Api {
    let file = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(file.path(), FILE).expect("written");
    let path = file.path().to_owned();
    let settings = Settings::with(move |config| {
        let dialect = countersign::config::Dialect {
            file: Some(path),
            path: Some("/ledger/v2".to_owned()),
            ..Default::default()
        };
        config.dialects.push(dialect);
    });
    let api = Api::serve(database, settings, "/ledger/v2").await;
    let (ada, firm) = (api.app.user("ada").await, api.app.organisation("firm").await);
    api.app.member(&firm, ada, &["admin"]).await;
    api
}

on_both_databases! {
    async fn an_api_of_another_shape_needs_only_a_file(database) {
        let api = start(database).await;
        let fields = [("j_username", "ada@example.com"), ("j_password", PASSWORD)];
        let login = api.call("PUT", "/session?firm=firm").form(&fields).send().await;
        let body = login.expect(201);
        assert_eq!(members(body), ["firm", "firms", "greeting", "person", "version"]);
        assert_eq!((&body["greeting"], &body["version"]), (&json!("Hello ada, 1800 s"), &json!(3)));
        assert_eq!(body["firms"], json!([{ "name": "firm & Söhne", "grades": ["9"] }]));
        let token = login.header("x-session-token").to_owned();
        let (_, said) = verified(&api.app, &token).await;
        assert_eq!((&said["label"], &said["grade"]), (&json!("ada <ada@example.com>"), &json!("9")));
        assert_eq!(login.header("x-session-ends"), said["exp"].to_string());
        assert_eq!(body["person"], json!([said["uid"], "ada"]));

        let next = api.get("/session").header("X-Session-Token", &token).send().await;
        next.expect(204);
        let next = next.header("x-session-token").to_owned();
        let me = api.get("/person").header("X-Session-Token", &next).send().await;
        assert_eq!(*me.expect(200), json!({ "id": said["uid"] }));
        api.call("DELETE", "/session").header("X-Session-Token", &next).send().await.expect(204);
        let gone = api.get("/person").header("X-Session-Token", &next).send().await;
        assert_eq!((gone.expect(401)["fault"]["no"].as_i64(), gone.header("x-fault")), (Some(1003), "1003"));
        let none = api.get("/person").bearer(&token).send().await;
        assert_eq!(none.expect(401)["fault"]["no"], 1002);
    }

    async fn its_errors_are_numbers_and_its_bodies_are_forms(database) {
        let api = start(database).await;
        let wrong = [("j_username", "ada@example.com"), ("j_password", "wrong")];
        let printed = json!({ "fault": { "no": 1001, "text": "No such person, or another password." } });
        assert_eq!(*api.call("PUT", "/session").form(&wrong).send().await.expect(418), printed);
        let right = [("j_username", "ada@example.com"), ("j_password", PASSWORD)];
        assert_eq!(*api.call("PUT", "/session?firm=other").form(&right).send().await.expect(418), printed);
        let json = api.call("PUT", "/session").json(&json!({ "j_username": "ada@example.com" }));
        assert_eq!(json.send().await.expect(415)["fault"]["no"], "unsupported_media_type");
        let twice = [("j_username", "a"), ("j_username", "b"), ("j_password", "c")];
        api.call("PUT", "/session").form(&twice).send().await.expect(400);
    }
}
