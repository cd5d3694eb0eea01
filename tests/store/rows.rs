//! What is written is what is read, and each change does what its name says.

use std::collections::BTreeMap;

use countersign::model::{
    AuditEventId, AuthMethod, Client, ClientSecret, ClientSecretId, GrantType, LinkPurpose, MessageId,
    OrganisationId, Outcome, Resource, ResourceId, SigningAlg, Status, Topic,
};
use countersign::store::audit::Event;
use countersign::store::authorization::Pushed;
use countersign::store::limits::Count;
use countersign::store::links::Link;
use countersign::store::outbox::{Message, Unsent};
use countersign::store::signing_keys::SigningKey;
use countersign::store::{
    audit, authorization, clients, consents, grants, jobs, limits, links, outbox, personal, resources,
    sessions, signing_keys, users,
};

use super::{
    DAY, HOUR, Store, a_client, a_code, a_grant, a_refresh_token, a_request, a_session, a_user, address,
    later,
};
use crate::on_both_databases;
use crate::support::START;

async fn version(store: &Store, topic: Topic) -> i64 {
    let versions = store.read(jobs::versions).await;
    versions.into_iter().find(|(found, _)| *found == topic).map_or(0, |(_, value)| value)
}

fn a_secret(store: &Store) -> ClientSecret {
    ClientSecret {
        id: ClientSecretId::new(START, &store.random),
        digest: store.digest(),
        created_at: START,
        expires_at: None,
    }
}

fn a_link(store: &Store, email: Option<&str>) -> Link {
    Link {
        digest: store.digest(),
        purpose: LinkPurpose::Invite,
        user_id: None,
        email: email.map(str::to_owned),
        detail: "{}".to_owned(),
        created_at: START,
        expires_at: START.plus(HOUR),
        consumed_at: None,
    }
}

fn a_message(store: &Store, due: u64) -> Message {
    Message {
        id: MessageId::new(later(due), &store.random),
        recipient: "ada@example.com".to_owned(),
        subject: "Grüße".to_owned(),
        body_text: "line\r\nline".to_owned(),
        body_html: "<p>".to_owned(),
        created_at: START,
        expires_at: Some(later(900)),
        due_at: later(due),
        attempts: 0,
        last_error: None,
        sent_at: None,
        failed_at: None,
    }
}

fn a_signing_key(kid: &str, created: u64) -> SigningKey {
    SigningKey {
        kid: kid.to_owned(),
        alg: SigningAlg::EdDsa,
        public_jwk: "{}".to_owned(),
        sealed: (0..=255).collect(),
        master_key_id: "m".to_owned(),
        created_at: later(created),
        published_at: later(created),
        active_from: later(created),
        retired_at: None,
        revoked_at: None,
    }
}

