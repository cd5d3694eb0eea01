//! One conditional statement decides (AR-1): of fifty that come together, exactly as many win as may.

use std::sync::Arc;

use countersign::crypto::Random;
use countersign::model::{LinkPurpose, MessageId};
use countersign::store::authorization::Pushed;
use countersign::store::idempotency::{Held, Taken};
use countersign::store::links::Link;
use countersign::store::outbox::Message;
use countersign::store::{
    Conn, Error, authorization, clients, grants, idempotency, jobs, limits, links, outbox, sessions, users,
};
use futures_util::future::join_all;
use tokio::sync::Barrier;

use super::{Store, a_client, a_code, a_refresh_token, a_request, a_user, later};
use crate::on_both_databases;
use crate::support::START;

const TASKS: usize = 50;

/// Runs fifty at once, each as a task of its own with its number, and gives what they answered.
async fn together<T, F>(store: &Store, f: F) -> Vec<Result<T, Error>>
where
    T: Send + 'static,
    F: Fn(&mut Conn, usize) -> Result<T, Error> + Clone + Send + Sync + 'static,
{
    let barrier = Arc::new(Barrier::new(TASKS));
    let tasks = (0..TASKS).map(|number| {
        let (db, f, barrier) = (store.db.clone(), f.clone(), Arc::clone(&barrier));
        tokio::spawn(async move {
            barrier.wait().await;
            db.write(move |db| f(db, number)).await
        })
    });
    join_all(tasks).await.into_iter().map(|task| task.expect("no panic")).collect()
}

/// How many of fifty were told that it was they.
async fn winners<F>(store: &Store, f: F) -> usize
where
    F: Fn(&mut Conn, usize) -> Result<bool, Error> + Clone + Send + Sync + 'static,
{
    let answers = together(store, f).await;
    answers.into_iter().map(|won| won.expect("every one is answered")).filter(|won| *won).count()
}

