//! What belongs to organisations, by the management API.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use countersign::audit::Origin;
use countersign::identity::federation::providers;
use serde_json::{Value, json};

use super::{Api, each};
use crate::on_both_databases;

async fn mails_to(api: &Api, address: &str) -> usize {
    let mail = api.app.read(|db| countersign::store::outbox::newest(db, 50)).await;
    mail.iter().filter(|mail| mail.recipient == address).count()
}

on_both_databases! {
    async fn members_are_found_suspended_and_resumed(database) {
        let api = Api::start(database).await;
        let token = api.everything().await;
        let acme = api.app.organisation("acme").await;
        for (name, role) in [("ada", "admin"), ("mia", "member"), ("max", "member")] {
            let user = api.app.user(name).await;
            api.app.member(&acme, user, &[role]).await;
        }
        assert_eq!(each(&api.pages("/organizations/acme/members", &token).await, "name").len(), 3);
        let found = api.pages("/organizations/acme/members?q=MI", &token).await;
        let mia = found[0]["user"].as_str().expect("an id").to_owned();
        assert_eq!((found.len(), found[0]["roles"][0]["role"].as_str()), (1, Some("member")));
        let at = format!("/organizations/acme/members/{mia}");
        assert_eq!(api.get(&at, &token).await.is(200)["status"], "active");
        api.call("post", &format!("{at}/suspend"), &token, Value::Null).await.is(204);
        assert_eq!(api.get(&at, &token).await.is(200)["status"], "suspended");
        api.call("post", &format!("{at}/resume"), &token, Value::Null).await.is(204);
        assert_eq!(api.get(&at, &token).await.is(200)["status"], "active");
        let ada = api.pages("/organizations/acme/members?q=ada", &token).await[0]["user"].as_str().unwrap().to_owned();
        let last = api.call("post", &format!("/organizations/acme/members/{ada}/suspend"), &token, Value::Null).await;
        last.refused(409, "Nobody would administer");
        api.get("/organizations/other/members", &token).await.is(404);
    }

    async fn workspaces_are_made_renamed_and_removed(database) {
        let api = Api::start(database).await;
        let token = api.everything().await;
        api.app.organisation("acme").await;
        let at = "/organizations/acme/workspaces";
        let before = api.pages(at, &token).await;
        let made = api.make(at, &token, &json!({ "slug": "north", "name": "North" })).await;
        let all = api.pages(at, &token).await;
        assert_eq!(all.len(), before.len() + 1, "{all:?}");
        api.call("post", at, &token, json!({ "slug": "north", "name": "X" })).await.refused(409, "short name");
        let one = format!("{at}/{}", made["id"].as_str().unwrap());
        let shown = api.get(&format!("{at}/north"), &token).await;
        assert_eq!((&shown.is(200)["id"], &shown.body["is_default"], &shown.body["members"]), (&made["id"], &json!(false), &json!(0)));
        assert_eq!(api.call("patch", &one, &token, json!({ "name": "Far north" })).await.is(200)["name"], "Far north");
        api.call("patch", &one, &token, json!({ "name": "\n" })).await.refused(422, "1 to 200");
        let default = each(&before, "id").remove(0);
        api.call("delete", &format!("{at}/{default}"), &token, Value::Null).await.refused(409, "stays");
        api.call("delete", &one, &token, Value::Null).await.is(204);
        api.get(&one, &token).await.is(404);
        let foreign = api.app.organisation("other").await;
        assert_ne!(foreign.id.to_string(), "acme");
        api.get(&format!("/organizations/other/workspaces/{default}"), &token).await.is(404);
    }

    async fn roles_are_defined_described_and_removed(database) {
        let api = Api::start(database).await;
        let token = api.everything().await;
        api.app.organisation("acme").await;
        let at = "/organizations/acme/roles";
        let new = json!({ "key": "technician", "name": "Technician", "rank": 5, "permissions": ["tasks:read"] });
        api.make(at, &token, &new).await;
        let all = api.pages(at, &token).await;
        assert_eq!(each(&all, "key"), ["admin", "manager", "member", "technician"]);
        api.call("post", at, &token, new).await.refused(409, "already");
        let one = format!("{at}/technician");
        let anew = json!({ "name": "Engineer", "rank": 6, "permissions": ["tasks:write"], "require_mfa": true });
        api.call("put", &one, &token, anew.clone()).await.is(204);
        let changed = api.pages(at, &token).await.pop().unwrap();
        assert_eq!((&changed["name"], &changed["permissions"], &changed["own"]), (&json!("Engineer"), &json!(["tasks:write"]), &json!(true)));
        api.call("put", &format!("{at}/admin"), &token, anew).await.refused(409, "cannot be changed");
        let bad = json!({ "name": "Engineer", "rank": 6, "permissions": ["a b"] });
        api.call("put", &one, &token, bad).await.refused(422, "a b");
        api.call("delete", &one, &token, Value::Null).await.is(204);
        api.call("delete", &one, &token, Value::Null).await.is(404);
    }

    async fn people_are_invited_again_and_not(database) {
        let api = Api::start(database).await;
        let token = api.everything().await;
        api.app.organisation("acme").await;
        let at = "/organizations/acme/invitations";
        let ada = json!({ "email": "ada@example.org", "roles": ["member"] });
        let made = api.make(at, &token, &ada).await;
        assert_eq!(mails_to(&api, "ada@example.org").await, 1, "sent once");
        api.make(at, &token, &json!({ "email": "bob@example.org", "roles": ["manager"] })).await;
        assert_eq!(each(&api.pages(at, &token).await, "email"), ["bob@example.org", "ada@example.org"]);
        assert_eq!(each(&api.pages(&format!("{at}?q=ADA"), &token).await, "email"), ["ada@example.org"]);
        let one = format!("{at}/{}", made["id"].as_str().unwrap());
        let again = api.make(&format!("{one}/again"), &token, &json!({ "expires_in": 3600 })).await;
        assert_ne!(again["id"], made["id"]);
        assert_eq!(mails_to(&api, "ada@example.org").await, 2);
        api.call("delete", &one, &token, Value::Null).await.is(404);
        let open = format!("{at}/{}", again["id"].as_str().unwrap());
        api.call("delete", &open, &token, Value::Null).await.is(204);
        let bad = json!({ "email": "eve@example.org", "roles": ["emperor"] });
        api.call("post", at, &token, bad).await.refused(422, "no role `emperor`");
    }

    async fn or_8_domains_are_claimed_proven_routed_and_given_up(database) {
        let api = Api::start(database).await;
        let token = api.everything().await;
        let acme = api.app.organisation("acme").await;
        let other = api.app.organisation("other").await;
        let at = "/organizations/acme/domains";
        let claimed = api.make(at, &token, &json!({ "domain": "Example.com" })).await;
        assert_eq!(claimed["domain"], "example.com");
        let record = claimed["record"].as_str().unwrap().to_owned();
        api.call("post", at, &token, json!({ "domain": "example.com" })).await.refused(409, "claimed this domain already");
        api.call("post", at, &token, json!({ "domain": "localhost" })).await.refused(422, "such as example.com");
        api.make(at, &token, &json!({ "domain": "example.org" })).await;
        assert_eq!(each(&api.pages(at, &token).await, "domain"), ["example.com", "example.org"]);

        let one = format!("{at}/example.com");
        let verify = format!("{one}/verify");
        api.dns.set("example.com", &["v=spf1 -all"]);
        api.call("post", &verify, &token, Value::Null).await.refused(409, &record);
        let to = |id: Option<&str>| json!({ "provider": id });
        let route = format!("{one}/provider");
        for (id, organisation) in [("acmes", acme.id), ("others", other.id)] {
            let settings = json!({ "id": id, "kind": "google", "client_id": "x", "client_secret": "hush" });
            let settings = serde_json::from_value(settings).expect("good settings");
            providers::add_for(&api.app.app, settings, Some(organisation), &Origin::command_line()).await.expect("stored");
        }
        api.call("put", &route, &token, to(Some("acmes"))).await.refused(409, "verify it");
        api.dns.set("example.com", &["v=spf1 -all", &record]);
        assert!(api.call("post", &verify, &token, Value::Null).await.is(200)["verified_at"].is_string());
        api.call("put", &route, &token, to(Some("others"))).await.refused(422, "of its own");
        api.call("put", &route, &token, to(Some("acmes"))).await.is(204);
        assert_eq!(api.get(&one, &token).await.is(200)["provider"], "acmes");
        api.call("put", &route, &token, to(None)).await.is(204);
        assert_eq!(api.get(&one, &token).await.is(200)["provider"], Value::Null);
        api.get("/organizations/other/domains/example.com", &token).await.is(404);
        api.dns.refuse();
        api.call("post", &verify, &token, Value::Null).await.refused(503, "Try again later");
        api.call("delete", &one, &token, Value::Null).await.is(204);
        api.get(&one, &token).await.is(404);
    }

    async fn ak_2_keys_of_any_organisation_are_made_replaced_and_ended(database) {
        let api = Api::start(database).await;
        let token = api.everything().await;
        api.app.organisation("acme").await;
        api.app.organisation("other").await;
        let at = "/organizations/acme/api-keys";
        let new = json!({ "name": "Robot", "scopes": ["members:read"], "expires_in": 86400 });
        let first = api.call_once("post", at, &token, new.clone(), Some("k")).await;
        let text = first.is(201)["key"].as_str().expect("its text").to_owned();
        let again = api.call_once("post", at, &token, new, Some("k")).await;
        assert_eq!((&again.body["key"], &again.body["described"]), (&Value::Null, &first.body["described"]), "shown once");
        assert_eq!(first.body["described"]["created_by"], Value::Null, "it is the organisation's");
        let members = |key: String| {
            let asked = api.app.http.get(api.app.url("/api/v1/organizations/acme/members")).header("x-api-key", key);
            async move { asked.send().await.expect("an answer").status().as_u16() }
        };
        assert_eq!(members(text.clone()).await, 200);
        let id = first.body["described"]["id"].as_str().unwrap().to_owned();
        let rotate = format!("{at}/{id}/rotate");
        api.call("post", &rotate, &token, json!({ "overlap": 2_592_001 })).await.refused(422, "30 days");
        let second = api.call("post", &rotate, &token, json!({})).await;
        let next = second.is(201)["key"].as_str().expect("its text").to_owned();
        assert_eq!((members(text).await, members(next.clone()).await), (401, 200));
        api.make("/organizations/other/api-keys", &token, &json!({ "name": "Else", "scopes": ["org:read"] })).await;
        assert_eq!(each(&api.pages(at, &token).await, "name"), ["Robot", "Robot"]);
        let of_all = api.pages("/api-keys", &token).await;
        let whose: Vec<&Value> = of_all.iter().map(|one| &one["organization"]["slug"]).collect();
        assert_eq!(whose, ["other", "acme", "acme"]);
        assert_eq!(api.pages("/api-keys?q=els", &token).await.len(), 1);
        let live = second.body["described"]["id"].as_str().unwrap();
        api.call("delete", &format!("/organizations/other/api-keys/{live}"), &token, Value::Null).await.is(404);
        api.call("delete", &format!("{at}/{live}"), &token, Value::Null).await.is(204);
        assert_eq!(members(next).await, 401);
        let bad = json!({ "name": "Robot", "scopes": ["a b"] });
        api.call("post", at, &token, bad).await.refused(422, "a b");
    }

    async fn or_6_the_look_of_any_organisation_is_changed(database) {
        let api = Api::start(database).await;
        let token = api.everything().await;
        api.app.organisation("acme").await;
        let at = "/organizations/acme/branding";
        assert_eq!(api.get(at, &token).await.is(200), &json!({ "accent": null, "message": "", "support": "", "logo": null }));
        let words = json!({ "accent": "#146150", "message": "Staff only", "support": "help@acme.example" });
        api.call("patch", at, &token, words).await.is(200);
        let changed = api.call("patch", at, &token, json!({ "message": "Welcome", "support": "" })).await;
        assert_eq!(changed.is(200), &json!({ "accent": "#146150", "message": "Welcome", "support": "", "logo": null }));
        api.call("patch", at, &token, json!({ "accent": "#ffff00" })).await.refused(422, "contrast");
        api.call("patch", at, &token, json!({ "accent": "blue" })).await.refused(422, "#146150");

        let logo = format!("{at}/logo");
        api.get(&logo, &token).await.is(404);
        let mut picture = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x60\0\0\0\x20".to_vec();
        picture.resize(64 * 1024, 7);
        let sent = |bytes: &[u8]| json!({ "picture": BASE64_STANDARD.encode(bytes) });
        assert_eq!(api.call("put", &logo, &token, sent(&picture)).await.is(200)["logo"], "image/png");
        let told = api.get(&logo, &token).await;
        assert_eq!((&told.is(200)["media_type"], &told.body["picture"]), (&json!("image/png"), &sent(&picture)["picture"]));
        picture.push(7);
        api.call("put", &logo, &token, sent(&picture)).await.refused(422, "64 KiB");
        api.call("put", &logo, &token, sent(b"<svg onload=alert(1)>")).await.refused(422, "PNG, JPEG or WebP");
        api.call("put", &logo, &token, sent(b"\x89PNG\r\n\x1a\nnonsense")).await.refused(422, "PNG, JPEG or WebP");
        api.call("put", &logo, &token, json!({ "picture": "no base64" })).await.refused(422, "base64");
        picture.resize(128 * 1024, 7);
        api.call("put", &logo, &token, sent(&picture)).await.is(413);
        let long = json!({ "message": "x".repeat(70 * 1024) });
        api.call("patch", at, &token, long).await.is(413);
        api.call("delete", &logo, &token, Value::Null).await.is(204);
        let left = api.get(at, &token).await;
        assert_eq!((&left.is(200)["logo"], &left.body["accent"]), (&Value::Null, &json!("#146150")));
    }
}
