//! `/forward-auth`: what each credential is worth to a proxy, and what a back end learns.

mod proxy;
mod token;

use std::collections::BTreeMap;
use std::time::Duration;

use countersign::audit::Origin;
use countersign::model::{ApiKeyId, UserId};
use countersign::store;
use countersign::tenancy::actor::Actor;
use countersign::tenancy::api_keys::{NewKey, manage};
use countersign::tenancy::{organisations, resources, users};
use serde_json::{Value, json};

use crate::on_both_databases;
use crate::support::{Browser, Database, Settings, TestApp, TestClient, TestOrganisation, TokenAnswer};

const API: &str = "https://api.example.com/";
const ALL: [&str; 7] = [
    "x-auth-user",
    "x-auth-email",
    "x-auth-name",
    "x-auth-organization",
    "x-auth-roles",
    "x-auth-scope",
    "x-auth-client",
];

/// Ada is a manager at Acme and signed in; Acme has a key; an API has scopes.
struct World {
    app: TestApp,
    acme: TestOrganisation,
    ada: UserId,
    client: TestClient,
    browser: Browser,
    key: String,
    key_id: ApiKeyId,
}

async fn ready(database: Database) -> World {
    ready_with(database, Settings::default()).await
}

async fn ready_with(database: Database, settings: Settings) -> World {
    let app = TestApp::start_with(database, settings).await;
    let acme = app.organisation("acme").await;
    let ada = app.user("ada").await;
    app.member(&acme, ada, &["manager"]).await;
    let api = resources::NewResource {
        identifier: API.to_owned(),
        name: "Events".to_owned(),
        scopes: BTreeMap::from(["events:read", "events:write"].map(|s| (s.to_owned(), s.to_owned()))),
        access_ttl: None,
    };
    resources::create(&app.app, api, &Origin::command_line()).await.unwrap();
    let client = TestClient::register(&app, "calendar", |terms| {
        terms.first_party = true;
        terms.set("scope", "openid email events:read events:write");
    })
    .await;
    let new = NewKey {
        name: "importer".to_owned(),
        workspace: None,
        scopes: ["events:read".to_owned()].into(),
        lasts: None,
        prefix: None,
    };
    let made =
        manage::create(&app.app, Actor::Operator, acme.id, new, &Origin::command_line()).await.unwrap();
    let browser = app.signed_in("ada").await;
    let (key, key_id) = (made.text.expose().to_owned(), made.key.id);
    World { app, acme, ada, client, browser, key, key_id }
}

/// As the cookie of this browser is sent.
fn cookie(browser: &Browser) -> String {
    let all: Vec<String> = browser.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
    all.join("; ")
}

fn bearer(token: &str) -> String {
    format!("Bearer {token}")
}

impl World {
    async fn ask(&self, demands: &str, headers: &[(&str, &str)]) -> TokenAnswer {
        self.ask_at(&format!("/forward-auth?{demands}"), headers).await
    }

    async fn ask_at(&self, path: &str, headers: &[(&str, &str)]) -> TokenAnswer {
        let mut request = self.app.http.get(self.app.url(path));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let answer = TokenAnswer::of(request.send().await.unwrap()).await;
        assert_eq!(answer.header("cache-control"), "no-store", "{path}");
        if answer.status == 200 {
            for name in ALL {
                assert_eq!(answer.headers.get_all(name).iter().count(), 1, "{name} is there, once");
            }
        } else {
            assert_eq!(answer.header("content-type"), "application/problem+json");
            assert_eq!(answer.body["status"], json!(answer.status));
            assert!(ALL.iter().all(|name| !answer.headers.contains_key(*name)));
        }
        answer
    }

    async fn with_token(&self, demands: &str, token: &str) -> TokenAnswer {
        self.ask(demands, &[("authorization", &bearer(token))]).await
    }

    async fn with_key(&self, demands: &str) -> TokenAnswer {
        self.ask(demands, &[("x-api-key", &self.key)]).await
    }

    async fn with_cookie(&self, demands: &str) -> TokenAnswer {
        self.ask(demands, &[("cookie", &cookie(&self.browser))]).await
    }

    async fn access_token(&self, scope: &str) -> String {
        self.client.sign_in(&mut self.app.browser(), "ada", scope).await.access_token
    }

