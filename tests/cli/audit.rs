//! The audit from a shell.

use countersign::store::audit;
use serde_json::{Value, json};

use super::{Instance, block_on, on_every_database};

/// The detail of the newest export that the audit tells of.
fn newest_export(instance: &Instance) -> Value {
    let list = instance.json(&["audit", "list", "--action", "audit.exported"]);
    list[0]["detail"].clone()
}

#[test]
fn lo_1_an_export_is_an_event_and_stands_in_itself() {
    on_every_database(|instance| {
        instance.run(&["init"]).done();
        instance.json(&["org", "add", "--slug", "acme", "--name", "Acme"]);
        let before = instance.audited().len();
        let answer = instance.run(&["audit", "export"]).done();
        let told = newest_export(instance);
        assert_eq!(told, json!({ "format": "ledger", "after": 0, "events": before }));
        assert_eq!(instance.audited().len(), before + 1, "looking at the list is none");
        assert!(answer.out.contains("audit.exported"), "{}", answer.out);
        instance.write("audit.jsonl", &answer.out);
        let report = instance.json(&["audit", "verify", "audit.jsonl"]);
        assert_eq!((&report["events"], &report["faults"]), (&json!(before + 1), &json!([])));
        assert_eq!(instance.audited().len(), before + 1, "and so is a proof");

        instance.run(&["audit", "export", "--after", &before.to_string()]).done();
        assert_eq!(newest_export(instance), json!({ "format": "ledger", "after": before, "events": 1 }));
    });
}

/// How far the signatures reach, and how many events wait to be chained.
fn signed(instance: &Instance) -> (Option<i64>, i64) {
    let db = instance.app().db.clone();
    block_on(
        db.read(|db| Ok((audit::newest_checkpoint(db)?.map(|newest| newest.seq), audit::waiting(db)?.0))),
    )
    .unwrap()
}

#[test]
fn lo_1_a_command_signs_what_it_wrote_and_looking_signs_nothing() {
    on_every_database(|instance| {
        instance.run(&["init"]).done();
        instance.json(&["org", "add", "--slug", "acme", "--name", "Acme"]);
        let last = i64::try_from(instance.audited().len()).unwrap();
        assert_eq!(signed(instance), (Some(last), 0));

        let db = instance.app().db.clone();
        let unsigned = |db: &mut countersign::store::Conn| {
            crate::store::texts(db, "DELETE FROM audit_checkpoints RETURNING token AS text")
        };
        assert!(!block_on(db.write(unsigned)).unwrap().is_empty());
        let report = instance.run(&["audit", "verify"]).done();
        assert!(report.out.contains("whole, nothing is signed."), "{}", report.out);
        for look in [&["audit", "list"][..], &["audit", "verify"], &["org", "list"], &["user", "list"]] {
            instance.run(look).done();
            assert_eq!(signed(instance), (None, 0), "{look:?}");
        }
    });
}

#[test]
fn lo_1_a_proof_says_what_it_is_of_and_who_vouches_for_the_keys() {
    on_every_database(|instance| {
        instance.run(&["init"]).done();
        for slug in ["acme", "globex", "initech"] {
            instance.json(&["org", "add", "--slug", slug, "--name", slug]);
        }
        let keys = instance.app();
        let keys = keys.signing.keyring().jwks(countersign::clock::Clock::system().now());
        instance.write("jwks.json", std::str::from_utf8(&keys.body).unwrap());
        let whole = instance.run(&["audit", "export"]).done().out;
        instance.write("audit.jsonl", &whole);
        let last = instance.audited().len();
        let says = format!("whole, signed from event 1 to event {last}.");
        for of in [&["audit", "verify"][..], &["audit", "verify", "audit.jsonl"]] {
            let alone = instance.run(of).done().out;
            assert!(alone.contains(&says) && alone.contains("Nobody vouches for the keys"), "{alone}");
            assert!(
                alone.contains("`--jwks FILE` with what http://localhost:8080/.well-known/jwks.json"),
                "{alone}"
            );
            let vouched = instance.run(&[of, &["--jwks", "jwks.json"]].concat()).done().out;
            assert!(vouched.contains(&says) && !vouched.contains("vouches"), "{vouched}");
        }

        instance.write("later.jsonl", &instance.run(&["audit", "export", "--after", "2"]).done().out);
        let refused = instance.run(&["audit", "verify", "later.jsonl"]);
        assert!(refused.code == 1 && refused.out.contains("say `--after 2`"), "{}", refused.out);
        let told = instance.run(&["audit", "verify", "later.jsonl", "--after", "2"]).done().out;
        assert!(told.contains(&format!("signed from event 3 to event {}.", last + 1)), "{told}");
        let unsigned: Vec<&str> = whole.lines().filter(|line| !line.contains("\"checkpoint\"")).collect();
        instance.write("unsigned.jsonl", &unsigned.join("\n"));
        let refused = instance.run(&["audit", "verify", "unsigned.jsonl", "--jwks", "jwks.json"]);
        assert!(refused.code == 1 && refused.out.contains("an export ends signed"), "{}", refused.out);

        // As the operator's guide has it.
        let delete = |db: &mut countersign::store::Conn| {
            crate::store::texts(db, "DELETE FROM audit_events WHERE seq < 3 RETURNING action AS text")
        };
        assert_eq!(block_on(instance.app().db.clone().write(delete)).unwrap().len(), 2);
        let missing = instance.run(&["audit", "verify"]);
        assert!(missing.code == 1 && missing.out.contains("say `--after 3`"), "{}", missing.out);
        instance.run(&["audit", "verify", "--after", "3"]).done();
        let before = instance.audited().len();
        for command in ["export", "verify"] {
            instance.run(&["audit", command, "--after", "2"]).fails(1, "event 2 is not there");
        }
        assert_eq!(instance.audited().len(), before, "what is refused was not taken along");
        instance.run(&["audit", "verify", "--accept-late", "9-8"]).fails(2, "such as 90-95");
    });
}
