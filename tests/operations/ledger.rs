//! The audit as a ledger: LO-1, and what AR-10 says of rows that may not change.

use std::time::Duration;

use countersign::audit::Origin;
use countersign::identity::account::deletion;
use countersign::identity::notice::Notices;
use countersign::keys::PublicKeys;
use countersign::ledger::{self, Audit, Extent, LedgerError, Premises, Report, Sealing, Span, Subject};
use countersign::model::{Language, SigningAlg};
use countersign::store::audit;
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
    export_after(app, after).await.expect("exported")
}

async fn export_after(app: &TestApp, after: i64) -> Result<Vec<String>, LedgerError> {
    let mut lines = Vec::new();
    let keep = |line: &str| {
        lines.push(line.to_owned());
        Ok::<(), LedgerError>(())
    };
    ledger::export(&app.app.db, &app.issuer, after, Extent::Signed, keep).await?;
    Ok(lines)
}

fn published(app: &TestApp) -> PublicKeys {
    let keys = app.app.signing.keyring().jwks(app.clock.now());
    PublicKeys::parse(&keys.body).expect("a JWKS")
}

fn premises(app: &TestApp, subject: Subject) -> Premises {
    Premises {
        subject,
        trusted: Some(published(app)),
        after: 0,
        known_late: Vec::new(),
        now: app.clock.now(),
    }
}

fn verified(app: &TestApp, lines: &[impl AsRef<str>]) -> Report {
    proven(premises(app, Subject::File), lines)
}

fn proven(premises: Premises, lines: &[impl AsRef<str>]) -> Report {
    let mut audit = Audit::new(premises);
    lines.iter().for_each(|line| audit.line(line.as_ref()));
    audit.finish()
}

/// What is said of the database as it is.
async fn checked(app: &TestApp) -> Report {
    checked_with(app, |_| ()).await
}

async fn checked_with(app: &TestApp, say: impl FnOnce(&mut Premises)) -> Report {
    let mut premises = premises(app, Subject::Database);
    say(&mut premises);
    ledger::check(&app.app.db, &app.issuer, premises).await.expect("checked")
}

async fn tamper(app: &TestApp, sql: &'static str) -> usize {
    app.app.db.write(move |db| texts(db, sql)).await.expect("tampered with").len()
}

/// As somebody does who has the database: an event altered, all chained anew, and no word on how it was.
const ALTER: &str =
    "UPDATE audit_events SET outcome = 'success' WHERE outcome = 'failure' RETURNING action AS text";
const UNCHAIN: &str = "UPDATE audit_events SET seq = NULL, chain = NULL, salt = NULL, ip_digest = NULL RETURNING action AS text";
const UNSIGN: &str = "DELETE FROM audit_checkpoints RETURNING token AS text";

