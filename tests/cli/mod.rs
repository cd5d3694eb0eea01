//! The binary as an operator's shell sees it: arguments, standard input, output, exit codes.
//!
//! Each test has a folder and a database of its own; with `COUNTERSIGN_TEST_POSTGRES` set, what concerns the
//! database runs on PostgreSQL too.

mod api_keys;
mod audit;
mod changes;
mod dialects;
mod organisations;
mod serving;

use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use countersign::app::{App, Opening};
use countersign::audit::Origin;
use countersign::clock::Clock;
use countersign::crypto::Random;
use countersign::identity::notice::Notices;
use countersign::identity::session::{self, Arrival, Terms};
use countersign::model::{AuthMethod, Language, UserId};
use countersign::store;
use countersign::tenancy::admission;
use diesel::{Connection, PgConnection, RunQueryDsl};
use serde_json::{Value, json};

const PASSWORD: &str = "vermilion tapir 42 dances";

/// An instance's folder and settings. Its database ends with it.
struct Instance {
    folder: tempfile::TempDir,
    database: Database,
}

enum Database {
    Sqlite,
    Postgres { server: String, name: String },
}

/// What a command answered.
struct Answer {
    code: i32,
    out: String,
    err: String,
}

impl Answer {
    fn json(&self) -> Value {
        assert_eq!(self.code, 0, "{}", self.err);
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {}", self.out))
    }

    #[track_caller]
    fn done(self) -> Self {
        assert_eq!(self.code, 0, "{}{}", self.out, self.err);
        self
    }

    /// Failed with this exit code and says this on standard error, and nothing on standard output.
    #[track_caller]
    fn fails(&self, code: i32, says: &str) {
        assert_eq!(self.code, code, "{}{}", self.out, self.err);
        assert!(self.err.contains(says), "{says:?} is not in: {}", self.err);
        assert_eq!(self.out, "");
    }
}

impl Instance {
    fn on(database: Database) -> Self {
        Self { folder: tempfile::tempdir().unwrap(), database }
    }

    /// Where nothing exists yet.
    fn bare() -> Self {
        Self::on(Database::Sqlite)
    }

    fn new() -> Self {
        let instance = Self::bare();
        instance.run(&["init"]).done();
        instance
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let url = match &self.database {
            Database::Sqlite => "sqlite:data/test.db".to_owned(),
            Database::Postgres { server, name } => database_url(server, name),
        };
        let mut command = Command::new(env!("CARGO_BIN_EXE_countersign"));
        command
            .args(arguments)
            .current_dir(self.folder.path())
            .env_clear()
            .env("COUNTERSIGN__DATABASE__URL", url)
            .stdin(Stdio::null());
        command
    }

    fn run(&self, arguments: &[&str]) -> Answer {
        answer(self.command(arguments).output().unwrap())
    }

