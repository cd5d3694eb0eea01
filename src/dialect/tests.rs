//! What is refused at start-up, with its place; and what the configuration makes of a file.

use serde_json::{Value, json};

use crate::config::{self, Config};

use super::mounted::Dialects;
use super::{openapi, read};

const GOOD: &str = r#"name = "test"

[tokens]
refresh = "bearer"

[[endpoint]]
on = "POST /login"
action = "password.sign_in"
input = { email = "{{body.email}}", password = "{{body.password}}" }
reply = { token = "{{tokens.access}}" }
"#;

fn problems(text: &str) -> Vec<String> {
    match read("F", text) {
        Ok(_) => Vec::new(),
        Err(problems) => problems.0.iter().map(ToString::to_string).collect(),
    }
}

#[track_caller]
fn assert_problem(from: &str, to: &str, expected: &str) {
    assert!(GOOD.contains(from), "{from}");
    let found = problems(&GOOD.replacen(from, to, 1));
    // One mistake may follow from another; the one that was made is told.
    assert!(found.iter().any(|problem| problem.starts_with(expected)), "{to}: {found:#?}\n{expected}");
}

#[test]
fn the_example_is_good() {
    assert_eq!(problems(GOOD), Vec::<String>::new());
}

#[test]
fn each_mistake_is_named_with_its_line_and_column() {
    for (from, to, expected) in [
        ("name = \"test\"", "name = \"Test API\"", "F:1:8: must have 1 to 32 small letters"),
        ("name = \"test\"", "", "F:1:1: lacks the setting `name`"),
        (
            "name = \"test\"",
            "nam = \"x\"\nname = \"test\"",
            "F:1:1: `nam` is no setting; did you mean `name`?",
        ),
        (
            "refresh = \"bearer\"",
            "refresh = \"endless\"",
            "F:4:11: `endless` is none of rotating, bearer, none",
        ),
        ("refresh = \"bearer\"", "access_ttl = \"15\"", "F:4:14: must be a duration"),
        (
            "refresh = \"bearer\"",
            "session_ttl = \"72h\"\naccess_ttl = \"48h\"",
            "F:5:14: `access_ttl` must be 1m to 1d",
        ),
        ("refresh = \"bearer\"", "refresh_claims = {}", "F:4:18: there are refresh tokens only with"),
        ("refresh = \"bearer\"", "claims = { sub = \"x\" }", "F:4:12: `sub` is a claim of the server's own"),
        (
            "refresh = \"bearer\"",
            "claims = { org = \"{{org.id}}\" }",
            "F:4:12: `org` is a claim of the server's own",
        ),
        (
            "refresh = \"bearer\"",
            "claims = { roles = \"admin\" }",
            "F:4:12: `roles` is a claim of the server's own; here it can only be `{{roles}}`",
        ),
        (
            "refresh = \"bearer\"",
            "claims = { t = \"{{tokens.access}}\" }",
            "F:4:16: nothing here is called `{{tokens.access}}`",
        ),
        ("POST /login", "POST login", "F:7:6: `login` must begin with `/`"),
        ("POST /login", "FETCH /login", "F:7:6: `FETCH` is none of GET, POST, PUT, PATCH, DELETE"),
        ("POST /login", "/login", "F:7:6: must be a method and a path"),
        ("POST /login", "GET /openapi.json", "F:7:6: `/openapi.json` is where"),
        (
            "password.sign_in",
            "password.signin",
            "F:8:10: `password.signin` is no action; did you mean `password.sign_in`?",
        ),
        ("action = \"password.sign_in\"", "", "F:6:1: lacks the setting `action`"),
        (
            ", password = \"{{body.password}}\"",
            "",
            "F:9:9: the action `password.sign_in` needs the input `password`",
        ),
        (
            "email = \"{{body.email}}\", ",
            "",
            "F:9:9: the action `password.sign_in` needs the input `login` or `email`",
        ),
        ("email =", "emial =", "F:9:11: `emial` is no input of `password.sign_in`; did you mean `email`?"),
        ("{{body.email}}", "{{boddy.email}}", "F:9:19: a request has no `{{boddy.email}}`"),
        ("{{body.email}}", "{{body}}", "F:9:19: a request has no `{{body}}`"),
        ("{{body.email}}", "{{path.email}}", "F:9:19: the path in `on` has no place `{email}`"),
        ("{{body.password}}", "{{query.password}}", "F:9:48: `password` is a secret"),
        ("POST /login", "POST /login/{org}", "F:7:6: no input reads the place `{org}`"),
        (
            "POST /login",
            "POST /login/{o-g}",
            "F:7:6: `/login/{o-g}` has a place `{o-g}`: write it like `{id}`",
        ),
        ("POST /login", "POST /{a}/{a}", "F:7:6: `/{a}/{a}` has the place `{a}` twice"),
        (
            "reply = { token = \"{{tokens.access}}\" }",
            "reply = { user = { when = \"x {{user.id}}\", then = 1 } }",
            "F:10:27: must be a name alone",
        ),
        (
            "reply = { token = \"{{tokens.access}}\" }",
            "reply = { user = { when = \"{{user.id}}\" } }",
            "F:10:18: lacks the setting `then`",
        ),
        (
            "\"{{body.email}}\"",
            "{ from = \"{{body.email}}\", missing = \"nothing\" }",
            "F:9:56: `nothing` is no error",
        ),
        (
            "{{tokens.access}}",
            "{{token.access}}",
            "F:10:19: nothing here is called `{{token.access}}`; did you mean `{{tokens.access}}`?",
        ),
        ("{{tokens.access}}", "{{tokens.refresh}}", "F:6:1: there are refresh tokens only with"),
        ("{{tokens.access}}", "{{tokens.access", "F:10:19: `{{` is not closed"),
        (
            "{ token = \"{{tokens.access}}\" }",
            "{ each = \"{{roles}}\", item = \"x\" }",
            "F:10:18: must be the name of a list of tables",
        ),
        ("reply =", "status = 99\nreply =", "F:10:10: must be 200 to 399"),
        ("reply =", "headers = { \"X Y\" = \"z\" }\nreply =", "F:10:13: must be a header's name"),
        (
            "action = \"password.sign_in\"",
            "action = \"register\"",
            "F:10:19: nothing here is called `{{tokens.access}}`",
        ),
        (
            "[tokens]",
            "magic_link_page = \"http://evil.example/\"\n[tokens]",
            "F:3:19: `http://evil.example/` must be",
        ),
        ("reply =", "headers = { Set-Cookie = \"a=b\" }\nreply =", "F:10:13: `Set-Cookie` is a header of"),
        ("reply =", "headers = { Content-Length = \"1\" }\nreply =", "F:10:13: `Content-Length` is a header"),
        ("reply =", "headers = { X-A = \"\u{e9}\" }\nreply =", "F:10:19: must be ASCII"),
        ("[tokens]", "[errors.nothing]\n[tokens]", "F:3:9: `nothing` is no error"),
        (
            "[tokens]",
            "[errors.default]\nbody = { x = \"{{user.id}}\" }\n[tokens]",
            "F:4:14: nothing here is called `{{user.id}}`",
        ),
        (
            "[tokens]",
            "[errors.forbidden]\nlike = \"not_found\"\nstatus = 403\n[tokens]",
            "F:4:8: stands alone",
        ),
        (
            "[tokens]",
            "[limits]\nlogins = { count = 1, per = \"1m\" }\n[tokens]",
            "F:4:1: `logins` is no setting",
        ),
        (
            "[tokens]",
            "[limits]\nlogin_failures = { count = 0, per = \"1m\" }\n[tokens]",
            "F:4:28: must be 1 to 1000000",
        ),
        (
            "[tokens]",
            "mount = { path = \"/oauth2\" }\n[tokens]",
            "F:3:9: is where our own pages and endpoints are",
        ),
        (
            "[tokens]",
            "redirect_urls = [\"http://evil.example/\"]\n[tokens]",
            "F:3:17: `http://evil.example/` must be https",
        ),
        ("[tokens]", "name = \"again\"\n[tokens]", "F:3:1: this is not valid TOML"),
    ] {
        assert_problem(from, to, expected);
    }
}

