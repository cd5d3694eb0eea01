//! The audit as a ledger: LO-1, and what AR-10 says of rows that may not change.

use std::time::Duration;

use countersign::audit::Origin;
use countersign::identity::account::deletion;
use countersign::identity::notice::Notices;
use countersign::keys::PublicKeys;
use countersign::ledger::{self, Audit, Report, Sealing};
use countersign::model::{Language, SigningAlg};
use countersign::store::{self, audit};
use countersign::tenancy::users;
use serde_json::{Value, json};

use crate::on_both_databases;
use crate::store::texts;
use crate::support::{Database, TestApp};

/// Somebody has signed in, and somebody else failed to.
async fn ready(database: Database) -> (TestApp, Vec<String>) {
    let app = TestApp::start(database).await;
    app.user("ada").await;
    app.user("eve").await;
    app.signed_in("ada").await;
    let mut stranger = app.browser();
    let page = stranger.get("/login").await;
    stranger.answer_login(&page, "eve", "wrong").await;
    app.app.extend_ledger(Sealing::Now).await.expect("extended");
    app.signed_in("eve").await;
    let lines = exported(&app).await;
    (app, lines)
}

async fn exported(app: &TestApp) -> Vec<String> {
    app.app.extend_ledger(Sealing::Now).await.expect("extended");
    exported_as_it_is(app, 0).await
}

async fn exported_as_it_is(app: &TestApp, after: i64) -> Vec<String> {
    let mut lines = Vec::new();
    let keep = |line: &str| {
        lines.push(line.to_owned());
        Ok::<(), store::Error>(())
    };
    ledger::export(&app.app.db, &app.issuer, after, keep).await.expect("exported");
    lines
}

fn verified(app: &TestApp, lines: &[impl AsRef<str>]) -> Report {
    let keys = app.app.signing.keyring().jwks(app.clock.now());
    let published = PublicKeys::parse(&keys.body).expect("a JWKS");
    let mut audit = Audit::new(Some(published), app.clock.now());
    lines.iter().for_each(|line| audit.line(line.as_ref()));
    audit.finish()
}

/// The line of this event, changed.
fn with(line: &str, name: &str, value: Value) -> String {
    let mut event: Value = serde_json::from_str(line).expect("JSON");
    assert!(event.get(name).is_some() && event[name] != value, "{name} of {line}");
    event[name] = value;
    event.to_string()
}

fn is_event(line: &str) -> bool {
    line.contains("\"action\"")
}

