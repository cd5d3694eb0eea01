//! Independent clients in other languages, and Chromium.

use std::process::Stdio;
use std::time::Duration;

use serde_json::Value;
use tokio::io::AsyncWriteExt;
use tokio::process::Command;

/// A script of `tests/clients/node`, given a job, giving its report.
pub async fn node(script: &str, job: &Value) -> Value {
    run(&variable("COUNTERSIGN_TEST_NODE"), &format!("tests/clients/node/{script}"), job).await
}

/// A script of `tests/clients/python`.
pub async fn python(script: &str, job: &Value) -> Value {
    run(&variable("COUNTERSIGN_TEST_PYTHON"), &format!("tests/clients/python/{script}"), job).await
}

/// A journey through pages in Chromium (`tests/browser/run.mjs`).
pub async fn browser_journey(job: &Value) -> Value {
    run(&variable("COUNTERSIGN_TEST_NODE"), "tests/browser/run.mjs", job).await
}

pub fn variable(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| panic!("{name} is not set: run `bash tests/run.sh`"))
}

/// Where a file of this repository is.
pub fn path(relative: &str) -> String {
    format!("{}/{relative}", env!("CARGO_MANIFEST_DIR"))
}

async fn run(program: &str, script: &str, job: &Value) -> Value {
    let mut child = Command::new(program)
        .arg(path(script))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap_or_else(|error| panic!("{program} {script}: {error}"));
    let mut stdin = child.stdin.take().expect("standard input is piped");
    stdin.write_all(job.to_string().as_bytes()).await.expect("the script reads its job");
    drop(stdin);
    let output = tokio::time::timeout(Duration::from_secs(120), child.wait_with_output())
        .await
        .unwrap_or_else(|_| panic!("{script} took longer than two minutes"))
        .expect("the script ends");
    let text = String::from_utf8_lossy(&output.stdout);
    serde_json::from_str(text.trim()).unwrap_or_else(|_| {
        panic!("{script} said {text:?} and {:?}", String::from_utf8_lossy(&output.stderr))
    })
}
