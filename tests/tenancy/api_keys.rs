//! API keys (AK-1, AK-2): made, exchanged, introspected, replaced, ended; never more than whoever made them.

use std::time::Duration;

use countersign::audit::Origin;
use countersign::model::{ApiKeyId, OrganisationId, UserId, api_key};
use countersign::store::{self, api_keys};
use countersign::tenancy::actor::Actor;
use countersign::tenancy::api_keys::{ApiKeyError, Created, NewKey, manage};
use countersign::tenancy::members::{self, Assignment};
use countersign::tenancy::{organisations, resources, roles, users};
use serde_json::{Value, json};

use crate::on_both_databases;
use crate::support::status::listed_soon;
use crate::support::{Database, Settings, TestApp, TestClient, TestOrganisation, TokenAnswer, verified};

const API: &str = "https://api.example.com/";
const EXCHANGE: &str = "urn:ietf:params:oauth:grant-type:token-exchange";
const KEY_TYPE: &str = "urn:countersign:token-type:api-key";

fn new(name: &str, scopes: &[&str]) -> NewKey {
    let scopes = scopes.iter().map(|scope| (*scope).to_owned()).collect();
    NewKey { name: name.to_owned(), workspace: None, scopes, lasts: None, prefix: None }
}

async fn make(app: &TestApp, actor: Actor, of: OrganisationId, key: NewKey) -> Result<Created, ApiKeyError> {
    manage::create(&app.app, actor, of, key, &Origin::command_line()).await
}

/// An organisation with a key of its own for the events of an API, and the server of that API.
struct World {
    app: TestApp,
    acme: TestOrganisation,
    key: Created,
    server: TestClient,
}

async fn ready(database: Database) -> World {
    ready_with(database, Settings::default()).await
}

async fn ready_with(database: Database, settings: Settings) -> World {
    let app = TestApp::start_with(database, settings).await;
    let acme = app.organisation("acme").await;
    let scopes = ["events:read", "events:write"];
    let api = resources::NewResource {
        identifier: API.to_owned(),
        name: "Events".to_owned(),
        scopes: scopes.iter().map(|scope| ((*scope).to_owned(), "Events".to_owned())).collect(),
        access_ttl: None,
    };
    resources::create(&app.app, api, &Origin::command_line()).await.unwrap();
    let server = TestClient::register(&app, "events", |registration| {
        registration.audiences = vec![API.to_owned()];
        registration.set("grant_types", json!(["client_credentials", EXCHANGE]));
        registration.set("redirect_uris", json!([]));
    })
    .await;
    let key =
        make(&app, Actor::Operator, acme.id, new("importer", &["events:read", "reports"])).await.unwrap();
    World { app, acme, key, server }
}

impl World {
    fn text(&self) -> &str {
        self.key.text.expose()
    }

    /// The exchange with the key in its header, as whoever has nothing but the key does it.
    async fn exchange(&self, key: &str, more: &[(&str, &str)]) -> TokenAnswer {
        let mut fields = vec![("grant_type", EXCHANGE)];
        fields.extend(more);
        let request =
            self.app.http.post(self.app.url("/oauth2/token")).header("x-api-key", key).form(&fields);
        TokenAnswer::of(request.send().await.unwrap()).await
    }

    async fn post(&self, headers: &[(&str, &str)], fields: &[(&str, &str)]) -> TokenAnswer {
        let mut request = self.app.http.post(self.app.url("/oauth2/token")).form(fields);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        TokenAnswer::of(request.send().await.unwrap()).await
    }

    async fn is_active(&self, token: &str) -> bool {
        self.server.introspect(token).await["active"] == true
    }

    async fn stored(&self, id: ApiKeyId) -> api_keys::ApiKey {
        self.app.read(move |db| api_keys::find(db, id)).await.expect("the key is there")
    }

    /// A member who may make keys, with a permission for events.
    async fn keeper(&self, name: &str) -> UserId {
        let user = self.app.user(name).await;
        self.app.member(&self.acme, user, &["admin"]).await;
        user
    }
}

