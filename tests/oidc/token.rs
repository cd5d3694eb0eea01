//! The token endpoint, and how clients say who they are (RFC 6749 §2.3, §3.2, §5).

use std::time::Duration;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde_json::json;

use crate::on_both_databases;
use crate::support::{Database, Settings, TestApp, TestClient, TokenAnswer};
use countersign::audit::Origin;
use countersign::model::Status;
use countersign::tenancy::clients;

/// The endpoints at which clients authenticate.
const ENDPOINTS: [&str; 4] = ["/oauth2/token", "/oauth2/par", "/oauth2/introspect", "/oauth2/revoke"];

pub async fn disable(app: &TestApp, client: &TestClient) {
    set_status(app, client, Status::Disabled).await;
}

pub async fn enable(app: &TestApp, client: &TestClient) {
    set_status(app, client, Status::Active).await;
}

async fn set_status(app: &TestApp, client: &TestClient, status: Status) {
    clients::set_status(&app.app, &client.client_id, status, &Origin::command_line()).await.unwrap();
}

/// Many wrong tries in one test are no attack.
fn patient() -> Settings {
    Settings::with(|config| config.limits.client_secret_failures.count = 100_000)
}

async fn ready(database: Database) -> (TestApp, TestClient) {
    let app = TestApp::start_with(database, patient()).await;
    app.user("ada").await;
    let client = app.client("calendar").await;
    (app, client)
}

async fn with_method(app: &TestApp, name: &str, method: &str) -> TestClient {
    TestClient::register(app, name, |registration| {
        registration.set("token_endpoint_auth_method", method);
    })
    .await
}

/// A call with these headers and this form.
async fn call(
    app: &TestApp,
    path: &str,
    authorization: Option<&str>,
    fields: &[(&str, &str)],
) -> TokenAnswer {
    let mut request = app.http.post(app.url(path));
    if let Some(authorization) = authorization {
        request = request.header("authorization", authorization);
    }
    TokenAnswer::of(request.form(fields).send().await.unwrap()).await
}

fn basic(client_id: &str, secret: &str) -> String {
    let form = |text: &str| url::form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
    format!("Basic {}", BASE64_STANDARD.encode(format!("{}:{}", form(client_id), form(secret))))
}

/// RFC 6749 §5.2 and requirement 1.4.
#[track_caller]
fn assert_well_formed(answer: &TokenAnswer) {
    assert_eq!(answer.header("content-type"), "application/json");
    assert_eq!(answer.header("cache-control"), "no-store");
    let members = answer.body.as_object().unwrap_or_else(|| panic!("{answer:?}"));
    for name in members.keys() {
        assert!(["error", "error_description", "error_uri", "reference"].contains(&name.as_str()), "{name}");
    }
    if let Some(text) = members.get("error_description") {
        let allowed = |b: u8| matches!(b, 0x20..=0x21 | 0x23..=0x5b | 0x5d..=0x7e);
        assert!(text.as_str().unwrap().bytes().all(allowed), "{text}");
    }
}

