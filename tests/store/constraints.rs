//! What the schema itself refuses, and that both databases say so in the same kinds of error.

use std::collections::BTreeMap;

use countersign::model::{Resource, ResourceId, Status};
use countersign::store::{
    Error, Unique, authorization, clients, consents, grants, resources, sessions, users,
};

use super::{
    Store, a_client, a_code, a_grant, a_refresh_token, a_request, a_session, a_user, address, later,
};
use crate::on_both_databases;
use crate::support::START;

fn taken(result: Result<(), Error>) -> Option<Unique> {
    match result {
        Err(Error::Taken(what)) => Some(what),
        _ => None,
    }
}

fn broken(result: Result<(), Error>) -> bool {
    matches!(result, Err(Error::Broken(_)))
}

on_both_databases! {
    async fn a_value_of_one_row_is_taken_for_every_other(database) {
        let store = Store::open(database).await;
        let (ada, _eve) = (store.user("ada").await, store.user("eve").await);
        let client = store.client("calendar").await;
        let resource = Resource {
            id: ResourceId::new(START, &store.random),
            identifier: "https://api.example.com/".into(),
            name: "API".into(),
            status: Status::Active,
            access_ttl: None,
            scopes: BTreeMap::new(),
        };
        let stored = resource.clone();
        store.write(move |db| resources::insert(db, &stored, START)).await;

        let user = a_user(&store.random, "eve");
        assert_eq!(taken(store.db.write(move |db| users::insert(db, &user)).await), Some(Unique::Username));
        let email = store.db.write(move |db| users::insert_email(db, ada, &address("EVE"), false, None, START)).await;
        assert_eq!(taken(email), Some(Unique::Email));
        let second = a_client(&store.random, "calendar");
        assert_eq!(taken(store.db.write(move |db| clients::insert(db, &second, START)).await), Some(Unique::ClientId));
        let second = Resource { id: ResourceId::new(later(1), &store.random), ..resource };
        let answer = store.db.write(move |db| resources::insert(db, &second, START)).await;
        assert_eq!(taken(answer), Some(Unique::ResourceIdentifier));
        let session = store.session(ada).await;
        let mut second = a_session(&store.random, ada);
        second.secret_digest = session.secret_digest;
        assert_eq!(taken(store.db.write(move |db| sessions::insert(db, &second, &[])).await), Some(Unique::Other));
        // Nothing of what failed is left.
        let kept = store.read(move |db| clients::find_by_client_id(db, "calendar")).await;
        assert_eq!(kept, Some(client));
        assert_eq!((store.count("clients").await, store.count("emails").await, store.count("users").await), (1, 2, 2));
    }

    async fn a_row_names_only_what_exists(database) {
        let store = Store::open(database).await;
        let (user, client, grant) = store.granted().await;
        let random = &store.random;
        let (nobody, nothing) = (a_user(random, "nobody").id, a_client(random, "nothing").key);
        let no_session = a_session(random, user).id;
        let no_grant = a_grant(random, user, client.key, None).id;

        let session = a_session(random, nobody);
        assert!(broken(store.db.write(move |db| sessions::insert(db, &session, &[])).await));
        let bad = a_grant(random, nobody, client.key, None);
        assert!(broken(store.db.write(move |db| grants::insert(db, &bad)).await));
        let bad = a_grant(random, user, nothing, None);
        assert!(broken(store.db.write(move |db| grants::insert(db, &bad)).await));
        let bad = a_grant(random, user, client.key, Some(no_session));
        assert!(broken(store.db.write(move |db| grants::insert(db, &bad)).await));
        let bad = a_code(random, no_grant);
        assert!(broken(store.db.write(move |db| authorization::insert_code(db, &bad)).await));
        let bad = a_refresh_token(random, no_grant);
        assert!(broken(store.db.write(move |db| grants::insert_refresh(db, &bad)).await));
        let bad = a_request(random, nothing);
        assert!(broken(store.db.write(move |db| authorization::insert_request(db, &bad)).await));
        let items = ["openid".to_owned()];
        assert!(broken(store.db.write(move |db| consents::remember(db, user, nothing, &items, START)).await));
        assert!(broken(store.db.write(move |db| users::set_password(db, nobody, "$", START)).await));
        assert_eq!(store.count("grants").await, 1);
        assert!(store.read(move |db| grants::find(db, grant.id)).await.is_some());
    }

    async fn words_and_numbers_outside_their_range_are_refused(database) {
        let store = Store::open(database).await;
        store.granted().await;
        for statement in [
            "UPDATE users SET status = 'sleeping'",
            "UPDATE users SET name = NULL",
            "UPDATE clients SET status = ''",
            "UPDATE clients SET application_type = 'desktop'",
            "UPDATE clients SET auth_method = 'client_secret_jwt'",
            "UPDATE clients SET auth_method = 'none', pkce_required = FALSE",
            "UPDATE clients SET default_max_age = -1",
            "UPDATE clients SET jwks_uri = 'https://a.example.com/jwks'",
            "UPDATE client_values SET kind = 'password'",
            "UPDATE signing_keys SET alg = 'HS256'",
            "UPDATE signing_keys SET alg = 'none'",
            "INSERT INTO audit_events (id, at, action, outcome, detail) SELECT id, 0, 'x', 'maybe', '{}' FROM users",
            "INSERT INTO one_time_links (digest, purpose, detail, created_at, expires_at) SELECT id, 'anything', '{}', 0, 0 FROM users",
            "INSERT INTO resources (id, identifier, name, status, access_ttl, created_at) SELECT id, 'x', 'x', 'active', 0, 0 FROM users",
            "INSERT INTO sessions (id, user_id, secret_digest, created_at, auth_time, last_seen_at, expires_at, idle_limit) \
             SELECT id, id, id, 0, 0, 0, 0, 0 FROM users",
        ] {
            let answer = store.sql(statement).await;
            assert!(broken(answer), "{statement}");
        }
    }

    async fn whoever_is_removed_takes_everything_of_theirs_along(database) {
        let store = Store::open(database).await;
        for remove_user in [true, false] {
            let (user, client) = (store.user("ada").await, store.client("calendar").await.key);
            let session = store.session(user).await;
            let grant = store.grant(user, client, Some(session.id)).await;
            let (token, code) = (a_refresh_token(&store.random, grant.id), a_code(&store.random, grant.id));
            let mut request = a_request(&store.random, client);
            request.session_id = Some(session.id);
            let request_id = request.id;
            let items = ["openid".to_owned()];
            store.write(move |db| {
                grants::insert_refresh(db, &token)?;
                authorization::insert_code(db, &code)?;
                authorization::insert_request(db, &request)?;
                users::set_password(db, user, "$", START)?;
                users::set_claim(db, user, "nickname", "a")?;
                consents::remember(db, user, client, &items, START)
            }).await;

            let theirs = ["sessions", "session_methods", "emails", "password_credentials", "user_claims"];
            let shared = ["grants", "refresh_tokens", "codes", "consents"];
            let of_client = ["client_values", "authorization_requests"];
            if remove_user {
                assert!(store.write(move |db| users::remove(db, user)).await);
                for table in theirs.iter().chain(&shared) {
                    assert_eq!(store.count(table).await, 0, "{table}");
                }
                // The request goes on without the session: somebody else may sign in for it.
                let request = store.read(move |db| authorization::find_request(db, request_id)).await;
                assert_eq!(request.map(|request| request.session_id), Some(None));
                assert!(store.write(move |db| clients::remove(db, client)).await);
            } else {
                assert!(store.write(move |db| clients::remove(db, client)).await);
                for table in shared.iter().chain(&of_client) {
                    assert_eq!(store.count(table).await, 0, "{table}");
                }
                for table in theirs {
                    assert_eq!(store.count(table).await, 1, "{table}");
                }
            }
        }
    }

    async fn hl_3_no_text_and_no_number_makes_the_store_panic(database) {
        let store = Store::open(database).await;
        let user = store.user("ada").await;
        for text in ["a\0b", "\u{feff}", "'; DROP TABLE users; --", "%_\\", "\u{202e}", &"x".repeat(1 << 20)] {
            let (set, looked) = (text.to_owned(), text.to_owned());
            let written = store.db.write(move |db| users::set_claim(db, user, "nickname", &set)).await;
            let read = store.db.read(move |db| clients::find_by_client_id(db, &looked)).await;
            match written {
                Ok(()) => {
                    let claims = store.read(move |db| users::claims(db, user)).await;
                    assert_eq!(claims, [("nickname".to_owned(), text.to_owned())]);
                    assert!(matches!(read, Ok(None)));
                }
                // PostgreSQL has no NUL in text. That is an error, and not the last answer of the connection.
                Err(error) => assert!(text.contains('\0') && read.is_err(), "{text:?}: {error}"),
            }
        }
        for extreme in [i64::MIN, -1, 0, i64::MAX] {
            let mut grant = a_grant(&store.random, user, store.client(&format!("c{extreme}")).await.key, None);
            grant.expires_at.0 = extreme;
            let (id, stored) = (grant.id, grant.clone());
            store.write(move |db| grants::insert(db, &stored)).await;
            assert_eq!(store.read(move |db| grants::find(db, id)).await, Some(grant));
        }
        assert_eq!(store.count("users").await, 1);
    }
}