#[test]
fn two_endpoints_at_one_place_and_a_refresh_of_nothing_are_refused() {
    let twice = format!("{GOOD}\n[[endpoint]]\non = \"POST /login\"\naction = \"page.sign_in\"\n");
    assert_eq!(problems(&twice), ["F:13:6: `POST /login` is described twice"]);
    let alike = "\n[[endpoint]]\non = \"GET /o/{a}\"\naction = \"me\"\n\
                 input = { token = \"{{bearer}}\", organisation = \"{{path.a}}\" }\n";
    let places = format!(
        "{GOOD}{alike}{}",
        alike.replace("GET", "POST").replace("{a}", "{b}").replace("path.a", "path.b")
    );
    assert_eq!(problems(&places), ["F:18:6: `/o/{b}` and `/o/{a}` are one path: name its places alike"]);
    let none = GOOD.replace("\"bearer\"", "\"none\"");
    let refresh = "[[endpoint]]\non = \"GET /r\"\naction = \"refresh\"\ninput = { token = \"{{bearer}}\" }\n";
    let found = problems(&format!("{none}\n{refresh}"));
    assert_eq!(found, ["F:14:10: nothing can be refreshed: `tokens.refresh` is \"none\""]);
}

#[test]
fn everything_is_told_at_once_and_in_order() {
    let bad = GOOD
        .replace("refresh = \"bearer\"", "refresh = \"x\"")
        .replace("password.sign_in", "sign_in")
        .replace("name = \"test\"", "name = 5");
    let places: Vec<String> = problems(&bad)
        .iter()
        .map(|problem| problem.split(' ').next().unwrap_or_default().to_owned())
        .collect();
    assert_eq!(places, ["F:1:8:", "F:4:11:", "F:8:10:"]);
}