on_both_databases! {
    async fn ak_1_a_key_is_exchanged_for_a_short_token_of_its_own(database) {
        let world = ready(database).await;
        assert!(world.text().starts_with("cs_k_") && api_key::is_well_formed(&world.key.text));
        let stored = world.stored(world.key.key.id).await;
        assert!(!format!("{stored:?}").contains(world.text()), "only its digest is there");
        assert!(world.text().starts_with(&stored.hint) && stored.hint.len() < 12);

        let answer = world.exchange(world.text(), &[]).await;
        let tokens = answer.expect_tokens();
        assert_eq!(answer.header("cache-control"), "no-store");
        assert_eq!(answer.body["issued_token_type"], "urn:ietf:params:oauth:token-type:access_token");
        assert_eq!((&answer.body["token_type"], &answer.body["expires_in"]), (&json!("Bearer"), &json!(300)));
        assert!(tokens.refresh_token.is_none() && tokens.id_token.is_none());
        let (header, claims) = verified(&world.app, &tokens.access_token).await;
        assert_eq!(header["typ"], "at+jwt");
        let machine = world.key.key.machine_id.to_string();
        assert_eq!((&claims["sub"], &claims["client_id"]), (&json!(machine), &json!(machine)));
        assert!(machine.starts_with("svc_"), "TE-9: no user is called that");
        assert_eq!((&claims["org"], &claims["org_slug"]), (&json!(world.acme.id), &json!("acme")));
        assert_eq!((&claims["aud"], &claims["api_key"]), (&json!(API), &json!(world.key.key.id)));
        for claim in ["sid", "gid", "auth_time", "acr", "amr", "workspace"] {
            assert!(claims.get(claim).is_none(), "{claim}");
        }
        let mut scopes: Vec<&str> = claims["scope"].as_str().unwrap().split(' ').collect();
        scopes.sort_unstable();
        assert_eq!(scopes, ["events:read", "reports"], "what no API calls its own goes along");

        // An API that asks learns the same of the token and of the key.
        for token in [tokens.access_token.as_str(), world.text()] {
            let told = world.server.introspect(token).await;
            assert_eq!((&told["active"], &told["sub"], &told["org"]), (&json!(true), &json!(machine), &json!(world.acme.id)));
            assert_eq!(told["api_key"], json!(world.key.key.id));
        }
        assert_eq!(world.server.introspect(world.text()).await["token_type"], "api_key");
        let other = world.app.client("calendar").await;
        for token in [tokens.access_token.as_str(), world.text()] {
            assert_eq!(other.introspect(token).await, json!({ "active": false }), "IR-1");
        }
        // It is nobody's token.
        assert_eq!(other.userinfo(&tokens.access_token).await.status, 401);
        assert_eq!(other.userinfo(world.text()).await.status, 401);
        assert!(world.app.audit().await.contains(&"api_key.created success".to_owned()));
    }

    async fn ir_1_a_key_is_shown_to_the_servers_that_it_is_for_and_in_their_scopes_only(database) {
        let world = ready(database).await;
        let mail = resources::NewResource {
            identifier: "https://mail.example.com/".to_owned(),
            name: "Mail".to_owned(),
            scopes: [("mail:read".to_owned(), "Mail".to_owned())].into(),
            access_ttl: None,
        };
        resources::create(&world.app.app, mail, &Origin::command_line()).await.unwrap();
        let other = TestClient::register(&world.app, "mail", |registration| {
            registration.audiences = vec!["https://mail.example.com/".to_owned()];
            registration.set("grant_types", json!(["client_credentials"]));
            registration.set("redirect_uris", json!([]));
        })
        .await;
        assert_eq!(other.introspect(world.text()).await, json!({ "active": false }), "as where it is exchanged");
        let scopes = async |server: &TestClient, key: &Created| {
            let told = server.introspect(key.text.expose()).await;
            let mut scopes: Vec<String> =
                told["scope"].as_str().unwrap_or_default().split(' ').map(str::to_owned).collect();
            scopes.sort_unstable();
            scopes
        };
        // A permission of the organisation's concerns everybody whom the key is for.
        assert_eq!(scopes(&world.server, &world.key).await, ["events:read", "reports"]);
        let both = make(&world.app, Actor::Operator, world.acme.id, new("both", &["events:read", "mail:read"])).await.unwrap();
        assert_eq!(scopes(&world.server, &both).await, ["events:read"]);
        assert_eq!(scopes(&other, &both).await, ["mail:read"]);
    }

    async fn te_6_an_exchange_narrows_and_never_widens(database) {
        let world = ready(database).await;
        let narrowed = world.exchange(world.text(), &[("scope", "events:read"), ("resource", API)]).await.expect_tokens();
        assert_eq!(narrowed.access_claims()["scope"], "events:read");
        world.exchange(world.text(), &[("scope", "events:write")]).await.expect_error("invalid_scope");
        world.exchange(world.text(), &[("resource", "https://elsewhere.example/")]).await.expect_error("invalid_target");
        let foreign = resources::NewResource {
            identifier: "https://mail.example.com/".to_owned(),
            name: "Mail".to_owned(),
            scopes: [("mail:read".to_owned(), "Mail".to_owned())].into(),
            access_ttl: None,
        };
        resources::create(&world.app.app, foreign, &Origin::command_line()).await.unwrap();
        world.exchange(world.text(), &[("resource", "https://mail.example.com/")]).await.expect_error("invalid_target");
        for (name, value) in [
            ("actor_token", "x"),
            ("audience", "x"),
            ("requested_token_type", "urn:ietf:params:oauth:token-type:refresh_token"),
            ("subject_token_type", KEY_TYPE),
        ] {
            world.exchange(world.text(), &[(name, value)]).await.expect_error("invalid_request");
        }
        let jwt = [("requested_token_type", "urn:ietf:params:oauth:token-type:jwt")];
        world.exchange(world.text(), &jwt).await.expect_tokens();
        // Other tokens are no subjects of an exchange.
        let fields = [
            ("grant_type", EXCHANGE),
            ("subject_token", "x"),
            ("subject_token_type", "urn:ietf:params:oauth:token-type:access_token"),
        ];
        world.post(&[], &fields).await.expect_error("invalid_request");
        // The token does not outlive its key.
        let short = NewKey { lasts: Some(Duration::from_secs(100)), ..new("short", &["events:read"]) };
        let short = make(&world.app, Actor::Operator, world.acme.id, short).await.unwrap();
        assert_eq!(world.exchange(short.text.expose(), &[]).await.body["expires_in"], 100);
        world.app.advance(Duration::from_secs(100));
        world.exchange(short.text.expose(), &[]).await.expect_error("invalid_grant");
        assert!(!world.is_active(short.text.expose()).await);
    }

    async fn ak_1_a_key_comes_in_one_documented_way(database) {
        let world = ready(database).await;
        let subject = [("grant_type", EXCHANGE), ("subject_token", world.text()), ("subject_token_type", KEY_TYPE)];
        let alone = world.post(&[], &subject).await.expect_tokens();
        assert!(alone.access_claims()["sub"].as_str().unwrap().starts_with("svc_"));
        // A client that authenticates is named by the token, and must be registered for it.
        let fields = [subject[1], subject[2]];
        let named = world.server.token(&[&[subject[0]][..], &fields].concat()).await.expect_tokens();
        assert_eq!(named.access_claims()["client_id"], world.server.client_id.as_str());
        assert_eq!(named.access_claims()["sub"], alone.access_claims()["sub"]);
        assert!(world.is_active(&named.access_token).await);
        let other = world.app.client("calendar").await;
        other.token(&subject).await.expect_error("unauthorized_client");
        let mut wrong = world.server.clone();
        wrong.secret = Some("wrong".to_owned());
        wrong.token(&subject).await.expect_error("invalid_client");
        // Two keys, or a key beside another credential.
        world.post(&[("x-api-key", world.text())], &subject).await.expect_error("invalid_request");
        world.post(&[("x-api-key", world.text()), ("x-api-key", world.text())], &subject[..1]).await.expect_error("invalid_request");
        for authorization in ["Bearer x", "Basic eDp5"] {
            let headers = [("x-api-key", world.text()), ("authorization", authorization)];
            world.post(&headers, &subject[..1]).await.expect_error("invalid_request");
        }
        world.post(&[], &subject[..1]).await.expect_error("invalid_request");
        // Never in an address.
        let url = format!("{}?x_api_key={}", world.app.url("/oauth2/token"), world.text());
        let answer = world.app.http.post(url).form(&subject[..1]).send().await.unwrap();
        TokenAnswer::of(answer).await.expect_error("invalid_request");
        let metadata: Value = world.app.http.get(world.app.url("/.well-known/openid-configuration")).send().await.unwrap().json().await.unwrap();
        assert!(metadata["grant_types_supported"].as_array().unwrap().contains(&json!(EXCHANGE)));
    }

    async fn rfc_6749_5_2_a_key_in_its_header_beside_another_credential_is_invalid_request(database) {
        let world = ready(database).await;
        let (basic, key) = ("Basic eDp5", [("x-api-key", world.text())]);
        let exchange = [("grant_type", EXCHANGE)];
        // Two credentials at once, whichever the other one is, and whether it would be good.
        let with_basic = [key[0], ("authorization", basic)];
        let answer = world.post(&with_basic, &exchange).await;
        answer.expect_error("invalid_request");
        assert!(answer.body["error_description"].as_str().is_some_and(|text| text.contains("subject_token")), "{}", answer.body);
        let secret = world.server.secret.clone().expect("a secret");
        let post = [exchange[0], ("client_id", &*world.server.client_id), ("client_secret", &*secret)];
        world.post(&key, &post).await.expect_error("invalid_request");
        world.post(&key, &[exchange[0], ("client_id", &*world.server.client_id)]).await.expect_error("invalid_request");
        // Where a key is no credential the header is nobody's business here: a gateway may have one of that name.
        let answer = world.app.http.post(world.app.url("/oauth2/token"))
            .basic_auth(&world.server.client_id, Some(&secret))
            .header("x-api-key", "a-gateways-own")
            .form(&[("grant_type", "client_credentials")]);
        TokenAnswer::of(answer.send().await.unwrap()).await.expect_tokens();
    }

    async fn ak_1_revoking_ends_the_key_and_its_tokens_at_once(database) {
        let world = ready(database).await;
        let (text, id) = (world.text(), world.key.key.id);
        let token = world.exchange(text, &[]).await.expect_tokens().access_token;
        let kept = make(&world.app, Actor::Operator, world.acme.id, new("kept", &["events:read"])).await.unwrap();
        let kept_token = world.exchange(kept.text.expose(), &[]).await.expect_tokens().access_token;
        manage::revoke(&world.app.app, Actor::Operator, world.acme.id, id, &Origin::command_line()).await.unwrap();
        world.exchange(text, &[]).await.expect_error("invalid_grant");
        assert!(!world.is_active(text).await && !world.is_active(&token).await);
        listed_soon(&world.app, &token).await;
        assert!(world.is_active(kept.text.expose()).await && world.is_active(&kept_token).await);
        assert!(!crate::support::status::is_listed(&world.app, &kept_token).await);
        // Again is no error, and an exchanged token can be given back by whoever asked for it.
        manage::revoke(&world.app.app, Actor::Operator, world.acme.id, id, &Origin::command_line()).await.unwrap();
        let fields = [("grant_type", EXCHANGE), ("subject_token", kept.text.expose()), ("subject_token_type", KEY_TYPE)];
        let asked = world.server.token(&fields).await.expect_tokens().access_token;
        assert_eq!(world.server.call("/oauth2/revoke", &[("token", &asked)]).await.status, 200);
        listed_soon(&world.app, &asked).await;
        assert!(!world.is_active(&asked).await && world.is_active(kept.text.expose()).await);
    }

    async fn ak_1_a_key_is_replaced_while_the_old_one_lives_on_for_a_time(database) {
        let world = ready(database).await;
        let (origin, id) = (Origin::command_line(), world.key.key.id);
        let hour = Duration::from_secs(3_600);
        let rotate = |id| manage::rotate(&world.app.app, Actor::Operator, world.acme.id, id, hour, &origin);
        let next = rotate(id).await.unwrap();
        assert_eq!(next.key.machine_id, world.key.key.machine_id, "the machine stays who it is");
        assert_eq!(next.scopes, world.key.scopes);
        let subjects = [world.text(), next.text.expose()].map(async |key| {
            world.exchange(key, &[]).await.expect_tokens().access_claims()["sub"].clone()
        });
        let [before, after] = subjects;
        assert_eq!(before.await, after.await);
        assert!(matches!(rotate(id).await, Err(ApiKeyError::Over)), "it has a successor");
        world.app.advance(hour);
        world.exchange(world.text(), &[]).await.expect_error("invalid_grant");
        world.exchange(next.text.expose(), &[]).await.expect_tokens();
        // Fifty at once make one successor (AR-1).
        let tries = (0..20).map(|_| rotate(next.key.id));
        let made = futures_util::future::join_all(tries).await.into_iter().filter(Result::is_ok).count();
        assert_eq!(made, 1);
    }

    async fn ak_2_a_members_key_never_exceeds_or_outlives_its_maker(database) {
        let world = ready(database).await;
        let (app, acme, operator) = (&world.app, world.acme.id, Origin::command_line());
        let (ada, boss) = (world.keeper("ada").await, world.keeper("boss").await);
        let bob = app.user("bob").await;
        app.member(&world.acme, bob, &["member"]).await;
        let refused = make(app, Actor::Member(bob), acme, new("bobs", &["org:read"])).await;
        assert!(matches!(refused, Err(ApiKeyError::NotPermitted(_))), "a member makes no keys: {refused:?}");

        // A permission that she does not have, in a role of another's.
        let description = roles::Description {
            name: "Treasurer".to_owned(),
            rank: 5,
            permissions: ["money:spend".to_owned()].into(),
            require_mfa: false,
        };
        roles::define(&app.app, Actor::Operator, acme, "treasurer", description, &operator).await.unwrap();
        let beyond = make(app, Actor::Member(ada), acme, new("beyond", &["money:spend"])).await;
        assert!(matches!(beyond, Err(ApiKeyError::AboveOwn(scope)) if scope == "money:spend"));
        let key = make(app, Actor::Member(ada), acme, new("hers", &["members:write", "events:read"])).await.unwrap();
        let text = key.text.expose();
        assert_eq!(world.server.introspect(text).await["scope"].as_str().unwrap().split(' ').count(), 2);

        // She is told (LO-4).
        let mails = app.read(|db| store::outbox::newest(db, 10)).await;
        assert!(mails.iter().any(|mail| mail.recipient == "ada@example.com" && mail.body_text.contains("hers")));

        // Her rights shrink: so does the key, at once.
        let assignment = Assignment { user: ada, workspace: None, roles: vec!["member".to_owned()] };
        members::set_roles(&app.app, Actor::Member(boss), acme, assignment.clone(), &operator).await.unwrap();
        assert_eq!(world.server.introspect(text).await["scope"], "events:read");
        assert_eq!(world.exchange(text, &[]).await.expect_tokens().access_claims()["scope"], "events:read");
        world.exchange(text, &[("scope", "members:write")]).await.expect_error("invalid_scope");

        // Suspended, disabled, removed: each ends key and tokens; what is resumed counts again.
        let token = world.exchange(text, &[]).await.expect_tokens().access_token;
        members::suspend(&app.app, Actor::Member(boss), acme, ada, &operator).await.unwrap();
        world.exchange(text, &[]).await.expect_error("invalid_grant");
        assert!(!world.is_active(&token).await);
        listed_soon(app, &token).await;
        members::resume(&app.app, Actor::Member(boss), acme, ada, &operator).await.unwrap();
        let token = world.exchange(text, &[]).await.expect_tokens().access_token;
        organisations::suspend(&app.app, acme, &operator).await.unwrap();
        world.exchange(text, &[]).await.expect_error("invalid_grant");
        listed_soon(app, &token).await;
        organisations::resume(&app.app, acme, &operator).await.unwrap();
        let token = world.exchange(text, &[]).await.expect_tokens().access_token;
        users::disable(&app.app, ada, &operator).await.unwrap();
        world.exchange(text, &[]).await.expect_error("invalid_grant");
        listed_soon(app, &token).await;
        users::enable(&app.app, ada, &operator).await.unwrap();
        let token = world.exchange(text, &[]).await.expect_tokens().access_token;
        users::remove(&app.app, ada, &operator).await.unwrap();
        world.exchange(text, &[]).await.expect_error("invalid_grant");
        assert!(!world.is_active(&token).await);
        listed_soon(app, &token).await;
        // The organisation's own key is nobody's, and goes on.
        assert!(world.is_active(world.text()).await);
    }

    async fn ar_5_a_key_is_nothing_to_another_organisation(database) {
        let world = ready(database).await;
        let (app, id, origin) = (&world.app, world.key.key.id, Origin::command_line());
        let rival = app.organisation("rival").await;
        let mallory = app.user("mallory").await;
        app.member(&rival, mallory, &["admin"]).await;
        for (actor, organisation) in [(Actor::Member(mallory), world.acme.id), (Actor::Member(mallory), rival.id), (Actor::Operator, rival.id)] {
            assert!(manage::revoke(&app.app, actor, organisation, id, &origin).await.is_err());
            assert!(manage::rotate(&app.app, actor, organisation, id, Duration::ZERO, &origin).await.is_err());
        }
        assert!(make(app, Actor::Member(mallory), world.acme.id, new("theirs", &["events:read"])).await.is_err());
        let theirs = NewKey { workspace: Some(world.acme.workspace), ..new("theirs", &["events:read"]) };
        let foreign = make(app, Actor::Member(mallory), rival.id, theirs).await;
        assert!(matches!(foreign, Err(ApiKeyError::NoSuchWorkspace)));
        let listed = app.read(move |db| manage::list(db, rival.id, None, 10)).await;
        assert!(listed.is_empty(), "{listed:?}");
        assert!(world.is_active(world.text()).await);
        // In one workspace: what its maker loses there, the key loses.
        let lab = app.workspace(&world.acme, "lab").await;
        let eve = app.user("eve").await;
        app.member_of(&world.acme, Some(lab), eve, &["admin"]).await;
        let here = NewKey { workspace: Some(lab), ..new("lab", &["events:read"]) };
        let everywhere = make(app, Actor::Member(eve), world.acme.id, new("all", &["events:read"])).await;
        assert!(matches!(everywhere, Err(ApiKeyError::NotPermitted(_))), "{everywhere:?}");
        let key = make(app, Actor::Member(eve), world.acme.id, here).await.unwrap();
        let claims = world.exchange(key.text.expose(), &[]).await.expect_tokens().access_claims();
        assert_eq!(claims["workspace"], json!(lab));
        app.member(&world.acme, eve, &["member"]).await;
        let none = Assignment { user: eve, workspace: Some(lab), roles: Vec::new() };
        members::set_roles(&app.app, Actor::Operator, world.acme.id, none, &origin).await.unwrap();
        assert!(world.is_active(key.text.expose()).await, "a member of the whole organisation is one of each part");
        members::remove(&app.app, Actor::Operator, world.acme.id, eve, &origin).await.unwrap();
        world.exchange(key.text.expose(), &[]).await.expect_error("invalid_grant");
    }

    async fn rl_3_wrong_keys_are_counted_and_right_ones_are_not_refused_for_them(database) {
        let settings = Settings::with(|config| config.limits.api_key_failures.count = 3);
        let world = ready_with(database, settings).await;
        let wrong = api_key::generate("cs_k_", &world.app.app.random);
        for key in [wrong.expose(), "cs_k_nonsense", "x"] {
            world.exchange(key, &[]).await.expect_error("invalid_grant");
        }
        let refused = world.exchange(wrong.expose(), &[]).await;
        assert_eq!((refused.status, refused.header("retry-after")), (429, "900"));
        world.exchange(world.text(), &[]).await.expect_tokens();
        let told = world.app.audit().await;
        assert_eq!(told.iter().filter(|line| *line == "api_key.refused denied").count(), 3, "a flood fills no audit");
        let events = world.app.read(|db| store::audit::newest(db, 100)).await;
        assert!(!format!("{events:?}").contains(wrong.expose()), "LO-2");
    }

    async fn the_last_use_is_noted_beside_the_request_once_a_minute(database) {
        let world = ready(database).await;
        let id = world.key.key.id;
        assert_eq!(world.stored(id).await.last_used_at, None);
        let noted = async |at| {
            for _ in 0..60 {
                if world.stored(id).await.last_used_at == Some(at) {
                    return;
                }
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            panic!("the use at {at} is not noted: {:?}", world.stored(id).await);
        };
        let first = world.app.clock.now();
        world.exchange(world.text(), &[]).await.expect_tokens();
        noted(first).await;
        world.app.advance(Duration::from_secs(59));
        world.exchange(world.text(), &[]).await.expect_tokens();
        world.app.advance(Duration::from_secs(1));
        world.exchange(world.text(), &[]).await.expect_tokens();
        noted(world.app.clock.now()).await;
    }

    async fn what_is_no_key_is_not_made(database) {
        let world = ready(database).await;
        let ask = |key: NewKey| make(&world.app, Actor::Operator, world.acme.id, key);
        for name in ["", " ", "a\nb", &"x".repeat(201)] {
            assert!(matches!(ask(new(name, &["x"])).await, Err(ApiKeyError::BadName)), "{name:?}");
        }
        assert!(matches!(ask(new("k", &[])).await, Err(ApiKeyError::BadNumberOfScopes)));
        let many: Vec<String> = (0..51).map(|number| format!("s{number}")).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        assert!(matches!(ask(new("k", &many)).await, Err(ApiKeyError::BadNumberOfScopes)));
        for scope in ["", "a b", "a\"b", "ü", "a,b"] {
            assert!(matches!(ask(new("k", &[scope])).await, Err(ApiKeyError::BadScope(_))), "{scope:?}");
        }
        for lasts in [Duration::ZERO, Duration::from_secs(400_000_000)] {
            let key = NewKey { lasts: Some(lasts), ..new("k", &["x"]) };
            assert!(matches!(ask(key).await, Err(ApiKeyError::BadLife)));
        }
        let key = NewKey { prefix: Some("a b".to_owned()), ..new("k", &["x"]) };
        assert!(matches!(ask(key).await, Err(ApiKeyError::BadPrefix)));
        let key = NewKey { prefix: Some("tl_k_".to_owned()), ..new("k", &["x"]) };
        assert!(ask(key).await.unwrap().text.expose().starts_with("tl_k_"));
        let nowhere = OrganisationId::from_bytes(&[7; 16]).unwrap();
        let refused = make(&world.app, Actor::Operator, nowhere, new("k", &["x"])).await;
        assert!(matches!(refused, Err(ApiKeyError::NoSuchOrganisation)));
    }
}
