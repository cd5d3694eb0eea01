//! What a proxy is told by an API's `check`: every header, in letters that mean one thing; a token of a minute that is
//! good for nothing else; and never yes to what it did not mean to ask.

use std::collections::BTreeMap;
use std::time::Duration;

use countersign::audit::Origin;
use countersign::model::EmailAddress;
use countersign::tenancy::users;
use serde_json::json;

use super::{Answer, Api};
use crate::on_both_databases;
use crate::support::{Database, PASSWORD, Settings, TestOrganisation, verified};

const FILE: &str = r#"
name = "desk"

[tokens]
access_ttl = "8h"
refresh = "bearer"
session_ttl = "24h"
claims = { grade = "{{role}}" }

[[endpoint]]
on = "POST /login"
action = "password.sign_in"
input = { email = "{{body.email}}", password = "{{body.password}}" }
reply = { token = "{{tokens.access}}" }

[[endpoint]]
on = "POST /refresh"
action = "refresh"
input = { token = "{{bearer}}" }
reply = { token = "{{tokens.access}}" }

[[endpoint]]
on = "POST /switch"
action = "organisation.select"
input = { token = "{{bearer}}", organisation = "{{header.X-Org}}" }
reply = { token = "{{tokens.access}}" }

[[endpoint]]
on = "POST /logout"
action = "sign_out"
input = { token = "{{bearer}}" }

[[endpoint]]
on = "GET /me"
action = "me"
input = { token = "{{bearer}}" }
reply = { id = "{{user.id}}" }

[[endpoint]]
on = "PATCH /me"
action = "me.update"
input = { token = "{{bearer}}", name = "{{body.name}}" }
reply = { id = "{{user.id}}" }

[[endpoint]]
on = "GET /check"
action = "check"
input = { token = "{{bearer}}", api_key = "{{api_key}}", role = "{{query.role}}", scope = "{{query.scope}}" }
[endpoint.headers]
Authorization = "Bearer {{tokens.access}}"
X-Lives = "{{tokens.expires_in}}"
X-Ends = "{{tokens.expires_at}}"
X-Ends-Unix = "{{tokens.expires_at_unix}}"
X-User = "{{user.id}}"
X-Name = "{{user.name}}"
X-Roles = "{{roles}}"
X-Machine = "{{machine.id}}"
X-Org = "{{org.id}}"

[[endpoint]]
on = "GET /guarded"
action = "check"
input = { token = "{{bearer}}", role = "{{header.X-Needed-Role}}" }
"#;

struct Desk {
    api: Api,
    acme: TestOrganisation,
}

async fn start(database: Database) -> Desk {
    let file = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(file.path(), FILE).expect("written");
    let path = file.path().to_owned();
    let settings = Settings::with(move |config| {
        let dialect = countersign::config::Dialect {
            file: Some(path),
            path: Some("/desk".to_owned()),
            ..Default::default()
        };
        config.dialects.push(dialect);
    });
    let api = Api::serve(database, settings, "/desk").await;
    let (ada, acme) = (api.app.user("ada").await, api.app.organisation("acme").await);
    api.app.own_role(&acme, "porter", 5, &[]).await;
    api.app.member(&acme, ada, &["manager", "porter"]).await;
    Desk { api, acme }
}

impl Desk {
    async fn token(&self, name: &str) -> String {
        self.api.login("/login", name).await.text("/token")
    }

    async fn key(&self, scopes: &[&str]) -> String {
        self.api.key(self.acme.id, scopes).await.0
    }

    async fn check(&self, query: &str, credential: (&str, &str)) -> Answer {
        self.api.get(&format!("/check{query}")).header(credential.0, credential.1).send().await
    }
}

fn fresh(passed: &Answer) -> String {
    passed.expect(204);
    passed.header("authorization").strip_prefix("Bearer ").expect("a token").to_owned()
}

