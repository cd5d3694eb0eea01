//! `countersign dialect`, and what `check` says of dialects.

use serde_json::json;

use super::Instance;

const GOOD: &str = "name = \"mine\"\n[[endpoint]]\non = \"GET /login\"\naction = \"page.sign_in\"\n";

#[test]
fn a_file_is_checked_and_every_problem_has_its_place() {
    let instance = Instance::bare();
    instance.write("good.toml", GOOD);
    instance.write("bad.toml", &GOOD.replace("page.sign_in", "page.signin").replace("mine", "My API"));
    let answer = instance.run(&["dialect", "check", "good.toml"]).done();
    assert_eq!(answer.out.trim(), "The dialect `mine` is good: 1 endpoint.");
    let refused = instance.run(&["dialect", "check", "bad.toml"]);
    refused.fails(1, "bad.toml:1:8: must have 1 to 32 small letters");
    refused.fails(1, "bad.toml:4:10: `page.signin` is no action; did you mean `page.sign_in`?");
    let refused = instance.run(&["dialect", "check", "bad.toml", "--json"]);
    let said: serde_json::Value = serde_json::from_str(&refused.out).expect("JSON");
    assert_eq!(
        (&said["ok"], &said["problems"][1]["line"], &said["problems"][1]["column"]),
        (&json!(false), &json!(4), &json!(10))
    );
    instance.run(&["dialect", "check", "absent.toml"]).fails(1, "absent.toml: cannot be read");
}

#[test]
fn those_that_ship_are_listed_and_shown_and_the_configuration_is_checked_with_them() {
    let instance = Instance::bare();
    instance.write("countersign.toml", "[[dialects]]\nuse = \"eden\"\nhost = \"api.example.com\"\n");
    let listed = instance.json(&["--config", "countersign.toml", "dialect", "list"]);
    let names: Vec<&str> =
        listed.as_array().unwrap().iter().map(|one| one["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["eden", "jack", "jardine", "orgstack", "tendedloop"]);
    assert_eq!((&listed[0]["mounted"], &listed[1]["mounted"]), (&json!("api.example.com"), &json!(null)));
    assert_eq!(listed[0]["audience"], "http://api.example.com");
    let shown = instance.run(&["dialect", "show", "eden"]).done().out;
    instance.write("eden.toml", &shown);
    instance.run(&["dialect", "check", "eden.toml"]).done();
    instance.run(&["dialect", "show", "edan"]).fails(1, "these do: eden, jack");

    instance.write("bad.toml", &GOOD.replace("GET", "FETCH"));
    instance.write("countersign.toml", "[[dialects]]\nfile = \"bad.toml\"\npath = \"/x\"\n");
    let check = ["--config", "countersign.toml", "check"];
    instance.run(&check).fails(1, "bad.toml:3:6: `FETCH` is none of GET");
    instance.run(&["--config", "countersign.toml", "init"]).fails(1, "bad.toml:3:6:");
}