    fn run_with_input(&self, arguments: &[&str], input: &str) -> Answer {
        let mut child = self
            .command(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // A command that refuses its arguments does not read on.
        let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
        answer(child.wait_with_output().unwrap())
    }

    fn json(&self, arguments: &[&str]) -> Value {
        self.run(&[arguments, &["--json"]].concat()).json()
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.folder.path().join(name), text).unwrap();
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    /// The application itself over the same database, for what no command can do.
    fn app(&self) -> App {
        let database = match &self.database {
            Database::Sqlite => format!("sqlite:{}", self.path().join("data/test.db").display()),
            Database::Postgres { server, name } => database_url(server, name),
        };
        let settings = [
            ("COUNTERSIGN__DATABASE__URL".to_owned(), database),
            ("COUNTERSIGN__KEYS__DIR".to_owned(), self.path().join("keys").display().to_string()),
        ];
        let config = countersign::config::load(None, settings.into_iter()).unwrap().config;
        block_on(App::open(config, Clock::system(), Opening::Existing)).unwrap()
    }

    /// The actions of the audit, the newest first.
    fn audited(&self) -> Vec<String> {
        let events = self.app().db.clone();
        let events = block_on(events.read(|db| store::audit::newest(db, 100))).unwrap();
        events.into_iter().map(|event| event.action).collect()
    }
}

impl Drop for Instance {
    fn drop(&mut self) {
        if let Database::Postgres { server, name } = &self.database {
            let mut admin = PgConnection::establish(server).unwrap();
            // A failed test may have left connections; its own failure is what counts.
            let _ = diesel::sql_query(format!("DROP DATABASE {name} WITH (FORCE)")).execute(&mut admin);
        }
    }
}

/// Runs the test on SQLite, and on PostgreSQL if there is one to use.
fn on_every_database(test: impl Fn(&Instance)) {
    test(&Instance::bare());
    if let Ok(server) = std::env::var("COUNTERSIGN_TEST_POSTGRES") {
        let mut admin = PgConnection::establish(&server).unwrap();
        let random: Vec<String> =
            Random::system().bytes::<8>().iter().map(|byte| format!("{byte:02x}")).collect();
        let name = format!("cli_{}", random.concat());
        diesel::sql_query(format!("CREATE DATABASE {name}")).execute(&mut admin).unwrap();
        test(&Instance::on(Database::Postgres { server, name }));
    }
}

/// The server's URL with another database's name.
fn database_url(server: &str, name: &str) -> String {
    let mut url = url::Url::parse(server).unwrap();
    url.set_path(name);
    url.to_string()
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

fn answer(output: Output) -> Answer {
    Answer {
        code: output.status.code().expect("no signal ended it"),
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
    }
}

fn keys_of(value: &Value) -> Vec<&str> {
    let mut keys: Vec<&str> = value.as_object().unwrap().keys().map(String::as_str).collect();
    keys.sort_unstable();
    keys
}

#[test]
fn usage_errors_exit_with_2_and_help_with_0() {
    let instance = Instance::bare();
    for arguments in [
        &["frobnicate"][..],
        &["user"],
        &["user", "add", "--name", "Ada"],
        &["user", "add", "--email", "not an address", "--name", "Ada"],
        &["user", "add", "--email", "a@example.com", "--name", "Ada", "--password", "in the process list"],
        &["user", "set-password", "ada"],
        &["user", "invite", "--email", "a@example.com", "--lifetime", "31d"],
        &["client", "add", "--name", "App", "--grant", "password"],
        &["client", "add", "--name", "App", "--id-token-alg", "none"],
        &["client", "add", "--name", "App", "--id-token-alg", "PS256"],
        &["client", "add", "--name", "App", "--auth", "client_secret_jwt"],
        &["client", "rotate-secret", "app", "--overlap", "10"],
        &["client", "rotate-secret", "app", "--overlap", "31d"],
        &["resource", "add", "--name", "API"],
        &["keys", "rotate", "--alg", "HS256"],
        &["session", "end", "usr_00000000000000000000000000000000"],
        &["check", "surplus"],
    ] {
        let answer = instance.run(arguments);
        assert_eq!(answer.code, 2, "{arguments:?}: {}", answer.err);
        assert_eq!(answer.out, "", "{arguments:?}");
        assert_ne!(answer.err, "", "{arguments:?}");
    }
    for arguments in [&["--help"][..], &["client", "add", "--help"], &["--version"]] {
        assert_ne!(instance.run(arguments).done().out, "");
    }
    assert_eq!(fs::read_dir(instance.path()).unwrap().count(), 0, "a usage error makes no file");
}

#[test]
fn bu_5_all_problems_are_told_at_once() {
    let instance = Instance::bare();
    instance.write(
        "bad.toml",
        "issuer = 'http://id.example.com'\nlisten = '127.0.0.1:1'\n[lifetimes]\ncode = '2h'\n[database]\nurl = 'mysql://u:hunter2@h/d'\n",
    );
    let mut with_file = instance.command(&["init", "--config", "bad.toml"]);
    with_file.env_remove("COUNTERSIGN__DATABASE__URL").env("COUNTERSIGN__SERVER__LISTEN", "nonsense");
    let init = answer(with_file.output().unwrap());
    for key in [
        "issuer (bad.toml:1)",
        "listen (bad.toml:2)",
        "lifetimes.code (bad.toml:4)",
        "database.url",
        "server.listen (COUNTERSIGN__SERVER__LISTEN)",
    ] {
        init.fails(1, key);
    }
    assert!(!init.err.contains("hunter2"), "{}", init.err);

    let check = instance.run(&["check", "--json", "--config", "bad.toml"]);
    assert_eq!(check.code, 1);
    let told: Value = serde_json::from_str(&check.out).unwrap();
    assert_eq!(told["ok"], json!(false));
    assert!(told["problems"].as_array().unwrap().len() >= 3, "{told}");
    assert_eq!(keys_of(&told["problems"][0]), ["key", "reason", "source"]);
    assert!(!instance.path().join("data").exists());
}

#[test]
fn lo_2_settings_are_listed_with_their_source_and_without_their_secrets() {
    let instance = Instance::bare();
    instance.write("c.toml", "[mail]\nurl = 'smtps://me:hunter2@mail.example.com'\n");
    let listed = instance.json(&["check", "--all", "--config", "c.toml"]);
    let of = |key: &str| {
        listed["settings"].as_array().unwrap().iter().find(|one| one["key"] == key).unwrap().clone()
    };
    assert_eq!(of("mail.url"), json!({ "key": "mail.url", "value": "(set)", "source": "c.toml:2" }));
    assert_eq!(of("database.url")["source"], "COUNTERSIGN__DATABASE__URL");
    assert_eq!(of("lifetimes.code"), json!({ "key": "lifetimes.code", "value": "1m", "source": "default" }));
    let table = instance.run(&["check", "--all", "--config", "c.toml"]).done().out;
    assert!(table.starts_with("SETTING") && !table.contains("hunter2"), "{table}");
}

#[test]
fn before_init_every_command_says_what_to_do() {
    let instance = Instance::bare();
    for arguments in [&["user", "list"][..], &["client", "list"], &["keys", "list"], &["migrate"]] {
        instance.run(arguments).fails(1, "`countersign init`");
    }
    let doctor = instance.run(&["doctor"]);
    assert_eq!(doctor.code, 1);
    assert!(doctor.out.contains("FAIL") && doctor.out.contains("countersign init"), "{}", doctor.out);
    assert_eq!(fs::read_dir(instance.path()).unwrap().count(), 0, "nothing is made by looking");
}

#[test]
fn ad_1_init_prints_a_set_up_link_until_there_is_an_administrator() {
    on_every_database(|instance| {
        let first = instance.json(&["init"]);
        assert_eq!(first["signing_keys"], 3);
        let link = first["setup_link"].as_str().unwrap();
        assert!(link.starts_with("http://localhost:8080/setup/"), "{link}");
        let second = instance.json(&["init"]);
        assert_ne!(second["setup_link"], link);
        let add = ["user", "add", "--email", "ada@example.com", "--name", "Ada", "--admin"];
        instance.run(&add).done();
        assert_eq!(instance.json(&["init"])["setup_link"], Value::Null);
        assert_eq!(instance.json(&["keys", "list"]).as_array().unwrap().len(), 3);
        assert!(!instance.run(&["init"]).done().out.contains("/setup/"));
    });
}

#[test]
fn doctor_looks_at_everything() {
    on_every_database(|instance| {
        instance.run(&["init"]).done();
        let mut command = instance.command(&["doctor", "--json"]);
        // Nobody listens there.
        command.env("COUNTERSIGN__ISSUER", "http://127.0.0.1:9");
        let findings = answer(command.output().unwrap()).json();
        let state = |check: &str| {
            let found = findings.as_array().unwrap().iter().find(|one| one["check"] == check);
            found.unwrap_or_else(|| panic!("{check} is not in {findings}"))["state"].clone()
        };
        for check in ["configuration", "database", "schema", "master key", "signing keys", "clock", "mail"] {
            assert_eq!(state(check), "ok", "{check}");
        }
        assert_eq!((state("administrator"), state("issuer")), (json!("warn"), json!("warn")));

        let mut with_mail = instance.command(&["doctor"]);
        with_mail.env("COUNTERSIGN__MAIL__URL", "smtp://127.0.0.1:9");
        let answer = answer(with_mail.output().unwrap());
        assert_eq!(answer.code, 1);
        assert!(answer.out.contains("FAIL  mail"), "{}", answer.out);
    });
}

#[test]
fn a_wrong_master_key_is_found_by_doctor() {
    let instance = Instance::new();
    let mut command = instance.command(&["doctor"]);
    command.env("COUNTERSIGN__KEYS__MASTER_KEY", "mC6RWZHEmZ9jJtMvxvuSfDzbX8VIcXRTeoq9Ge6yzsQ=");
    let answer = answer(command.output().unwrap());
    assert_eq!(answer.code, 1);
    assert!(answer.out.contains("FAIL  signing keys"), "{}", answer.out);
}

#[test]
fn tk_9_a_lost_master_key_is_not_replaced_by_a_new_one() {
    on_every_database(|instance| {
        instance.run(&["init"]).done();
        let key = instance.path().join("keys/master.key");
        let saved = fs::read_to_string(&key).unwrap();
        fs::remove_file(&key).unwrap();
        for command in [&["init"][..], &["keys", "list"]] {
            instance.run(command).fails(1, "there is no master key");
            assert!(!key.exists());
        }
        instance.write("keys/master.key", &saved);
        fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).unwrap();
        instance.run(&["init"]).done();
    });
}

#[test]
fn users_are_made_shown_changed_and_removed() {
    on_every_database(|instance| {
        instance.run(&["init"]).done();
        let add = [
            "user",
            "add",
            "--email",
            "Ada@Example.com",
            "--name",
            "Ada Lovelace",
            "--username",
            "Ada",
            "--password-stdin",
            "--verified",
            "--claim",
            "given_name=Ada",
            "--claim",
            "locale=de",
            "--json",
        ];
        let made = instance.run_with_input(&add, &format!("{PASSWORD}\n")).json();
        assert_eq!(keys_of(&made), ["id"]);
        let id = made["id"].as_str().unwrap();
        assert!(id.parse::<UserId>().is_ok(), "{id}");

        for who in [id, "ada@example.com", "ADA@example.com", "ada"] {
            let shown = instance.json(&["user", "show", who]);
            assert_eq!(shown["id"], id);
            assert_eq!(shown["email"], "Ada@Example.com");
            assert_eq!(shown["email_verified"], true);
            assert_eq!(shown["has_password"], true);
            assert_eq!(shown["instance_role"], Value::Null);
            assert_eq!(shown["locale"], "de");
            assert_eq!(shown["claims"], json!({ "given_name": "Ada" }));
        }
        let listed = instance.json(&["user", "list"]);
        assert_eq!(listed.as_array().unwrap().len(), 1);

        let taken = instance.run(&["user", "add", "--email", "ada@example.com", "--name", "Other"]);
        taken.fails(1, "another user has this e-mail address");
        let taken =
            instance.run(&["user", "add", "--email", "b@example.com", "--name", "B", "--username", "ADA"]);
        taken.fails(1, "another user has this user name");

        let no_password = ["user", "add", "--email", "bob@example.com", "--name", "Bob"];
        instance.run(&no_password).done();
        let bob = instance.json(&["user", "show", "bob@example.com"]);
        assert_eq!((&bob["has_password"], &bob["email_verified"]), (&json!(false), &json!(false)));
        instance.run(&["user", "verify-email", "bob@example.com"]).done();
        let set = ["user", "set-password", "bob@example.com", "--password-stdin"];
        instance.run_with_input(&set, PASSWORD).done();
        let bob = instance.json(&["user", "show", "bob@example.com"]);
        assert_eq!((&bob["has_password"], &bob["email_verified"]), (&json!(true), &json!(true)));

        instance.run(&["user", "disable", "ada"]).done();
        assert_eq!(instance.json(&["user", "show", "ada"])["status"], "disabled");
        instance.run(&["user", "enable", "ada"]).done();
        assert_eq!(instance.json(&["user", "show", "ada"])["status"], "active");
        let copy = instance.json(&["user", "export", "ada"]);
        assert_eq!(copy["emails"][0]["address"], "Ada@Example.com", "{copy:#}");
        assert!(!copy.to_string().contains("$argon2"), "no means to sign in");
        instance.run(&["user", "delete", "ada"]).done();
        instance.run(&["user", "show", "ada"]).fails(1, "there is no user `ada`");
        instance.run(&["user", "remove", "ada"]).fails(1, "there is no user `ada`");

        assert_eq!(
            instance.audited()[..8],
            [
                "user.removed",
                "user.data_exported",
                "user.enabled",
                "user.disabled",
                "user.password_changed",
                "user.email_verified",
                "user.created",
                "user.created",
            ]
        );
    });
}

#[test]
fn pw_2_pw_3_passwords_are_checked_and_read_as_they_are() {
    let instance = Instance::new();
    let add = ["user", "add", "--email", "ada@example.com", "--name", "Ada Lovelace", "--password-stdin"];
    for (input, says) in [
        ("short\n", "use 12 characters or more"),
        ("password1234", "too easy to guess"),
        ("AdaLovelace1", "too easy to guess"),
        ("", "standard input has no password"),
        ("\n", "standard input has no password"),
        ("vermilion tapir 42\ndances\n", "more than one line"),
        (&"xq7 ".repeat(65), "use 256 characters or fewer"),
    ] {
        instance.run_with_input(&add, input).fails(1, says);
    }
    assert_eq!(instance.json(&["user", "list"]), json!([]));
}

#[test]
fn claims_that_are_not_the_operators_to_set_are_refused() {
    let instance = Instance::new();
    for claim in ["sub=x", "email_verified=true", "roles=admin", "colour=red", "phone_number_verified=maybe"]
    {
        let add = ["user", "add", "--email", "ada@example.com", "--name", "Ada", "--claim", claim];
        instance.run(&add).fails(1, "claim");
    }
}

#[test]
fn an_invitation_is_for_who_has_no_account() {
    let instance = Instance::new();
    let invited = instance.json(&["user", "invite", "--email", "ada@example.com"]);
    let link = invited["link"].as_str().unwrap();
    assert!(link.starts_with("http://localhost:8080/register/"), "{link}");
    assert_eq!(keys_of(&invited), ["expires_at", "link"]);
    instance.run(&["user", "add", "--email", "ada@example.com", "--name", "Ada"]).done();
    let again = instance.run(&["user", "invite", "--email", "ADA@example.com"]);
    again.fails(1, "exists already");
}

#[test]
fn clients_are_made_shown_changed_and_removed() {
    on_every_database(|instance| {
        instance.run(&["init"]).done();
        let add = [
            "client",
            "add",
            "--name",
            "Calendar",
            "--redirect-uri",
            "https://a.example/cb,https://b.example/cb",
            "--redirect-uri",
            "http://localhost:3000/cb",
            "--post-logout-redirect-uri",
            "https://a.example/",
            "--scope",
            "openid,profile",
            "--scope",
            "email",
            "--first-party",
            "--id-token-alg",
            "ES256",
        ];
        let made = instance.json(&add);
        assert_eq!(keys_of(&made), ["client_id", "client_secret"]);
        assert_eq!(made["client_secret"].as_str().unwrap().len(), 43);
        let id = made["client_id"].as_str().unwrap();

        let shown = instance.json(&["client", "show", id]);
        let uris = ["https://a.example/cb", "https://b.example/cb", "http://localhost:3000/cb"];
        assert_eq!(shown["redirect_uris"], json!(uris));
        assert_eq!(shown["grant_types"], json!(["authorization_code", "refresh_token"]));
        assert_eq!(shown["scope"], "openid profile email");
        assert_eq!(shown["token_endpoint_auth_method"], "client_secret_basic");
        assert_eq!(shown["id_token_signed_response_alg"], "ES256");
        assert_eq!((&shown["first_party"], &shown["pkce_required"]), (&json!(true), &json!(true)));
        assert_eq!(shown["secrets"].as_array().unwrap().len(), 1);
        assert!(!shown.to_string().contains(made["client_secret"].as_str().unwrap()));

        instance.run(&["client", "set", id, "--name", "Diary", "--pkce", "false"]).done();
        let changed = instance.json(&["client", "show", id]);
        assert_eq!((&changed["client_name"], &changed["pkce_required"]), (&json!("Diary"), &json!(false)));
        assert_eq!(changed["redirect_uris"], json!(uris));
        let bad = instance.run(&["client", "set", id, "--redirect-uri", "javascript:alert(1)"]);
        bad.fails(1, "redirect_uris");

        let rotated = instance.json(&["client", "rotate-secret", id, "--overlap", "1h"]);
        assert_ne!(rotated["client_secret"], made["client_secret"]);
        instance.run(&["client", "rotate-secret", id]).fails(1, "two live secrets");
        instance.run(&["client", "rotate-secret", id, "--overlap", "0s"]).done();
        let secrets = instance.json(&["client", "show", id])["secrets"].clone();
        let open = secrets.as_array().unwrap().iter().filter(|secret| secret["expires_at"].is_null()).count();
        assert_eq!(open, 1, "{secrets}");

        for (verb, status) in [("disable", "disabled"), ("enable", "active")] {
            instance.run(&["client", verb, id]).done();
            assert_eq!(instance.json(&["client", "list"])[0]["status"], status);
        }
        instance.run(&["client", "remove", id]).done();
        instance.run(&["client", "show", id]).fails(1, "there is no such client");
        assert_eq!(instance.json(&["client", "list"]), json!([]));
        assert_eq!(instance.audited()[0], "client.removed");
    });
}

#[test]
fn providers_are_stored_shown_and_removed() {
    on_every_database(|instance| {
        instance.run(&["init"]).done();
        let add = ["provider", "add", "--id", "google", "--kind", "google", "--client-id", "ours", "--json"];
        instance.run(&add).fails(1, "client_secret");
        let with_secret = [&add[..], &["--client-secret-stdin", "--first-sign-in", "refuse"]].concat();
        instance.run_with_input(&with_secret, "\n").fails(1, "holds no secret");
        let made = instance.run_with_input(&with_secret, "s3cret of ours\n").json();
        assert_eq!(made["redirect_uri"], "http://localhost:8080/login/federation/google/callback");
        assert_eq!((&made["name"], &made["first_sign_in"]), (&json!("Google"), &json!("refuse")));
        instance.run_with_input(&with_secret, "another").fails(1, "with this id already");

        instance.write("secret", "from a file\n");
        let tenant = "72f988bf-86f1-41af-91ab-2d7cd011db47";
        let microsoft = ["provider", "add", "--id", "contoso", "--kind", "microsoft", "--client-id", "ours"];
        let file = ["--client-secret-file", "secret"];
        instance.run(&[&microsoft[..], &file[..]].concat()).fails(1, "tenants");
        instance.run(&[&microsoft[..], &file[..], &["--tenant", tenant]].concat()).done();
        let listed = instance.json(&["provider", "list"]);
        let mut ids: Vec<&str> =
            listed.as_array().unwrap().iter().map(|one| one["id"].as_str().unwrap()).collect();
        ids.sort_unstable();
        assert_eq!(ids, ["contoso", "google"]);
        let shown = instance.json(&["provider", "show", "contoso"]);
        assert_eq!((&shown["tenants"], &shown["source"]), (&json!([tenant]), &json!("database")));
        assert!(!listed.to_string().contains("s3cret") && !shown.to_string().contains("from a file"));

        for (verb, status) in [("disable", "disabled"), ("enable", "active")] {
            instance.run(&["provider", verb, "google"]).done();
            assert_eq!(instance.json(&["provider", "show", "google"])["status"], status);
        }
        instance.run(&["provider", "remove", "google"]).done();
        instance.run(&["provider", "show", "google"]).fails(1, "no such provider");
        assert_eq!(instance.audited()[0], "provider.removed");
    });
}

#[test]
fn clients_without_a_secret_get_none() {
    let instance = Instance::new();
    let public = instance.json(&[
        "client",
        "add",
        "--name",
        "Phone",
        "--auth",
        "none",
        "--application-type",
        "native",
        "--redirect-uri",
        "com.example.app:/cb",
    ]);
    assert_eq!(keys_of(&public), ["client_id"]);
    let rotate = instance.run(&["client", "rotate-secret", public["client_id"].as_str().unwrap()]);
    rotate.fails(1, "no client_secret");
    let service = instance.json(&[
        "client",
        "add",
        "--name",
        "S",
        "--grant",
        "client_credentials",
        "--client-id",
        "svc",
    ]);
    assert_eq!(service["client_id"], "svc");
    let taken = instance.run(&[
        "client",
        "add",
        "--name",
        "T",
        "--grant",
        "client_credentials",
        "--client-id",
        "svc",
    ]);
    taken.fails(1, "another client has this client_id");
}

#[test]
fn az_3_az_4_ca_2_clients_that_would_be_unsafe_are_refused() {
    let instance = Instance::new();
    let redirect = ["--redirect-uri", "https://a.example/cb"];
    for (arguments, says) in [
        (&[][..], "redirect_uris: at least one is needed"),
        (&["--redirect-uri", "http://a.example/cb"], "plain http"),
        (&["--redirect-uri", "https://*.example/cb"], "wildcards"),
        (&["--redirect-uri", "com.example.app:/cb"], "private schemes"),
        (&[&redirect[..], &["--auth", "none", "--no-pkce"]].concat(), "must use PKCE"),
        (&[&redirect[..], &["--auth", "private_key_jwt"]].concat(), "needs jwks or jwks_uri"),
        (&[&redirect[..], &["--auth", "none", "--grant", "client_credentials"]].concat(), "authenticates"),
        (&[&redirect[..], &["--client-id", "usr_1"]].concat(), "client_id"),
        (&[&redirect[..], &["--audience", "https://api.example.com"]].concat(), "no resource is called"),
        (&[&redirect[..], &["--jwks", "missing.json"]].concat(), "cannot read missing.json"),
    ] {
        instance.run(&[&["client", "add", "--name", "App"], arguments].concat()).fails(1, says);
    }
    assert_eq!(instance.json(&["client", "list"]), json!([]));
}

#[test]
fn clients_are_imported_from_their_metadata() {
    let instance = Instance::new();
    let metadata = json!({
        "client_id": "old-calendar",
        "client_secret": "0123456789abcdefghijklmnopqrstuvwxyz",
        "client_id_issued_at": 1_700_000_000,
        "client_secret_expires_at": 4_000_000_000_i64,
        "client_name": "Calendar",
        "redirect_uris": ["https://a.example/cb"],
        "grant_types": ["authorization_code", "refresh_token"],
        "response_types": ["code"],
        "token_endpoint_auth_method": "client_secret_post",
    });
    instance.write("client.json", &metadata.to_string());
    let made = instance.json(&["client", "import", "client.json", "--first-party"]);
    assert_eq!(made, json!({ "client_id": "old-calendar" }));
    let shown = instance.json(&["client", "show", "old-calendar"]);
    assert_eq!(shown["secrets"][0]["expires_at"], "2096-10-02T07:06:40Z");
    assert_eq!(shown["first_party"], true);

    let minimal = json!({ "redirect_uris": ["https://a.example/cb"] }).to_string();
    let made = instance.run_with_input(&["client", "import", "-", "--json"], &minimal).json();
    assert_eq!(keys_of(&made), ["client_id", "client_secret"]);
    let shown = instance.json(&["client", "show", made["client_id"].as_str().unwrap()]);
    // RFC 7591 §2.
    assert_eq!(shown["grant_types"], json!(["authorization_code"]));
    assert_eq!(shown["first_party"], false);

    let with = |name: &str, value: Value| {
        let mut changed = json!({ "redirect_uris": ["https://a.example/cb"] });
        changed[name] = value;
        changed.to_string()
    };
    for (input, says) in [
        ("[]".to_owned(), "client metadata"),
        ("{".to_owned(), "the client is refused"),
        (with("client_secret", json!("short")), "client_secret must be random"),
        (with("client_secret", json!(5)), "client_secret: not text"),
        (with("client_secret_expires_at", json!("soon")), "client_secret_expires_at"),
        (with("subject_type", json!("pairwise")), "subject_type"),
        (with("redirect_uris", json!(["https://a.example/cb#x"])), "fragment"),
        (with("grant_types", json!(["implicit"])), "grant_types: implicit is not supported"),
    ] {
        instance.run_with_input(&["client", "import", "-"], &input).fails(1, says);
    }
}

#[test]
fn resources_are_made_shown_and_removed() {
    on_every_database(|instance| {
        instance.run(&["init"]).done();
        let api = "https://api.example.com";
        let made = instance.json(&[
            "resource",
            "add",
            "--identifier",
            api,
            "--name",
            "Calendar API",
            "--scope",
            "calendar:read=See your calendar",
            "--scope",
            "calendar:write",
            "--access-ttl",
            "10m",
        ]);
        assert_eq!(keys_of(&made), ["id", "identifier"]);
        let shown = instance.json(&["resource", "show", api]);
        assert_eq!(shown["access_ttl"], 600);
        assert_eq!(shown["scopes"], json!({ "calendar:read": "See your calendar", "calendar:write": "" }));
        assert_eq!(instance.json(&["resource", "show", made["id"].as_str().unwrap()]), shown);

        let again = instance.run(&["resource", "add", "--identifier", api, "--name", "Again"]);
        again.fails(1, "another resource has this identifier");
        let server = ["client", "add", "--name", "API", "--grant", "client_credentials", "--audience", api];
        let client = instance.json(&server);
        let client = instance.json(&["client", "show", client["client_id"].as_str().unwrap()]);
        assert_eq!(client["audiences"], json!([api]));

        instance.run(&["resource", "disable", api]).done();
        assert_eq!(instance.json(&["resource", "list"])[0]["status"], "disabled");
        instance.run(&["resource", "enable", api]).done();
        assert_eq!(instance.json(&["resource", "list"])[0]["status"], "active");
        instance.run(&["resource", "remove", api]).done();
        assert_eq!(instance.json(&["resource", "list"]), json!([]));
        instance.run(&["resource", "remove", api]).fails(1, "there is no such resource");
        let long = ["resource", "add", "--identifier", api, "--name", "A", "--access-ttl", "25h"];
        instance.run(&long).fails(1, "1s to 24h");
        let own = ["resource", "add", "--identifier", "http://localhost:8080", "--name", "A"];
        instance.run(&own).fails(1, "issuer");
    });
}

#[test]
fn tk_11_keys_rotate_and_are_revoked() {
    on_every_database(|instance| {
        instance.run(&["init"]).done();
        let rotated = instance.json(&["keys", "rotate", "--alg", "ES256"]);
        assert_eq!((&rotated[0]["alg"], &rotated[0]["state"]), (&json!("ES256"), &json!("waiting")));
        let listed = instance.json(&["keys", "list"]);
        let signing = listed.as_array().unwrap().iter().find(|key| key["alg"] == "EdDSA").unwrap();
        let kid = signing["kid"].as_str().unwrap();
        assert_eq!(instance.json(&["keys", "revoke", kid]), json!({ "kid": kid, "state": "revoked" }));
        instance.run(&["keys", "revoke", kid]).fails(1, "countersign keys list");
        let listed = instance.json(&["keys", "list"]);
        let states: Vec<&Value> = listed
            .as_array()
            .unwrap()
            .iter()
            .filter(|key| key["alg"] == "EdDSA")
            .map(|key| &key["state"])
            .collect();
        assert_eq!(states.len(), 2, "a successor is there: {states:?}");
        assert!(states.contains(&&json!("revoked")) && states.contains(&&json!("signing")), "{states:?}");
    });
}

#[test]
fn se_5_sessions_are_listed_and_ended() {
    on_every_database(|instance| {
        instance.run(&["init"]).done();
        let made = instance.json(&["user", "add", "--email", "ada@example.com", "--name", "Ada"]);
        let user: UserId = made["id"].as_str().unwrap().parse().unwrap();
        let app = instance.app();
        let sign_in = || {
            let scribe = app.scribe(&Origin::command_line());
            let terms = Terms::of(&app, false);
            let arrival = Arrival {
                present: Vec::new(),
                device: None,
                notices: Notices::of(&app, Language::default()),
                api: None,
            };
            let begun = app.db.write(move |db| {
                let admission = admission::admit_user(db, user)?.expect("the user is active");
                session::begin(db, &admission, &[AuthMethod::Password], &arrival, terms, &scribe)
            });
            block_on(begun).unwrap().id.to_string()
        };
        let sessions = || instance.json(&["session", "list", "--user", "ada@example.com"]);
        let (one, _two, _three) = (sign_in(), sign_in(), sign_in());
        let listed = sessions();
        assert_eq!(listed.as_array().unwrap().len(), 3);
        assert_eq!(listed[0]["methods"], json!(["pwd"]));
        instance.run(&["session", "end", &one]).done();
        instance.run(&["session", "end", &one]).fails(1, "is live");
        assert_eq!(sessions().as_array().unwrap().len(), 2);
        let ended = instance.json(&["session", "end-all", "--user", "ada@example.com"]);
        assert_eq!(ended["ended"], 2);
        sign_in();
        instance.run(&["user", "disable", "ada@example.com"]).done();
        assert_eq!(sessions(), json!([]));
        instance.run(&["user", "enable", "ada@example.com"]).done();
        sign_in();
        let set = ["user", "set-password", "ada@example.com", "--password-stdin"];
        instance.run_with_input(&set, PASSWORD).done();
        assert_eq!(sessions(), json!([]));
    });
}

#[test]
fn bu_3_migrations_are_shown_before_they_are_run() {
    on_every_database(|instance| {
        if matches!(instance.database, Database::Sqlite) {
            instance.run(&["init"]).done();
        } else {
            let pending = instance.json(&["migrate", "--dry-run"]);
            assert_ne!(pending["pending"], json!([]));
            instance.run(&["user", "list"]).fails(1, "countersign migrate");
            assert_eq!(instance.json(&["migrate"])["applied"], pending["pending"]);
        }
        assert_eq!(instance.json(&["migrate", "--dry-run"]), json!({ "pending": [] }));
        assert_eq!(instance.json(&["migrate"]), json!({ "applied": [] }));
    });
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    let instance = Instance::bare();
    let mut child =
        instance.command(&["check", "--all"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    assert!(output.status.success());
}
