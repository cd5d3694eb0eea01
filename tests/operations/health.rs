//! Probes and metrics.

use std::collections::BTreeSet;
use std::time::Duration;

use diesel::connection::SimpleConnection;

use super::soon;
use crate::on_both_databases;
use crate::support::{Database, PASSWORD, Settings, TestApp};

async fn get(app: &TestApp, path: &str) -> (u16, String) {
    let answer = app.http.get(app.url(path)).send().await.expect("the server answers");
    (answer.status().as_u16(), answer.text().await.expect("text"))
}

/// `name{labels}` of every sample, having checked that each line is one.
fn series(exposition: &str) -> BTreeSet<String> {
    let mut series = BTreeSet::new();
    for line in exposition.lines().filter(|line| !line.starts_with('#')) {
        let (name, value) = line.rsplit_once(' ').unwrap_or_else(|| panic!("no sample: {line}"));
        assert!(value.parse::<f64>().is_ok(), "no number: {line}");
        let metric = name.split('{').next().expect("a name");
        assert!(metric.bytes().all(|b| b.is_ascii_lowercase() || b == b'_'), "{line}");
        assert!(metric.starts_with("countersign_"), "{line}");
        assert!(series.insert(name.to_owned()), "twice: {line}");
    }
    series
}

#[track_caller]
fn value(exposition: &str, name: &str) -> f64 {
    let found = exposition.lines().find_map(|line| line.strip_prefix(name)?.trim().parse().ok());
    found.unwrap_or_else(|| panic!("no {name} in {exposition}"))
}

on_both_databases! {
    async fn cr_12_probes_say_yes_or_no_and_nothing_else(database) {
        let app = TestApp::start_with(database, Settings::default().real_time()).await;
        for path in ["/livez", "/healthz", "/readyz"] {
            assert_eq!(get(&app, path).await, (200, "ok\n".to_owned()), "{path}");
        }
        // Migrations of this version are missing: alive, but not ready.
        app.app.db.write(|db| Ok(db.batch_execute("DELETE FROM __diesel_schema_migrations")?)).await.unwrap();
        soon(Duration::from_secs(3), || async { get(&app, "/readyz").await.0 == 503 }).await;
        assert_eq!(get(&app, "/readyz").await, (503, "unavailable\n".to_owned()));
        assert_eq!(get(&app, "/livez").await.0, 200);
    }

    async fn cr_7_a_node_whose_clock_is_far_off_is_not_ready(database) {
        // The clock of the test stands at the start of 2026.
        let app = TestApp::start(database).await;
        assert_eq!(get(&app, "/readyz").await, (503, "unavailable\n".to_owned()));
        soon(Duration::from_secs(3), || async {
            value(&get(&app, "/metrics").await.1, "countersign_clock_skew_milliseconds").abs() > 300_000.0
        }).await;
    }

    async fn metrics_count_what_happened_with_labels_from_fixed_sets(database) {
        let app = TestApp::start(database).await;
        app.user("ada").await;
        let client = app.client("calendar").await;
        let mut browser = app.browser();
        let tokens = client.sign_in(&mut browser, "ada", "openid offline_access").await;
        let next = client.refresh(tokens.refresh_token()).await.expect_tokens();
        client.refresh(next.refresh_token()).await.expect_tokens();
        client.refresh(tokens.refresh_token()).await.expect_error("invalid_grant");
        client.refresh("nothing").await.expect_error("invalid_grant");
        let page = app.browser().get("/login").await;
        app.browser().get(&format!("/oauth2/authorize?client_id={}", client.client_id)).await;
        let mut stranger = app.browser();
        let login = stranger.get("/login").await;
        stranger.answer_login(&login, "ada", "not the password").await;

        let (status, exposition) = get(&app, "/metrics").await;
        assert_eq!((status, page.status), (200, 200));
        for (name, least) in [
            ("countersign_tokens_issued_total{grant_type=\"authorization_code\"}", 1.0),
            ("countersign_tokens_issued_total{grant_type=\"refresh_token\"}", 1.0),
            ("countersign_token_refusals_total{error=\"invalid_grant\"}", 1.0),
            ("countersign_refresh_reuse_total", 1.0),
            ("countersign_sign_ins_total{method=\"pwd\",outcome=\"success\"}", 1.0),
            ("countersign_sign_ins_total{method=\"pwd\",outcome=\"failure\"}", 1.0),
        ] {
            assert!(value(&exposition, name) >= least, "{name}");
        }
        assert!(value(&exposition, "countersign_panics_total") < 0.5);
        for word in ["ada", "example.com", PASSWORD, &tokens.access_token, &client.client_id, "127.0.0.1", "arq_"] {
            assert!(!exposition.contains(word), "{word} is in {exposition}");
        }

        // Whatever strangers make up becomes no label.
        get(&app, "/metrics").await;
        let visit = async |number: usize| {
            let method = reqwest::Method::from_bytes(format!("M{number}").as_bytes()).unwrap();
            get(&app, &format!("/made-up-{number}?x={number}")).await;
            get(&app, &format!("/register/made-up-{number}")).await;
            app.http.request(method, app.url("/")).send().await.unwrap();
            client.token(&[("grant_type", &format!("made_up_{number}"))]).await;
        };
        visit(0).await;
        let before = series(&get(&app, "/metrics").await.1);
        for number in 1..20 {
            visit(number).await;
        }
        let after = series(&get(&app, "/metrics").await.1);
        let new: Vec<_> = after.difference(&before).collect();
        assert!(new.is_empty(), "{new:?}");
        assert!(after.len() < 1_000);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ad_5_metrics_leave_the_public_listener_when_they_have_one_of_their_own() {
    let settings = Settings::with(|config| {
        config.server.metrics_listen = Some("127.0.0.1:0".parse().expect("an address"));
    });
    let app = TestApp::start_with(Database::Sqlite, settings).await;
    assert_eq!(get(&app, "/metrics").await.0, 404);
    assert_eq!(get(&app, "/livez").await.0, 200);
}
