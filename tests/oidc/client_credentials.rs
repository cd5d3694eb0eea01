//! `client_credentials`: a token for the client itself (RFC 6749 §4.4, TE-9).

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::on_both_databases;
use crate::support::{Database, TestApp, TestClient, verified};
use countersign::audit::Origin;
use countersign::model::Resource;
use countersign::tenancy::resources::{self, NewResource};

pub const API: &str = "https://api.example.com/";

/// Registers an API with these scopes.
pub async fn resource(app: &TestApp, identifier: &str, scopes: &[&str], ttl: Option<u64>) -> Resource {
    let new = NewResource {
        identifier: identifier.to_owned(),
        name: format!("the API at {identifier}"),
        scopes: scopes
            .iter()
            .map(|scope| ((*scope).to_owned(), format!("Use {scope}")))
            .collect::<BTreeMap<_, _>>(),
        access_ttl: ttl.map(std::time::Duration::from_secs),
    };
    resources::create(&app.app, new, &Origin::command_line()).await.expect("the resource is made")
}

async fn ready(database: Database) -> (TestApp, TestClient) {
    let app = TestApp::start(database).await;
    resource(&app, API, &["events:read", "events:write", "events:admin"], None).await;
    let client = machine(&app, "batch", "events:read events:write openid").await;
    (app, client)
}

async fn machine(app: &TestApp, name: &str, scope: &str) -> TestClient {
    TestClient::register(app, name, |registration| {
        registration.set("grant_types", json!(["client_credentials"]));
        registration.set("redirect_uris", json!([]));
        registration.set("scope", scope);
    })
    .await
}

fn sorted(scope: &Value) -> Vec<&str> {
    let mut scopes: Vec<&str> = scope.as_str().unwrap().split(' ').collect();
    scopes.sort_unstable();
    scopes
}

on_both_databases! {
    async fn te_9_the_token_is_the_clients_own(database) {
        let (app, client) = ready(database).await;
        let ada = app.user("ada").await;
        let answer = client.token(&[("grant_type", "client_credentials")]).await;
        let tokens = answer.expect_tokens();
        assert!(tokens.refresh_token.is_none() && tokens.id_token.is_none());
        assert_eq!(answer.header("cache-control"), "no-store");
        let (header, claims) = verified(&app, &tokens.access_token).await;
        assert_eq!((&header["typ"], &header["alg"]), (&json!("at+jwt"), &json!("ES256")));
        assert_eq!((&claims["sub"], &claims["client_id"]), (&json!(client.client_id), &json!(client.client_id)));
        assert_eq!((&claims["aud"], &claims["iss"]), (&json!(API), &json!(app.issuer)));
        assert_eq!(sorted(&claims["scope"]), ["events:read", "events:write"]);
        for claim in ["sid", "auth_time", "acr", "amr", "gid", "nonce", "email"] {
            assert!(claims.get(claim).is_none(), "{claim} would be about a user");
        }
        assert_ne!(claims["sub"], ada.to_string());
        assert!(!claims["sub"].as_str().unwrap().starts_with("usr_"));
        assert_eq!(client.introspect(&tokens.access_token).await["active"], true);
        // It is no token of a user, anywhere.
        assert_eq!(client.userinfo(&tokens.access_token).await.status, 401);
        // Each is another.
        let again = client.token(&[("grant_type", "client_credentials")]).await.expect_tokens();
        assert_ne!(again.access_claims()["jti"], claims["jti"]);
    }

    async fn te_9_scopes_are_capped_by_registration(database) {
        let (app, client) = ready(database).await;
        resource(&app, "https://other.example.com/", &["other:read"], None).await;
        let ask = async |scope: &str| client.token(&[("grant_type", "client_credentials"), ("scope", scope)]).await;
        assert_eq!(ask("events:read").await.expect_tokens().access_claims()["scope"], "events:read");
        for scope in ["events:admin", "events:read events:admin", "openid", "openid events:read", "nonsense", "offline_access"] {
            ask(scope).await.expect_error("invalid_scope");
        }
        let fields = [("grant_type", "client_credentials"), ("resource", "https://elsewhere.example/")];
        client.token(&fields).await.expect_error("invalid_target");
        let fields = [("grant_type", "client_credentials"), ("resource", API), ("scope", "events:read")];
        let claims = client.token(&fields).await.expect_tokens().access_claims();
        assert_eq!((&claims["aud"], &claims["scope"]), (&json!(API), &json!("events:read")));
        // An API of which it holds no scope is not its to name.
        let fields = [("grant_type", "client_credentials"), ("resource", "https://other.example.com/")];
        client.token(&fields).await.expect_error("invalid_target");
    }

    async fn te_9_a_public_client_or_one_without_the_grant_gets_none(database) {
        let (app, _) = ready(database).await;
        let public = TestClient::register(&app, "spa", |registration| {
            registration.set("token_endpoint_auth_method", "none");
        })
        .await;
        public.token(&[("grant_type", "client_credentials")]).await.expect_error("unauthorized_client");
        let web = app.client("calendar").await;
        web.token(&[("grant_type", "client_credentials")]).await.expect_error("unauthorized_client");
        let metadata = countersign::protocol::registration::ClientMetadata::parse(
            br#"{"token_endpoint_auth_method":"none","grant_types":["client_credentials"]}"#,
        )
        .unwrap();
        let new = countersign::tenancy::clients::NewClient {
            metadata,
            client_id: None,
            secret: None,
            terms: countersign::tenancy::clients::Terms::default(),
        };
        assert!(countersign::tenancy::clients::create(&app.app, new, &Origin::command_line()).await.is_err());
    }

    async fn a_client_without_scopes_of_apis_gets_a_token_for_the_issuer(database) {
        let (app, _) = ready(database).await;
        let client = machine(&app, "plain", "").await;
        let tokens = client.token(&[("grant_type", "client_credentials")]).await.expect_tokens();
        assert_eq!(tokens.access_claims()["aud"], app.issuer.as_str());
        assert!(tokens.access_claims().get("scope").is_none(), "there is none to tell");
        assert_eq!(client.userinfo(&tokens.access_token).await.status, 403);
    }
}

/// DESIGN §8. With the tables gone, whoever asked one would fail.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_table_is_touched_for_a_token() {
    let (app, client) = ready(Database::Sqlite).await;
    client.token(&[("grant_type", "client_credentials")]).await.expect_tokens();
    let path = app.database.sqlite_path().expect("SQLite has a file").to_owned();
    tokio::task::spawn_blocking(move || {
        use diesel::Connection;
        use diesel::connection::SimpleConnection;
        let mut db = diesel::SqliteConnection::establish(&path.display().to_string()).unwrap();
        db.batch_execute("PRAGMA busy_timeout = 5000; PRAGMA foreign_keys = OFF").unwrap();
        for table in [
            "audit_events",
            "clients",
            "client_secrets",
            "client_values",
            "grants",
            "rate_limits",
            "refresh_tokens",
            "resources",
            "resource_scopes",
            "revocations",
            "signing_keys",
            "status_indices",
            "users",
            "versions",
        ] {
            db.batch_execute(&format!("DROP TABLE {table}")).unwrap();
        }
    })
    .await
    .unwrap();
    let broken = client.call("/oauth2/introspect", &[("token", "x")]).await;
    assert!(broken.status >= 500, "the tables are really gone: {broken:?}");
    for _ in 0..3 {
        client.token(&[("grant_type", "client_credentials"), ("scope", "events:read")]).await.expect_tokens();
    }
}
