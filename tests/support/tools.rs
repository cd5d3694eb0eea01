//! Independent clients in other languages, and Chromium.

use std::process::Stdio;
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

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

/// A script that answers each line with a line and lives on between them, as an API would.
pub struct Dialogue {
    // Ended when this is dropped.
    _child: Child,
    stdin: ChildStdin,
    answers: Lines<BufReader<ChildStdout>>,
}

impl Dialogue {
    pub fn node(script: &str) -> Self {
        Self::start(&variable("COUNTERSIGN_TEST_NODE"), &format!("tests/clients/node/{script}"))
    }

    pub fn python(script: &str) -> Self {
        Self::start(&variable("COUNTERSIGN_TEST_PYTHON"), &format!("tests/clients/python/{script}"))
    }

    fn start(program: &str, script: &str) -> Self {
        let mut child = spawn(program, script);
        let stdin = child.stdin.take().expect("standard input is piped");
        let stdout = child.stdout.take().expect("standard output is piped");
        Self { _child: child, stdin, answers: BufReader::new(stdout).lines() }
    }

    pub async fn ask(&mut self, question: &Value) -> Value {
        self.stdin.write_all(format!("{question}\n").as_bytes()).await.expect("the script reads on");
        let answer = tokio::time::timeout(Duration::from_secs(60), self.answers.next_line()).await;
        let line = answer.expect("an answer within a minute").expect("text").expect("the script lives");
        serde_json::from_str(&line).unwrap_or_else(|_| panic!("not JSON: {line}"))
    }
}

pub fn variable(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| panic!("{name} is not set: run `bash tests/run.sh`"))
}

/// Where a file of this repository is.
pub fn path(relative: &str) -> String {
    format!("{}/{relative}", env!("CARGO_MANIFEST_DIR"))
}

fn spawn(program: &str, script: &str) -> Child {
    Command::new(program)
        .arg(path(script))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap_or_else(|error| panic!("{program} {script}: {error}"))
}

async fn run(program: &str, script: &str, job: &Value) -> Value {
    let mut child = spawn(program, script);
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
