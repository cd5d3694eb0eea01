//! `countersign doctor`: looks at everything that an instance needs, and says what to do about what is wrong.

use std::time::Duration;

use lettre::{AsyncSmtpTransport, Tokio1Executor};
use serde::Serialize;
use serde_json::Value;

use super::{Failure, Shell};
use crate::clock::Clock;
use crate::config::{self, Config};
use crate::crypto::{MasterKey, Random};
use crate::findings::{self, Severity};
use crate::keys;
use crate::model::Language;
use crate::outbound::{FetchError, Outbound};
use crate::protocol::metadata::path;
use crate::signing::{ALGORITHMS, Signing};
use crate::store::migrate::{self, SchemaState};
use crate::store::{DatabaseUrl, Db};

const PATIENCE: Duration = Duration::from_secs(5);

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum State {
    Ok,
    Hint,
    Warn,
    Fail,
}

impl State {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Hint => "hint",
            Self::Warn => "warn",
            Self::Fail => "FAIL",
        }
    }
}

/// What was looked at and what was seen.
#[derive(Debug, Serialize)]
struct Finding {
    state: State,
    check: &'static str,
    text: String,
}

#[derive(Default)]
struct Findings(Vec<Finding>);

impl Findings {
    fn ok(&mut self, check: &'static str, text: impl Into<String>) {
        self.0.push(Finding { state: State::Ok, check, text: text.into() });
    }

    fn warn(&mut self, check: &'static str, text: impl Into<String>) {
        self.0.push(Finding { state: State::Warn, check, text: text.into() });
    }

    fn fail(&mut self, check: &'static str, text: impl Into<String>) {
        self.0.push(Finding { state: State::Fail, check, text: text.into() });
    }
}

pub async fn run(shell: &Shell) -> Result<(), Failure> {
    let mut findings = Findings::default();
    match shell.load() {
        Ok(loaded) => {
            findings.ok("configuration", "every setting is good");
            examine(&loaded.config, &mut findings).await;
        }
        Err(problems) => {
            for problem in &problems.0 {
                findings.fail("configuration", problem.to_string());
            }
        }
    }
    let failed = findings.0.iter().any(|finding| finding.state == State::Fail);
    shell.out.list(&findings.0, &[], |one| {
        vec![one.state.as_str().to_owned(), one.check.to_owned(), one.text.clone()]
    })?;
    if failed { Err(Failure::Told) } else { Ok(()) }
}

async fn examine(config: &Config, findings: &mut Findings) {
    let master = examine_master_key(config, findings);
    if let Some(db) = examine_database(config, findings) {
        let areas = examine_instance(&db, config, findings).await;
        if let Some(master) = master
            && examine_signing_keys(&db, config, master, findings).await
            && !areas.contains(&"signing keys")
        {
            let names = ALGORITHMS.map(|alg| alg.as_str()).join(", ");
            findings.ok("signing keys", format!("the master key opens them; {names} can sign"));
        }
    }
    examine_issuer(config, findings).await;
    examine_mail(config, findings).await;
}

fn examine_master_key(config: &Config, findings: &mut Findings) -> Option<MasterKey> {
    match keys::load_existing(&config.keys.dir, config.keys.master_key.as_ref()) {
        Ok(master) => {
            findings.ok("master key", format!("readable, key {}", master.id()));
            Some(master)
        }
        Err(error @ keys::MasterKeyError::Missing { .. }) => {
            findings.fail("master key", format!("{error}; `countersign init` makes one for a new instance"));
            None
        }
        Err(error) => {
            findings.fail("master key", error.to_string());
            None
        }
    }
}

fn examine_database(config: &Config, findings: &mut Findings) -> Option<Db> {
    let label = config.database.label();
    let url = match DatabaseUrl::parse(config.database.url.expose()) {
        Ok(url) => url,
        Err(why) => {
            findings.fail("database", why);
            return None;
        }
    };
    if let DatabaseUrl::Sqlite(path) = &url
        && !path.exists()
    {
        findings.fail("database", format!("{label} does not exist; `countersign init` makes it"));
        return None;
    }
    match migrate::state(&url) {
        Ok(state) => {
            findings.ok("database", format!("{label} answers"));
            if !examine_schema(&state, findings) {
                return None;
            }
        }
        Err(error) => {
            findings.fail("database", format!("{label} does not answer: {error}"));
            return None;
        }
    }
    match Db::open(url, 1) {
        Ok(db) => Some(db),
        Err(error) => {
            findings.fail("database", error.to_string());
            None
        }
    }
}

