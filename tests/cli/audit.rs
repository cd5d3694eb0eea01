//! The audit from a shell.

use serde_json::{Value, json};

use super::{Instance, on_every_database};

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
