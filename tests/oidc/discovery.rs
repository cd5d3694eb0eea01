//! Discovery tells the truth: what it lists works, what is off is not listed (Discovery 1.0, RFC 8414).

use serde_json::{Value, json};

use crate::on_both_databases;
use crate::support::{ClientKey, PASSWORD, Settings, TestApp, TestClient, TokenAnswer, verified};
use countersign::model::SigningAlg;

const OIDC: &str = "/.well-known/openid-configuration";
const OAUTH: &str = "/.well-known/oauth-authorization-server";

async fn get(app: &TestApp, url: &str) -> TokenAnswer {
    TokenAnswer::of(app.http.get(url).send().await.unwrap()).await
}

async fn document(app: &TestApp) -> Value {
    let answer = get(app, &app.url(OIDC)).await;
    assert_eq!(answer.status, 200);
    answer.body
}

fn list(document: &Value, member: &str) -> Vec<String> {
    let values = document[member].as_array().unwrap_or_else(|| panic!("{member} is no list"));
    values.iter().map(|value| value.as_str().unwrap().to_owned()).collect()
}

/// Every member that IANA registered and that means something here. Anything else would be an invention.
const MEMBERS: &[&str] = &[
    "issuer",
    "authorization_endpoint",
    "token_endpoint",
    "userinfo_endpoint",
    "jwks_uri",
    "pushed_authorization_request_endpoint",
    "introspection_endpoint",
    "revocation_endpoint",
    "end_session_endpoint",
    "scopes_supported",
    "claims_supported",
    "claim_types_supported",
    "response_types_supported",
    "response_modes_supported",
    "grant_types_supported",
    "status_list_aggregation_endpoint",
    "subject_types_supported",
    "acr_values_supported",
    "prompt_values_supported",
    "ui_locales_supported",
    "id_token_signing_alg_values_supported",
    "userinfo_signing_alg_values_supported",
    "token_endpoint_auth_methods_supported",
    "token_endpoint_auth_signing_alg_values_supported",
    "revocation_endpoint_auth_methods_supported",
    "revocation_endpoint_auth_signing_alg_values_supported",
    "introspection_endpoint_auth_methods_supported",
    "introspection_endpoint_auth_signing_alg_values_supported",
    "code_challenge_methods_supported",
    "claims_parameter_supported",
    "request_parameter_supported",
    "request_uri_parameter_supported",
    "require_pushed_authorization_requests",
    "authorization_response_iss_parameter_supported",
];