#[test]
fn a_problem_stays_on_its_line() {
    let found = problems("\"a\\nname (F:1:1): fine\\u001b[0m\" = 1\n");
    assert!(found.iter().all(|problem| !problem.contains(['\n', '\u{1b}'])), "{found:?}");
}

fn config(dialects: Vec<config::Dialect>) -> Config {
    Config { dialects, ..Config::default() }
}

fn shipped(name: &str, path: &str) -> config::Dialect {
    config::Dialect { shipped: Some(name.to_owned()), path: Some(path.to_owned()), ..Default::default() }
}

#[track_caller]
fn refused(config: &Config) -> String {
    Dialects::load(config).expect_err("it must be refused").to_string()
}

#[test]
fn what_is_mounted_has_a_client_and_an_audience_of_its_own() {
    let loaded =
        Dialects::load(&config(vec![shipped("eden", "/eden"), shipped("jack", "/x/jack")])).expect("good");
    let said: Vec<_> =
        loaded.iter().map(|one| (one.client_id.as_str(), one.audience.as_str(), one.place())).collect();
    assert_eq!(
        said,
        [
            ("dialect:eden", "http://localhost:8080/eden", "/eden"),
            ("dialect:jack", "http://localhost:8080/x/jack", "/x/jack"),
        ]
    );
    let twice = config(vec![shipped("eden", "/eden"), shipped("eden", "/eden2")]);
    assert!(refused(&twice).contains("`dialect:eden` is another dialect's client too"));
    let below = config(vec![shipped("eden", "/a"), shipped("jack", "/a/b")]);
    assert!(refused(&below).contains("is where the dialect `eden` is mounted"));
    assert!(refused(&config(vec![shipped("edeen", "/a")])).contains("these do: eden, jack, jardine"));
    let absent = config::Dialect { file: Some("/no/such/file.toml".into()), ..Default::default() };
    assert!(refused(&config(vec![absent])).contains("/no/such/file.toml: cannot be read"));
}

