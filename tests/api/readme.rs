//! The examples of the README work as they are printed.

use std::process::Stdio;

use countersign::crypto::Secret;
use tokio::process::Command;

use super::Api;
use crate::on_both_databases;

const PASSWORD: &str = "correct horse battery staple";

on_both_databases! {
    async fn the_calls_of_the_readme_work_as_printed(database) {
        let api = Api::start(database).await;
        let navy = api.app.organisation("navy").await;
        let grace = api.app.user_with("hopper", |new| new.password = Some(Secret::from_text(PASSWORD))).await;
        api.app.member(&navy, grace, &["admin"]).await;
        let readme = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/README.md")).unwrap();
        let block = readme.split("```bash\nAPI=").nth(1).and_then(|rest| rest.split("```").next()).expect("calls");
        let script = format!("API={block}").replace("http://localhost:8080", &api.app.url(""));
        assert!(script.lines().count() > 10, "{script}");
        let ran = Command::new("bash").args(["-euo", "pipefail", "-c", &script]).stdin(Stdio::null()).output();
        let ran = ran.await.expect("bash runs");
        let (said, complained) = (String::from_utf8_lossy(&ran.stdout), String::from_utf8_lossy(&ran.stderr));
        assert!(ran.status.success(), "{said}\n{complained}");
        for told in ["\"locale\":\"de\"", "\"slug\":\"cobol\"", "\"next\":null", "\"user\":\"usr_"] {
            assert!(said.contains(told), "{told}: {said}");
        }
        assert_eq!(api.app.live_sessions("hopper").await, 0);
    }
}