on_both_databases! {
    async fn a_user_with_addresses_claims_and_a_password(database) {
        let store = Store::open(database).await;
        let user = a_user(&store.random, "ada");
        let (id, stored) = (user.id, user.clone());
        store.write(move |db| {
            users::insert(db, &stored)?;
            users::insert_email(db, id, &address("second"), false, None, START)?;
            users::insert_email(db, id, &address("ada"), true, None, START)?;
            users::set_claim(db, id, "website", "https://old.example")?;
            users::set_claim(db, id, "nickname", "🦉")?;
            users::set_claim(db, id, "website", "https://new.example")?;
            users::set_password(db, id, "$old", START)?;
            users::set_password(db, id, "$new", START)
        }).await;

        assert_eq!(store.read(move |db| users::find(db, id)).await, Some(user.clone()));
        for login in ["ada", " ADA ", "ada@example.com", "ADA@EXAMPLE.COM", "second@example.com"] {
            assert_eq!(store.read(move |db| users::find_by_login(db, login)).await, Some(user.clone()), "{login}");
        }
        for login in ["", "ad", "adaa", "%", "ada@example.co", "ada\0", "🦉"] {
            assert_eq!(store.db.read(move |db| users::find_by_login(db, login)).await.unwrap_or(None), None, "{login:?}");
        }
        let found = store.read(move |db| users::find_by_email(db, &address("Second"))).await;
        assert_eq!(found, Some(user));

        let emails = store.read(move |db| users::emails(db, id)).await;
        let read: Vec<_> = emails.iter().map(|email| (email.address.as_str(), email.folded.as_str(), email.verified_at)).collect();
        assert_eq!(read, [("ada@Example.com", "ada@example.com", None), ("second@Example.com", "second@example.com", None)]);
        assert!(store.read(move |db| users::primary_email(db, id)).await.is_some_and(|email| email.is_primary));
        assert!(store.write(move |db| users::mark_email_verified(db, id, &address("ADA"), later(5))).await);
        assert!(!store.write(move |db| users::mark_email_verified(db, id, &address("nobody"), later(5))).await);
        assert_eq!(store.read(move |db| users::primary_email(db, id)).await.unwrap().verified_at, Some(later(5)));

        let claims = store.read(move |db| users::claims(db, id)).await;
        assert_eq!(claims, [("nickname".into(), "🦉".into()), ("website".into(), "https://new.example".into())]);
        assert_eq!(store.read(move |db| users::password(db, id)).await.as_deref(), Some("$new"));
        store.write(move |db| users::upgrade_password(db, id, "$old", "$stale")).await;
        assert_eq!(store.read(move |db| users::password(db, id)).await.as_deref(), Some("$new"));
        store.write(move |db| users::upgrade_password(db, id, "$new", "$newer")).await;
        assert_eq!(store.read(move |db| users::password(db, id)).await.as_deref(), Some("$newer"));

        assert!(store.write(move |db| users::set_status(db, id, Status::Disabled, later(9))).await);
        let user = store.read(move |db| users::find(db, id)).await.unwrap();
        assert_eq!((user.status, user.updated_at), (Status::Disabled, later(9)));
        assert!(store.write(move |db| users::remove(db, id)).await);
        assert!(!store.write(move |db| users::remove(db, id)).await);
        assert!(!store.write(move |db| users::set_status(db, id, Status::Active, later(9))).await);
        assert_eq!(store.read(move |db| users::password(db, id)).await, None);
    }

    async fn users_are_listed_in_pages_and_an_administrator_is_noticed(database) {
        let store = Store::open(database).await;
        let mut ids = Vec::new();
        for name in ["a", "b", "c", "d", "e"] {
            ids.push(store.user(name).await);
        }
        ids.sort();
        let first = store.read(|db| users::list(db, None, 2)).await;
        let after = first[1].id;
        let rest = store.read(move |db| users::list(db, Some(after), 10)).await;
        let listed: Vec<_> = first.iter().chain(&rest).map(|user| user.id).collect();
        assert_eq!(listed, ids);

        assert!(!store.read(users::any_admin).await);
        let mut admin = a_user(&store.random, "root");
        admin.instance_role = Some(countersign::model::InstanceRole::Administrator);
        store.write(move |db| users::insert(db, &admin)).await;
        assert!(store.read(users::any_admin).await);
    }

    async fn a_client_comes_back_whole_and_in_order(database) {
        let store = Store::open(database).await;
        let before = version(&store, Topic::Clients).await;
        let mut client = a_client(&store.random, "calendar");
        client.secrets = vec![a_secret(&store)];
        let stored = client.clone();
        store.write(move |db| clients::insert(db, &stored, START)).await;
        assert_eq!(version(&store, Topic::Clients).await, before + 1);
        let key = client.key;
        assert_eq!(store.read(move |db| clients::find(db, key)).await, Some(client.clone()));
        assert_eq!(store.read(|db| clients::find_by_client_id(db, "calendar")).await, Some(client.clone()));
        assert_eq!(store.read(|db| clients::find_by_client_id(db, "Calendar")).await, None);

        // Everything that may be absent is absent; the secret is not touched.
        let changed = Client {
            redirect_uris: vec!["https://a.example.com/cb".into()],
            scopes: Vec::new(),
            contacts: Vec::new(),
            audiences: Vec::new(),
            default_acr_values: Vec::new(),
            post_logout_redirect_uris: Vec::new(),
            grant_types: vec![GrantType::ClientCredentials],
            default_max_age: None,
            userinfo_alg: None,
            assertion_alg: None,
            jwks: None,
            jwks_uri: Some("https://a.example.com/jwks".into()),
            logo_uri: None,
            client_uri: None,
            policy_uri: None,
            tos_uri: None,
            initiate_login_uri: None,
            ..client
        };
        let stored = changed.clone();
        store.write(move |db| clients::update(db, &stored, later(1))).await;
        assert_eq!(store.read(move |db| clients::find(db, key)).await, Some(changed));
        assert_eq!(version(&store, Topic::Clients).await, before + 2);

        assert!(store.write(move |db| clients::set_status(db, key, Status::Disabled, later(2))).await);
        assert_eq!(store.read(move |db| clients::find(db, key)).await.unwrap().status, Status::Disabled);
        assert!(store.write(move |db| clients::remove(db, key)).await);
        assert!(!store.write(move |db| clients::remove(db, key)).await);
        assert_eq!(store.count("client_values").await + store.count("client_secrets").await, 0);
    }

    async fn ca_2_a_new_secret_lives_beside_the_old_one_until_that_ends(database) {
        let store = Store::open(database).await;
        let client = store.client("calendar").await;
        let (old, mut short, new) = (a_secret(&store), a_secret(&store), a_secret(&store));
        short.expires_at = Some(later(10));
        let (key, before, added) = (client.key, version(&store, Topic::Clients).await, new.clone());
        store.write(move |db| {
            clients::add_secret(db, key, &old)?;
            clients::add_secret(db, key, &short)?;
            clients::expire_secrets(db, key, later(60))?;
            clients::add_secret(db, key, &added)
        }).await;
        let found = store.read(move |db| clients::find(db, key)).await.unwrap().secrets;
        let mut ends: Vec<_> = found.iter().map(|secret| secret.expires_at).collect();
        ends.sort();
        assert_eq!(ends, [None, Some(later(10)), Some(later(60))]);
        assert!(found.contains(&new));
        assert!(version(&store, Topic::Clients).await > before);
    }

    async fn clients_are_listed_in_pages_and_public_addresses_are_known(database) {
        use countersign::model::ClientAuthMethod;
        let store = Store::open(database).await;
        store.client("confidential").await;
        for (name, status) in [("public", Status::Active), ("public too", Status::Active), ("gone", Status::Disabled)] {
            let mut client = a_client(&store.random, name);
            client.auth_method = ClientAuthMethod::None;
            client.pkce_required = true;
            client.status = status;
            client.redirect_uris = vec![format!("https://{}.example.com/", &name[..4]), "https://same.example.com/".into()];
            store.write(move |db| clients::insert(db, &client, START)).await;
        }
        let mut uris = store.read(clients::public_redirect_uris).await;
        uris.sort();
        assert_eq!(uris, ["https://publ.example.com/", "https://same.example.com/"]);

        let first = store.read(|db| clients::list(db, None, 3)).await;
        let after = first[2].key;
        let rest = store.read(move |db| clients::list(db, Some(after), 3)).await;
        assert_eq!((first.len(), rest.len()), (3, 1));
        assert!(first.iter().chain(&rest).map(|client| client.key).is_sorted());
    }

    async fn a_resource_with_its_scopes(database) {
        let store = Store::open(database).await;
        let before = version(&store, Topic::Resources).await;
        let resource = Resource {
            id: ResourceId::new(START, &store.random),
            identifier: "https://api.example.com/".into(),
            name: "API".into(),
            status: Status::Active,
            access_ttl: Some(HOUR),
            scopes: BTreeMap::from([("read".into(), "Reads".into()), ("write".into(), String::new())]),
        };
        let (id, stored) = (resource.id, resource.clone());
        store.write(move |db| resources::insert(db, &stored, START)).await;
        assert_eq!(store.read(resources::all).await, [resource]);
        assert!(store.write(move |db| resources::set_status(db, id, Status::Disabled)).await);
        assert_eq!(store.read(resources::all).await[0].status, Status::Disabled);
        assert!(store.write(move |db| resources::remove(db, id)).await);
        assert!(store.read(resources::all).await.is_empty());
        assert_eq!(store.count("resource_scopes").await, 0);
        assert_eq!(version(&store, Topic::Resources).await, before + 3);
    }

    async fn a_session_is_found_by_its_secret_renewed_touched_and_ended(database) {
        let store = Store::open(database).await;
        let user = store.user("ada").await;
        let session = store.session(user).await;
        let (id, old) = (session.id, session.secret_digest);
        let found = store.read(move |db| sessions::find_by_secret(db, &old)).await;
        assert_eq!(found, Some((session.clone(), vec![AuthMethod::Password])));
        assert_eq!(store.read(move |db| sessions::find(db, id)).await, Some(session));

        let new = store.digest();
        let methods = [AuthMethod::OneTimePassword, AuthMethod::HardwareKey];
        let renew = move |db: &mut _| sessions::renew(db, id, &new, later(500), DAY, &methods, later(50));
        assert!(store.write(renew).await);
        assert_eq!(store.read(move |db| sessions::find_by_secret(db, &old)).await, None);
        let (renewed, mut proven) = store.read(move |db| sessions::find_by_secret(db, &new)).await.unwrap();
        assert_eq!((renewed.auth_time, renewed.last_seen_at, renewed.expires_at), (later(50), later(50), later(500)));
        assert_eq!((renewed.created_at, renewed.idle_limit), (START, 86_400_000_000));
        proven.sort();
        assert_eq!(proven, methods);

        store.write(move |db| sessions::touch(db, id, later(50), later(55))).await;
        assert_eq!(store.read(move |db| sessions::find(db, id)).await.unwrap().last_seen_at, later(50));
        store.write(move |db| sessions::touch(db, id, later(51), later(55))).await;
        assert_eq!(store.read(move |db| sessions::find(db, id)).await.unwrap().last_seen_at, later(55));

        assert!(store.write(move |db| sessions::end(db, id, later(60))).await);
        assert!(!store.write(move |db| sessions::end(db, id, later(61))).await);
        assert!(!store.write(renew).await, "an ended session does not come back");
        assert_eq!(store.read(move |db| sessions::find(db, id)).await.unwrap().ended_at, Some(later(60)));
    }

    async fn all_sessions_but_one_end(database) {
        let store = Store::open(database).await;
        let (ada, eve) = (store.user("ada").await, store.user("eve").await);
        let (one, two, kept) = (store.session(ada).await.id, store.session(ada).await.id, store.session(ada).await.id);
        let other = store.session(eve).await.id;
        store.write(move |db| sessions::end(db, one, later(1))).await;
        let mut expired = a_session(&store.random, ada);
        expired.expires_at = later(5);
        store.write(move |db| sessions::insert(db, &expired, &[])).await;

        let live = store.read(move |db| sessions::list_for_user(db, ada, later(5))).await;
        let mut live: Vec<_> = live.into_iter().map(|session| session.id).collect();
        live.sort();
        let mut expected = vec![two, kept];
        expected.sort();
        assert_eq!(live, expected);
        let ended = store.write(move |db| sessions::end_all(db, ada, Some(kept), later(5))).await;
        assert!(ended.contains(&two) && !ended.contains(&kept) && !ended.contains(&one), "{ended:?}");
        for id in [kept, other] {
            assert_eq!(store.read(move |db| sessions::find(db, id)).await.unwrap().ended_at, None);
        }
    }

    async fn a_request_on_its_way_until_it_is_complete(database) {
        let store = Store::open(database).await;
        let (user, client) = (store.user("ada").await, store.client("calendar").await);
        let session = store.session(user).await.id;
        let request = a_request(&store.random, client.key);
        let (id, stored) = (request.id, request.clone());
        store.write(move |db| authorization::insert_request(db, &stored)).await;
        assert_eq!(store.read(move |db| authorization::find_request(db, id)).await, Some(request));
        assert!(store.write(move |db| authorization::note_consent(db, id, session, later(3))).await);
        let noted = store.read(move |db| authorization::find_request(db, id)).await.unwrap();
        assert_eq!((noted.session_id, noted.consented_at), (Some(session), Some(later(3))));
        assert!(store.write(move |db| authorization::choose_session(db, id, session)).await);
        let chosen = store.read(move |db| authorization::find_request(db, id)).await.unwrap();
        assert_eq!(chosen.consented_at, None, "consent does not pass from account to account");

        assert!(!store.write(move |db| authorization::complete(db, id, later(3_600))).await, "it has expired");
        assert!(store.write(move |db| authorization::complete(db, id, later(9))).await);
        assert!(!store.write(move |db| authorization::complete(db, id, later(9))).await);
        assert!(!store.write(move |db| authorization::choose_session(db, id, session)).await);
        assert!(!store.write(move |db| authorization::note_consent(db, id, session, later(9))).await);
    }

    async fn a_pushed_request_is_its_clients_until_used_or_expired(database) {
        let store = Store::open(database).await;
        let (client, other) = (store.client("calendar").await.key, store.client("notes").await.key);
        let pushed = Pushed {
            digest: store.digest(),
            client_id: client,
            request: "{}".into(),
            created_at: START,
            expires_at: later(60),
            consumed_at: None,
        };
        let (digest, stored) = (pushed.digest, pushed.clone());
        store.write(move |db| authorization::insert_pushed(db, &stored)).await;
        let find = |client, at| store.read(move |db| authorization::find_pushed(db, &digest, client, later(at)));
        assert_eq!(find(client, 59).await, Some(pushed));
        assert_eq!((find(client, 60).await, find(other, 1).await), (None, None));
        assert!(store.write(move |db| authorization::consume_pushed(db, &digest, later(70))).await);
        assert!(!store.write(move |db| authorization::consume_pushed(db, &digest, later(70))).await);
        assert_eq!(find(client, 1).await, None);
    }

    async fn a_code_is_spent_once_and_not_after_its_end(database) {
        let store = Store::open(database).await;
        let (_, _, grant) = store.granted().await;
        let (code, late) = (a_code(&store.random, grant.id), a_code(&store.random, grant.id));
        let (digest, expired, stored) = (code.digest, late.digest, code.clone());
        store.write(move |db| authorization::insert_code(db, &stored)).await;
        store.write(move |db| authorization::insert_code(db, &late)).await;
        assert_eq!(store.read(move |db| authorization::find_code(db, &digest)).await, Some(code));
        assert!(!store.write(move |db| authorization::redeem_code(db, &expired, later(60))).await);
        assert!(store.write(move |db| authorization::redeem_code(db, &digest, later(59))).await);
        assert!(!store.write(move |db| authorization::redeem_code(db, &digest, later(59))).await);
        assert_eq!(store.read(move |db| authorization::find_code(db, &digest)).await.unwrap().redeemed_at, Some(later(59)));
        let unknown = store.digest();
        assert!(!store.write(move |db| authorization::redeem_code(db, &unknown, later(1))).await);
    }

    async fn a_grant_ends_alone_with_its_session_its_user_or_its_client(database) {
        let store = Store::open(database).await;
        let (ada, eve) = (store.user("ada").await, store.user("eve").await);
        let (calendar, notes) = (store.client("calendar").await.key, store.client("notes").await.key);
        let session = store.session(ada).await.id;
        let mut offline = a_grant(&store.random, ada, calendar, Some(session));
        offline.offline = true;
        let (offline_id, stored) = (offline.id, offline.clone());
        store.write(move |db| grants::insert(db, &stored)).await;
        let online = store.grant(ada, calendar, Some(session)).await;
        let elsewhere = store.grant(ada, notes, None).await;
        let others = store.grant(eve, calendar, None).await;
        let id = online.id;
        assert_eq!(store.read(move |db| grants::find(db, id)).await, Some(online));
        assert_eq!(store.read(move |db| grants::find(db, offline_id)).await, Some(offline));

        assert_eq!(store.write(move |db| grants::revoke_of_session(db, session, later(1))).await, 1);
        assert_eq!(store.write(move |db| grants::revoke_of_session(db, session, later(2))).await, 0);
        assert_eq!(store.read(move |db| grants::find(db, id)).await.unwrap().revoked_at, Some(later(1)));
        assert_eq!(store.write(move |db| grants::revoke_of_user_and_client(db, ada, calendar, later(3))).await, 1);
        assert_eq!(store.write(move |db| grants::revoke_of_user(db, ada, later(4))).await, 1);
        assert_eq!(store.read(move |db| grants::find(db, elsewhere.id)).await.unwrap().revoked_at, Some(later(4)));
        assert!(store.write(move |db| grants::revoke(db, others.id, later(5))).await);
        assert!(!store.write(move |db| grants::revoke(db, others.id, later(6))).await);
        assert_eq!(store.read(move |db| grants::find(db, others.id)).await.unwrap().revoked_at, Some(later(5)));
    }

    async fn a_refresh_token_is_consumed_once_and_keeps_its_receipt(database) {
        let store = Store::open(database).await;
        let (_, _, grant) = store.granted().await;
        let (token, expired) = (a_refresh_token(&store.random, grant.id), a_refresh_token(&store.random, grant.id));
        let (digest, late, successor) = (token.digest, expired.digest, store.digest());
        let stored = [token.clone(), expired];
        store.write(move |db| stored.iter().try_for_each(|token| grants::insert_refresh(db, token))).await;
        assert_eq!(store.read(move |db| grants::find_refresh(db, &digest)).await, Some(token));
        assert!(!store.write(move |db| grants::consume_refresh(db, &late, &successor, &[1], later(3_600))).await);
        assert!(store.write(move |db| grants::consume_refresh(db, &digest, &successor, &[0, 255], later(5))).await);
        assert!(!store.write(move |db| grants::consume_refresh(db, &digest, &late, &[9], later(6))).await);
        let spent = store.read(move |db| grants::find_refresh(db, &digest)).await.unwrap();
        assert_eq!(
            (spent.consumed_at, spent.successor_digest, spent.successor_sealed),
            (Some(later(5)), Some(successor), Some(vec![0, 255]))
        );
    }

    async fn what_was_revoked_or_presented_is_remembered(database) {
        let store = Store::open(database).await;
        assert!(!store.read(|db| grants::is_revoked(db, "jti")).await);
        for _ in 0..2 {
            store.write(|db| grants::revoke_access_token(db, "jti", later(60), START)).await;
        }
        assert!(store.read(|db| grants::is_revoked(db, "jti")).await);
        assert!(!store.read(|db| grants::is_revoked(db, "JTI")).await);
        let digest = store.digest();
        assert!(store.write(move |db| grants::present_once(db, &digest, later(60))).await);
        assert!(!store.write(move |db| grants::present_once(db, &digest, later(90))).await);
    }

    async fn consent_is_remembered_listed_and_forgotten(database) {
        let store = Store::open(database).await;
        let (ada, eve) = (store.user("ada").await, store.user("eve").await);
        let (calendar, notes) = (store.client("calendar").await.key, store.client("notes").await.key);
        for (user, client, items, at) in [
            (ada, calendar, vec!["openid", "email"], 1),
            (ada, calendar, vec!["email", "claim:phone_number"], 2),
            (ada, notes, vec!["openid"], 3),
            (eve, calendar, vec!["profile"], 4),
        ] {
            let items: Vec<String> = items.into_iter().map(str::to_owned).collect();
            store.write(move |db| consents::remember(db, user, client, &items, later(at))).await;
        }
        let items = store.read(move |db| consents::items(db, ada, calendar)).await;
        assert_eq!(items, ["claim:phone_number", "email", "openid"]);
        let mut allowed = store.read(move |db| personal::consents(db, ada)).await;
        allowed.sort_by_key(|(_, item, at)| (*at, item.clone()));
        let allowed: Vec<_> = allowed.iter().map(|(client, item, at)| (*client, item.as_str(), *at)).collect();
        let expected = [
            (calendar, "email", later(1)),
            (calendar, "openid", later(1)),
            (calendar, "claim:phone_number", later(2)),
            (notes, "openid", later(3)),
        ];
        assert_eq!(allowed, expected, "what was allowed before keeps its time");
        assert!(store.write(move |db| consents::forget(db, ada, calendar)).await);
        assert!(!store.write(move |db| consents::forget(db, ada, calendar)).await);
        assert!(store.read(move |db| consents::items(db, ada, calendar)).await.is_empty());
        assert_eq!(store.read(move |db| consents::items(db, eve, calendar)).await, ["profile"]);
    }

    async fn pw_7_pw_8_a_link_is_looked_at_spent_and_replaced(database) {
        let store = Store::open(database).await;
        let link = a_link(&store, Some("ada@example.com"));
        let (digest, stored) = (link.digest, link.clone());
        store.write(move |db| links::insert(db, &stored)).await;
        let peek = |purpose, at| store.read(move |db| links::peek(db, &digest, purpose, later(at)));
        assert_eq!(peek(LinkPurpose::Invite, 1).await, Some(link.clone()));
        assert_eq!(peek(LinkPurpose::Invite, 2).await, Some(link.clone()), "looking does not spend it");
        assert_eq!((peek(LinkPurpose::Setup, 1).await, peek(LinkPurpose::Invite, 3_600).await), (None, None));
        let consume = |purpose, at| store.write(move |db| links::consume(db, &digest, purpose, later(at)));
        assert_eq!((consume(LinkPurpose::Register, 1).await, consume(LinkPurpose::Invite, 3_600).await), (None, None));
        let spent = consume(LinkPurpose::Invite, 7).await;
        assert_eq!(spent, Some(Link { consumed_at: Some(later(7)), ..link }));
        assert_eq!((consume(LinkPurpose::Invite, 8).await, peek(LinkPurpose::Invite, 8).await), (None, None));

        // The newest of one purpose for one address, one user, or nobody in particular.
        let user = store.user("ada").await;
        for (email, user) in [(Some("ada@example.com"), None), (None, Some(user)), (None, None)] {
            let mut old = a_link(&store, email);
            old.user_id = user;
            let mut other = a_link(&store, Some("eve@example.com"));
            other.purpose = LinkPurpose::ResetPassword;
            let new = Link { digest: store.digest(), ..old.clone() };
            let (void, good, untouched) = (old.digest, new.digest, other.digest);
            store.write(move |db| [&old, &other, &new].into_iter().try_for_each(|link| links::insert(db, link))).await;
            let alive = store.read(move |db| {
                Ok((
                    links::peek(db, &void, LinkPurpose::Invite, later(1))?.is_some(),
                    links::peek(db, &good, LinkPurpose::Invite, later(1))?.is_some(),
                    links::peek(db, &untouched, LinkPurpose::ResetPassword, later(1))?.is_some(),
                ))
            }).await;
            assert_eq!(alive, (false, true, true), "{email:?} {user:?}");
        }
    }

    async fn rl_2_tries_are_counted_in_windows(database) {
        let store = Store::open(database).await;
        let bucket = store.digest();
        let count = |at, resets| store.write(move |db| limits::count(db, &bucket, later(at), later(resets)));
        let look = || store.read(move |db| limits::look(db, &bucket));
        assert_eq!(look().await, None);
        for (at, resets, tries, ends) in [(0, 60, 1, 60), (30, 90, 2, 60), (59, 119, 3, 60), (60, 120, 1, 120), (61, 121, 2, 120)] {
            assert_eq!(count(at, resets).await, Count { tries, resets_at: later(ends) }, "at {at}");
        }
        assert_eq!(look().await, Some(Count { tries: 2, resets_at: later(120) }));
        for left in [1, 0, 0] {
            store.write(move |db| limits::refund(db, &bucket)).await;
            assert_eq!(look().await.unwrap().tries, left);
        }
        store.write(move |db| limits::clear(db, &bucket)).await;
        assert_eq!(look().await, None);
    }

    async fn mail_is_due_claimed_postponed_sent_or_given_up(database) {
        let store = Store::open(database).await;
        let (first, second, future) = (a_message(&store, 1), a_message(&store, 2), a_message(&store, 100));
        let (one, two, stored) = (first.id, second.id, [future, second, first.clone()]);
        store.write(move |db| stored.iter().try_for_each(|message| outbox::insert(db, message))).await;
        let due = |at, limit| store.read(move |db| outbox::due(db, later(at), limit));
        assert_eq!(due(2, 10).await.iter().map(|message| message.id).collect::<Vec<_>>(), [one, two]);
        assert_eq!((due(2, 1).await.len(), due(100, 10).await.len(), due(0, 10).await.len()), (1, 3, 0));
        assert!(store.read(move |db| outbox::find(db, one)).await.unwrap() == first);

        let claimed = first.clone();
        assert!(store.write(move |db| outbox::claim(db, &claimed, later(50))).await);
        let claimed = first.clone();
        assert!(!store.write(move |db| outbox::claim(db, &claimed, later(50))).await, "one node sends");
        assert_eq!(due(49, 10).await.len(), 1);
        store.write(move |db| outbox::postpone(db, one, "busy", later(70))).await;
        let waiting = store.read(move |db| outbox::find(db, one)).await.unwrap();
        assert_eq!((waiting.attempts, waiting.last_error.as_deref(), waiting.due_at), (1, Some("busy"), later(70)));

        store.write(move |db| outbox::mark_sent(db, one, later(71))).await;
        store.write(move |db| outbox::postpone(db, one, "late", later(99))).await;
        store.write(move |db| outbox::mark_failed(db, one, "late", later(99))).await;
        let sent = store.read(move |db| outbox::find(db, one)).await.unwrap();
        assert_eq!((sent.sent_at, sent.failed_at, sent.due_at), (Some(later(71)), None, later(70)));
        store.write(move |db| outbox::mark_failed(db, two, "no such address", later(72))).await;
        let unsent = store.read(outbox::count_unsent).await;
        assert_eq!(unsent, Unsent { waiting: 1, failed: 1 });
        assert_eq!(due(1_000, 10).await.len(), 1);
        assert_eq!(store.read(|db| outbox::newest(db, 2)).await.len(), 2);
        assert!(!store.write(move |db| outbox::claim(db, &sent, later(50))).await);
    }

    async fn signing_keys_retire_and_are_revoked(database) {
        let store = Store::open(database).await;
        let made = store.count("signing_keys").await;
        let before = version(&store, Topic::Keys).await;
        let stored: Vec<_> = [("a", 1), ("b", 2), ("c", 3)].map(|(kid, at)| a_signing_key(kid, at)).into();
        let inserted = stored.clone();
        store.write(move |db| inserted.iter().try_for_each(|key| signing_keys::insert(db, key))).await;
        let all = store.read(signing_keys::all).await;
        assert_eq!(all.len() as i64, made + 3);
        assert!(all.ends_with(&stored));
        assert!(store.write(|db| signing_keys::revoke(db, "a", later(9))).await);
        assert!(!store.write(|db| signing_keys::revoke(db, "a", later(10))).await);
        assert!(!store.write(|db| signing_keys::revoke(db, "nobody", later(10))).await);
        // The key of the template, and `b`.
        assert_eq!(store.write(|db| signing_keys::retire_others(db, SigningAlg::EdDsa, "c", later(20))).await, 2);
        assert_eq!(store.write(|db| signing_keys::retire_others(db, SigningAlg::EdDsa, "c", later(30))).await, 0);
        assert_eq!(store.write(|db| signing_keys::retire_others(db, SigningAlg::EdDsa, "c", later(15))).await, 2);
        let ends: Vec<_> = store.read(signing_keys::all).await.into_iter().rev().take(3).map(|key| (key.kid, key.retired_at, key.revoked_at)).collect();
        assert_eq!(ends, [("c".into(), None, None), ("b".into(), Some(later(15)), None), ("a".into(), None, Some(later(9)))]);
        assert!(version(&store, Topic::Keys).await >= before + 6);
    }

    async fn cr_8_a_lease_has_one_holder_at_a_time(database) {
        let store = Store::open(database).await;
        let take = |holder: &'static str, at, until| {
            store.write(move |db| jobs::take_lease(db, "sweep", holder, later(at), later(until)))
        };
        assert!(take("one", 0, 60).await);
        assert!(!take("two", 59, 119).await);
        assert!(take("one", 59, 100).await, "its holder keeps it");
        assert!(!take("two", 99, 160).await);
        assert!(take("two", 100, 160).await, "it was not kept");
        assert!(!take("one", 101, 160).await);
        store.write(|db| jobs::release_lease(db, "sweep", "one")).await;
        assert!(!take("one", 102, 160).await, "only the holder gives it back");
        store.write(|db| jobs::release_lease(db, "sweep", "two")).await;
        assert!(take("one", 103, 160).await);
    }

    async fn events_are_kept_newest_first(database) {
        let store = Store::open(database).await;
        let before = store.count("audit_events").await;
        let user = store.user("ada").await;
        let events: Vec<Event> = (0..3).map(|at| Event {
            id: AuditEventId::new(later(at), &store.random),
            at: later(at),
            action: "session.begun".into(),
            outcome: Outcome::ALL[usize::try_from(at).unwrap()],
            user_id: Some(user),
            actor_id: None,
            client_id: None,
            session_id: None,
            ip: Some("127.0.0.1".into()),
            request_id: Some("abc".into()),
            detail: r#"{"a":"ü"}"#.into(),
            organisation_id: Some(OrganisationId::new(later(at), &store.random)),
        }).collect();
        let stored = events.clone();
        store.write(move |db| stored.iter().try_for_each(|event| audit::insert(db, event))).await;
        let newest = store.read(|db| audit::newest(db, 2)).await;
        assert_eq!(newest, [events[2].clone(), events[1].clone()]);
        // No foreign key: it outlives whom it tells of.
        store.write(move |db| users::remove(db, user)).await;
        assert_eq!(store.count("audit_events").await, before + 3);
    }

    async fn cr_7_the_database_knows_the_time(database) {
        let store = Store::open(database).await;
        let theirs = store.read(jobs::database_time).await;
        let ours = countersign::clock::Clock::system().now();
        assert!(ours.since(theirs).max(theirs.since(ours)) < std::time::Duration::from_secs(5), "{theirs}");
    }
}