#[test]
fn the_configuration_overrides_what_the_file_says() {
    let mut eden = shipped("eden", "/eden");
    eden.tokens.access_ttl = Some(std::time::Duration::from_secs(600));
    eden.roles.insert("owner".to_owned(), "Owner".to_owned());
    let loaded = Dialects::load(&config(vec![eden.clone()])).expect("good");
    let one = loaded.iter().next().expect("one");
    assert_eq!(one.dialect.tokens.access_ttl.as_secs(), 600);
    let ranks = [("owner", 40), ("admin", 30), ("boss", 35), ("else", 5)];
    let ranks = ranks.map(|(role, rank)| (role.to_owned(), rank)).into();
    let words = |roles: &[(&'static str, i64)]| one.dialect.roles.of(roles.iter().copied(), &ranks);
    assert_eq!(
        words(&[("owner", 40), ("admin", 30), ("else", 5), ("other", 1)]),
        ["Owner", "Admin", "Member"]
    );
    assert_eq!(words(&[("boss", 35), ("else", 5)]), ["Admin", "Member"], "TE7: what it includes");
    assert_eq!(words(&[]), ["Member"]);
    let tended: config::Dialect = toml::from_str(
        "use = \"tendedloop\"\npath = \"/tended\"\ntokens = { magic_ttl = \"5m\" }\n\
         redirect_urls = [\"https://app.example.com/magic\"]\nmagic_link_page = \"https://app.example.com/magic\"\n",
    )
    .expect("TE-1: its own lifetime of mailed links");
    let loaded = Dialects::load(&config(vec![tended.clone()])).expect("good");
    let one = loaded.iter().next().expect("one");
    assert_eq!(one.dialect.tokens.magic_ttl.map(|life| life.as_secs()), Some(300));
    assert_eq!(one.dialect.magic_link_page.as_deref(), Some("https://app.example.com/magic"));
    let elsewhere = config::Dialect { redirect_urls: Vec::new(), ..tended };
    assert!(refused(&config(vec![elsewhere])).contains("which is none of `redirect_urls`"));
    eden.tokens.access_ttl = Some(std::time::Duration::from_secs(48 * 3_600));
    assert!(refused(&config(vec![eden])).contains("`access_ttl` must be 1m to 1d"));
    let mut secret = shipped("eden", "/eden");
    secret.system_secret = Some(crate::crypto::Secret::from_text("sixteen letters!"));
    assert!(refused(&config(vec![secret])).contains("the dialect names no header for it"));
}

#[test]
fn an_api_describes_its_errors_as_it_answers_them() {
    let file = format!(
        "{GOOD}\n\
         [errors.default]\nbody = {{ fault = {{ no = \"{{{{code}}}}\", text = \"{{{{message}}}}\" }} }}\n\
         [errors.invalid_credentials]\nstatus = 200\ncode = 1001\n\
         [errors.rate_limited]\nbody = {{ slow_down = true, wait = \"{{{{retry_after}}}}\" }}\n"
    );
    let dialect = read("F", &file).expect("a good file");
    let described: Value = serde_json::from_str(&openapi::describe(&dialect, "http://x")).expect("JSON");
    let error = &described["components"]["schemas"]["Error"]["properties"]["fault"]["properties"];
    assert_eq!(
        (&error["no"]["type"], &error["text"]["type"]),
        (&json!(["integer", "string"]), &json!("string"))
    );
    let answers = &described["paths"]["/login"]["post"]["responses"];
    let good = &answers["200"]["content"]["application/json"];
    let both = good["schema"]["anyOf"].as_array().expect("what goes well, and a refusal of the same status");
    assert!(both[0]["properties"]["token"].is_object(), "{good}");
    assert_eq!(both[1]["$ref"], "#/components/schemas/Error");
    assert_eq!(good["examples"]["invalid_credentials"]["value"]["fault"]["no"], 1001);
    let slow = &answers["429"]["content"]["application/json"]["schema"];
    assert_eq!(slow["properties"]["slow_down"], json!({ "const": true }), "a body of its own: {slow}");
    assert_eq!(answers["400"]["content"]["application/json"]["schema"]["$ref"], "#/components/schemas/Error");
    // Numbers alone, or texts alone.
    let plain = read("F", GOOD).expect("a good file");
    let described: Value = serde_json::from_str(&openapi::describe(&plain, "http://x")).expect("JSON");
    assert_eq!(described["components"]["schemas"]["Error"]["properties"]["error"]["type"], "string");
}

proptest::proptest! {
    #[test]
    fn no_text_makes_reading_panic(text in "\\PC{0,120}", at in 0_usize..GOOD.len(), letter in "[\"{}\\[\\]=.\\na-z]") {
        let _ = problems(&text);
        let mut changed = GOOD.to_owned();
        changed.replace_range(at..=at, &letter);
        let _ = problems(&changed);
    }
}
