//! Revocation for offline verifiers: what ends a token reaches the status list, and nothing else does.

use std::time::Duration;

use countersign::audit::Origin;
use countersign::clock::Timestamp;
use countersign::crypto::Secret;
use countersign::model::{Status, UserId};
use countersign::tenancy::{clients, users};
use countersign::verify::{Rejection, Remedy, Rules, Unlisted, Verifier};
use serde_json::{Value, json};

use crate::on_both_databases;
use crate::support::status::{bits, is_listed, list, listed_soon, place};
use crate::support::{Database, Settings, TestApp, TestClient, Tokens, part, verified};

const SCOPE: &str = "openid offline_access";
const MINUTE: Duration = Duration::from_secs(60);

async fn ready(database: Database) -> (TestApp, TestClient, UserId) {
    let app = TestApp::start(database).await;
    let ada = app.user("ada").await;
    let client = app.client("calendar").await;
    (app, client, ada)
}

async fn machine(app: &TestApp) -> TestClient {
    TestClient::register(app, "batch", |registration| {
        registration.set("grant_types", json!(["client_credentials"]));
        registration.set("redirect_uris", json!([]));
    })
    .await
}

async fn machine_token(machine: &TestClient) -> String {
    machine.token(&[("grant_type", "client_credentials")]).await.expect_tokens().access_token
}

async fn sign_in(app: &TestApp, client: &TestClient) -> Tokens {
    client.sign_in(&mut app.browser(), "ada", SCOPE).await
}

async fn fetch(app: &TestApp, path: &str) -> Vec<u8> {
    app.http.get(app.url(path)).send().await.unwrap().bytes().await.unwrap().to_vec()
}

/// An API in Rust, with the keys and no list.
async fn api(app: &TestApp, unlisted: Unlisted) -> Verifier {
    let rules =
        Rules { issuer: app.issuer.clone(), audience: app.issuer.clone(), unlisted, ..Rules::default() };
    let mut verifier = Verifier::new(rules);
    assert_eq!(verifier.verify("x.y.z", app.clock.now()).unwrap_err().remedy(), Remedy::Refuse);
    let jwks = fetch(app, verifier.jwks_uri().strip_prefix(&app.issuer).unwrap()).await;
    verifier.take_keys(&jwks, app.clock.now()).unwrap();
    verifier
}

/// The same with the list as it is now.
async fn api_with_list(app: &TestApp) -> Verifier {
    let mut verifier = api(app, Unlisted::Refuse).await;
    take_list(app, &mut verifier).await.unwrap();
    verifier
}

async fn take_list(app: &TestApp, verifier: &mut Verifier) -> Result<(), Rejection> {
    let jwt = fetch(app, "/revocations").await;
    verifier.take_list(&format!("{}/revocations", app.issuer), &jwt, app.clock.now())
}