on_both_databases! {
    async fn oidc_6_1_a_form_by_post_and_nothing_else(database) {
        let (app, client) = ready(database).await;
        let (id, secret) = (client.client_id.as_str(), client.secret.as_deref().unwrap());
        let url = app.url("/oauth2/token");
        for path in ENDPOINTS {
            let answer = app.http.get(app.url(path)).basic_auth(id, Some(secret)).send().await.unwrap();
            assert_eq!((answer.status().as_u16(), &answer.headers()["allow"]), (405, &"POST".parse().unwrap()), "{path}");
            for method in [reqwest::Method::PUT, reqwest::Method::DELETE, reqwest::Method::PATCH] {
                assert_eq!(app.http.request(method, app.url(path)).send().await.unwrap().status(), 405);
            }
        }
        let post = || app.http.post(&url).basic_auth(id, Some(secret));
        let form = "grant_type=refresh_token&refresh_token=x";
        for (content_type, status) in [
            ("application/json", 415),
            ("text/plain", 415),
            ("multipart/form-data; boundary=x", 415),
            ("application/x-www-form-urlencoded; charset=iso-8859-1", 415),
            ("application/x-www-form-urlencodedx", 415),
            ("application/x-www-form-urlencoded", 400),
            ("application/x-www-form-urlencoded; charset=UTF-8", 400),
            ("Application/X-WWW-Form-Urlencoded;charset=\"utf-8\"", 400),
        ] {
            let answer = post().header("content-type", content_type).body(form).send().await.unwrap();
            assert_eq!(answer.status(), status, "{content_type}");
            let answer = TokenAnswer::of(answer).await;
            assert_well_formed(&answer);
            assert_eq!(answer.body["error"], if status == 400 { "invalid_grant" } else { "invalid_request" });
        }
        let answer = TokenAnswer::of(post().json(&json!({"grant_type": "refresh_token"})).send().await.unwrap()).await;
        assert_eq!((answer.status, &answer.body["error"]), (415, &json!("invalid_request")));
        let answer = post().header("content-type", "application/x-www-form-urlencoded").body(&b"grant_type=%ff"[..]);
        TokenAnswer::of(answer.send().await.unwrap()).await.expect_error("invalid_request");
    }

    async fn hl_2_secrets_and_parameters_in_the_address_are_refused(database) {
        let (app, client) = ready(database).await;
        let (id, secret) = (client.client_id.as_str(), client.secret.as_deref().unwrap());
        for query in [
            format!("client_id={id}&client_secret={secret}"),
            "grant_type=client_credentials".to_owned(),
            format!("client_id={id}"),
            "x=y".to_owned(),
        ] {
            for path in ENDPOINTS {
                let url = app.url(&format!("{path}?{query}"));
                let request = app.http.post(url).basic_auth(id, Some(secret));
                let answer = request.form(&[("grant_type", "refresh_token"), ("token", "x")]).send().await.unwrap();
                TokenAnswer::of(answer).await.expect_error("invalid_request");
            }
        }
    }

    async fn oidc_6_1_errors_are_named_and_nobody_keeps_them(database) {
        let (app, client) = ready(database).await;
        let public = with_method(&app, "spa", "none").await;
        let cases: Vec<(Vec<(&str, &str)>, &str)> = vec![
            (vec![], "invalid_request"),
            (vec![("grant_type", "")], "invalid_request"),
            (vec![("grant_type", "password"), ("username", "ada"), ("password", "x")], "unsupported_grant_type"),
            (vec![("grant_type", "implicit")], "unsupported_grant_type"),
            (vec![("grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer"), ("assertion", "x")], "unsupported_grant_type"),
            (vec![("grant_type", "urn:ietf:params:oauth:grant-type:device_code")], "unsupported_grant_type"),
            (vec![("grant_type", "Authorization_Code")], "unsupported_grant_type"),
            (vec![("grant_type", "authorization_code")], "invalid_request"),
            (vec![("grant_type", "authorization_code"), ("code", "x")], "invalid_request"),
            (vec![("grant_type", "authorization_code"), ("code", "x"), ("redirect_uri", "y")], "invalid_grant"),
            (vec![("grant_type", "refresh_token")], "invalid_request"),
            (vec![("grant_type", "refresh_token"), ("refresh_token", "x")], "invalid_grant"),
            (vec![("grant_type", "refresh_token"), ("grant_type", "refresh_token"), ("refresh_token", "x")], "invalid_request"),
            (vec![("grant_type", "client_credentials")], "unauthorized_client"),
            (vec![("grant_type", "refresh_token"), ("refresh_token", "x"), ("scope", "a\"b")], "invalid_scope"),
        ];
        for (fields, code) in &cases {
            let answer = client.token(fields).await;
            answer.expect_error(code);
            assert_well_formed(&answer);
        }
        public.token(&[("grant_type", "client_credentials")]).await.expect_error("unauthorized_client");
    }

    async fn oidc_6_10_a_client_uses_only_the_grants_it_registered(database) {
        let app = TestApp::start(database).await;
        app.user("ada").await;
        let client = TestClient::register(&app, "short", |registration| {
            registration.set("grant_types", json!(["authorization_code"]));
        })
        .await;
        let tokens = client.sign_in(&mut app.browser(), "ada", "openid offline_access").await;
        assert!(tokens.refresh_token.is_none(), "it did not register refresh_token");
        client.refresh("x").await.expect_error("unauthorized_client");
        let machine = TestClient::register(&app, "batch", |registration| {
            registration.set("grant_types", json!(["client_credentials"]));
            registration.set("redirect_uris", json!([]));
        })
        .await;
        let fields = [("grant_type", "authorization_code"), ("code", "x"), ("redirect_uri", "https://x.example/")];
        machine.token(&fields).await.expect_error("unauthorized_client");
    }

    async fn oidc_6_5_token_answers_are_not_kept_and_say_their_scope(database) {
        let (app, client) = ready(database).await;
        let flow = client.flow("openid email");
        let code = client.authorize(&mut app.browser(), &flow, "ada").await;
        let answer = client.redeem(&flow, &code).await;
        answer.expect_tokens();
        assert_eq!((answer.header("cache-control"), answer.header("pragma")), ("no-store", "no-cache"));
        assert_eq!(answer.header("content-type"), "application/json");
        assert_eq!(answer.body["token_type"], "Bearer");
        assert_eq!(answer.body["expires_in"], 900);
        assert_eq!(answer.body["scope"].as_str().unwrap().split(' ').count(), 2);
    }

    async fn ca_1_exactly_the_registered_method_at_every_endpoint(database) {
        let (app, basic_client) = ready(database).await;
        let post_client = with_method(&app, "post", "client_secret_post").await;
        let public = with_method(&app, "spa", "none").await;
        let fields = [("grant_type", "refresh_token"), ("refresh_token", "x"), ("token", "x")];
        for path in ENDPOINTS {
            for client in [&basic_client, &post_client] {
                let (id, secret) = (client.client_id.as_str(), client.secret.as_deref().unwrap());
                let header = basic(id, secret);
                let in_body = [("client_id", id), ("client_secret", secret)];
                let good_header = client.client_id == basic_client.client_id;
                let wrong = |authorization: Option<String>, extra: Vec<(&'static str, String)>| (authorization, extra);
                let mut cases = vec![
                    // A confidential client without credentials.
                    (wrong(None, vec![("client_id", id.into())]), "invalid_client"),
                    (wrong(None, vec![]), "invalid_client"),
                    (wrong(None, vec![("client_id", id.into()), ("client_secret", "wrong".into())]), "invalid_client"),
                    (wrong(None, vec![("client_id", id.into()), ("client_secret", String::new())]), "invalid_client"),
                    (wrong(Some(basic(id, "wrong")), vec![]), "invalid_client"),
                    (wrong(Some(basic(id, "")), vec![]), "invalid_client"),
                    (wrong(Some(basic("nobody", secret)), vec![]), "invalid_client"),
                    (wrong(Some(format!("Bearer {secret}")), vec![]), "invalid_client"),
                    (wrong(Some("Basic".into()), vec![]), "invalid_client"),
                    (wrong(Some("Basic !!!".into()), vec![]), "invalid_client"),
                    (wrong(Some(format!("Basic {}", BASE64_STANDARD.encode("no colon"))), vec![]), "invalid_client"),
                    (wrong(Some(format!("Basic {}", BASE64_STANDARD.encode(format!("{id}%zz:{secret}")))), vec![]), "invalid_client"),
                    (wrong(Some(format!("Basic {}", BASE64_STANDARD.encode([0xff, b':', 0xfe]))), vec![]), "invalid_client"),
                    // Two at once, both right.
                    (wrong(Some(header.clone()), vec![("client_secret", secret.into())]), "invalid_request"),
                    (wrong(Some(header.clone()), vec![("client_id", public.client_id.clone())]), "invalid_request"),
                    (wrong(Some(header.clone()), vec![("client_assertion", "x".into())]), "invalid_request"),
                    (wrong(None, vec![("client_id", id.into()), ("client_secret", secret.into()), ("client_assertion_type", "x".into())]), "invalid_request"),
                ];
                cases.push(match good_header {
                    true => (wrong(None, vec![("client_id", id.into()), ("client_secret", secret.into())]), "invalid_client"),
                    false => (wrong(Some(header.clone()), vec![]), "invalid_client"),
                });
                for ((authorization, extra), code) in cases {
                    let mut sent = fields.to_vec();
                    sent.extend(extra.iter().map(|(name, value)| (*name, value.as_str())));
                    let answer = call(&app, path, authorization.as_deref(), &sent).await;
                    answer.expect_error(code);
                    assert_well_formed(&answer);
                    if code == "invalid_client" && authorization.is_some() {
                        assert!(answer.header("www-authenticate").starts_with("Basic realm="), "{path}");
                    }
                }
                let mut good = fields.to_vec();
                if !good_header {
                    good.extend(in_body);
                }
                let answer = call(&app, path, good_header.then_some(header.as_str()), &good).await;
                assert_ne!(answer.body["error"], "invalid_client", "{path}");
                assert_ne!(answer.status, 401, "{path}");
            }
            // A public client has no secret to show.
            let id = public.client_id.as_str();
            let mut sent = fields.to_vec();
            sent.extend([("client_id", id), ("client_secret", "anything")]);
            call(&app, path, None, &sent).await.expect_error("invalid_client");
            call(&app, path, Some(&basic(id, "")), &fields).await.expect_error("invalid_client");
        }
    }

    async fn ca_2_basic_credentials_are_form_decoded(database) {
        let (app, _) = ready(database).await;
        for (n, (id, secret)) in [
            ("https://app.example:8443/client", "pass+word%20with&all=of:it/and-more-than-enough"),
            ("a:b~c_d.e-f", "~!@#$%^&*()_+{}|:<>?[];',./0123456789abcdef"),
            ("plain", "plain-secret-0123456789-0123456789-abcdef"),
        ].into_iter().enumerate() {
            let client = TestClient::register(&app, &format!("imported{n}"), |registration| {
                registration.client_id = Some(id.to_owned());
                registration.secret = Some(secret.to_owned());
                registration.set("grant_types", json!(["client_credentials"]));
                registration.set("redirect_uris", json!([]));
            })
            .await;
            assert_eq!(client.client_id, id);
            let fields = [("grant_type", "client_credentials")];
            call(&app, "/oauth2/token", Some(&basic(id, secret)), &fields).await.expect_tokens();
            let lower = basic(id, secret).replacen("Basic", "bAsIc", 1);
            call(&app, "/oauth2/token", Some(&lower), &fields).await.expect_tokens();
            if n < 2 {
                // Sent raw, it is another credential or none.
                let raw = format!("Basic {}", BASE64_STANDARD.encode(format!("{id}:{secret}")));
                call(&app, "/oauth2/token", Some(&raw), &fields).await.expect_error("invalid_client");
            }
        }
        let post = TestClient::register(&app, "post", |registration| {
            registration.client_id = Some("https://app.example/post".to_owned());
            registration.secret = Some("s+ecret%41&=;0123456789/0123456789abcdef".to_owned());
            registration.set("token_endpoint_auth_method", "client_secret_post");
            registration.set("grant_types", json!(["client_credentials"]));
            registration.set("redirect_uris", json!([]));
        })
        .await;
        post.token(&[("grant_type", "client_credentials")]).await.expect_tokens();
    }

    async fn ca_2_two_secrets_live_side_by_side_and_the_old_one_expires(database) {
        let (app, mut client) = ready(database).await;
        let origin = Origin::command_line();
        let old = client.secret.clone().unwrap();
        let rotated = clients::rotate_secret(&app.app, &client.client_id, Duration::from_secs(3600), &origin).await.unwrap();
        let new = rotated.secret.unwrap().expose().to_owned();
        assert!(new.len() >= 43, "256 bits at least");
        assert_ne!(old, new);
        let mut accepted = async |secret: &str| {
            client.secret = Some(secret.to_owned());
            client.call("/oauth2/revoke", &[("token", "x")]).await.status == 200
        };
        assert!(accepted(&old).await && accepted(&new).await);
        app.advance(Duration::from_secs(3599));
        assert!(accepted(&old).await);
        app.advance(Duration::from_secs(1));
        assert!(!accepted(&old).await, "an expired secret is refused on every path");
        assert!(accepted(&new).await);
        let rotated = clients::rotate_secret(&app.app, "nobody", Duration::ZERO, &origin).await;
        assert!(rotated.is_err());
    }

    async fn ca_5_a_disabled_client_is_refused_at_every_endpoint_at_once(database) {
        let (app, client) = ready(database).await;
        let api = app.client("api").await;
        let flow = client.flow("openid offline_access");
        let mut browser = app.browser();
        let code = client.authorize(&mut browser, &flow, "ada").await;
        let tokens = client.redeem(&flow, &code).await.expect_tokens();
        let waiting = client.authorize(&mut browser, &flow, "ada").await;
        disable(&app, &client).await;
        client.redeem(&flow, &waiting).await.expect_error("invalid_client");
        client.refresh(tokens.refresh_token()).await.expect_error("invalid_client");
        for path in ENDPOINTS {
            client.call(path, &[("token", &tokens.access_token)]).await.expect_error("invalid_client");
        }
        assert_eq!(client.userinfo(&tokens.access_token).await.status, 401);
        assert_eq!(api.introspect(&tokens.access_token).await, json!({"active": false}));
        // Enabled again, what it held is good again: disabling revoked nothing.
        enable(&app, &client).await;
        client.refresh(tokens.refresh_token()).await.expect_tokens();

        clients::remove(&app.app, &client.client_id, &Origin::command_line()).await.unwrap();
        client.refresh(tokens.refresh_token()).await.expect_error("invalid_client");
        assert_eq!(client.userinfo(&tokens.access_token).await.status, 401);
    }

    async fn rl_1_wrong_secrets_are_throttled_and_the_right_one_never_is(database) {
        let settings = Settings::with(|config| config.limits.client_secret_failures.count = 5);
        let app = TestApp::start_with(database, settings).await;
        let client = app.client("calendar").await;
        let wrong = basic(&client.client_id, "wrong");
        let mut statuses = Vec::new();
        for _ in 0..7 {
            let answer = call(&app, "/oauth2/token", Some(&wrong), &[("grant_type", "refresh_token")]).await;
            if answer.status == 429 {
                assert!(answer.header("retry-after").parse::<u64>().unwrap() > 0);
            }
            statuses.push(answer.status);
        }
        assert_eq!(statuses, [401, 401, 401, 401, 401, 429, 429]);
        assert_eq!(client.call("/oauth2/revoke", &[("token", "x")]).await.status, 200);
    }

    async fn ca_1_two_authorization_headers_are_refused(database) {
        let (app, client) = ready(database).await;
        let header = basic(&client.client_id, client.secret.as_deref().unwrap());
        let request = app.http.post(app.url("/oauth2/token")).header("authorization", &header);
        let answer = request.header("authorization", &header).form(&[("grant_type", "refresh_token")]).send().await.unwrap();
        TokenAnswer::of(answer).await.expect_error("invalid_request");
    }

    async fn te_6_a_refreshed_scope_may_shrink_and_comes_back_whole(database) {
        let (app, client) = ready(database).await;
        let tokens = client.sign_in(&mut app.browser(), "ada", "openid email profile offline_access").await;
        let narrow = |token: &str| {
            let token = token.to_owned();
            let client = client.clone();
            async move {
                let fields = [("grant_type", "refresh_token"), ("refresh_token", token.as_str()), ("scope", "openid")];
                client.token(&fields).await.expect_tokens()
            }
        };
        let narrowed = narrow(tokens.refresh_token()).await;
        assert_eq!(narrowed.access_claims()["scope"], "openid");
        assert_eq!(narrowed.body["scope"], "openid");
        // RFC 6749 §6: the refresh token itself keeps what was granted.
        let whole = client.refresh(narrowed.refresh_token()).await.expect_tokens();
        let scopes: Vec<&str> = whole.body["scope"].as_str().unwrap().split(' ').collect();
        assert_eq!(scopes.len(), 4);
        let id = whole.id_claims();
        for claim in ["iss", "sub", "aud", "auth_time", "sid", "acr", "amr"] {
            assert_eq!(id[claim], tokens.id_claims()[claim], "{claim}");
        }
        assert!(id.get("nonce").is_none() && id["at_hash"] != tokens.id_claims()["at_hash"]);
    }
}
