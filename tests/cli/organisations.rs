//! Organisations from a shell: `org`, `workspace`, `role`, `member`.

use serde_json::{Value, json};

use super::{Instance, on_every_database};

fn user(instance: &Instance, name: &str) -> String {
    let email = format!("{name}@example.com");
    let made = instance.json(&["user", "add", "--email", &email, "--name", name, "--verified"]);
    made["id"].as_str().expect("an id").to_owned()
}

fn named<'a>(list: &'a Value, field: &str, value: &str) -> &'a Value {
    let found = list.as_array().and_then(|list| list.iter().find(|one| one[field] == value));
    found.unwrap_or_else(|| panic!("{value} is not in {list}"))
}

#[test]
fn organisations_are_made_listed_suspended_and_resumed() {
    on_every_database(|instance| {
        instance.run(&["init"]).done();
        let made = instance.json(&["org", "add", "--slug", "Acme", "--name", "Acme & Söhne"]);
        let id = made["id"].as_str().expect("an id");
        assert!(id.starts_with("org_"), "{id}");
        for which in [&["org", "show", id][..], &["org", "show", "acme"], &["org", "show", "--org", "ACME"]] {
            let shown = instance.json(which);
            assert_eq!(
                (&shown["id"], &shown["slug"], &shown["status"]),
                (&made["id"], &json!("acme"), &json!("active"))
            );
        }
        instance
            .run(&["org", "add", "--slug", "acme", "--name", "Other"])
            .fails(1, "another organisation has this short name");
        instance.run(&["org", "add", "--slug", "a b", "--name", "Other"]).fails(1, "a short name has");
        instance.run(&["org", "suspend", "acme"]).done();
        assert_eq!(named(&instance.json(&["org", "list"]), "slug", "acme")["status"], "suspended");
        instance.run(&["org", "resume", id]).done();
        let set =
            instance.json(&["org", "set", "acme", "--require-mfa", "true", "--password-login", "false"]);
        assert_eq!(
            (&set["require_mfa"], &set["password_login"], &set["status"]),
            (&json!(true), &json!(false), &json!("active"))
        );
        instance.run(&["org", "show", "nobody"]).fails(1, "`countersign org list`");

        let workspace =
            instance.json(&["workspace", "add", "--org", "acme", "--slug", "lab", "--name", "Lab"]);
        assert!(workspace["id"].as_str().is_some_and(|id| id.starts_with("wsp_")), "{workspace}");
        let listed = instance.json(&["workspace", "list", "--org", "acme"]);
        assert_eq!(
            (&named(&listed, "slug", "default")["default"], &named(&listed, "slug", "lab")["default"]),
            (&json!(true), &json!(false))
        );
    });
}

#[test]
fn members_have_roles_that_an_organisation_knows() {
    on_every_database(|instance| {
        instance.run(&["init"]).done();
        let ada = user(instance, "ada");
        user(instance, "bob");
        instance.run(&["org", "add", "--slug", "acme", "--name", "Acme"]).done();
        instance.run(&["workspace", "add", "--org", "acme", "--slug", "lab", "--name", "Lab"]).done();
        let role =
            ["role", "add", "--org", "acme", "--key", "technician", "--name", "Technician", "--rank", "5"];
        let role = instance
            .json(&[&role[..], &["--permission", "tasks:read", "--permission", "tasks:write"]].concat());
        assert!(role["id"].as_str().is_some_and(|id| id.starts_with("rol_")), "{role}");
        let roles = instance.json(&["role", "list", "--org", "acme"]);
        assert_eq!(named(&roles, "key", "technician")["permissions"], json!(["tasks:read", "tasks:write"]));
        assert_eq!(
            (&named(&roles, "key", "admin")["rank"], &named(&roles, "key", "admin")["shipped"]),
            (&json!(30), &json!(true))
        );

        let member = ["member", "add", "--org", "acme", "--user"];
        let with = |rest: &[&'static str]| instance.run(&[&member[..], rest].concat());
        with(&["ada@example.com", "--role", "admin", "--json"]).done();
        with(&["bob@example.com", "--role", "technician", "--workspace", "lab"]).done();
        with(&["bob@example.com", "--role", "owner"])
            .fails(1, "the organisation has no role `owner`: `countersign role list`");
        with(&["bob@example.com", "--role", "member", "--workspace", "x"])
            .fails(1, "`countersign workspace list`");
        with(&["eve@example.com", "--role", "member"]).fails(1, "`countersign user list`");
        let members = instance.json(&["member", "list", "--org", "acme"]);
        assert_eq!(
            named(&members, "email", "bob@example.com")["roles"],
            json!([{ "role": "technician", "workspace": "lab" }])
        );
        assert_eq!(
            named(&members, "user_id", &ada)["roles"],
            json!([{ "role": "admin", "workspace": null }])
        );

        let of = |verb: &'static str, user: &'static str| {
            instance.run(&["member", verb, "--org", "acme", "--user", user])
        };
        of("suspend", "ada@example.com").fails(1, "nobody would administer the organisation any more");
        of("suspend", "bob@example.com").done();
        assert_eq!(
            named(&instance.json(&["member", "list", "--org", "acme"]), "name", "bob")["status"],
            "suspended"
        );
        of("resume", "bob@example.com").done();
        instance
            .run(&["role", "remove", "--org", "acme", "--key", "technician"])
            .fails(1, "members have the role");
        of("remove", "bob@example.com").done();
        of("remove", "bob@example.com").fails(1, "`countersign member add`");
        instance.run(&["role", "remove", "--org", "acme", "--key", "technician"]).done();
        // OR-3: nobody else administers it.
        for verb in ["disable", "remove"] {
            instance
                .run(&["user", verb, "ada@example.com"])
                .fails(1, "nobody else administers the organisation `Acme`");
            instance.run(&["user", verb, "ada@example.com"]).fails(1, "`--force`");
        }
        instance.run(&["user", "remove", "ada@example.com", "--force"]).done();
    });
}