/// Once the list was signed at this moment of the manual clock.
async fn signed_now(app: &TestApp) -> Value {
    for _ in 0..40 {
        let jwt = String::from_utf8(fetch(app, "/revocations").await).unwrap();
        if jwt.contains('.') && part(&jwt, 1)["iat"] == app.clock.now().seconds() {
            return part(&jwt, 1);
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("the list is not signed anew");
}

on_both_databases! {
    async fn a_busy_clients_own_tokens_are_revoked_one_by_one(database) {
        let app = TestApp::start(database).await;
        let machine = machine(&app).await;
        let key = app.app.client(&machine.client_id).await.unwrap().expect("the client is there").key;
        let shared: Vec<usize> = app.read(move |db| countersign::store::status::of_clients(db, &[key])).await
            .into_iter().map(|(_, place)| place.index()).collect();
        let index = |token: &str| place(token).1;
        for _ in 0..4 {
            assert!(shared.contains(&index(&machine_token(&machine).await)), "nothing is written for who asks seldom");
        }
        // A job leases for it within a second or so, and anew when a change of clients was noticed meanwhile.
        let mut leased = Vec::new();
        for _ in 0..200 {
            let token = machine_token(&machine).await;
            if shared.contains(&index(&token)) {
                leased.clear();
                tokio::time::sleep(Duration::from_millis(50)).await;
            } else {
                leased.push(token);
            }
            if leased.len() == 4 {
                break;
            }
        }
        let places: std::collections::BTreeSet<usize> = leased.iter().map(|token| index(token)).collect();
        assert!(leased.len() == 4 && places.len() == 4 && places.is_disjoint(&shared.iter().copied().collect()), "{places:?}");
        machine.call("/oauth2/revoke", &[("token", &leased[1])]).await;
        listed_soon(&app, &leased[1]).await;
        for kept in [0, 2, 3] {
            assert!(!is_listed(&app, &leased[kept]).await, "{kept}");
        }
        // All of them end with the client.
        clients::set_status(&app.app, &machine.client_id, Status::Disabled, &Origin::command_line()).await.unwrap();
        for token in &leased {
            listed_soon(&app, token).await;
        }
        let none = app.app.db.write(move |db| {
            countersign::store::status::lease(db, key, 3, Timestamp::from_seconds(9_999_999_999), &countersign::crypto::Random::system())
        });
        assert_eq!(none.await.unwrap(), [], "and none are leased after that");
    }

    async fn a_list_is_signed_cacheable_and_tells_nothing_of_good_tokens(database) {
        let (app, client, _) = ready(database).await;
        let first = sign_in(&app, &client).await;
        let second = client.refresh(first.refresh_token()).await.expect_tokens();
        let (uri, _) = place(&first.access_token);
        assert_eq!(uri, format!("{}/revocations", app.issuer));
        assert_ne!(place(&first.access_token), place(&second.access_token), "each token has a place of its own");

        let answer = list(&app, &uri).await;
        assert_eq!(answer.status, 200);
        assert_eq!(answer.header("content-type"), "application/statuslist+jwt");
        assert_eq!(answer.header("cache-control"), "public, max-age=60");
        assert_eq!(answer.header("access-control-allow-origin"), "*");
        let jwt = answer.body.as_str().unwrap();
        assert!(jwt.len() < 1_000, "an empty list is small: {}", jwt.len());
        let (header, claims) = verified(&app, jwt).await;
        assert_eq!((&header["typ"], &header["alg"]), (&json!("statuslist+jwt"), &json!("ES256")));
        assert_eq!((&claims["iss"], &claims["sub"], &claims["ttl"]), (&json!(app.issuer), &json!(uri), &json!(60)));
        assert_eq!(claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap(), 900);
        let bits = bits(&claims);
        assert_eq!((bits.len(), bits.iter().any(|byte| *byte != 0)), (131_072, false));

        let known = |tag: &str| app.http.get(app.url("/revocations")).header("if-none-match", tag).send();
        let unchanged = known(answer.header("etag")).await.unwrap();
        assert_eq!((unchanged.status().as_u16(), unchanged.content_length()), (304, Some(0)));
        client.call("/oauth2/revoke", &[("token", &first.access_token)]).await;
        listed_soon(&app, &first.access_token).await;
        assert_eq!(known(answer.header("etag")).await.unwrap().status(), 200);

        let metadata: Value = serde_json::from_slice(&fetch(&app, "/.well-known/openid-configuration").await).unwrap();
        let lists = metadata["status_list_aggregation_endpoint"].as_str().unwrap();
        let lists: Value = serde_json::from_slice(&fetch(&app, lists.strip_prefix(&app.issuer).unwrap()).await).unwrap();
        assert_eq!(lists["status_lists"], json!([uri, format!("{uri}/1")]));
        assert_eq!(list(&app, &format!("{uri}/1")).await.status, 200, "the next one is there before it is needed");
        for nothing in ["/0", "/2", "/x", "/999999999", "/9999999999999999999999", "/-1"] {
            assert_eq!(list(&app, &format!("{uri}{nothing}")).await.status, 404, "{nothing}");
        }
        // No token is ever taken for a list, nor a list for a token (TK-4).
        assert_eq!(client.userinfo(jwt).await.status, 401);
        assert_eq!(client.introspect(jwt).await, json!({ "active": false }));
    }

    async fn cr_8_whatever_ends_a_grant_reaches_the_list_and_leaves_others_alone(database) {
        let (app, client, ada) = ready(database).await;
        let other = app.client("mail").await;
        let (bob_signs_in, operator) = (app.user("bob").await, Origin::command_line());
        let mut bob = app.browser();
        let of_bob = client.sign_in(&mut bob, "bob", SCOPE).await;

        // The user signs out.
        let mut browser = app.browser();
        let online = client.sign_in(&mut browser, "ada", "openid").await;
        let page = browser.get("/logout").await;
        browser.submit(&page, "logout-form", &[], None).await;
        listed_soon(&app, &online.access_token).await;

        // A refresh token is used twice.
        let first = sign_in(&app, &client).await;
        let second = client.refresh(first.refresh_token()).await.expect_tokens();
        let third = client.refresh(second.refresh_token()).await.expect_tokens();
        app.advance(MINUTE);
        client.refresh(first.refresh_token()).await.expect_error("invalid_grant");
        for tokens in [&first, &second, &third] {
            listed_soon(&app, &tokens.access_token).await;
        }

        // A client gives tokens back (RFC 7009): one of them, then all.
        let one = sign_in(&app, &client).await;
        let two = client.refresh(one.refresh_token()).await.expect_tokens();
        client.call("/oauth2/revoke", &[("token", &one.access_token)]).await;
        listed_soon(&app, &one.access_token).await;
        assert!(!is_listed(&app, &two.access_token).await, "it alone");
        client.call("/oauth2/revoke", &[("token", two.refresh_token())]).await;
        listed_soon(&app, &two.access_token).await;

        // A code is used twice.
        let flow = client.flow(SCOPE);
        let code = client.authorize(&mut app.browser(), &flow, "ada").await;
        let redeemed = client.redeem(&flow, &code).await.expect_tokens();
        client.redeem(&flow, &code).await.expect_error("invalid_grant");
        listed_soon(&app, &redeemed.access_token).await;

        // The password is changed; the user is disabled; the client is; the user is removed.
        let before = sign_in(&app, &client).await;
        let password = Secret::from_text(crate::support::PASSWORD);
        users::set_password(&app.app, ada, &password, &operator).await.unwrap();
        listed_soon(&app, &before.access_token).await;
        let before = sign_in(&app, &client).await;
        users::disable(&app.app, ada, &operator).await.unwrap();
        listed_soon(&app, &before.access_token).await;
        users::enable(&app.app, ada, &operator).await.unwrap();
        assert!(is_listed(&app, &before.access_token).await, "what ended stays ended");

        let here = sign_in(&app, &other).await;
        clients::set_status(&app.app, &other.client_id, Status::Disabled, &operator).await.unwrap();
        listed_soon(&app, &here.access_token).await;
        clients::set_status(&app.app, &other.client_id, Status::Active, &operator).await.unwrap();
        let again = other.refresh(here.refresh_token()).await.expect_tokens();
        clients::remove(&app.app, &other.client_id, &operator).await.unwrap();
        listed_soon(&app, &again.access_token).await;

        let last = sign_in(&app, &client).await;
        users::remove(&app.app, ada, &operator).await.unwrap();
        listed_soon(&app, &last.access_token).await;

        assert!(!is_listed(&app, &of_bob.access_token).await, "{bob_signs_in} did nothing");
        let metrics = String::from_utf8(fetch(&app, "/metrics").await).unwrap();
        assert!(metrics.contains("countersign_revoked_tokens 1"), "more than nine: {metrics}");
    }

    async fn a_machines_token_can_be_called_back_and_its_next_one_is_good(database) {
        let (app, client, _) = ready(database).await;
        let machine = machine(&app).await;
        let token = machine_token(&machine).await;
        machine.call("/oauth2/revoke", &[("token", &token)]).await;
        listed_soon(&app, &token).await;
        for _ in 0..20 {
            let next = machine_token(&machine).await;
            assert_ne!(place(&next), place(&token), "a marked place is not given to a new token");
        }
        let token = machine_token(&machine).await;
        let operator = Origin::command_line();
        clients::set_status(&app.app, &machine.client_id, Status::Disabled, &operator).await.unwrap();
        listed_soon(&app, &token).await;
        clients::set_status(&app.app, &machine.client_id, Status::Active, &operator).await.unwrap();
        assert!(!is_listed(&app, &machine_token(&machine).await).await);
        assert!(is_listed(&app, &token).await);
        // It says so of the tokens that this client was issued, and of no other's.
        let theirs = sign_in(&app, &client).await;
        machine.call("/oauth2/revoke", &[("token", &theirs.access_token)]).await;
        tokio::time::sleep(Duration::from_millis(700)).await;
        assert!(!is_listed(&app, &theirs.access_token).await);
    }

    async fn no_place_is_given_again_while_a_token_or_a_copy_of_the_list_names_it(database) {
        let (app, client, _) = ready(database).await;
        let tokens = sign_in(&app, &client).await;
        client.call("/oauth2/revoke", &[("token", &tokens.access_token)]).await;
        listed_soon(&app, &tokens.access_token).await;
        let taken = || app.read(countersign::store::status::highest);
        let sweep = |now: Timestamp| app.app.db.write(move |db| countersign::store::jobs::sweep_expired(db, now, now));
        // The token lives 15 minutes; a verifier whose clock is a minute behind still sees the mark.
        app.advance(16 * MINUTE);
        signed_now(&app).await;
        assert!(is_listed(&app, &tokens.access_token).await);
        // The mark goes when nobody can take the token any more. The place stays taken for three hours.
        app.advance(6 * MINUTE);
        signed_now(&app).await;
        assert!(!is_listed(&app, &tokens.access_token).await);
        for (minutes, is_taken) in [(2 * 60, true), (54, true), (2, false)] {
            app.advance(minutes * MINUTE);
            sweep(app.clock.now()).await.unwrap();
            assert_eq!(taken().await.is_some(), is_taken, "after {minutes} more");
        }
    }

    async fn cr_1_a_restart_keeps_what_was_revoked(database) {
        let (app, client, _) = ready(database).await;
        let machine = machine(&app).await;
        let (tokens, kept) = (sign_in(&app, &client).await, sign_in(&app, &client).await);
        let of_machine = machine_token(&machine).await;
        client.call("/oauth2/revoke", &[("token", tokens.refresh_token())]).await;
        machine.call("/oauth2/revoke", &[("token", &of_machine)]).await;
        let (clock, issuer) = (app.clock.clone(), app.issuer.clone());
        let settings = Settings::with(move |config| config.issuer = issuer.parse().unwrap()).at(&clock);
        let next = TestApp::serve(app.stop().await, settings).await;
        // At once: nothing is served before the list was read.
        assert!(is_listed(&next, &tokens.access_token).await && is_listed(&next, &of_machine).await);
        assert!(!is_listed(&next, &kept.access_token).await);
    }

    async fn ar_1_a_token_made_while_its_grant_is_revoked_is_listed(database) {
        let (app, client, ada) = ready(database).await;
        let mut made = 0;
        for round in 0..12_u64 {
            let tokens = sign_in(&app, &client).await;
            let (refreshed, ended) = tokio::join!(client.refresh(tokens.refresh_token()), async {
                tokio::time::sleep(Duration::from_micros(500 * round)).await;
                users::end_sessions(&app.app, ada, &Origin::command_line()).await
            });
            ended.unwrap();
            if refreshed.status == 200 {
                made += 1;
                listed_soon(&app, &refreshed.expect_tokens().access_token).await;
            }
        }
        assert!(made > 0, "no refresh came before the end of its session");
    }

    async fn an_api_in_rust_learns_of_a_revocation_and_says_what_it_needs(database) {
        let (app, client, _) = ready(database).await;
        let tokens = sign_in(&app, &client).await;
        let token = tokens.access_token.as_str();
        let mut verifier = api(&app, Unlisted::Refuse).await;
        let uri = format!("{}/revocations", app.issuer);
        let missing = verifier.verify(token, app.clock.now()).unwrap_err();
        assert_eq!(missing.remedy(), Remedy::FetchList(&uri));
        assert!(api(&app, Unlisted::Accept).await.verify(token, app.clock.now()).is_ok(), "if it is told so");
        take_list(&app, &mut verifier).await.unwrap();
        let claims = verifier.verify(token, app.clock.now()).unwrap();
        assert_eq!((claims.subject(), claims.client_id()), (claims.get("sub").unwrap().as_str().unwrap(), Some(client.client_id.as_str())));
        assert!(claims.has_scope("openid") && !claims.has_scope("open"));

        client.call("/oauth2/revoke", &[("token", token)]).await;
        listed_soon(&app, token).await;
        assert!(verifier.verify(token, app.clock.now()).is_ok(), "not known yet");
        assert_eq!(verifier.lists_due(app.clock.now()), Vec::<String>::new());
        app.advance(MINUTE);
        assert_eq!(verifier.lists_due(app.clock.now()), std::slice::from_ref(&uri));
        take_list(&app, &mut verifier).await.unwrap();
        assert_eq!(verifier.verify(token, app.clock.now()), Err(Rejection::Revoked));
        // A list that got too old is asked for again; what it marked stays so.
        app.advance(6 * MINUTE);
        assert_eq!(verifier.verify(token, app.clock.now()), Err(Rejection::Revoked));
        let good = client.refresh(tokens.refresh_token()).await.expect_tokens().access_token;
        assert_eq!(verifier.verify(&good, app.clock.now()), Err(Rejection::NeedsList(uri)));
        take_list(&app, &mut verifier).await.unwrap();
        assert!(verifier.verify(&good, app.clock.now()).is_ok());
        app.advance(15 * MINUTE);
        assert_eq!(verifier.verify(&good, app.clock.now()), Err(Rejection::Expired));
    }

    async fn a_list_that_was_touched_or_is_another_is_refused(database) {
        let (app, client, _) = ready(database).await;
        let tokens = sign_in(&app, &client).await;
        let uri = format!("{}/revocations", app.issuer);
        let old = fetch(&app, "/revocations").await;
        client.call("/oauth2/revoke", &[("token", &tokens.access_token)]).await;
        app.advance(Duration::from_secs(1));
        listed_soon(&app, &tokens.access_token).await;
        let new = fetch(&app, "/revocations").await;
        let mut verifier = api_with_list(&app).await;
        let now = app.clock.now();
        assert_eq!(verifier.take_list(&uri, &old, now), Err(Rejection::OlderList(uri.clone())), "no way back");

        let text = String::from_utf8(new.clone()).unwrap();
        let parts: Vec<&str> = text.split('.').collect();
        let others = String::from_utf8(old.clone()).unwrap();
        let swapped = format!("{}.{}.{}", parts[0], others.split('.').nth(1).unwrap(), parts[2]);
        let unsigned = format!("eyJhbGciOiJub25lIiwidHlwIjoic3RhdHVzbGlzdCtqd3QifQ.{}.", parts[1]);
        let second = fetch(&app, "/revocations/1").await;
        for forged in [swapped.as_bytes(), unsigned.as_bytes(), tokens.access_token.as_bytes(), &second, b"", b"\xff"] {
            assert!(verifier.take_list(&uri, forged, now).is_err(), "{}", String::from_utf8_lossy(forged));
        }
        for elsewhere in ["https://evil.example/revocations", &format!("{uri}/../x"), &format!("{uri}x"), &app.issuer] {
            assert_eq!(verifier.take_list(elsewhere, &new, now), Err(Rejection::NotTheList(elsewhere.to_owned())));
        }
        assert_eq!(verifier.verify(&tokens.access_token, now), Err(Rejection::Revoked), "what was known is kept");
        let late = now.plus(16 * MINUTE);
        assert_eq!(verifier.take_list(&uri, &new, late), Err(Rejection::ListExpired(uri.clone())));

        // Another audience, issuer or algorithm, and a key that came later.
        let rules = |audience: &str| Rules { issuer: app.issuer.clone(), audience: audience.to_owned(), ..Rules::default() };
        let jwks = fetch(&app, "/.well-known/jwks.json").await;
        let mut other = Verifier::new(rules("https://api.example.org"));
        assert_eq!(other.verify(&tokens.access_token, now).unwrap_err().remedy(), Remedy::FetchKeys);
        other.take_keys(br#"{"keys":[]}"#, now).unwrap();
        assert_eq!(other.verify(&tokens.access_token, now).unwrap_err().remedy(), Remedy::Refuse, "not each time");
        assert_eq!(other.verify(&tokens.access_token, now.plus(MINUTE)).unwrap_err().remedy(), Remedy::FetchKeys);
        assert!(other.take_keys(b"[]", now).is_err());
        other.take_keys(&jwks, now).unwrap();
        assert_eq!(other.verify(&tokens.access_token, now), Err(Rejection::WrongAudience));
        let id_token = tokens.id_token.as_deref().unwrap();
        assert!(matches!(verifier.verify(id_token, now), Err(Rejection::Invalid(_))), "TK-4");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_cannot_read_gives_what_it_has_until_that_expires() {
    let (app, client, _) = ready(Database::Sqlite).await;
    let tokens = sign_in(&app, &client).await;
    client.call("/oauth2/revoke", &[("token", tokens.refresh_token())]).await;
    listed_soon(&app, &tokens.access_token).await;
    let path = app.database.sqlite_path().expect("SQLite has a file").to_owned();
    tokio::task::spawn_blocking(move || {
        use diesel::Connection;
        use diesel::connection::SimpleConnection;
        let mut db = diesel::SqliteConnection::establish(&path.display().to_string()).unwrap();
        db.batch_execute("PRAGMA busy_timeout = 5000; DROP TABLE status_indices").unwrap();
    })
    .await
    .unwrap();
    app.advance(14 * MINUTE + Duration::from_secs(30));
    assert!(is_listed(&app, &tokens.access_token).await);
    let uri = format!("{}/revocations", app.issuer);
    assert_eq!(list(&app, &uri).await.header("cache-control"), "public, max-age=30", "not beyond its end");
    app.advance(MINUTE);
    let gone = list(&app, &uri).await;
    assert_eq!(
        (gone.status, gone.header("retry-after"), gone.header("cache-control")),
        (503, "5", "no-store")
    );
}
