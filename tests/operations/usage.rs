//! What happened is counted by the hour, whichever node saw it, and nothing is forgotten when one stops.

use std::time::Duration;

use countersign::crypto::Random;
use countersign::model::{AuthMethod, ClientKey, GrantType, Outcome, UsageKind};
use countersign::store::{self, jobs};
use countersign::usage::{self, Range, Span, Usage};

use crate::on_both_databases;
use crate::support::{Database, START, Settings, TestApp, TestClient, http_client};

const HOUR: Duration = Duration::from_secs(3_600);
const DAY: Duration = Duration::from_secs(86_400);

fn today(app: &TestApp) -> Span {
    Span::last(Range::Day, app.clock.now(), None)
}

/// `[[went well], [did not]]` by password, in the last hours.
async fn passwords(app: &TestApp, hours: usize) -> [Vec<i64>; 2] {
    let counted = app.app.usage.sign_ins(&app.app.db, &today(app)).await.unwrap();
    [counted.by_method, counted.failed_by_method].map(|lines| {
        let line = lines.into_iter().find(|(method, _)| *method == AuthMethod::Password);
        line.map_or_else(|| vec![0; hours], |(_, amounts)| amounts[24 - hours..].to_vec())
    })
}

/// Everything that is in the database, of all clients together.
async fn written(app: &TestApp, kind: UsageKind) -> i64 {
    let counts = app
        .read(move |db| store::usage::by_hour(db, std::slice::from_ref(&kind), START, START.plus(DAY)))
        .await;
    counts.iter().map(|count| count.amount).sum()
}

async fn fetch_keys(app: &TestApp, program: &str) {
    let url = app.url("/.well-known/jwks.json");
    let answer = http_client().get(url).header("user-agent", program).send().await.unwrap();
    assert_eq!(answer.status(), 200);
}

on_both_databases! {
    async fn sign_ins_are_counted_with_their_failures_in_the_hour_that_they_happened(database) {
        let app = TestApp::start(database).await;
        app.user("ada").await;
        app.advance(HOUR - Duration::from_micros(1));
        app.browser().sign_in("ada").await;
        let mut stranger = app.browser();
        let page = stranger.get("/login").await;
        assert_eq!(stranger.answer_login(&page, "ada", "wrong").await.status, 401);
        assert_eq!(stranger.answer_login(&page, "nobody", "wrong").await.status, 401);
        app.advance(Duration::from_micros(1));
        app.browser().sign_in("ada").await;
        app.browser().sign_in("ada").await;
        assert_eq!(passwords(&app, 2).await, [vec![1, 2], vec![2, 0]]);

        let present = usage::present(&app.app.db, app.clock.now()).await.unwrap();
        assert_eq!(present.sessions, 3);
        app.advance(31 * DAY);
        assert_eq!(usage::present(&app.app.db, app.clock.now()).await.unwrap().sessions, 0, "none lives so long");
        assert_eq!(passwords(&app, 2).await, [vec![0, 0], vec![0, 0]]);
    }

    async fn tokens_are_counted_for_the_client_that_got_them(database) {
        let app = TestApp::start(database).await;
        app.user("ada").await;
        let calendar = app.client("calendar").await;
        let robot = TestClient::register(&app, "robot", |registration| {
            registration.set("grant_types", serde_json::json!(["client_credentials"]));
            registration.set("redirect_uris", serde_json::json!([]));
        })
        .await;
        let tokens = calendar.sign_in(&mut app.browser(), "ada", "openid offline_access").await;
        calendar.refresh(tokens.refresh_token()).await.expect_tokens();
        calendar.refresh("wrong").await.expect_error("invalid_grant");
        for _ in 0..3 {
            robot.token(&[("grant_type", "client_credentials")]).await.expect_tokens();
        }
        let counted = app.app.usage.tokens_by_client(&app.app.db, &today(&app), 1).await.unwrap();
        assert_eq!(counted.clients.len(), 1);
        assert_eq!(counted.clients[0].client_id, robot.client_id);
        assert_eq!(counted.clients[0].by_grant, [(GrantType::ClientCredentials, 3)]);
        assert_eq!((counted.other_clients, counted.others), (1, 2));
        let counted = app.app.usage.tokens_by_client(&app.app.db, &today(&app), 5).await.unwrap();
        assert_eq!(counted.clients[1].by_grant, [(GrantType::AuthorizationCode, 1), (GrantType::RefreshToken, 1)]);
    }

    async fn nothing_that_was_counted_is_lost_when_the_server_stops(database) {
        let app = TestApp::start(database).await;
        app.user("ada").await;
        app.browser().sign_in("ada").await;
        fetch_keys(&app, "curl/8.5.0").await;
        let clock = app.clock.clone();
        let database = app.stop().await;
        let app = TestApp::serve(database, Settings::default().at(&clock)).await;
        assert_eq!(written(&app, UsageKind::SignIn).await, 1);
        app.browser().sign_in("ada").await;
        fetch_keys(&app, "curl/8.6.0").await;
        assert_eq!(passwords(&app, 1).await[0], [2], "what is written and what waits is added up");
        let readers = app.app.usage.key_readers(&app.app.db, &today(&app)).await.unwrap();
        let curl = readers.iter().find(|reader| reader.program == "curl").unwrap();
        assert_eq!(curl.amounts.iter().sum::<i64>(), 2);
        assert_eq!(curl.last, usage::hour_of(app.clock.now()));
    }

    async fn what_two_nodes_write_at_once_is_added_up(database) {
        let app = TestApp::start(database).await;
        let clients: Vec<ClientKey> = (0..700).map(|_| ClientKey::new(START, &Random::system())).collect();
        let nodes = [Usage::default(), Usage::default()];
        for node in &nodes {
            for client in &clients {
                node.token_issued(GrantType::RefreshToken, Some(*client), START);
            }
            node.sign_in(AuthMethod::Mail, Outcome::Denied, START);
        }
        let (one, two) = tokio::join!(nodes[0].write(&app.app.db), nodes[1].write(&app.app.db));
        one.and(two).unwrap();
        assert_eq!(written(&app, UsageKind::Token).await, 1_400);
        assert_eq!(written(&app, UsageKind::SignInFailed).await, 2);
        nodes[0].write(&app.app.db).await.unwrap();
        assert_eq!(written(&app, UsageKind::Token).await, 1_400, "nothing is written twice");
    }

    async fn counts_are_kept_for_400_days(database) {
        let app = TestApp::start(database).await;
        let usage = Usage::default();
        for at in [START, START.plus(HOUR)] {
            usage.sign_in(AuthMethod::Password, Outcome::Success, at);
            usage.keys_fetched(None, at);
        }
        usage.write(&app.app.db).await.unwrap();
        let now = START.plus(400 * DAY).plus(Duration::from_secs(1));
        let swept = app.app.db.write(move |db| jobs::sweep_expired(db, now, START)).await.unwrap();
        assert!(swept >= 2, "{swept}");
        assert_eq!(written(&app, UsageKind::SignIn).await, 1);
        assert_eq!(written(&app, UsageKind::KeysFetched).await, 1);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cr_8_two_nodes_count_into_one_row() {
    let one = TestApp::start(Database::Postgres).await;
    let two = one.another_node().await;
    one.user("ada").await;
    one.browser().sign_in("ada").await;
    two.browser().sign_in("ada").await;
    let _database = two.stop().await;
    assert_eq!(passwords(&one, 1).await[0], [2]);
    assert!(written(&one, UsageKind::SignIn).await >= 1, "what the other one had counted");
}
