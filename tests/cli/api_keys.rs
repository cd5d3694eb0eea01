//! API keys from a shell.

use serde_json::json;

use super::{Instance, on_every_database};

fn organisation(instance: &Instance) {
    instance.run(&["init"]).done();
    instance.json(&["org", "add", "--slug", "acme", "--name", "Acme"]);
}

#[test]
fn ak_1_keys_are_made_listed_replaced_and_revoked() {
    on_every_database(|instance| {
        organisation(instance);
        let scopes = ["--scope", "events:read", "--scope", "events:write"];
        let add =
            [&["api-key", "add", "--org", "acme", "--name", "Importer", "--expires", "90d"][..], &scopes]
                .concat();
        let made = instance.json(&add);
        let (id, key) = (made["id"].as_str().unwrap(), made["key"].as_str().unwrap());
        assert!(id.starts_with("key_") && key.starts_with("cs_k_") && key.len() == 41, "{made}");
        let list = || instance.json(&["api-key", "list", "--org", "acme"]);
        assert!(!list().to_string().contains(key), "it is shown once");
        let shown = instance.json(&["api-key", "show", id]);
        assert_eq!(
            (&shown["name"], &shown["scopes"], &shown["status"], &shown["last_used_at"]),
            (&json!("Importer"), &json!(["events:read", "events:write"]), &json!("active"), &json!(null))
        );
        assert!(key.starts_with(shown["begins"].as_str().unwrap()));

        let next = instance.json(&["api-key", "rotate", id, "--overlap", "1h"]);
        assert_eq!(next["machine"], made["machine"]);
        assert_ne!(next["key"], made["key"]);
        assert_eq!(instance.json(&["api-key", "show", id])["status"], "replaced");
        instance.run(&["api-key", "rotate", id]).fails(1, "was replaced before");
        instance.run(&["api-key", "revoke", next["id"].as_str().unwrap()]).done();
        let statuses: Vec<String> =
            list().as_array().unwrap().iter().map(|one| one["status"].to_string()).collect();
        assert_eq!(statuses, ["\"replaced\"", "\"revoked\""]);

        let other = instance
            .json(&["api-key", "add", "--org", "acme", "--name", "Old", "--scope", "x", "--prefix", "tl_k_"]);
        assert!(other["key"].as_str().unwrap().starts_with("tl_k_"));
        instance
            .run(&["api-key", "add", "--org", "acme", "--name", "X", "--scope", "a b"])
            .fails(1, "cannot be a scope");
        instance
            .run(&["api-key", "add", "--org", "nobody", "--name", "X", "--scope", "a"])
            .fails(1, "org list");
        instance.run(&["api-key", "add", "--org", "acme", "--name", "X"]).fails(2, "--scope");
        instance.run(&["api-key", "revoke", "key_00000000000000000000000000000000"]).fails(1, "api-key list");
    });
}