on_both_databases! {
    async fn tk_4_the_token_for_what_stands_behind_a_proxy_lives_for_a_minute_and_does_nothing_else(database) {
        let desk = start(database).await;
        let api = &desk.api;
        let token = desk.token("ada").await;
        let passed = desk.check("", ("Authorization", &format!("Bearer {token}"))).await;
        let fresh = fresh(&passed);
        let (_, said) = verified(&api.app, &fresh).await;
        assert_eq!((&said["aud"], &said["grade"]), (&json!(api.audience()), &json!("manager")));
        assert_eq!(said["exp"].as_i64().unwrap() - said["iat"].as_i64().unwrap(), 60);
        assert_eq!(passed.header("x-lives"), "60");
        assert_eq!(passed.header("x-ends-unix"), said["exp"].to_string());
        assert!(passed.header("x-ends").ends_with('Z'));
        // It tells who somebody is. It is not theirs.
        api.get("/me").bearer(&fresh).send().await.expect(200);
        for call in [
            api.post("/refresh"),
            api.post("/switch").header("X-Org", "acme"),
            api.call("PATCH", "/me").json(&json!({ "name": "Eve" })),
            api.post("/logout"),
        ] {
            call.bearer(&fresh).send().await.expect(401);
        }
        api.post("/refresh").bearer(&token).send().await.expect(200);
        // With one of a minute nobody gets another minute.
        api.app.advance(Duration::from_secs(50));
        let again = desk.check("", ("Authorization", &format!("Bearer {fresh}"))).await;
        assert_eq!(again.header("x-lives"), "10");
        api.app.advance(Duration::from_secs(10));
        desk.check("", ("Authorization", &format!("Bearer {fresh}"))).await.expect(401);
        desk.check("", ("Authorization", &format!("Bearer {token}"))).await.expect(204);
    }

    async fn ak_1_a_key_is_passed_on_as_a_token_of_a_minute_too(database) {
        let desk = start(database).await;
        let key = desk.key(&["read", "write"]).await;
        let passed = desk.check("?scope=read+write", ("X-API-Key", &key)).await;
        let token = fresh(&passed);
        let (_, said) = verified(&desk.api.app, &token).await;
        assert_eq!(said["exp"].as_i64().unwrap() - said["iat"].as_i64().unwrap(), 60);
        assert_eq!((&said["sub"], passed.header("x-lives")), (&json!(passed.header("x-machine")), "60"));
        assert_eq!(said["org"], json!(desk.acme.id));
        desk.api.post("/refresh").bearer(&token).send().await.expect(401);
    }

    async fn ar_3_every_header_is_there_so_that_a_proxy_overwrites_what_a_client_sent(database) {
        let desk = start(database).await;
        let key = desk.key(&["read"]).await;
        let passed = desk.check("", ("X-API-Key", &key)).await;
        passed.expect(204);
        for name in ["x-user", "x-name", "x-roles"] {
            assert!(passed.headers.contains_key(name), "{name}");
            assert_eq!(passed.header(name), "", "{name}");
        }
        assert!(passed.header("x-machine").starts_with("svc_"));
        let passed = desk.check("", ("Authorization", &format!("Bearer {}", desk.token("ada").await))).await;
        assert_eq!((passed.header("x-machine"), passed.header("x-roles")), ("", "manager,porter"));
        assert!(passed.headers.contains_key("x-machine"));
    }

    async fn hl_3_what_stands_in_a_header_can_be_read_in_one_way_only(database) {
        let desk = start(database).await;
        let origin = Origin::command_line();
        let new = |email: &str, name: &str| users::NewUser {
            email: EmailAddress::parse(email).expect("an address"),
            email_verified: true,
            name: name.to_owned(),
            username: None,
            password: Some(countersign::crypto::Secret::from_text(PASSWORD.to_owned())),
            instance_role: None,
            claims: BTreeMap::new(),
        };
        for (index, name) in ["Zo\u{eb} Ng", "Zo%C3%AB Ng", "a,b;c", "100 % \"x\"", "Zo%25"].iter().enumerate() {
            let login = format!("p{index}");
            let made = users::create(&desk.api.app.app, new(&format!("{login}@example.com"), name), &origin).await;
            made.expect("the user is made");
            let token = desk.token(&login).await;
            let passed = desk.check("", ("Authorization", &format!("Bearer {token}"))).await;
            let sent = passed.header("x-name");
            let read = percent_encoding::percent_decode_str(sent).decode_utf8().expect("UTF-8");
            assert_eq!(read, *name, "{sent}");
            assert!(!sent.contains([',', ';', '"', ' ']), "{sent}");
        }
    }

    async fn ar_3_a_demand_that_is_not_understood_opens_nothing(database) {
        let desk = start(database).await;
        let bearer = format!("Bearer {}", desk.token("ada").await);
        let by_token = ("Authorization", bearer.as_str());
        let key = desk.key(&["read", "write"]).await;
        for query in [
            "?role=", "?role", "?role=+", "?rol=admin", "?roles=admin", "?role=manager&x=1", "?scope=", "?scope=+",
            "?role=manager&role=admin", "?scope=%22", "?organization=acme",
        ] {
            desk.check(query, by_token).await.expect(400);
            desk.check(query, ("X-API-Key", &key)).await.expect(400);
        }
        for (query, status) in [("", 204), ("?role=manager", 204), ("?role=admin", 403), ("?role=nonsense", 403)] {
            desk.check(query, by_token).await.expect(status);
        }
        for (query, status) in [
            ("?scope=read", 204), ("?scope=read+write", 204), ("?scope=write%20read", 204),
            ("?scope=read+delete", 403), ("?role=manager", 403),
        ] {
            desk.check(query, ("X-API-Key", &key)).await.expect(status);
        }
        // In a header, too.
        let guarded = |role: &str| desk.api.get("/guarded").header("X-Needed-Role", role).header("Authorization", &bearer);
        guarded("").send().await.expect(400);
        guarded("manager").send().await.expect(204);
        guarded("admin").send().await.expect(403);
    }
}
