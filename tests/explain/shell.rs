//! `countersign explain`, beside a server.

use std::process::{Command, Output};

use serde_json::Value;

use super::{member, shown};
use crate::on_both_databases;
use crate::support::{Settings, TestApp, master_key};

fn shell(app: &TestApp, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_countersign"))
        .args(arguments)
        .env_clear()
        .current_dir(app.database.folder.path())
        .env("COUNTERSIGN__DATABASE__URL", &app.database.url)
        .env("COUNTERSIGN__KEYS__MASTER_KEY", master_key().expose())
        .output()
        .expect("the command runs")
}

on_both_databases! {
    async fn lo_3_the_reference_on_a_page_is_all_that_an_operator_needs(database) {
        let app = TestApp::start_with(database, Settings::default().real_time()).await;
        let client = app.client("calendar").await;
        let page = app.browser().get(&client.flow("openid").with("redirect_uri", "http://localhost:3001/").path()).await;
        let reference = shown(&page);
        let answer = client.refresh("nonsense").await;
        // Written within a second, by the server alone.
        let mut told = shell(&app, &["explain", &reference]);
        for _ in 0..40 {
            if told.status.success() {
                break;
            }
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
            told = shell(&app, &["explain", &reference]);
        }
        let text = String::from_utf8(told.stdout).unwrap();
        for line in ["rule: redirect_uri", "differs in: scheme", "asked: http", "registered: https"] {
            assert!(text.lines().any(|told| told == line), "{line}: {text} {:?}", told.stderr);
        }
        assert!(text.starts_with("The redirect URI is not a registered one."), "{text}");

        let json: Value = serde_json::from_slice(&shell(&app, &["explain", &member(&answer), "--json"]).stdout).unwrap();
        assert_eq!((&json["rule"], &json["kind"], &json["client"]), (&"refresh_unknown".into(), &"token".into(), &client.client_id.clone().into()));
        assert_eq!(json["recorded"][0]["action"], "token.refused");
        let listed: Value = serde_json::from_slice(&shell(&app, &["explain", "--client", &client.client_id, "--json"]).stdout).unwrap();
        assert_eq!(listed.as_array().map(Vec::len), Some(2), "{listed}");
        let unknown = shell(&app, &["explain", "0000-0000-0000"]);
        assert_eq!(unknown.status.code(), Some(1));
        assert!(String::from_utf8_lossy(&unknown.stderr).contains("nothing is known of this reference"));
    }
}
