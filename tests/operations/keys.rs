//! A key's life on stored times, with a clock moved by hand: published, signing, retired, gone.

use std::collections::BTreeSet;
use std::time::Duration;

use countersign::audit::{Origin, Scribe};
use countersign::model::SigningAlg;
use josekit::jwk::JwkSet;
use josekit::jws::alg::ecdsa::EcdsaJwsAlgorithm;
use josekit::jws::alg::rsassa::RsassaJwsAlgorithm;
use josekit::jws::{self, JwsVerifier};
use reqwest::header::{CACHE_CONTROL, ETAG, IF_NONE_MATCH};
use serde_json::Value;

use crate::on_both_databases;
use crate::support::{Database, Settings, TestApp, TestClient, part};

const HOUR: Duration = Duration::from_secs(3_600);
const DAY: Duration = Duration::from_secs(86_400);

/// The JWKS as somebody outside sees it.
struct Seen {
    kids: BTreeSet<String>,
    set: JwkSet,
    etag: String,
    max_age: Duration,
}

async fn jwks(app: &TestApp) -> Seen {
    let answer = app.http.get(format!("{}/.well-known/jwks.json", app.base)).send().await.unwrap();
    assert_eq!(answer.status(), 200);
    let header = |name| answer.headers()[name].to_str().unwrap().to_owned();
    let (etag, caching) = (header(ETAG), header(CACHE_CONTROL));
    let max_age = caching.strip_prefix("public, max-age=").expect("how long it may be kept").parse().unwrap();
    let body = answer.bytes().await.unwrap();
    let document: Value = serde_json::from_slice(&body).unwrap();
    let keys = document["keys"].as_array().unwrap();
    for key in keys {
        for private in ["d", "p", "q", "dp", "dq", "qi", "k"] {
            assert!(key.get(private).is_none(), "{key}");
        }
        assert_eq!(key["use"], "sig");
    }
    Seen {
        kids: keys.iter().map(|key| key["kid"].as_str().unwrap().to_owned()).collect(),
        set: JwkSet::from_bytes(&body).unwrap(),
        etag,
        max_age: Duration::from_secs(max_age),
    }
}

fn kid(token: &str) -> String {
    part(token, 0)["kid"].as_str().unwrap().to_owned()
}

/// Verifies a signature as an application does: the key by `kid`, the algorithm from an explicit list.
fn verifies(token: &str, jwks: &Seen) -> bool {
    let keys = jwks.set.get(&kid(token));
    let Some(key) = keys.first() else { return false };
    let verifier: Box<dyn JwsVerifier> = match key.algorithm() {
        Some("ES256") => Box::new(EcdsaJwsAlgorithm::Es256.verifier_from_jwk(key).unwrap()),
        Some("RS256") => Box::new(RsassaJwsAlgorithm::Rs256.verifier_from_jwk(key).unwrap()),
        other => panic!("{other:?}"),
    };
    jws::deserialize_compact(token, &*verifier).is_ok()
}

async fn scheduled(database: Database) -> (TestApp, TestClient) {
    let settings = Settings::with(|config| {
        config.keys.rotate_every = 90 * DAY;
        config.keys.publish_ahead = DAY;
    });
    let app = TestApp::start_with(database, settings).await;
    app.user("ada").await;
    let client = app.client("calendar").await;
    (app, client)
}

/// What the job does once an hour.
async fn let_the_job_run(app: &TestApp) {
    app.app.signing.make_due_keys(&app.app.db).await.unwrap();
}