on_both_databases! {
    async fn lo_1_an_untouched_export_is_whole_and_signed_to_its_end(database) {
        let (app, lines) = ready(database).await;
        let events = lines.iter().filter(|line| is_event(line)).count();
        let report = verified(&app, &lines);
        assert_eq!(report.faults, [""; 0]);
        assert!(events > 4 && lines.iter().filter(|line| line.contains("checkpoint")).count() >= 2, "{lines:#?}");
        assert_eq!(
            (report.events, report.proven_up_to, report.unproven),
            (events as u64, i64::try_from(events).ok(), 0)
        );
        // From the middle on, too.
        let later = exported_as_it_is(&app, 3).await;
        let report = verified(&app, &later);
        assert_eq!((report.faults.len(), report.events), (0, events as u64 - 3));
        assert!(!later.iter().any(|line| line.contains("\"seq\":3,")));
        // What happened is in the order in which it was written, each at its place once.
        assert!(app.read(|db| audit::without_place(db, 10)).await.is_empty());
    }

    async fn lo_1_an_altered_removed_or_moved_event_is_found(database) {
        let (app, lines) = ready(database).await;
        let at = |name: &str| lines.iter().position(|line| line.contains(name)).expect(name);
        let failed = at("\"outcome\":\"failure\"");
        let seq = serde_json::from_str::<Value>(&lines[failed]).unwrap()["seq"].clone();
        for (name, value) in [
            ("outcome", json!("success")),
            ("action", json!("user.created")),
            ("at", json!(0)),
            ("user", json!("usr_00000000000070008000000000000000")),
            ("request", json!("another")),
            ("detail", json!("{}")),
            ("id", json!("evt_00000000000070008000000000000000")),
            ("ip", json!("203.0.113.9")),
            ("salt", json!(null)),
            ("chain", json!("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA")),
        ] {
            let mut lines = lines.clone();
            lines[failed] = with(&lines[failed], name, value);
            let report = verified(&app, &lines);
            let found = format!("event {seq} (");
            assert!(report.faults.first().is_some_and(|fault| fault.contains(&found)), "{name}: {report:#?}");
        }
        let expect = |lines: Vec<String>, says: &str| {
            let report = verified(&app, &lines);
            assert!(report.faults.iter().any(|fault| fault.contains(says)), "{says}: {report:#?}");
        };
        let without = |index: usize| [&lines[..index], &lines[index + 1..]].concat();
        expect(without(failed), &format!("event {seq} is missing"));
        expect(without(1), "event 1 is missing");
        let mut moved = lines.clone();
        let neighbours = lines.windows(2).position(|two| two.iter().all(|line| is_event(line))).expect("two events");
        moved.swap(neighbours, neighbours + 1);
        expect(moved, "it was moved or repeated");
        let mut repeated = lines.clone();
        repeated.insert(failed, lines[failed].clone());
        expect(repeated, "it was moved or repeated");
        expect(without(0), "the first line is not that of");
        expect(Vec::new(), "nothing in it");
        // Without its last checkpoint nothing is false, but the end is no longer vouched for.
        let report = verified(&app, &without(lines.len() - 1));
        assert!(report.faults.is_empty() && report.unproven > 0, "{report:#?}");
    }

    async fn lo_1_whoever_chains_anew_lacks_the_signature(database) {
        let (app, lines) = ready(database).await;
        // As somebody does who has the database, but not the keys: events are removed, and all after them chained anew.
        let remove = "DELETE FROM audit_events WHERE outcome = 'failure' RETURNING action AS text";
        assert!(!app.app.db.write(move |db| texts(db, remove)).await.expect("removed").is_empty());
        let unchain = "UPDATE audit_events SET seq = NULL, chain = NULL, salt = NULL, ip_digest = NULL RETURNING action AS text";
        app.app.db.write(move |db| texts(db, unchain)).await.expect("unchained");
        let forget = "DELETE FROM audit_checkpoints RETURNING token AS text";
        assert!(app.app.db.write(move |db| texts(db, forget)).await.expect("forgotten").len() >= 2);
        let forged = exported(&app).await;
        assert_eq!(verified(&app, &forged).faults, [""; 0], "with the instance's own key anything can be signed");
        // Whoever kept an export sees that it tells of something else.
        let mut spliced = forged.clone();
        spliced.retain(|line| is_event(line) || line.contains("format"));
        spliced.push(lines.last().expect("a checkpoint").clone());
        let report = verified(&app, &spliced);
        assert!(report.faults[0].contains("vouches for another chain"), "{report:#?}");

        // A key that is not the issuer's proves nothing.
        let none = PublicKeys::parse(br#"{"keys":[]}"#).expect("a JWKS");
        let mut audit = Audit::new(Some(none), app.clock.now());
        lines.iter().for_each(|line| audit.line(line));
        let report = audit.finish();
        assert!(report.faults.iter().all(|fault| fault.contains("proves nothing")) && !report.faults.is_empty());
        let (keyring, now) = (app.app.signing.keyring(), app.clock.now());
        let signer = keyring.signer(SigningAlg::Es256, now).expect("a key");
        let claims = json!({ "iss": app.issuer, "iat": 1, "exp": 4_000_000_000_i64, "seq": 1 });
        let token = signer.sign("at+jwt", &claims).expect("signed");
        let mut other_kind = lines.clone();
        *other_kind.last_mut().expect("a line") = json!({ "checkpoint": token }).to_string();
        assert!(verified(&app, &other_kind).faults[0].contains("of another kind"), "TK-4");
    }

    async fn lo_1_rows_that_vanish_from_the_end_leave_a_gap(database) {
        let (app, _) = ready(database).await;
        let sql = "DELETE FROM audit_events WHERE seq >= (SELECT MAX(seq) FROM audit_events) - 1 RETURNING action AS text";
        assert_eq!(app.app.db.write(move |db| texts(db, sql)).await.expect("removed").len(), 2);
        app.signed_in("ada").await;
        let report = verified(&app, &exported(&app).await);
        assert!(report.faults.iter().any(|fault| fault.contains("are missing")), "{report:#?}");
    }

    async fn an_address_is_forgotten_with_its_person_and_the_chain_holds(database) {
        let (app, before) = ready(database).await;
        let ada = app.read(|db| users::find(db, "ada@example.com")).await.expect("ada");
        let origin = Origin::command_line();
        let notices = Notices::of(&app.app, Language::default());
        let scribe = app.app.scribe(&origin);
        let person = ada.clone();
        let erased = app.app.db.write(move |db| deletion::erase(db, &person, &notices, &scribe)).await;
        assert!(erased.expect("erased"));
        let lines = exported(&app).await;
        let report = verified(&app, &lines);
        assert!(report.faults.is_empty() && report.forgotten > 0, "{report:#?}");
        let of_ada = |lines: &[String]| lines.iter().filter(|line| line.contains(&ada.id.to_string()) && line.contains("\"salt\":\"")).count();
        assert!(of_ada(&before) > 0);
        assert_eq!(of_ada(&lines), 0, "an address could be guessed with its salt");
    }

    async fn cr_8_nodes_that_extend_together_leave_no_gap(database) {
        let app = TestApp::start(database).await;
        for round in 0..4 {
            for name in ["a", "b", "c"] {
                app.user(&format!("{name}{round}")).await;
            }
            let turns = (0..8).map(|_| app.app.extend_ledger(Sealing::WhenDue));
            for turn in futures_util::future::join_all(turns).await {
                turn.expect("nobody fails for the others");
            }
        }
        app.advance(Duration::from_secs(1));
        let report = verified(&app, &exported(&app).await);
        assert!(report.faults.is_empty() && report.events >= 12, "{report:#?}");
    }
}
