//! Jardine: registration, a profile with memberships, scope by optional headers. Its readiness checklist is six tests.

use std::time::Duration;

use serde_json::{Value, json};

use super::{Answer, Api, members, shipped};
use crate::on_both_databases;
use crate::support::{Database, Mock, PASSWORD, Settings, TestOrganisation, claims};

const LOGIN: &str = "/api/auth/login";
const ME: &str = "/api/auth/me";
const REGISTER: &str = "/api/auth/register";
const REFRESH: &str = "/api/auth/refresh";
const SWITCH: &str = "/api/auth/switch";
const CHECK: &str = "/api/auth/check";
const ORGANISATION: &str = "X-Organization-ID";
const WORKSPACE: &str = "X-Workspace-ID";
const BACK: &str = "https://app.example.com/back";

/// Ada administers the first organisation and works in the second.
struct World {
    api: Api,
    first: TestOrganisation,
    second: TestOrganisation,
}

async fn start(database: Database) -> World {
    start_with(database, false).await
}

async fn start_with(database: Database, single_workspace: bool) -> World {
    let settings = Settings::with(move |config| {
        config.organizations.single_workspace = single_workspace;
        let mut dialect = shipped("jardine");
        dialect.redirect_urls = vec![BACK.to_owned()];
        config.dialects.push(dialect);
    });
    let api = Api::serve(database, settings, "/jardine").await;
    let ada = api.app.user("ada").await;
    let (first, second) = (api.app.organisation("first").await, api.app.organisation("second").await);
    api.app.member(&first, ada, &["admin"]).await;
    api.app.advance(Duration::from_secs(1));
    api.app.member(&second, ada, &["member"]).await;
    World { api, first, second }
}

impl World {
    async fn login_in(&self, organisation: Option<&str>) -> Answer {
        let call = self.api.post(LOGIN).json(&json!({ "email": "ada@example.com", "password": PASSWORD }));
        let call = match organisation {
            Some(organisation) => call.header(ORGANISATION, organisation),
            None => call,
        };
        call.send().await
    }

    async fn token(&self) -> String {
        self.login_in(None).await.text("/token")
    }

    async fn me(&self, token: &str, headers: &[(&str, &str)]) -> Answer {
        let call = self.api.get(ME).bearer(token);
        headers.iter().fold(call, |call, (name, value)| call.header(name, value)).send().await
    }
}

#[track_caller]
fn assert_error(answer: &Answer, status: u16, code: &str) {
    assert_eq!(answer.expect(status)["error"]["code"], code);
}

