//! Applications and APIs, by the management API: finding them, their secrets, what a sign-in would come to.

use serde_json::{Value, json};

use super::{Api, each};
use crate::on_both_databases;

fn steps(rehearsed: &Value) -> Vec<String> {
    each(rehearsed["steps"].as_array().expect("steps"), "step")
}

on_both_databases! {
    async fn applications_are_found_by_words_and_state(database) {
        let api = Api::start(database).await;
        let token = api.everything().await;
        // The first call makes the client of our own API.
        api.get("/clients", &token).await.is(200);
        for name in ["Calendar", "Diary", "Calendar for phones"] {
            let back = format!("https://{}.example.com/back", name.replace(' ', "-").to_lowercase());
            api.make("/clients", &token, &json!({ "client_name": name, "redirect_uris": [back] })).await;
        }
        let names = each(&api.pages("/clients", &token).await, "client_name");
        assert_eq!(names[..3], ["Calendar for phones", "Diary", "Calendar"], "the newest first");
        let found = api.pages("/clients?q=calendar", &token).await;
        assert_eq!(each(&found, "client_name"), ["Calendar for phones", "Calendar"]);
        assert_eq!(api.pages("/clients?q=diary.example.com", &token).await.len(), 1, "by a redirect URI");
        let (id, client_id) = (found[1]["id"].as_str().unwrap(), found[1]["client_id"].as_str().unwrap());
        api.call("post", &format!("/clients/{id}/disable"), &token, Value::Null).await.is(204);
        assert_eq!(each(&api.pages("/clients?q=calendar&status=disabled", &token).await, "client_name"), ["Calendar"]);
        api.get("/clients?status=odd", &token).await.refused(422, "active");
        let links = json!({ "client_uri": "https://calendar.example.com", "logo_uri": "https://calendar.example.com/logo.png", "pkce_required": false });
        let changed = api.call("patch", &format!("/clients/{client_id}"), &token, links).await;
        assert_eq!((&changed.is(200)["client_uri"], &changed.body["pkce_required"]), (&json!("https://calendar.example.com"), &json!(false)));
        let changed = api.call("patch", &format!("/clients/{client_id}"), &token, json!({ "logo_uri": "" })).await;
        assert_eq!((&changed.is(200)["logo_uri"], &changed.body["client_uri"]), (&Value::Null, &json!("https://calendar.example.com")));
        let both = json!({ "jwks": { "keys": [] }, "jwks_uri": "https://calendar.example.com/keys" });
        api.call("patch", &format!("/clients/{client_id}"), &token, both).await.refused(422, "not both");
    }

    async fn te_4_nobody_gives_what_they_do_not_have(database) {
        let api = Api::start(database).await;
        let token = api.token("admin.clients:read admin.clients:write").await;
        let new = |scope: &str| json!({ "client_name": "Reports", "grant_types": ["client_credentials"], "scope": scope });
        let beyond = "lacks the scope `admin.users:write`";
        api.call("post", "/clients", &token, new("admin.users:write")).await.refused(403, beyond);
        let made = api.call("post", "/clients", &token, new("admin.clients:write")).await;
        let own = format!("/clients/{}", made.is(201)["client"]["client_id"].as_str().unwrap());
        let more = json!({ "scope": "admin.clients:write admin.users:write" });
        api.call("patch", &own, &token, more.clone()).await.refused(403, beyond);
        api.call("post", &format!("{own}/secret"), &token, json!({})).await.is(201);
        // Who gets a secret of an application, or its answers, can do what it can.
        let theirs = format!("/clients/{}", api.client.client_id);
        api.call("post", &format!("{theirs}/secret"), &token, json!({})).await.refused(403, "nobody gives");
        let elsewhere = json!({ "redirect_uris": ["https://evil.example.com/back"] });
        api.call("patch", &theirs, &token, elsewhere).await.refused(403, "nobody gives");
        let all = api.everything().await;
        api.call("patch", &own, &all, more).await.is(200);
        api.call("post", &format!("{own}/secret"), &token, json!({})).await.refused(403, beyond);

        let token = api.token("admin.users:read admin.users:write").await;
        let ada = api.app.user("ada").await;
        let role = |of: &str| format!("/users/{of}/instance-role");
        for given in ["administrator", "support"] {
            let asked = json!({ "instance_role": given });
            api.call("put", &role(&ada.to_string()), &token, asked).await.refused(403, "nobody gives");
        }
        let root = api.get("/users?role=administrator", &token).await.body["items"][0]["id"].as_str().unwrap().to_owned();
        let taken = json!({ "instance_role": null });
        api.call("put", &role(&root), &token, taken.clone()).await.refused(403, "nobody gives");
        api.call("put", &role(&ada.to_string()), &all, json!({ "instance_role": "administrator" })).await.is(204);
        api.call("put", &role(&ada.to_string()), &all, taken).await.is(204);
    }

    async fn ca_2_one_secret_is_ended_and_the_last_one_stays(database) {
        let api = Api::start(database).await;
        let token = api.everything().await;
        let new = json!({ "client_name": "Reports", "grant_types": ["client_credentials"], "client_id": "reports" });
        let first = api.call("post", "/clients", &token, new).await.is(201)["client_secret"].as_str().unwrap().to_owned();
        let made = api.call("post", "/clients/reports/secret", &token, json!({ "overlap": 3600 })).await;
        let second = made.is(201)["client_secret"].as_str().unwrap().to_owned();
        let secrets = made.body["client"]["secrets"].as_array().unwrap().clone();
        assert!(secrets.len() == 2 && secrets.iter().all(|secret| secret["is_live"] == true), "{}", made.body);
        assert!(secrets[0]["expires_at"].is_string() && secrets[1]["expires_at"].is_null(), "{}", made.body);
        let works = async |secret: &str| {
            let form = [("grant_type", "client_credentials")];
            let asked = api.app.http.post(api.app.url("/oauth2/token")).basic_auth("reports", Some(secret)).form(&form);
            asked.send().await.expect("an answer").status() == 200
        };
        assert!(works(&first).await && works(&second).await);
        let at = |id: &Value| format!("/clients/reports/secrets/{}", id.as_str().unwrap());
        api.call("delete", &at(&secrets[0]["id"]), &token, Value::Null).await.is(204);
        assert!(!works(&first).await && works(&second).await);
        api.call("delete", &at(&secrets[0]["id"]), &token, Value::Null).await.refused(404, "has ended");
        api.call("delete", &at(&secrets[1]["id"]), &token, Value::Null).await.refused(409, "make a new one first");
        assert!(works(&second).await);
        let shown = api.get("/clients/reports", &token).await;
        let live: Vec<&Value> = shown.is(200)["secrets"].as_array().unwrap().iter().map(|one| &one["is_live"]).collect();
        assert_eq!(live, [false, true]);
        assert!(!shown.body.to_string().contains(&second));
    }

    async fn a_sign_in_is_tried_before_anybody_signs_in(database) {
        let api = Api::start(database).await;
        let token = api.token("admin.users:read").await;
        let all = api.everything().await;
        api.app.user("ada").await;
        let new = json!({ "client_name": "Calendar", "client_id": "calendar", "redirect_uris": ["https://calendar.example.com/back"] });
        api.call("post", "/clients", &all, new).await.is(201);
        let at = "/clients/calendar/rehearsal";
        let played = api.call("post", at, &token, json!({ "user": "ada@example.com", "scope": "openid reports:read" })).await;
        assert_eq!(steps(played.is(200)), ["login", "consent", "issue"], "{}", played.body);
        assert_eq!(played.body["issued"]["redirect_uri"], "https://calendar.example.com/back");
        assert_eq!(played.body["dropped_scopes"], json!(["reports:read"]), "{}", played.body);
        let nobody = api.call("post", at, &token, json!({})).await;
        assert_eq!((steps(nobody.is(200)), &nobody.body["issued"]), (vec!["login".to_owned()], &Value::Null));
        let none = api.call("post", at, &token, json!({ "user": "ada@example.com", "prompt": "none" })).await;
        assert_eq!(none.is(200)["refused"]["error"], "login_required", "{}", none.body);
        let other = api.call("post", at, &token, json!({ "redirect_uri": "https://evil.example.com/" })).await;
        assert_eq!((&other.is(200)["refused"]["goes_back"], steps(&other.body).len()), (&json!(false), 0), "{}", other.body);
        api.call("post", at, &token, json!({ "user": "nobody" })).await.refused(422, "nobody has this");
        let machine = format!("/clients/{}/rehearsal", api.client.client_id);
        api.call("post", &machine, &token, json!({})).await.refused(409, "authorization_code");
        assert_eq!(api.app.live_sessions("ada").await, 0);
    }

    async fn apis_are_changed_and_listed_in_pages(database) {
        let api = Api::start(database).await;
        let token = api.everything().await;
        for name in ["one", "two", "three"] {
            let new = json!({ "identifier": format!("https://{name}.example.com"), "name": name, "scopes": [{ "scope": format!("{name}:read"), "description": "Read" }] });
            api.make("/resources", &token, &new).await;
        }
        let all = api.pages("/resources", &token).await;
        assert_eq!(each(&all, "name"), ["one", "two", "three"]);
        let at = format!("/resources/{}", all[0]["id"].as_str().unwrap());
        let change = json!({ "name": "First", "access_ttl": 600 });
        let changed = api.call("patch", &at, &token, change).await;
        assert_eq!((&changed.is(200)["name"], &changed.body["access_ttl"], &changed.body["scopes"][0]["scope"]), (&json!("First"), &json!(600), &json!("one:read")));
        let server = json!({ "client_name": "Server", "grant_types": ["client_credentials"], "audiences": ["https://one.example.com"] });
        let reader = json!({ "client_name": "Reader", "grant_types": ["client_credentials"], "scope": "one:read two:read" });
        for new in [server, reader] {
            api.make("/clients", &token, &new).await;
        }
        let used = api.get(&format!("{at}/clients"), &token).await;
        let items = used.is(200)["items"].as_array().unwrap();
        assert_eq!(each(items, "client_name"), ["Reader", "Server"]);
        assert_eq!((&items[0]["scopes"], &items[0]["serves"], &items[1]["serves"]), (&json!(["one:read"]), &json!(false), &json!(true)));
        let scopes = json!({ "scopes": [{ "scope": "one:write", "description": "Write" }], "access_ttl": 0 });
        api.call("patch", &at, &token, scopes).await.is(200);
        let shown = api.get(&at, &token).await;
        assert_eq!((&shown.is(200)["name"], &shown.body["access_ttl"]), (&json!("First"), &Value::Null));
        assert_eq!(shown.body["scopes"], json!([{ "scope": "one:write", "description": "Write" }]));
        api.call("patch", &at, &token, json!({ "scopes": [{ "scope": "openid", "description": "" }] })).await.refused(422, "another name");
        let unknown = "/resources/res_00000000000070008000000000000000";
        api.call("patch", unknown, &token, json!({ "name": "X" })).await.is(404);
    }
}
