//! The real binary as a process of its own: for what only a process can do, such as dying.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use tokio::process::Child;

use super::app::http_client;
use super::database::{TestDatabase, master_key};

/// A serving process. Killed when dropped.
pub struct Process {
    child: Child,
    pub port: u16,
    log: PathBuf,
}

impl Process {
    /// Starts to serve this database on this port and waits until it is ready: how long that took is the second value.
    pub async fn start(database: &TestDatabase, port: u16, settings: &[(&str, &str)]) -> (Self, Duration) {
        let began = Instant::now();
        let mut process = Self::spawn(database, port, settings);
        let (http, url) = (http_client(), format!("http://127.0.0.1:{port}/readyz"));
        while !http.get(&url).send().await.is_ok_and(|answer| answer.status() == 200) {
            if let Ok(Some(status)) = process.child.try_wait() {
                panic!("it ended with {status}: {}", process.log());
            }
            assert!(began.elapsed() < Duration::from_secs(30), "it is not ready: {}", process.log());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        (process, began.elapsed())
    }

    /// Starts without waiting for anything.
    pub fn spawn(database: &TestDatabase, port: u16, settings: &[(&str, &str)]) -> Self {
        let log = database.folder.path().join(format!("log-{port}"));
        let mut command = command(database.folder.path(), &database.url, port);
        command.envs(settings.iter().copied()).stdin(Stdio::null()).stdout(Stdio::null());
        command.stderr(std::fs::OpenOptions::new().create(true).append(true).open(&log).expect("a log file"));
        let child = tokio::process::Command::from(command).kill_on_drop(true).spawn().expect("it starts");
        Self { child, port, log }
    }

    /// What it wrote to standard error, as did those before it on the same database and port.
    pub fn log(&self) -> String {
        std::fs::read_to_string(&self.log).expect("the log is text")
    }

    /// As a power cut would end it.
    pub async fn kill(mut self) {
        self.child.kill().await.expect("it can be killed");
    }

    /// Asks it to end (SIGTERM).
    pub fn terminate(&self) {
        signal("TERM", &self.pid());
    }

    /// Lets no file grow beyond this: as near to a full disk as comes without one.
    pub fn limit_files(&self, bytes: &str) {
        let set = Command::new("prlimit")
            .args(["--pid", &self.pid(), &format!("--fsize={bytes}:unlimited")])
            .status();
        assert!(set.expect("prlimit runs").success(), "prlimit");
    }

    fn pid(&self) -> String {
        self.child.id().expect("it runs").to_string()
    }

    /// Waits for its end.
    pub async fn ended(&mut self, within: Duration) -> ExitStatus {
        match tokio::time::timeout(within, self.child.wait()).await {
            Ok(ended) => ended.expect("its end can be awaited"),
            Err(_) => panic!("it did not end within {within:?}: {}", self.log()),
        }
    }
}

/// `serve` with settings for this database and port, and none of ours.
fn command(folder: &Path, database: &str, port: u16) -> Command {
    // A write beyond the limit of a file is to fail like one to a full disk, and not to end the process.
    let mut command = Command::new("/bin/sh");
    command
        .args(["-c", "trap '' XFSZ; exec \"$0\" serve", env!("CARGO_BIN_EXE_countersign")])
        .env_clear()
        .current_dir(folder)
        .env("COUNTERSIGN__DATABASE__URL", database)
        .env("COUNTERSIGN__DATABASE__POOL", "4")
        .env("COUNTERSIGN__KEYS__MASTER_KEY", master_key().expose())
        // The keys of the template are old; making their successors takes time.
        .env("COUNTERSIGN__KEYS__ROTATE_EVERY", "366d")
        .env("COUNTERSIGN__ISSUER", format!("http://localhost:{port}"))
        .env("COUNTERSIGN__SERVER__LISTEN", format!("127.0.0.1:{port}"))
        .env("COUNTERSIGN__SERVER__WORKERS", "2")
        .env("COUNTERSIGN__LOG__FORMAT", "json");
    command
}

/// Sends a signal to a process.
pub fn signal(name: &str, pid: &str) {
    let sent = Command::new("kill").args([&format!("-{name}"), "--", pid]).status().expect("kill runs");
    assert!(sent.success(), "kill -{name} {pid}");
}

pub fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("the port is known").port()
}