on_both_databases! {
    async fn oidc_2_1_both_documents_are_the_same_and_name_the_issuer_byte_for_byte(database) {
        let app = TestApp::start(database).await;
        let (oidc, oauth) = (get(&app, &app.url(OIDC)).await, get(&app, &app.url(OAUTH)).await);
        assert_eq!((oidc.status, oidc.header("content-type")), (200, "application/json"));
        assert_eq!(oidc.body, oauth.body);
        assert_eq!(oidc.body["issuer"], app.issuer.as_str());
        for (member, value) in oidc.body.as_object().unwrap() {
            if member.ends_with("_endpoint") || member == "jwks_uri" {
                let url = value.as_str().unwrap();
                assert!(url.starts_with(&format!("{}/", app.issuer)), "{member} is {url}");
            }
        }
    }

    async fn oidc_2_1_an_issuer_with_a_path_is_found_in_both_ways_and_works_whole(database) {
        let below = Settings::with(|config| {
            config.issuer = format!("{}/id/eu", config.issuer.as_str()).parse().unwrap();
        });
        let app = TestApp::start_with(database, below).await;
        let root = app.base.strip_suffix("/id/eu").unwrap();
        let appended = get(&app, &app.url(OIDC)).await;
        assert_eq!(appended.status, 200);
        for url in [format!("{root}{OAUTH}/id/eu"), format!("{root}{OIDC}/id/eu"), app.url(OAUTH)] {
            assert_eq!(get(&app, &url).await.body, appended.body, "{url}");
        }
        for url in [format!("{root}{OIDC}"), format!("{root}/oauth2/token"), format!("{root}/login")] {
            assert_eq!(get(&app, &url).await.status, 404, "{url}");
        }
        assert_eq!(appended.body["issuer"], app.issuer.as_str());
        assert_eq!(appended.body["token_endpoint"], format!("{}/oauth2/token", app.issuer));

        app.user("ada").await;
        let client = app.client("calendar").await;
        let mut browser = app.browser();
        let tokens = client.sign_in(&mut browser, "ada", "openid email").await;
        let (_, id) = verified(&app, tokens.id_token.as_deref().unwrap()).await;
        assert_eq!(id["iss"], app.issuer.as_str());
        assert_eq!(client.userinfo(&tokens.access_token).await.body["email"], "ada@example.com");
    }

    async fn oidc_2_2_only_registered_members_and_all_that_is_on(database) {
        let app = TestApp::start(database).await;
        let document = document(&app).await;
        let mut members: Vec<&str> = document.as_object().unwrap().keys().map(String::as_str).collect();
        let mut expected = MEMBERS.to_vec();
        members.sort_unstable();
        expected.sort_unstable();
        assert_eq!(members, expected);
        let exact = [
            ("response_types_supported", json!(["code"])),
            ("response_modes_supported", json!(["query", "form_post"])),
            ("grant_types_supported", json!(["authorization_code", "refresh_token", "client_credentials", "urn:ietf:params:oauth:grant-type:token-exchange"])),
            ("subject_types_supported", json!(["public"])),
            ("claim_types_supported", json!(["normal"])),
            ("code_challenge_methods_supported", json!(["S256"])),
            ("prompt_values_supported", json!(["none", "login", "consent", "select_account"])),
            ("ui_locales_supported", json!(["en", "de"])),
            ("acr_values_supported", json!(["urn:countersign:acr:1fa", "urn:countersign:acr:2fa"])),
            ("scopes_supported", json!(["openid", "profile", "email", "address", "phone", "offline_access", "organizations"])),
            ("id_token_signing_alg_values_supported", json!(["RS256", "ES256", "EdDSA"])),
            ("token_endpoint_auth_signing_alg_values_supported", json!(["RS256", "PS256", "ES256", "EdDSA"])),
            ("introspection_endpoint_auth_methods_supported",
                json!(["client_secret_basic", "client_secret_post", "private_key_jwt"])),
            ("claims_parameter_supported", json!(true)),
            ("request_parameter_supported", json!(false)),
            ("request_uri_parameter_supported", json!(false)),
            ("require_pushed_authorization_requests", json!(false)),
            ("authorization_response_iss_parameter_supported", json!(true)),
        ];
        for (member, value) in exact {
            let (mut found, mut value) = (document[member].clone(), value);
            for side in [&mut found, &mut value] {
                if let Value::Array(items) = side {
                    items.sort_by_key(ToString::to_string);
                }
            }
            assert_eq!(found, value, "{member}");
        }
        let methods = list(&document, "token_endpoint_auth_methods_supported");
        assert_eq!(methods.len(), 4);
        assert_eq!(methods, list(&document, "revocation_endpoint_auth_methods_supported"));
    }

    async fn oidc_2_3_every_endpoint_answers_its_method(database) {
        let app = TestApp::start(database).await;
        let document = document(&app).await;
        for (endpoint, with_get, with_post) in [
            ("authorization_endpoint", 400, 400),
            ("token_endpoint", 405, 401),
            ("userinfo_endpoint", 401, 401),
            ("pushed_authorization_request_endpoint", 405, 401),
            ("introspection_endpoint", 405, 401),
            ("revocation_endpoint", 405, 401),
            ("end_session_endpoint", 200, 303),
            ("jwks_uri", 200, 405),
        ] {
            let url = document[endpoint].as_str().unwrap();
            let answer = get(&app, url).await;
            assert_eq!(answer.status, with_get, "GET {endpoint}");
            let form = app.http.post(url).form(&[("a", "b")]).send().await.unwrap();
            assert_eq!(form.status(), with_post, "POST {endpoint}");
            // RFC 9110 §15.5.6.
            if with_get == 405 {
                assert_eq!(answer.header("allow"), "POST", "{endpoint}");
            }
        }
    }

    async fn oidc_2_3_every_listed_signing_algorithm_signs(database) {
        let app = TestApp::start(database).await;
        app.user("ada").await;
        let document = document(&app).await;
        for alg in list(&document, "id_token_signing_alg_values_supported") {
            let client = TestClient::register(&app, &alg.to_lowercase(), |registration| {
                registration.set("id_token_signed_response_alg", alg.as_str());
                registration.set("userinfo_signed_response_alg", alg.as_str());
            })
            .await;
            let tokens = client.sign_in(&mut app.browser(), "ada", "openid email").await;
            let (header, claims) = verified(&app, tokens.id_token.as_deref().unwrap()).await;
            assert_eq!((&header["alg"], &header["typ"]), (&json!(alg), &json!("JWT")));
            assert_eq!(claims["aud"], client.client_id.as_str());
            let (header, _) = verified(&app, &tokens.access_token).await;
            assert_eq!((&header["alg"], &header["typ"]), (&json!("ES256"), &json!("at+jwt")));
            let userinfo = client.userinfo(&tokens.access_token).await;
            assert_eq!(userinfo.header("content-type"), "application/jwt");
            let (header, claims) = verified(&app, userinfo.body.as_str().unwrap()).await;
            assert_eq!(header["alg"], json!(alg));
            assert_eq!(claims["email"], "ada@example.com");
        }
    }

    async fn oidc_2_3_every_listed_client_authentication_works(database) {
        let app = TestApp::start(database).await;
        app.user("ada").await;
        let document = document(&app).await;
        for method in list(&document, "token_endpoint_auth_methods_supported") {
            let key = ClientKey::new(SigningAlg::Es256, "k1");
            let client = TestClient::register(&app, &method.replace('_', "-"), |registration| {
                registration.set("token_endpoint_auth_method", method.as_str());
                if method == "private_key_jwt" {
                    registration.set("jwks", key.jwks());
                }
            })
            .await;
            let flow = client.flow("openid");
            let code = client.authorize(&mut app.browser(), &flow, "ada").await;
            let answer = match method.as_str() {
                "private_key_jwt" => {
                    let assertion = crate::oidc::private_key_jwt::assertion(&app, &client, &key);
                    client
                        .token(&[
                            ("grant_type", "authorization_code"),
                            ("code", &code),
                            ("redirect_uri", &client.redirect_uri),
                            ("code_verifier", &flow.verifier),
                            ("client_assertion_type", crate::oidc::private_key_jwt::TYPE),
                            ("client_assertion", &assertion),
                        ])
                        .await
                }
                _ => client.redeem(&flow, &code).await,
            };
            answer.expect_tokens();
        }
    }

    async fn oidc_2_3_every_listed_language_is_spoken(database) {
        let app = TestApp::start(database).await;
        let client = app.client("calendar").await;
        for locale in list(&document(&app).await, "ui_locales_supported") {
            let page = app.browser().get(&client.flow("openid").with("ui_locales", &locale).path()).await;
            assert!(page.html.contains(&format!("lang=\"{locale}\"")), "{locale}");
            assert_eq!(page.header("content-language"), locale);
        }
    }

    async fn oidc_1_6_the_published_keys_are_public_named_and_typed(database) {
        let app = TestApp::start(database).await;
        let jwks = get(&app, document(&app).await["jwks_uri"].as_str().unwrap()).await;
        assert_eq!((jwks.status, jwks.header("content-type")), (200, "application/json"));
        let keys = jwks.body["keys"].as_array().unwrap();
        let mut kids = std::collections::BTreeSet::new();
        for key in keys {
            let members = key.as_object().unwrap();
            for member in ["kid", "use", "alg", "kty"] {
                assert!(members.contains_key(member), "{key}");
            }
            assert_eq!(key["use"], "sig");
            for private in ["d", "p", "q", "dp", "dq", "qi", "oth", "k"] {
                assert!(!members.contains_key(private), "a private member is published");
            }
            assert!(kids.insert(key["kid"].to_string()), "two keys have one name");
        }
        for alg in ["RS256", "ES256", "EdDSA"] {
            assert!(keys.iter().any(|key| key["alg"] == alg), "{alg}");
        }
    }

    async fn oidc_1_10_documents_are_cacheable_and_open_to_all_origins(database) {
        let app = TestApp::start(database).await;
        for path in [OIDC, OAUTH, "/.well-known/jwks.json"] {
            let first = get(&app, &app.url(path)).await;
            let etag = first.header("etag");
            assert!(etag.starts_with('"') && etag.ends_with('"') && etag.len() > 10, "{path} {etag}");
            let cache = first.header("cache-control");
            let age: u64 = cache.strip_prefix("public, max-age=").unwrap().parse().unwrap();
            assert!((60..=86_400).contains(&age), "{path} {cache}");
            assert_eq!(first.header("access-control-allow-origin"), "*");
            assert!(first.header("access-control-allow-credentials").is_empty());

            for known in [etag.to_owned(), format!("W/{etag}"), format!("\"other\", {etag}"), "*".to_owned()] {
                let again = app.http.get(app.url(path)).header("if-none-match", &known).send().await.unwrap();
                assert_eq!(again.status(), 304, "{path} {known}");
                assert_eq!(again.headers()["etag"], etag);
                assert_eq!(again.headers()["cache-control"], cache);
                assert!(again.bytes().await.unwrap().is_empty());
            }
            let other = app.http.get(app.url(path)).header("if-none-match", "\"other\"").send().await.unwrap();
            assert_eq!(other.status(), 200);
            let head = app.http.head(app.url(path)).send().await.unwrap();
            assert_eq!((head.status().as_u16(), &head.headers()["etag"]), (200, &first.headers["etag"]));
            let preflight = app
                .http
                .request(reqwest::Method::OPTIONS, app.url(path))
                .header("origin", "https://anyone.example")
                .header("access-control-request-method", "GET")
                .send()
                .await
                .unwrap();
            assert_eq!(preflight.status(), 204);
            assert_eq!(preflight.headers()["access-control-allow-origin"], "*");
        }
    }

    async fn ch_4_the_token_endpoint_answers_scripts_of_registered_public_clients_only(database) {
        let app = TestApp::start(database).await;
        TestClient::register(&app, "spa", |registration| {
            registration.set("token_endpoint_auth_method", "none");
        })
        .await;
        app.client("server").await;
        let cases = [
            ("https://spa.example.org", true),
            ("https://SPA.example.org", false),
            ("https://spa.example.org.evil.example", false),
            ("http://spa.example.org", false),
            ("https://spa.example.org:8443", false),
            ("https://server.example.org", false),
            ("https://evil.example", false),
            ("null", false),
        ];
        for path in ["/oauth2/token", "/oauth2/userinfo", "/oauth2/revoke"] {
            for (origin, open) in cases {
                let preflight = app
                    .http
                    .request(reqwest::Method::OPTIONS, app.url(path))
                    .header("origin", origin)
                    .header("access-control-request-method", "POST")
                    .header("access-control-request-headers", "authorization")
                    .send()
                    .await
                    .unwrap();
                let call = app.http.post(app.url(path)).header("origin", origin).form(&[("a", "b")]);
                for answer in [preflight, call.send().await.unwrap()] {
                    let allowed = answer.headers().get("access-control-allow-origin");
                    assert_eq!(allowed.is_some(), open, "{path} {origin}");
                    assert!(allowed.is_none_or(|allowed| allowed == origin));
                    assert!(answer.headers().get("access-control-allow-credentials").is_none());
                    let vary = answer.headers().get_all("vary").iter().any(|vary| vary == "Origin");
                    assert!(vary, "a cache would hand this to another origin");
                }
            }
        }
        for path in ["/oauth2/authorize", "/oauth2/par", "/oauth2/introspect", "/oauth2/logout", "/login", "/"] {
            let answer = app.http.get(app.url(path)).header("origin", "https://spa.example.org").send().await.unwrap();
            assert!(answer.headers().get("access-control-allow-origin").is_none(), "{path}");
        }
    }

    async fn ar_3_a_forged_host_reaches_no_document_and_no_redirect(database) {
        let app = TestApp::start(database).await;
        let client = app.client("calendar").await;
        let forged = |request: reqwest::RequestBuilder| {
            request
                .header("host", "evil.example")
                .header("x-forwarded-host", "evil.example")
                .header("x-forwarded-proto", "https")
                .header("x-forwarded-prefix", "/evil")
                .header("forwarded", "host=evil.example;proto=https")
        };
        let truth = document(&app).await;
        let answer = TokenAnswer::of(forged(app.http.get(app.url(OIDC))).send().await.unwrap()).await;
        assert!(answer.status == 400 || answer.status == 421 || answer.body == truth, "{}", answer.body);
        let flow = client.flow("openid");
        let answer = forged(app.http.get(app.url(&flow.path()))).send().await.unwrap();
        let location = answer.headers().get("location").map(|location| location.to_str().unwrap());
        assert!(location.is_none_or(|location| !location.contains("evil")), "{location:?}");
        let mut browser = app.browser();
        browser.headers.push(("x-forwarded-host", "evil.example".to_owned()));
        app.user("ada").await;
        let page = browser.get(&flow.path()).await;
        assert!(!page.html.contains("evil.example"));
        let page = browser.answer_login(&page, "ada", PASSWORD).await;
        assert!(!page.html.contains("evil.example") && page.has_id("consent-form"));
    }
}