    async fn demand_two_factors(&self) {
        let change = organisations::Change { require_mfa: Some(true), ..organisations::Change::default() };
        organisations::change(&self.app.app, Actor::Operator, self.acme.id, change, &Origin::command_line())
            .await
            .unwrap();
    }
}

fn expect(answer: &TokenAnswer, status: u16, code: &str) {
    assert_eq!((answer.status, &answer.body["code"]), (status, &json!(code)), "{}", answer.body);
}

on_both_databases! {
    async fn each_credential_says_who_it_is(database) {
        let world = ready(database).await;
        let token = world.access_token("openid events:read").await;
        let of_token = world.with_token("", &token).await;
        assert_eq!(of_token.status, 200, "{}", of_token.body);
        let acme = world.acme.id.to_string();
        for (name, value) in [
            ("x-auth-user", world.ada.to_string().as_str()),
            ("x-auth-email", "ada@example.com"),
            ("x-auth-name", "ada"),
            ("x-auth-organization", &acme),
            ("x-auth-roles", "manager"),
            ("x-auth-scope", "openid events:read"),
            ("x-auth-client", &world.client.client_id),
        ] {
            assert_eq!(of_token.header(name), value, "{name}");
        }
        assert!(!of_token.headers.contains_key("authorization"), "no token unless it is asked for");

        let of_cookie = world.with_cookie("").await;
        assert_eq!(of_cookie.status, 200, "{}", of_cookie.body);
        for name in ["x-auth-user", "x-auth-email", "x-auth-organization", "x-auth-roles"] {
            assert_eq!(of_cookie.header(name), of_token.header(name), "{name}");
        }
        assert_eq!((of_cookie.header("x-auth-scope"), of_cookie.header("x-auth-client")), ("", ""));
        assert!(!of_cookie.headers.contains_key("set-cookie"));

        let of_key = world.with_key("").await;
        assert_eq!(of_key.status, 200, "{}", of_key.body);
        assert!(of_key.header("x-auth-user").starts_with("svc_"));
        assert_eq!(of_key.header("x-auth-organization"), acme);
        assert_eq!((of_key.header("x-auth-scope"), of_key.header("x-auth-roles")), ("events:read", ""));

        // Any method, whatever its body is: nothing but headers is read.
        for method in [reqwest::Method::POST, reqwest::Method::PUT, reqwest::Method::DELETE] {
            let request = world.app.http.request(method, world.app.url("/forward-auth"));
            let answer = request.header("x-api-key", &world.key).body("{\"not\": \"read\"").send().await.unwrap();
            assert_eq!(answer.status(), 200);
        }
    }

    async fn who_brings_nothing_good_is_told_how_to(database) {
        let world = ready(database).await;
        let answer = world.ask("role=manager", &[]).await;
        expect(&answer, 401, "login_required");
        assert_eq!(answer.header("www-authenticate"), format!("Bearer realm=\"{}\"", world.app.issuer));
        assert_eq!(answer.body["login"], json!(format!("{}/login", world.app.issuer.trim_end_matches('/'))));
        for credential in [("authorization", "Bearer x.y.z"), ("authorization", "Bearer"), ("x-api-key", "cs_k_x")] {
            let answer = world.ask("", &[credential]).await;
            expect(&answer, 401, "invalid_token");
            assert!(answer.header("www-authenticate").contains("error=\"invalid_token\""));
        }
        expect(&world.ask("", &[("cookie", "cs-sessions=nonsense")]).await, 401, "login_required");
        // A header of another kind does not turn the request into that of whoever is signed in.
        let basic = [("authorization", "Basic eDp5"), ("cookie", &cookie(&world.browser))];
        expect(&world.ask("", &basic).await, 401, "login_required");
        let tokens = world.client.sign_in(&mut world.app.browser(), "ada", "openid offline_access").await;
        for other in [tokens.refresh_token, tokens.id_token].into_iter().flatten() {
            expect(&world.with_token("", &other).await, 401, "invalid_token");
        }
        let metrics = world.app.app.metrics.encode();
        assert!(metrics.contains("countersign_forward_auth_total{credential=\"none\",outcome=\"unauthenticated\"}"));
    }

    async fn ir_2_what_has_ended_ends_here_at_once(database) {
        let mut world = ready(database).await;
        let mut second = world.app.browser();
        let token = world.client.sign_in(&mut second, "ada", "openid").await.access_token;
        assert_eq!(world.with_token("", &token).await.status, 200);
        world.client.call("/oauth2/revoke", &[("token", &token)]).await;
        expect(&world.with_token("", &token).await, 401, "invalid_token");

        let old = world.client.sign_in(&mut second, "ada", "openid").await.access_token;
        world.app.advance(Duration::from_secs(2 * 3600));
        let answer = world.with_token("", &old).await;
        expect(&answer, 401, "invalid_token");
        assert_eq!(answer.body["detail"], "the access token has expired");

        world.browser = world.app.signed_in("ada").await;
        assert_eq!(world.with_cookie("").await.status, 200);
        let (ada, now) = (world.ada, world.app.clock.now());
        let ended = world.app.app.db.write(move |db| store::sessions::list_for_user(db, ada, now).and_then(|live| {
            live.iter().try_for_each(|one| store::sessions::end(db, one.id, now).map(drop))
        }));
        ended.await.unwrap();
        expect(&world.with_cookie("").await, 401, "login_required");

        world.browser = world.app.signed_in("ada").await;
        let token = world.client.sign_in(&mut world.browser, "ada", "openid").await.access_token;
        assert_eq!(world.with_token("role=manager", &token).await.status, 200);
        world.app.suspend_member(world.acme.id, world.ada).await;
        expect(&world.with_token("", &token).await, 401, "invalid_token");
        expect(&world.with_cookie("role=manager").await, 403, "access_denied");
        assert_eq!(world.with_cookie("").await.header("x-auth-organization"), "");
        users::disable(&world.app.app, world.ada, &Origin::command_line()).await.unwrap();
        expect(&world.with_cookie("").await, 401, "login_required");

        assert_eq!(world.with_key("").await.status, 200);
        let (operator, origin) = (Actor::Operator, Origin::command_line());
        manage::revoke(&world.app.app, operator, world.acme.id, world.key_id, &origin).await.unwrap();
        expect(&world.with_key("").await, 401, "invalid_token");
    }

    async fn or_5_a_role_counts_by_its_rank(database) {
        let world = ready(database).await;
        let token = world.access_token("openid").await;
        for (role, passes) in [("member", true), ("manager", true), ("admin", false), ("nobody", false)] {
            let demands = format!("role={role}");
            for answer in [world.with_token(&demands, &token).await, world.with_cookie(&demands).await] {
                match passes {
                    true => assert_eq!(answer.status, 200, "{role}: {}", answer.body),
                    false => expect(&answer, 403, "access_denied"),
                }
            }
            // A machine has no roles.
            expect(&world.with_key(&demands).await, 403, "access_denied");
        }
        world.app.set_roles(&world.acme, world.ada, &["member"]).await;
        expect(&world.with_token("role=manager", &token).await, 403, "access_denied");
        expect(&world.with_cookie("role=manager").await, 403, "access_denied");
    }

    async fn mf_5_a_session_without_the_second_factor_does_not_pass_for_the_organisation(database) {
        let world = ready(database).await;
        world.demand_two_factors().await;
        let answer = world.with_cookie("role=member").await;
        expect(&answer, 403, "access_denied");
        assert_eq!(answer.body["detail"], "a second factor is demanded and was not shown");
        assert_eq!(world.with_cookie("").await.header("x-auth-roles"), "", "nothing is said of the organisation");
    }

    async fn scope_and_audience_are_those_of_the_credential(database) {
        let world = ready(database).await;
        let api = world.access_token("events:read").await;
        let both = world.access_token("openid events:read events:write").await;
        let audience = format!("audience={API}");
        assert_eq!(world.with_token("scope=events:read", &api).await.status, 200);
        assert_eq!(world.with_token(&audience, &api).await.status, 200);
        assert_eq!(world.with_token("scope=events:read+events:write", &both).await.status, 200);
        let answer = world.with_token("scope=events:read+events:write", &api).await;
        expect(&answer, 403, "insufficient_scope");
        let challenge = answer.header("www-authenticate");
        assert!(challenge.contains("scope=\"events:read events:write\""), "{challenge}");
        // A token for an API is not one for anything else.
        expect(&world.with_token("", &api).await, 401, "invalid_token");
        expect(&world.with_token("role=member", &api).await, 401, "invalid_token");
        expect(&world.with_token("audience=https://other.example.com/", &both).await, 401, "invalid_token");

        assert_eq!(world.with_key("scope=events:read").await.status, 200);
        assert_eq!(world.with_key(&audience).await.status, 200);
        expect(&world.with_key("scope=events:write").await, 403, "insufficient_scope");
        expect(&world.with_key("audience=https://other.example.com/").await, 403, "insufficient_scope");
        // Whoever is signed in granted nobody anything.
        expect(&world.with_cookie("scope=events:read").await, 403, "insufficient_scope");
        expect(&world.with_cookie("scope=openid").await, 403, "insufficient_scope");
    }

    async fn or_1_another_organisation_is_refused_like_one_that_is_not_there(database) {
        let world = ready(database).await;
        let umbra = world.app.organisation("umbra").await;
        let token = world.access_token("openid").await;
        for named in ["acme", "ACME", &world.acme.id.to_string()] {
            let demands = format!("organization={named}&role=manager");
            assert_eq!(world.with_token(&demands, &token).await.status, 200, "{named}");
            assert_eq!(world.with_cookie(&demands).await.status, 200, "{named}");
            assert_eq!(world.with_key(&format!("organization={named}")).await.status, 200, "{named}");
        }
        for named in ["umbra", "nowhere", &umbra.id.to_string()] {
            let demands = format!("organization={named}");
            let answers =
                [world.with_token(&demands, &token).await, world.with_cookie(&demands).await, world.with_key(&demands).await];
            for answer in answers {
                expect(&answer, 403, "access_denied");
                assert_eq!(answer.body["detail"], "the credential is not for this organisation");
            }
        }
        // A member there too, with more to say: the token stays one for Acme, a browser may be either.
        world.app.member(&umbra, world.ada, &["admin"]).await;
        expect(&world.with_token("organization=umbra", &token).await, 403, "access_denied");
        expect(&world.with_token("role=admin", &token).await, 403, "access_denied");
        let answer = world.with_cookie("organization=umbra&role=admin").await;
        assert_eq!((answer.status, answer.header("x-auth-organization")), (200, umbra.id.to_string().as_str()));
    }

    async fn ch_5_awkward_names_stay_within_their_header(database) {
        let world = ready(database).await;
        let name = "Zoë \"50%\", Ünal; \\ \u{202e}";
        world.app.user_with("zoe", |new| {
            new.name = name.to_owned();
            new.email_verified = false;
        }).await;
        let browser = world.app.browser();
        let answer = {
            let mut browser = browser;
            let tokens = world.client.sign_in(&mut browser, "zoe", "openid").await;
            world.with_token("", &tokens.access_token).await
        };
        assert_eq!(answer.status, 200, "{}", answer.body);
        let told = answer.header("x-auth-name");
        assert!(told.is_ascii() && !told.contains([' ', '"', ',', ';', '\\']), "{told}");
        assert_eq!(percent_encoding::percent_decode_str(told).decode_utf8().unwrap(), name);
        assert_eq!(answer.header("x-auth-email"), "", "only an address that was proven");
    }

    async fn ak_1_two_credentials_and_unclear_demands_are_refused(database) {
        let world = ready(database).await;
        let token = bearer(&world.access_token("openid").await);
        let both = [("authorization", token.as_str()), ("x-api-key", world.key.as_str())];
        expect(&world.ask("", &both).await, 400, "invalid_request");
        let twice = [("x-api-key", world.key.as_str()), ("x-api-key", world.key.as_str())];
        expect(&world.ask("", &twice).await, 400, "invalid_request");
        for demands in ["rol=member", "role=", "role=member&role=admin", "scope=a&scope=b", "token=1", "role=%ff"] {
            expect(&world.ask(demands, &[("authorization", &token)]).await, 400, "invalid_request");
        }
        // What says where the request was going decides nothing (AR-3).
        let forged = [
            ("x-forwarded-uri", "/?role=member"),
            ("x-original-url", "/public"),
            ("x-auth-user", "usr_root"),
            ("x-auth-roles", "admin"),
            ("authorization", &token),
        ];
        expect(&world.ask("role=admin", &forged).await, 403, "access_denied");
    }

    async fn envoys_way_of_asking_keeps_what_the_client_wrote_apart(database) {
        let world = ready(database).await;
        let cookie = cookie(&world.browser);
        let headers = [("cookie", cookie.as_str())];
        for (path, status) in [
            ("/forward-auth/role=manager/-/reports/2026?role=member&x=%20", 200),
            ("/forward-auth/role=manager/-", 200),
            ("/forward-auth/role=admin/-/reports?role=member", 403),
            ("/forward-auth/role=admin/-/forward-auth/role=member/-/", 403),
            ("/forward-auth/rol=member/-/x", 400),
        ] {
            assert_eq!(world.ask_at(path, &headers).await.status, status, "{path}");
        }
    }

    async fn rl_3_wrong_keys_are_counted(database) {
        let settings = Settings::with(|config| config.limits.api_key_failures.count = 2);
        let world = ready_with(database, settings).await;
        for (key, status) in [("cs_k_a", 401), ("cs_k_b", 401), ("cs_k_c", 429), (&*world.key, 200)] {
            let answer = world.ask("", &[("x-api-key", key)]).await;
            assert_eq!(answer.status, status, "a right one is not refused for wrong ones: {}", answer.body);
            if status == 429 {
                expect(&answer, 429, "temporarily_unavailable");
                assert!(answer.header("retry-after").parse::<u64>().is_ok_and(|wait| wait > 0));
            }
        }
    }

    async fn a_products_token_passes_for_its_own_api_and_ends_with_its_session(database) {
        let settings = Settings::with(|config| {
            config.dialects.push(countersign::config::Dialect {
                shipped: Some("tendedloop".to_owned()),
                path: Some("/tendedloop".to_owned()),
                ..Default::default()
            });
        });
        let world = ready_with(database, settings).await;
        let product = world.app.url("/tendedloop");
        let login = json!({ "email": "ada@example.com", "password": crate::support::PASSWORD });
        let answer = world.app.http.post(format!("{product}/api/auth/login")).json(&login).send().await.unwrap();
        let body: Value = answer.json().await.unwrap();
        let token = text(&body["data"]["tokens"]["accessToken"]).to_owned();
        let audience = format!("audience={product}");
        let passed = world.with_token(&format!("{audience}&role=manager&organization=acme"), &token).await;
        assert_eq!(passed.status, 200, "{}", passed.body);
        // The instance's own words, not the product's.
        for (name, value) in [
            ("x-auth-user", world.ada.to_string().as_str()),
            ("x-auth-roles", "manager"),
            ("x-auth-organization", &world.acme.id.to_string()),
            ("x-auth-client", "dialect:tendedloop"),
        ] {
            assert_eq!(passed.header(name), value, "{name}");
        }
        expect(&world.with_token(&format!("{audience}&role=admin"), &token).await, 403, "access_denied");
        expect(&world.with_token("role=manager", &token).await, 401, "invalid_token");
        expect(&world.with_token(&format!("audience={API}"), &token).await, 401, "invalid_token");
        // As the product's own check does, so does this take any key of the organisation, and tokens of it.
        let key = world.with_key(&format!("{audience}&token=1")).await;
        assert_eq!(key.status, 200, "{}", key.body);
        let fresh = key.header("authorization").strip_prefix("Bearer ").expect("a token").to_owned();
        assert_eq!(world.with_token(&audience, &fresh).await.header("x-auth-user"), key.header("x-auth-user"));

        let fresh = world.with_token(&format!("{audience}&token=1"), &token).await;
        let fresh = fresh.header("authorization").strip_prefix("Bearer ").expect("a token").to_owned();
        assert_eq!(world.with_token(&audience, &fresh).await.status, 200);
        let out = world.app.http.post(format!("{product}/api/auth/logout")).bearer_auth(&token).send().await.unwrap();
        assert_eq!(out.status(), 200);
        for ended in [&token, &fresh] {
            expect(&world.with_token(&audience, ended).await, 401, "invalid_token");
        }
    }
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}