fn examine_schema(state: &SchemaState, findings: &mut Findings) -> bool {
    if !state.unknown.is_empty() {
        let text = "the schema is newer than this version knows; use the newer version";
        findings.fail("schema", text);
    } else if !state.pending.is_empty() {
        let text = format!("{} migrations are pending; run `countersign migrate`", state.pending.len());
        findings.fail("schema", text);
    } else {
        findings.ok("schema", format!("current, {} migrations", state.applied.len()));
        return true;
    }
    false
}

/// What the console and the management API say of a running instance, too. Answers what it is about.
async fn examine_instance(db: &Db, config: &Config, findings: &mut Findings) -> Vec<&'static str> {
    let found = match findings::look(db, config, Clock::system().now()).await {
        Ok(found) => found,
        Err(error) => {
            findings.fail("database", error.to_string());
            return Vec::new();
        }
    };
    for one in &found {
        let state = match one.severity() {
            Severity::Problem => State::Fail,
            Severity::Warning => State::Warn,
            Severity::Hint => State::Hint,
        };
        let text = format!("{} {}", one.says(Language::English, None), one.advice(Language::English));
        findings.0.push(Finding { state, check: one.area(), text });
    }
    let areas: Vec<&'static str> = found.iter().map(findings::Finding::area).collect();
    for (area, text) in [("clock", "agrees with the database's"), ("administrator", "there is one")] {
        if !areas.contains(&area) {
            findings.ok(area, text);
        }
    }
    areas
}

/// Whether the master key is theirs.
async fn examine_signing_keys(db: &Db, config: &Config, master: MasterKey, findings: &mut Findings) -> bool {
    match Signing::open(db, config, master, Random::system(), Clock::system()).await {
        Ok(_) => true,
        Err(error) => {
            findings.fail("signing keys", error.to_string());
            false
        }
    }
}

/// Whoever asks at the issuer's address must find an instance that calls itself so (OpenID Connect Discovery §4.3).
async fn examine_issuer(config: &Config, findings: &mut Findings) {
    let issuer = config.issuer.as_str();
    // The operator's own address may well be this machine's.
    let reach = config::Outbound { allow_private_network: true, ..config.outbound.clone() };
    let outbound = match Outbound::new(&reach) {
        Ok(outbound) => outbound,
        Err(error) => return findings.fail("issuer", error.to_string()),
    };
    let document = match outbound.get(&config.issuer.at(path::OPENID_CONFIGURATION)).await {
        Ok(document) => document,
        Err(error @ (FetchError::Unreachable(_) | FetchError::TimedOut)) => {
            let what = "start the server, or look at DNS, proxy and certificate";
            return findings.warn("issuer", format!("nothing answers at {issuer} ({error}); {what}"));
        }
        Err(error) => {
            let what = "look at the proxy: it must pass every path on";
            return findings.fail("issuer", format!("{issuer} has no discovery document: {error}; {what}"));
        }
    };
    let named = serde_json::from_slice::<Value>(&document).ok();
    match named.as_ref().and_then(|document| document.get("issuer")).and_then(Value::as_str) {
        Some(named) if named == issuer => findings.ok("issuer", format!("{issuer} resolves to itself")),
        Some(named) => {
            findings.fail("issuer", format!("{issuer} leads to an instance that calls itself {named}"));
        }
        None => findings.fail("issuer", format!("what {issuer} answers is no discovery document")),
    }
}

async fn examine_mail(config: &Config, findings: &mut Findings) {
    let Some(url) = &config.mail.url else {
        // Elsewhere it is one of the findings.
        if config.has_dev_pages() {
            findings.ok("mail", "no server is set; mail is shown at /dev/mail");
        }
        return;
    };
    let builder = match AsyncSmtpTransport::<Tokio1Executor>::from_url(url.expose()) {
        Ok(builder) => builder,
        // The error may repeat the URL, which holds a password.
        Err(_) => return findings.fail("mail", "mail.url cannot be used: look at its form"),
    };
    match builder.timeout(Some(PATIENCE)).build::<Tokio1Executor>().test_connection().await {
        Ok(true) => findings.ok("mail", "the server answers"),
        Ok(false) => findings.fail("mail", "the server closed the connection"),
        Err(error) => {
            findings.fail("mail", format!("the server does not answer: {}", reason(&error)));
        }
    }
}

/// The innermost cause: what went wrong, without the layers that passed it on.
fn reason(error: &dyn std::error::Error) -> String {
    let mut innermost = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    innermost.to_string()
}