on_both_databases! {
    async fn te_3_a_code_is_redeemed_once(database) {
        let store = Store::open(database).await;
        let (_, _, grant) = store.granted().await;
        let code = a_code(&store.random, grant.id);
        let digest = code.digest;
        store.write(move |db| authorization::insert_code(db, &code)).await;
        assert_eq!(winners(&store, move |db, _| authorization::redeem_code(db, &digest, later(1))).await, 1);
    }

    async fn te_4_a_refresh_token_has_one_successor(database) {
        let store = Store::open(database).await;
        let (_, _, grant) = store.granted().await;
        let token = a_refresh_token(&store.random, grant.id);
        let (digest, template) = (token.digest, token.clone());
        store.write(move |db| grants::insert_refresh(db, &token)).await;
        let won = winners(&store, move |db, _| {
            let successor = a_refresh_token(&Random::system(), template.grant_id);
            let won = grants::consume_refresh(db, &digest, &successor.digest, &[1], later(1))?;
            if won {
                grants::insert_refresh(db, &successor)?;
            }
            Ok(won)
        }).await;
        assert_eq!(won, 1);
        assert_eq!(store.count("refresh_tokens WHERE consumed_at IS NULL").await, 1);
    }

    async fn te_11_a_pushed_request_is_used_once(database) {
        let store = Store::open(database).await;
        let client = store.client("calendar").await.key;
        let digest = store.digest();
        let pushed = Pushed {
            digest,
            client_id: client,
            request: "{}".into(),
            created_at: START,
            expires_at: later(60),
            consumed_at: None,
        };
        store.write(move |db| authorization::insert_pushed(db, &pushed)).await;
        assert_eq!(winners(&store, move |db, _| authorization::consume_pushed(db, &digest, later(1))).await, 1);
    }

    async fn az_9_an_authorization_request_is_answered_once(database) {
        let store = Store::open(database).await;
        let request = a_request(&store.random, store.client("calendar").await.key);
        let id = request.id;
        store.write(move |db| authorization::insert_request(db, &request)).await;
        assert_eq!(winners(&store, move |db, _| authorization::complete(db, id, later(1))).await, 1);
    }

    async fn pw_7_a_link_is_spent_once(database) {
        let store = Store::open(database).await;
        let digest = store.digest();
        let link = Link {
            digest,
            purpose: LinkPurpose::Setup,
            user_id: None,
            email: None,
            detail: "{}".into(),
            created_at: START,
            expires_at: later(60),
            consumed_at: None,
        };
        store.write(move |db| links::insert(db, &link)).await;
        let spent = move |db: &mut Conn, _| Ok(links::consume(db, &digest, LinkPurpose::Setup, later(1))?.is_some());
        assert_eq!(winners(&store, spent).await, 1);
    }

    async fn ca_3_what_may_be_presented_once_is_presented_once(database) {
        let store = Store::open(database).await;
        let digest = store.digest();
        assert_eq!(winners(&store, move |db, _| grants::present_once(db, &digest, later(60))).await, 1);
    }

    async fn cr_8_a_lease_has_one_taker(database) {
        let store = Store::open(database).await;
        let take = |at, until| move |db: &mut Conn, number: usize| {
            jobs::take_lease(db, "sweep", &format!("node {number}"), later(at), later(until))
        };
        assert_eq!(winners(&store, take(0, 60)).await, 1, "nobody had it");
        assert_eq!(winners(&store, take(60, 120)).await, 1, "it had expired");
    }

    async fn ar_8_a_message_has_one_sender(database) {
        let store = Store::open(database).await;
        let message = Message {
            id: MessageId::new(START, &store.random),
            recipient: "ada@example.com".into(),
            subject: String::new(),
            body_text: String::new(),
            body_html: String::new(),
            created_at: START,
            expires_at: None,
            due_at: START,
            attempts: 0,
            last_error: None,
            sent_at: None,
            failed_at: None,
        };
        let stored = message.clone();
        store.write(move |db| outbox::insert(db, &stored)).await;
        assert_eq!(winners(&store, move |db, _| outbox::claim(db, &message, later(60))).await, 1);
    }

    async fn rl_2_no_try_is_counted_twice_or_not_at_all(database) {
        let store = Store::open(database).await;
        let bucket = store.digest();
        // The window before is over: fifty see that, and one begins the next.
        store.write(move |db| limits::count(db, &bucket, START, later(10))).await;
        let counts = together(&store, move |db, _| limits::count(db, &bucket, later(10), later(70))).await;
        let mut tries: Vec<i64> = counts.into_iter().map(|count| count.expect("counted").tries).collect();
        tries.sort_unstable();
        assert_eq!(tries, (1..=50).collect::<Vec<i64>>());
    }

    async fn ar_1_an_idempotency_key_is_held_by_one_call(database) {
        let store = Store::open(database).await;
        let (key, request, holders) = (store.digest(), store.digest(), [(); 50].map(|()| store.digest()));
        let call = move |holder: usize, now: u64| Held {
            digest: key,
            fingerprint: request,
            holder: holders[holder],
            held_until: later(now + 60),
            made_at: None,
            answer: None,
            expires_at: later(now + 86_400),
        };
        let take = move |now: u64| move |db: &mut Conn, number: usize| {
            Ok(idempotency::take(db, &call(number, now), later(now))? == Taken::Now)
        };
        assert_eq!(winners(&store, take(0)).await, 1);
        assert_eq!(winners(&store, take(59)).await, 0);
        // Whoever had it died: one takes it over, and the one that did not die after all makes nothing.
        assert_eq!(winners(&store, take(61)).await, 1);
        let confirm = move |db: &mut Conn, number: usize| idempotency::confirm(db, &key, &holders[number], later(62));
        assert_eq!(winners(&store, confirm).await, 1);
        // What was made is not made again, whoever died before it was answered.
        assert_eq!(winners(&store, take(600)).await, 0);
        let release = move |db: &mut Conn, number: usize| idempotency::release(db, &key, &holders[number]);
        together(&store, release).await;
        assert_eq!(winners(&store, take(700)).await, 0, "nor let go of");
        assert_eq!(winners(&store, take(86_500)).await, 1, "its time is over");
    }

    async fn se_5_a_session_ends_once_and_is_not_renewed_after(database) {
        let store = Store::open(database).await;
        let session = store.session(store.user("ada").await).await.id;
        assert_eq!(winners(&store, move |db, _| sessions::end(db, session, later(1))).await, 1);
    }

    async fn ar_1_a_revocation_happens_once(database) {
        let store = Store::open(database).await;
        let (_, _, grant) = store.granted().await;
        assert_eq!(winners(&store, move |db, _| grants::revoke(db, grant.id, later(1))).await, 1);
        let revoke = |db: &mut Conn, _| grants::revoke_access_token(db, "jti", later(60), later(1)).map(|()| true);
        assert_eq!(winners(&store, revoke).await, 50, "saying it again is no error");
        assert_eq!(store.count("revocations").await, 1);
    }

    async fn one_of_fifty_gets_a_name(database) {
        let store = Store::open(database).await;
        let users = together(&store, |db, _| users::insert(db, &a_user(&Random::system(), "ada"))).await;
        let clients = together(&store, |db, _| clients::insert(db, &a_client(&Random::system(), "calendar"), START)).await;
        for answers in [users, clients] {
            let (won, lost): (Vec<_>, Vec<_>) = answers.into_iter().partition(Result::is_ok);
            assert_eq!(won.len(), 1);
            assert!(lost.iter().all(|answer| matches!(answer, Err(Error::Taken(_)))), "{lost:?}");
        }
        // The values of a client that was refused went with it.
        assert_eq!(store.count("client_values").await, 14);
    }
}