on_both_databases! {
    async fn ja_1_login_me_and_a_change_of_profile(database) {
        let world = start(database).await;
        let login = world.login_in(None).await;
        let body = login.expect(200);
        assert_eq!(body["token"], body["access_token"]);
        let token = login.text("/token");
        let me = world.me(&token, &[]).await;
        assert_eq!(me.expect(200)["user"]["email"], "ada@example.com");
        let change = json!({
            "name": "Ada Lovelace", "locale": "en-GB", "picture": "https://cdn.example.com/ada.png",
            "email": "evil@example.com", "role": "owner", "organization_id": "other", "is_admin": true,
        });
        let changed = world.api.call("PATCH", ME).bearer(&token).json(&change).send().await;
        let user = &changed.expect(200)["user"];
        assert_eq!(
            (&user["name"], &user["locale"], &user["picture"], &user["email"]),
            (&json!("Ada Lovelace"), &json!("en-GB"), &json!("https://cdn.example.com/ada.png"),
             &json!("ada@example.com"))
        );
        assert_eq!(changed.body["active"]["role"], "admin");
        for bad in [json!({ "locale": "x_y" }), json!({ "picture": "javascript:1" }), json!({ "name": 5 })] {
            let refused = world.api.call("PATCH", ME).bearer(&token).json(&bad).send().await;
            assert_error(&refused, 400, "invalid_request");
        }
        world.api.call("PATCH", ME).json(&change).send().await.expect(401);
    }

    async fn ja_4_a_workspace_alone_names_its_organisation(database) {
        let world = start(database).await;
        let lab = world.api.app.workspace(&world.second, "lab").await.to_string();
        let login = async |workspace: &str| {
            let body = json!({ "email": "ada@example.com", "password": PASSWORD });
            world.api.post(LOGIN).json(&body).header(WORKSPACE, workspace).send().await
        };
        for named in [lab.as_str(), "lab"] {
            let answer = login(named).await;
            assert_eq!(answer.expect(200)["active"]["organization_id"], world.second.id.to_string(), "{named}");
            assert_eq!((&answer.body["active"]["workspace_id"], &answer.body["active"]["role"]), (&json!(lab), &json!("member")));
        }
        // Both have one of this name: the first is meant, as where nothing is said.
        assert_eq!(login("default").await.expect(200)["active"]["organization_id"], world.first.id.to_string());
        let foreign = world.api.app.organisation("third").await.workspace.to_string();
        for named in [foreign.as_str(), "nowhere", &format!("wsp_{}", "0".repeat(32))] {
            assert_eq!(login(named).await.status, 403, "{named}");
        }
        // A token is for one organisation. A workspace of another is reached by switching.
        let token = world.token().await;
        assert_error(&world.me(&token, &[(WORKSPACE, &lab)]).await, 400, "organisation_mismatch");
        assert_error(&world.me(&token, &[(WORKSPACE, &foreign)]).await, 403, "organisation_denied");
        let switched = world.api.post(SWITCH).bearer(&token).header(WORKSPACE, &lab).send().await;
        assert_eq!(switched.expect(200)["active"]["organization_id"], world.second.id.to_string());
        world.me(&switched.text("/token"), &[(WORKSPACE, &lab)]).await.expect(200);
    }

    async fn ja_1_silent_what_is_sent_empty_is_removed_and_an_address_is_proven_first(database) {
        let world = start(database).await;
        let token = world.token().await;
        let change = |body: serde_json::Value| {
            let (token, api) = (token.clone(), &world.api);
            async move { api.call("PATCH", ME).bearer(&token).json(&body).send().await }
        };
        for nothing in [json!(null), json!("")] {
            let set = change(json!({ "picture": "https://cdn.example.com/ada.png", "locale": "en-GB" })).await;
            assert_eq!(set.expect(200)["user"]["picture"], "https://cdn.example.com/ada.png");
            let kept = change(json!({ "name": "Ada" })).await;
            assert_eq!(kept.expect(200)["user"]["picture"], "https://cdn.example.com/ada.png", "not sent, not changed");
            let removed = change(json!({ "picture": nothing, "locale": nothing })).await;
            let user = &removed.expect(200)["user"];
            assert_eq!((&user["picture"], &user["locale"]), (&json!(null), &json!(null)));
            assert_error(&change(json!({ "name": nothing })).await, 400, "invalid_request");
        }
        // An address takes the place of the old one when its link was opened.
        let asked = change(json!({ "email": "countess@example.com", "name": "Countess" })).await;
        assert_eq!((&asked.expect(200)["pending_email"], &asked.body["user"]["email"], &asked.body["user"]["name"]),
            (&json!("countess@example.com"), &json!("ada@example.com"), &json!("Countess")));
        assert!(world.api.mails().await.iter().any(|mail| mail.recipient == "countess@example.com"));
        let link = world.api.mailed_token("/verify-email/").await;
        let mut browser = world.api.app.browser();
        let page = browser.get(&format!("/verify-email/{link}")).await;
        browser.submit(&page, "email-confirm-form", &[], None).await;
        // Everybody is out, and comes back by the new address (SE-5).
        world.me(&token, &[]).await.expect(401);
        let answer = world.api.login(LOGIN, "countess").await;
        assert_eq!(answer.expect(200)["user"]["email"], "countess@example.com");
        let token = answer.text("/token");
        let change = |body: serde_json::Value| {
            let (token, api) = (token.clone(), &world.api);
            async move { api.call("PATCH", ME).bearer(&token).json(&body).send().await }
        };
        // One's own, however it is written, is nothing to ask about.
        let same = change(json!({ "email": "Countess@Example.com" })).await;
        assert!(same.expect(200).get("pending_email").is_none());
        assert_error(&change(json!({ "email": "no address" })).await, 400, "invalid_request");
        // What is lost with an address needs a sign-in of the last minutes (SE-7).
        world.api.app.advance(Duration::from_secs(600));
        assert_error(&change(json!({ "email": "thief@example.com" })).await, 403, "reauthentication_required");
        assert!(world.api.mails().await.iter().all(|mail| mail.recipient != "thief@example.com"));
        change(json!({ "email": "countess@example.com", "name": "Ada" })).await.expect(200);
    }

    async fn ja_1_a_registration_is_answered_alike_and_finished_by_mail(database) {
        let world = start(database).await;
        let register = |email: &str| {
            let body = json!({ "email": email, "password": "a brand new tapir 77", "name": "Grace" });
            world.api.post(REGISTER).json(&body).send()
        };
        let (fresh, taken) = (register("grace@example.com").await, register("ada@example.com").await);
        assert_eq!(fresh.expect(202)["message"], taken.expect(202)["message"]);
        assert_eq!(fresh.body["email"], "grace@example.com");
        let weak = json!({ "email": "g@example.com", "password": "short" });
        assert_error(&world.api.post(REGISTER).json(&weak).send().await, 400, "weak_password");
        let mails = world.api.mails().await;
        assert!(mails.iter().any(|mail| mail.recipient == "grace@example.com"));
    }

    async fn ja_1_silent_without_protection_a_registration_signs_in_and_a_taken_address_is_409(database) {
        let file = tempfile::NamedTempFile::new().expect("a file");
        let jardine = countersign::dialect::SHIPPED.iter().find(|shipped| shipped.name == "jardine").unwrap();
        let at_once = jardine.text
            .replacen("description", "registration = \"at_once\"\ndescription", 1)
            .replacen("status = 202\nreply = { message = \"Check your mail to finish the registration.\", email = \"{{email}}\" }",
                "status = 201\nreply = { token = \"{{tokens.access}}\", user = { id = \"{{user.id}}\", email = \"{{user.email}}\" } }", 1);
        std::fs::write(file.path(), at_once).expect("written");
        let path = file.path().to_owned();
        let settings = Settings::with(move |config| {
            let dialect = countersign::config::Dialect { file: Some(path), path: Some("/jardine".into()), ..Default::default() };
            config.dialects.push(dialect);
        });
        let api = Api::serve(database, settings, "/jardine").await;
        let body = json!({ "email": "grace@example.com", "password": "a brand new tapir 77", "name": "Grace" });
        let made = api.post(REGISTER).json(&body).send().await;
        assert_eq!(made.expect(201)["user"]["email"], "grace@example.com");
        let me = api.get(ME).bearer(&made.text("/token")).send().await;
        assert_eq!(me.expect(200)["user"]["email_verified"], false);
        assert_error(&api.post(REGISTER).json(&body).send().await, 409, "account_exists");
    }

    async fn ja_2_a_forgotten_password_is_reset_by_the_mailed_link_and_ends_other_sessions(database) {
        let world = start(database).await;
        let token = world.token().await;
        let ask = |email: &str| {
            world.api.post("/api/auth/password/forgot").json(&json!({ "email": email })).send()
        };
        assert_eq!(ask("ada@example.com").await.expect(202), ask("nobody@example.com").await.expect(202));
        let link = world.api.mailed_token("/recover/").await;
        let reset = || {
            let body = json!({ "token": link, "password": "a brand new tapir 77" });
            world.api.post("/api/auth/password/reset").json(&body).send()
        };
        reset().await.expect(200);
        assert_error(&reset().await, 400, "link_expired");
        assert_error(&world.me(&token, &[]).await, 401, "token_invalid");
        let body = json!({ "email": "ada@example.com", "password": "a brand new tapir 77" });
        world.api.post(LOGIN).json(&body).send().await.expect(200);
    }

    async fn ja_2_ja_8_a_browser_signs_in_at_our_page_and_its_code_is_exchanged_once(database) {
        let world = start(database).await;
        let start = |redirect: &str| {
            let query = url::form_urlencoded::Serializer::new(String::new())
                .append_pair("redirect_url", redirect)
                .append_pair("state", "s1")
                .finish();
            world.api.get(&format!("/api/auth/google/start?{query}")).send()
        };
        assert_error(&start("https://evil.example/").await, 400, "redirect_refused");
        let address = start(BACK).await.text("/authorization_url");
        let mut browser = world.api.app.browser();
        let page = browser.get(&address).await;
        let back = browser.answer_login(&page, "ada", PASSWORD).await.url;
        let given = |name: &str| {
            let url = url::Url::parse(&back).expect("an address");
            url.query_pairs().find(|(key, _)| key == name).map(|(_, value)| value.into_owned()).unwrap_or_default()
        };
        assert!(back.starts_with(BACK), "{back}");
        assert_eq!(given("state"), "s1");
        let exchange = |redirect: &str| {
            let body = json!({ "code": given("code"), "redirect_url": redirect });
            world.api.post("/api/auth/google/exchange").json(&body).send()
        };
        exchange("https://app.example.com/other").await.expect(401);
        let answer = exchange(BACK).await;
        assert_eq!(answer.expect(200)["user"]["email"], "ada@example.com");
        assert_eq!(answer.body["active"]["organization_id"], world.first.id.to_string());
        let token = answer.text("/token");
        world.me(&token, &[]).await.expect(200);
        // The second use of the code ends what the first one gave (TE-3).
        exchange(BACK).await.expect(401);
        assert_error(&world.me(&token, &[]).await, 401, "token_invalid");
    }

    async fn ja_2_a_start_leads_straight_to_the_provider_with_state_nonce_and_pkce(database) {
        let clock = Settings::default().clock;
        let mock = Mock::start("google", clock.clone()).await;
        let provider = mock.settings();
        let settings = Settings::with(move |config| {
            config.providers.push(provider);
            config.outbound.allow_private_network = true;
            let mut dialect = shipped("jardine");
            dialect.redirect_urls = vec![BACK.to_owned()];
            config.dialects.push(dialect);
        });
        let api = Api::serve(database, settings.at(&clock), "/jardine").await;
        let address = api.get(&format!("/api/auth/google/start?redirect_url={BACK}&state=s1")).send().await;
        let mut browser = api.app.browser();
        let there = browser.get(&address.text("/authorization_url")).await;
        // Insists on state, nonce and PKCE.
        let answer = mock.consent(&there.url);
        let query = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(&answer).finish();
        let back = browser.get(&format!("/login/federation/google/callback?{query}")).await.url;
        let url = url::Url::parse(&back).expect("an address");
        let code = url.query_pairs().find(|(key, _)| key == "code").expect("a code").1.into_owned();
        let body = json!({ "code": code, "redirect_url": BACK });
        let signed_in = api.post("/api/auth/google/exchange").json(&body).send().await;
        assert_eq!(signed_in.expect(200)["user"]["email"], "ada@example.com");
        // The provider's own token is nothing here, and ours is nothing there (JA8).
        api.get(ME).bearer(&mock.id_token(None)).send().await.expect(401);
    }

    async fn ja_3_me_shows_which_organisations_workspaces_and_roles_are_active(database) {
        let world = start(database).await;
        let (sam, annex) = (world.api.app.user("sam").await, world.api.app.workspace(&world.first, "annex").await);
        world.api.app.member(&world.first, sam, &["member"]).await;
        world.api.app.member_of(&world.first, Some(annex), sam, &["admin"]).await;
        let token = world.api.login(LOGIN, "sam").await.text("/token");
        let first = world.first.id.to_string();
        for (headers, workspace, role) in [
            (vec![], Value::Null, "member"),
            (vec![(WORKSPACE, annex.to_string())], json!(annex.to_string()), "admin"),
        ] {
            let headers: Vec<_> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
            let me = world.me(&token, &headers).await;
            let active = &me.expect(200)["active"];
            assert_eq!(
                (&active["organization_id"], &active["workspace_id"], &active["role"]),
                (&json!(first), &workspace, &json!(role))
            );
            let lit: Vec<_> = me.body["memberships"].as_array().expect("a list").iter()
                .filter(|one| one["active"] == true)
                .map(|one| (one["workspace_id"].clone(), one["role"].clone()))
                .collect();
            assert_eq!(lit, [(workspace, json!(role))], "one membership is the active one");
        }
        assert!(world.me(&token, &[]).await.body["active"]["permissions"].is_array());
    }

    async fn ja_3_a_machine_is_told_what_it_is_and_what_it_may(database) {
        let world = start(database).await;
        let (api, first) = (&world.api, world.first.id);
        let (key, id) = api.key(first, &["tickets:read"]).await;
        let token = api.exchange(&key, &[api.audience()]).await.expect_tokens().access_token;
        for call in [api.get(ME).header("X-API-Key", &key), api.get(ME).bearer(&token)] {
            let me = call.send().await;
            let body = me.expect(200);
            assert_eq!(members(body), ["active", "machine", "memberships"]);
            assert_eq!((&body["active"]["organization_id"], &body["memberships"]), (&json!(first), &json!([])));
            assert_eq!((&body["machine"]["name"], &body["machine"]["scopes"]), (&json!("integration"), &json!(["tickets:read"])));
        }
        // Within its own organisation, and nothing that is a person's.
        let elsewhere = api.get(ME).header("X-API-Key", &key).header(ORGANISATION, &world.second.id.to_string());
        assert_error(&elsewhere.send().await, 403, "organisation_denied");
        let change = api.call("PATCH", ME).bearer(&token).json(&json!({ "name": "x" })).send().await;
        assert_error(&change, 401, "token_invalid");
        api.revoke_key(first, id).await;
        assert_error(&api.get(ME).bearer(&token).send().await, 401, "token_invalid");
    }

    async fn ja_4_headers_choose_among_memberships_only(database) {
        let world = start(database).await;
        let (first, second) = (world.first.id.to_string(), world.second.id.to_string());
        let chosen = world.login_in(Some(&second)).await;
        assert_eq!(chosen.expect(200)["active"]["organization_id"], second.as_str());
        let token = chosen.text("/token");
        for (headers, status, code) in [
            (vec![(ORGANISATION, second.as_str())], 200, ""),
            (vec![(ORGANISATION, "second")], 200, ""),
            (vec![], 200, ""),
            (vec![(ORGANISATION, first.as_str())], 400, "organisation_mismatch"),
            (vec![(ORGANISATION, "org_zzz")], 400, "organisation_malformed"),
            (vec![(ORGANISATION, "no such thing")], 400, "organisation_malformed"),
            (vec![(ORGANISATION, "third")], 403, "organisation_denied"),
            (vec![(ORGANISATION, "org_00000000000070008000000000000001")], 403, "organisation_denied"),
            (vec![(WORKSPACE, "nowhere")], 403, "organisation_denied"),
            (vec![(ORGANISATION, second.as_str()), (ORGANISATION, first.as_str())], 400, "invalid_request"),
            (vec![(ORGANISATION, second.as_str()), ("X_Organization_ID", first.as_str())], 400, "invalid_request"),
        ] {
            let answer = world.me(&token, &headers).await;
            assert_eq!(answer.expect(status)["error"]["code"].as_str().unwrap_or_default(), code, "{headers:?}");
        }
        let other = world.api.app.workspace(&world.first, "annex").await.to_string();
        let wrong = world.me(&token, &[(WORKSPACE, &other)]).await;
        assert_error(&wrong, 400, "organisation_mismatch");
        for (organisation, status, code) in
            [("third", 403, "organisation_denied"), ("org_zzz", 400, "organisation_malformed")]
        {
            assert_error(&world.login_in(Some(organisation)).await, status, code);
        }
        assert_eq!(world.api.app.live_sessions("ada").await, 1);
    }

    async fn ja_5_in_single_workspace_mode_ids_still_work_and_are_implied(database) {
        let world = start_with(database, true).await;
        let workspace = world.first.workspace.to_string();
        let login = world.login_in(None).await;
        assert_eq!(login.expect(200)["active"]["workspace_id"], workspace.as_str());
        let token = login.text("/token");
        assert_eq!(claims(&token)["workspace_id"], workspace.as_str());
        let me = world.me(&token, &[(WORKSPACE, &workspace)]).await;
        assert_eq!(me.expect(200)["memberships"][0]["workspace_id"], workspace.as_str());
        assert_eq!(me.body["memberships"][1]["workspace_id"], world.second.workspace.to_string());
    }

    async fn ja_6_roles_gate_and_count_for_one_workspace_where_they_are_given_there(database) {
        let world = start(database).await;
        let (sam, annex) = (world.api.app.user("sam").await, world.api.app.workspace(&world.first, "annex").await);
        world.api.app.member(&world.first, sam, &["member"]).await;
        world.api.app.member_of(&world.first, Some(annex), sam, &["admin"]).await;
        let login = world.api.login(LOGIN, "sam").await;
        let token = login.text("/token");
        let check = |headers: Vec<(&'static str, String)>| {
            let call = world.api.get(&format!("{CHECK}?role=admin")).bearer(&token);
            headers.iter().fold(call, |call, (name, value)| call.header(name, value)).send()
        };
        assert_error(&check(vec![]).await, 403, "forbidden");
        let passed = check(vec![(WORKSPACE, annex.to_string())]).await;
        assert_eq!((passed.status, passed.header("x-role")), (204, "admin"));
        assert_eq!(passed.header("x-workspace-id"), annex.to_string());
    }

    async fn ja_7_refresh_expiry_and_logout_are_told_apart_from_permission(database) {
        let world = start(database).await;
        let login = world.login_in(None).await;
        let refresh = |token: String| {
            let body = json!({ "refresh_token": token });
            world.api.post(REFRESH).json(&body).send()
        };
        let next = refresh(login.text("/refresh_token")).await;
        let token = next.text("/token");
        world.me(&token, &[]).await.expect(200);
        world.api.app.advance(Duration::from_secs(900));
        assert_error(&world.me(&token, &[]).await, 401, "token_expired");
        let last = refresh(next.text("/refresh_token")).await;
        world.api.post("/api/auth/logout").bearer(&last.text("/token")).send().await.expect(204);
        assert_error(&world.me(&last.text("/token"), &[]).await, 401, "token_invalid");
        assert_error(&refresh(last.text("/refresh_token")).await, 401, "token_invalid");
    }

    async fn ja_7_who_signs_in_after_another_account_finds_nothing_of_it(database) {
        let world = start(database).await;
        world.api.app.user("sam").await;
        let ada = world.login_in(None).await;
        world.api.post("/api/auth/logout").bearer(&ada.text("/token")).send().await.expect(204);
        let sam = world.api.login(LOGIN, "sam").await;
        let me = world.me(&sam.text("/token"), &[]).await;
        assert_eq!((&me.expect(200)["user"]["email"], &me.body["memberships"]), (&json!("sam@example.com"), &json!([])));
        // What the client still had stored of Ada's does not lead sam there.
        let first = world.first.id.to_string();
        assert_error(&world.me(&sam.text("/token"), &[(ORGANISATION, &first)]).await, 403, "organisation_denied");
        let stale = json!({ "refresh_token": ada.text("/refresh_token") });
        for _ in 0..2 {
            assert_error(&world.api.post(REFRESH).json(&stale).send().await, 401, "token_invalid");
        }
        world.me(&sam.text("/token"), &[]).await.expect(200);
    }

    async fn ja_8_what_a_provider_gave_for_its_own_systems_signs_nobody_in(database) {
        let clock = Settings::default().clock;
        let mock = Mock::start("google", clock.clone()).await;
        let provider = mock.settings();
        let settings = Settings::with(move |config| {
            config.providers.push(provider);
            config.outbound.allow_private_network = true;
            let mut dialect = shipped("jardine");
            dialect.redirect_urls = vec![BACK.to_owned()];
            config.dialects.push(dialect);
        });
        let api = Api::serve(database, settings.at(&clock), "/jardine").await;
        api.app.user("ada").await;
        // A connector's token, of the provider that people sign in with, for the very address of a person here.
        let granted = mock.id_token(None);
        let code = json!({ "code": granted, "redirect_url": BACK });
        let calls = [
            api.get(ME).bearer(&granted),
            api.get(CHECK).bearer(&granted),
            api.post(SWITCH).bearer(&granted).header(ORGANISATION, "first"),
            api.post(REFRESH).json(&json!({ "refresh_token": granted })),
            api.post("/api/auth/google/exchange").json(&code),
        ];
        for call in calls {
            assert_error(&call.send().await, 401, "token_invalid");
        }
        api.post(LOGIN).json(&json!({ "email": "ada@example.com", "password": granted })).send().await.expect(401);
        assert_eq!(api.app.live_sessions("ada").await, 0);
    }

    async fn ja_9_a_token_of_another_environment_drives_nothing_here(database) {
        let (here, there) = (start(database).await, start(database).await);
        let token = there.token().await;
        there.me(&token, &[]).await.expect(200);
        assert_error(&here.me(&token, &[]).await, 401, "token_invalid");
        let change = here.api.call("PATCH", ME).bearer(&token).json(&json!({ "name": "x" })).send().await;
        assert_error(&change, 401, "token_invalid");
        assert_error(&here.api.post("/api/auth/logout").bearer(&token).send().await, 401, "token_invalid");
        there.me(&token, &[]).await.expect(200);
    }

    async fn ja_9_a_change_that_names_another_context_changes_nothing_and_a_refusal_is_not_about_the_payload(database) {
        let world = start(database).await;
        let token = world.token().await;
        let second = world.second.id.to_string();
        let change = world.api.call("PATCH", ME).bearer(&token).header(ORGANISATION, &second);
        assert_error(&change.json(&json!({ "name": "Elsewhere" })).send().await, 400, "organisation_mismatch");
        assert_eq!(world.me(&token, &[]).await.expect(200)["user"]["name"], "ada");
        let member = world.login_in(Some(&second)).await.text("/token");
        let refused = world.api.get(&format!("{CHECK}?role=admin")).bearer(&member).send().await;
        assert_error(&refused, 403, "forbidden");
    }

    async fn ja_silent_a_login_lists_memberships_and_says_which_one_was_chosen(database) {
        let world = start(database).await;
        let login = world.login_in(None).await;
        let body = login.expect(200);
        let (first, second) = (world.first.id.to_string(), world.second.id.to_string());
        assert_eq!(body["user"]["email"], "ada@example.com");
        let listed: Vec<_> = body["memberships"].as_array().expect("a list").iter().map(|one| {
            assert_eq!(members(one), ["organization_id", "organization_name", "role", "workspace_id"]);
            (one["organization_id"].clone(), one["role"].clone())
        }).collect();
        assert_eq!(listed, [(json!(first), json!("admin")), (json!(second), json!("member"))]);
        assert_eq!(body["active"]["organization_id"], first.as_str(), "of several, the first");
        // With a single one nothing needs to be named, and a name is not needed to register.
        let nameless = json!({ "email": "grace@example.com", "password": "a brand new tapir 77" });
        world.api.post(REGISTER).json(&nameless).send().await.expect(202);
    }

    async fn ja_9_switching_ends_what_was_for_the_other_organisation(database) {
        let world = start(database).await;
        let token = world.token().await;
        let switch = |organisation: String| {
            world.api.post(SWITCH).bearer(&token).header(ORGANISATION, &organisation).send()
        };
        assert_error(&switch("third".to_owned()).await, 403, "organisation_denied");
        world.me(&token, &[]).await.expect(200);
        let switched = switch(world.second.id.to_string()).await;
        assert_eq!(switched.expect(200)["active"]["role"], "member");
        assert_eq!(claims(&switched.text("/token"))["organization_id"], world.second.id.to_string());
        assert_error(&world.me(&token, &[]).await, 401, "token_invalid");
        world.me(&switched.text("/token"), &[]).await.expect(200);
    }

    async fn ja_10_readiness_1_the_login_works_for_the_chosen_method(database) {
        let world = start(database).await;
        world.login_in(None).await.expect(200);
    }

    async fn ja_10_readiness_2_me_returns_the_expected_memberships(database) {
        let world = start(database).await;
        let me = world.me(&world.token().await, &[]).await;
        let listed: Vec<(Value, Value, Value)> = me.expect(200)["memberships"]
            .as_array()
            .expect("a list")
            .iter()
            .map(|one| (one["organization_id"].clone(), one["role"].clone(), one["active"].clone()))
            .collect();
        let (first, second) = (world.first.id.to_string(), world.second.id.to_string());
        let expected =
            [(json!(first), json!("admin"), json!(true)), (json!(second), json!("member"), json!(false))];
        assert_eq!(listed, expected);
    }

    async fn ja_10_readiness_3_the_scope_is_selected_explicitly_and_validated(database) {
        let world = start(database).await;
        let second = world.second.id.to_string();
        let login = world.login_in(Some(&second)).await;
        let me = world.me(&login.text("/token"), &[(ORGANISATION, &second)]).await;
        assert_eq!(me.expect(200)["active"]["organization_id"], second.as_str());
        assert_eq!(claims(&login.text("/token"))["organization_id"], second.as_str());
    }

    async fn ja_10_readiness_4_privileged_calls_are_mapped_to_roles(database) {
        let world = start(database).await;
        for (organisation, may) in [(&world.first, true), (&world.second, false)] {
            let token = world.login_in(Some(&organisation.slug)).await.text("/token");
            let answer = world.api.get(&format!("{CHECK}?role=admin")).bearer(&token).send().await;
            assert_eq!(answer.status, if may { 204 } else { 403 });
            world.api.get(&format!("{CHECK}?role=member")).bearer(&token).send().await.expect(204);
        }
    }

    async fn ja_10_readiness_5_errors_of_authentication_are_deterministic(database) {
        let world = start(database).await;
        for _ in 0..2 {
            let wrong = json!({ "email": "ada@example.com", "password": "wrong horse" });
            assert_error(&world.api.post(LOGIN).json(&wrong).send().await, 401, "invalid_credentials");
            assert_error(&world.api.get(ME).send().await, 401, "token_missing");
            assert_error(&world.me("x.y.z", &[]).await, 401, "token_invalid");
            assert_error(&world.api.post(LOGIN).json(&json!({})).send().await, 400, "invalid_request");
        }
    }

    async fn ja_10_readiness_6_tokens_are_short_lived(database) {
        let world = start(database).await;
        let login = world.login_in(None).await;
        let said = claims(&login.text("/token"));
        assert_eq!((said["exp"].as_i64().unwrap() - said["iat"].as_i64().unwrap(), &login.body["expires_in"]),
            (900, &json!(900)));
    }
}