on_both_databases! {
    async fn tk_10_a_key_is_published_a_day_before_it_signs_and_stays_until_its_tokens_are_dead(database) {
        let (app, client) = scheduled(database).await;
        let first = client.sign_in(&mut app.browser(), "ada", "openid").await;
        let begin = jwks(&app).await;
        assert_eq!(begin.kids.len(), 3);
        let (old_access, old_id) = (first.access_token.clone(), first.id_token.clone().unwrap());
        assert!(verifies(&old_access, &begin) && verifies(&old_id, &begin));

        app.advance(88 * DAY);
        let_the_job_run(&app).await;
        assert_eq!(jwks(&app).await.kids, begin.kids, "nothing is due yet");

        app.advance(DAY + HOUR);
        let_the_job_run(&app).await;
        let published = jwks(&app).await;
        assert_eq!(published.kids.len(), 6);
        assert!(published.kids.is_superset(&begin.kids));
        assert_ne!(published.etag, begin.etag);
        let last = client.sign_in(&mut app.browser(), "ada", "openid").await;
        assert!(begin.kids.contains(&kid(&last.access_token)), "the new key signs too early");
        app.advance(DAY - Duration::from_secs(60));
        let late = client.sign_in(&mut app.browser(), "ada", "openid").await;
        assert_eq!(kid(&late.access_token), kid(&old_access), "the new key signs too early");
        assert!(verifies(&late.access_token, &begin), "who cached the first document verifies still");

        app.advance(Duration::from_secs(60));
        let new = client.sign_in(&mut app.browser(), "ada", "openid").await;
        let (access, id) = (kid(&new.access_token), kid(new.id_token.as_ref().unwrap()));
        assert!(published.kids.contains(&access) && published.kids.contains(&id));
        assert!(!begin.kids.contains(&access) && !begin.kids.contains(&id), "the old key signs too late");
        assert!(verifies(&new.access_token, &published), "who fetched a day ago verifies already");
        let both = jwks(&app).await;
        for token in [&old_access, &old_id, &late.access_token, &new.access_token] {
            assert!(verifies(token, &both));
        }
        assert_eq!(client.introspect(&late.access_token).await["active"], true);

        // The longest token of the old key has died, and those who allow for clocks have stopped.
        app.advance(DAY);
        let_the_job_run(&app).await;
        assert!(verifies(&old_access, &jwks(&app).await), "not before the clocks are sure of it");
        app.advance(HOUR);
        let end = jwks(&app).await;
        assert_eq!(end.kids.len(), 3);
        assert!(end.kids.is_disjoint(&begin.kids));
        assert!(verifies(&new.access_token, &end));
    }

    async fn the_jwks_is_kept_no_longer_than_until_its_next_change(database) {
        let (app, _) = scheduled(database).await;
        let first = jwks(&app).await;
        assert_eq!(first.max_age, HOUR);
        let conditional = |etag: String| {
            let request = app.http.get(app.url("/.well-known/jwks.json")).header(IF_NONE_MATCH, etag);
            async { request.send().await.unwrap() }
        };
        let unchanged = conditional(first.etag.clone()).await;
        assert_eq!((unchanged.status().as_u16(), unchanged.headers()[ETAG].to_str().unwrap()), (304, first.etag.as_str()));
        assert!(unchanged.headers().contains_key(CACHE_CONTROL));
        assert!(unchanged.bytes().await.unwrap().is_empty());
        assert_eq!(conditional("\"another\"".to_owned()).await.status(), 200);

        app.advance(89 * DAY);
        let_the_job_run(&app).await;
        assert_eq!(conditional(first.etag.clone()).await.status(), 200, "it has changed");
        // The old keys retire after a day, and leave a day and eleven minutes later.
        app.advance(2 * DAY + Duration::from_secs(600));
        let before = jwks(&app).await;
        assert_eq!((before.kids.len(), before.max_age), (6, Duration::from_secs(60)));
        app.advance(Duration::from_secs(61));
        let after = jwks(&app).await;
        assert_eq!((after.kids.len(), after.max_age), (3, HOUR));
    }

    async fn tk_11_a_revoked_key_is_out_at_once_with_all_that_it_signed(database) {
        let (app, client) = scheduled(database).await;
        let tokens = client.sign_in(&mut app.browser(), "ada", "openid offline_access").await;
        let bad = kid(&tokens.access_token);
        let scribe = Scribe { now: app.clock.now(), random: app.app.random.clone(), origin: Origin::command_line() };
        app.app.signing.revoke(&app.app.db, &bad, scribe).await.unwrap();

        let left = jwks(&app).await;
        assert!(!left.kids.contains(&bad));
        assert_eq!(client.introspect(&tokens.access_token).await, serde_json::json!({"active": false}));
        assert_eq!(client.userinfo(&tokens.access_token).await.status, 401);
        // The grant is as good as it was; the successor signs at once.
        let fresh = client.refresh(tokens.refresh_token()).await.expect_tokens();
        assert_ne!(kid(&fresh.access_token), bad);
        assert!(verifies(&fresh.access_token, &jwks(&app).await));
        assert_eq!(client.introspect(&fresh.access_token).await["active"], true);
    }

    async fn tk_10_a_rotation_by_hand_keeps_to_the_same_times(database) {
        let (app, client) = scheduled(database).await;
        let before = client.sign_in(&mut app.browser(), "ada", "openid").await;
        let scribe = Scribe { now: app.clock.now(), random: app.app.random.clone(), origin: Origin::command_line() };
        let new = app.app.signing.rotate(&app.app.db, SigningAlg::Es256, scribe).await.unwrap();
        assert!(jwks(&app).await.kids.contains(&new));
        app.advance(DAY - Duration::from_secs(1));
        let waiting = client.sign_in(&mut app.browser(), "ada", "openid").await;
        assert_eq!(kid(&waiting.access_token), kid(&before.access_token));
        app.advance(Duration::from_secs(1));
        let active = client.sign_in(&mut app.browser(), "ada", "openid").await;
        assert_eq!(kid(&active.access_token), new);
        assert_eq!(kid(active.id_token.as_ref().unwrap()), kid(before.id_token.as_ref().unwrap()), "another algorithm");
    }
}
