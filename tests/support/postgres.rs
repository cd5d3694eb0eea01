//! A PostgreSQL of one test, which the test may stop, freeze and start again.

use std::fs;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::process::{free_port, signal};

/// Stopped and removed when dropped.
pub struct PrivatePostgres {
    folder: tempfile::TempDir,
    bin: PathBuf,
    port: u16,
    server: Option<Child>,
}

impl PrivatePostgres {
    pub fn start() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let bin = find_programs();
        let mut postgres = Self { folder, bin, port: free_port(), server: None };
        if is_root() {
            // PostgreSQL refuses to run as root; its user has to own the folder.
            assert!(run(Command::new("chown").arg("postgres").arg(postgres.folder.path())), "chown");
        }
        let mut initdb = postgres.command("initdb");
        initdb
            .args(["--username=postgres", "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync", "-D"])
            .arg(postgres.data());
        assert!(run(&mut initdb), "initdb");
        postgres.start_again();
        postgres
    }

    /// The address of its one database.
    pub fn url(&self) -> String {
        format!("postgres://postgres@127.0.0.1:{}/postgres", self.port)
    }

    pub fn start_again(&mut self) {
        let mut server = self.command("postgres");
        server
            .args(["-h", "127.0.0.1", "-p", &self.port.to_string(), "-D"])
            .arg(self.data())
            .arg("-k")
            .arg(self.folder.path())
            .args(["-c", "fsync=off", "-c", "max_connections=50", "-c", "shared_buffers=16MB"]);
        self.server = Some(silent(&mut server).spawn().expect("PostgreSQL starts"));
        let began = Instant::now();
        while !run(self.command("pg_isready").args(["-q", "-h", "127.0.0.1", "-p", &self.port.to_string()])) {
            assert!(began.elapsed() < Duration::from_secs(20), "PostgreSQL does not start");
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// As an operator restarts it: open connections are cut.
    pub fn stop(&mut self) {
        self.end("INT");
    }

    /// It takes connections and answers nothing any more.
    pub fn freeze(&self) {
        signal("STOP", &self.pid());
        self.backends().iter().for_each(|backend| signal("STOP", backend));
    }

    pub fn thaw(&self) {
        // The server last: until it runs, none of them is gone for good.
        self.backends().iter().for_each(|backend| signal("CONT", backend));
        signal("CONT", &self.pid());
    }

    fn pid(&self) -> String {
        self.server.as_ref().expect("it runs").id().to_string()
    }

    fn backends(&self) -> Vec<String> {
        let pid = self.pid();
        let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children"));
        children.expect("the kernel lists children").split_whitespace().map(str::to_owned).collect()
    }

    fn end(&mut self, how: &str) {
        let Some(mut server) = self.server.take() else { return };
        signal(how, &server.id().to_string());
        let began = Instant::now();
        while server.try_wait().expect("its end can be awaited").is_none() {
            if began.elapsed() > Duration::from_secs(10) {
                server.kill().expect("it can be killed");
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    fn command(&self, program: &str) -> Command {
        let program = self.bin.join(program);
        let mut command = Command::new(if is_root() { "setpriv".into() } else { program.clone() });
        if is_root() {
            command.args(["--reuid", "postgres", "--regid", "postgres", "--init-groups"]).arg(program);
        }
        command.current_dir("/");
        command
    }
}

impl Drop for PrivatePostgres {
    fn drop(&mut self) {
        // Backends that are still frozen are killed by it after five seconds.
        let Some(mut server) = self.server.take() else { return };
        signal("CONT", &server.id().to_string());
        signal("QUIT", &server.id().to_string());
        let _ = server.wait();
    }
}

/// Where Debian puts the newest one, or where PATH says.
fn find_programs() -> PathBuf {
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let newest = versions
        .filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok())
        .max()
        .map(|version| PathBuf::from(format!("/usr/lib/postgresql/{version}/bin")));
    newest.unwrap_or_default()
}

fn is_root() -> bool {
    use std::os::unix::fs::MetadataExt;
    fs::metadata("/proc/self").is_ok_and(|process| process.uid() == 0)
}

fn silent(command: &mut Command) -> &mut Command {
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null())
}

fn run(command: &mut Command) -> bool {
    silent(command).status().unwrap_or_else(|error| panic!("{command:?}: {error}")).success()
}