async fn forge(app: &TestApp) {
    assert_eq!(tamper(app, ALTER).await, 1);
    assert!(tamper(app, UNCHAIN).await > 4);
    assert!(tamper(app, UNSIGN).await >= 2);
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
        let report = proven(Premises { after: 3, ..premises(&app, Subject::File) }, &later);
        assert_eq!((report.faults.len(), report.events, report.from), (0, events as u64 - 3, 4));
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
        expect(without(lines.len() - 1), "not signed: an export ends signed");
        let unsigned: Vec<String> = lines.iter().filter(|line| !line.contains("\"checkpoint\"")).cloned().collect();
        expect(unsigned, "not signed: an export ends signed");
        expect(vec![lines[0].clone()], "there is no signature in it");
    }

    async fn lo_1_a_beginning_that_was_cut_off_is_found(database) {
        let (app, lines) = ready(database).await;
        let third: Value = serde_json::from_str(&lines[3]).expect("an event");
        assert_eq!(third["seq"], 3);
        // Nobody has signed the first line.
        let mut head: Value = serde_json::from_str(&lines[0]).expect("the first line");
        head["after"] = json!(3);
        head["chain"] = third["chain"].clone();
        let cut = [&[head.to_string()], &lines[4..]].concat();
        let report = verified(&app, &cut);
        assert!(report.faults[0].contains("begins after event 3") && report.faults[0].contains("`--after 3`"), "{report:#?}");
        let told = |after| proven(Premises { after, ..premises(&app, Subject::File) }, &cut);
        assert_eq!((told(3).faults, told(3).from), (Vec::<String>::new(), 4));
        assert!(told(2).faults[0].contains("after event 3, not after event 2"));
        let whole = proven(Premises { after: 3, ..premises(&app, Subject::File) }, &lines);
        assert!(whole.faults[0].contains("after event 0, not after event 3"), "{whole:#?}");
    }

    async fn lo_1_a_check_of_the_database_signs_nothing(database) {
        let (app, _) = ready(database).await;
        app.user("bob").await;
        let before = (app.read(audit::waiting).await, app.read(audit::newest_checkpoint).await);
        let report = checked(&app).await;
        assert!(report.faults.is_empty() && report.waiting > 0, "{report:#?}");
        assert_eq!(before, (app.read(audit::waiting).await, app.read(audit::newest_checkpoint).await));
        // Who takes the events out of the chain does not hide them.
        app.advance(Duration::from_secs(11 * 60));
        let report = checked(&app).await;
        assert!(report.faults.iter().any(|fault| fault.contains("were never chained")), "{report:#?}");
    }

    async fn lo_1_what_was_forged_after_ten_minutes_lacks_a_signature_of_its_time(database) {
        let (app, _) = ready(database).await;
        assert_eq!(checked(&app).await.faults, [""; 0]);
        app.advance(Duration::from_secs(3 * 60 * 60));
        assert_eq!(checked(&app).await.faults, [""; 0], "a quiet night is no fault");
        forge(&app).await;
        // The forger's own chain, without a signature.
        app.app.extend_ledger(Sealing::Now).await.expect("extended");
        assert_eq!(tamper(&app, UNSIGN).await, 1);
        let report = checked(&app).await;
        let last = report.events;
        assert!(report.faults.len() == 1 && report.faults[0].contains("were never signed"), "{report:#?}");
        // A server, for which a checkpoint is due, signs it.
        app.app.extend_ledger(Sealing::WhenDue).await.expect("extended");
        let report = checked(&app).await;
        let says = format!("events 1 to {last} were signed only 3 h after they happened");
        assert!(report.faults.len() == 1 && report.faults[0].starts_with(&says), "{report:#?}");
        let file = verified(&app, &exported_as_it_is(&app, 0).await);
        assert_eq!(file.faults, report.faults, "an export shows it too");
        // Somebody may know why; of those events only.
        let known = |first, last| checked_with(&app, move |premises| premises.known_late = vec![Span { first, last }]);
        let last = i64::try_from(last).expect("few");
        let report = known(1, last).await;
        assert!(report.faults.is_empty() && report.remarks[0].starts_with(&says), "{report:#?}");
        assert_eq!(known(2, last).await.faults.len(), 1);
    }

    async fn lo_1_a_node_that_signs_in_time_gives_no_alarm(database) {
        let app = TestApp::start(database).await;
        for round in 0..20 {
            app.user(&format!("u{round}")).await;
            app.app.extend_ledger(Sealing::WhenDue).await.expect("extended");
            assert_eq!(checked(&app).await.faults, [""; 0], "round {round}");
            app.advance(Duration::from_secs(if round % 3 == 0 { 200 } else { 70 }));
            app.app.extend_ledger(Sealing::WhenDue).await.expect("extended");
        }
        assert!(app.read(|db| audit::checkpoints(db, 0, 1000)).await.len() > 4);
    }

    async fn lo_1_rows_before_the_first_place_are_a_fault(database) {
        let (app, _) = ready(database).await;
        for sql in [
            "UPDATE audit_events SET seq = -3 WHERE seq = (SELECT MAX(seq) FROM audit_events) RETURNING action AS text",
            "UPDATE audit_events SET seq = 0 WHERE seq = -3 RETURNING action AS text",
        ] {
            assert_eq!(tamper(&app, sql).await, 1);
            let found = |report: &Report| report.faults.iter().any(|fault| fault.contains("before the first place"));
            let report = checked(&app).await;
            assert!(found(&report) && report.faults.iter().any(|fault| fault.contains("missing")), "{report:#?}");
            assert!(found(&checked_with(&app, |premises| premises.after = 3).await));
            assert!(found(&verified(&app, &exported_as_it_is(&app, 0).await)));
        }
    }

    async fn lo_1_the_oldest_may_be_deleted_but_for_the_link(database) {
        let (app, _) = ready(database).await;
        assert_eq!(tamper(&app, "DELETE FROM audit_events WHERE seq < 3 RETURNING action AS text").await, 2);
        let report = checked(&app).await;
        assert!(report.faults[0].contains("events 1 to 2 are missing") && report.faults[0].contains("`--after 3`"), "{report:#?}");
        let report = checked_with(&app, |premises| premises.after = 3).await;
        assert!(report.faults.is_empty() && report.from == 4, "{report:#?}");
        let later = exported_as_it_is(&app, 3).await;
        assert_eq!(proven(Premises { after: 3, ..premises(&app, Subject::File) }, &later).faults, [""; 0]);
        let refused = export_after(&app, 2).await.expect_err("the link is gone").to_string();
        assert!(refused.starts_with("event 2 is not there"), "{refused}");
    }

    async fn lo_1_whoever_chains_anew_lacks_the_signature(database) {
        let (app, lines) = ready(database).await;
        // As somebody does who has the database, but not the keys: at once, before a signature would be late.
        forge(&app).await;
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
        let report = proven(Premises { trusted: Some(none), ..premises(&app, Subject::File) }, &lines);
        assert!(report.faults[0].contains("proves nothing") && report.proven_up_to.is_none(), "{report:#?}");
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
        let report = checked(&app).await;
        assert!(report.faults.iter().any(|fault| fault.contains("are missing: a checkpoint goes up to")), "{report:#?}");
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
