//! The rules of the house, read from its files: which way imports point, and what is written nowhere.
//!
//! A rule is a function from a [`Source`] to what is wrong with it. Each is run over the whole crate, and over bad
//! samples that prove that it can fail.

mod source;

use source::{Source, crate_sources, files, has_word};

/// What is wrong, one complaint for each place.
type Complaints = Vec<String>;

/// Every room and the rooms it may import. `app` is what the parts are put together into and what use cases take;
/// of the use cases it knows the pool that hashes passwords and what makes a dialect's client.
const DOORS: [(&str, &[&str]); 27] = [
    ("clock", &[]),
    ("crypto", &[]),
    ("model", &["clock", "crypto"]),
    ("protocol", &["clock", "crypto", "model"]),
    ("keys", &["clock", "crypto", "model"]),
    ("config", &["crypto", "keys", "model"]),
    ("store", &["clock", "crypto", "model"]),
    ("outbound", &["clock", "config", "crypto", "model"]),
    ("audit", &["clock", "config", "crypto", "model", "store"]),
    ("mail", &["audit", "clock", "config", "crypto", "model", "store"]),
    ("metrics", &["model", "protocol", "store"]),
    ("registry", &["clock", "model", "store"]),
    ("signing", &["audit", "clock", "config", "crypto", "keys", "model", "store"]),
    ("status", &["clock", "config", "crypto", "keys", "model", "store"]),
    ("ledger", &["clock", "crypto", "keys", "model", "store"]),
    ("usage", &["clock", "model", "store"]),
    ("findings", &["clock", "config", "keys", "model", "signing", "store"]),
    ("explain", &["app", "clock", "model", "store"]),
    // For APIs, without the server.
    ("verify", &["clock", "keys", "model"]),
    (
        "app",
        &[
            "audit", "clock", "config", "crypto", "dialect", "explain", "identity", "keys", "ledger", "mail",
            "metrics", "model", "outbound", "registry", "signing", "status", "store", "tenancy", "usage",
        ],
    ),
    ("tenancy", USE_CASE),
    ("identity", USE_CASE),
    (
        "grants",
        &[
            "app", "audit", "clock", "config", "crypto", "identity", "keys", "mail", "model", "outbound",
            "protocol", "signing", "store", "tenancy",
        ],
    ),
    (
        "jobs",
        &[
            "app", "clock", "crypto", "explain", "ledger", "mail", "model", "registry", "signing", "status",
            "store", "tenancy",
        ],
    ),
    (
        "web",
        &[
            "app", "audit", "clock", "config", "crypto", "explain", "findings", "grants", "identity", "jobs",
            "keys", "mail", "metrics", "model", "protocol", "signing", "store", "tenancy", "usage",
        ],
    ),
    (
        "dialect",
        &[
            "app", "audit", "clock", "config", "crypto", "grants", "identity", "model", "protocol", "store",
            "tenancy", "web",
        ],
    ),
    (
        "cli",
        &[
            "app", "audit", "clock", "config", "crypto", "dialect", "explain", "findings", "identity",
            "keys", "ledger", "model", "outbound", "protocol", "signing", "store", "tenancy", "web",
        ],
    ),
];

/// `tenancy` and `identity` may know each other: a user is registered by one and admitted by the other.
const USE_CASE: &[&str] = &[
    "app", "audit", "clock", "config", "crypto", "identity", "keys", "mail", "model", "outbound", "protocol",
    "signing", "store", "tenancy",
];

fn imports_follow_the_doors(source: &Source) -> Complaints {
    let Some(room) = source.room().filter(|room| !["lib", "main"].contains(room)) else { return Vec::new() };
    let Some((_, open)) = DOORS.iter().find(|(name, _)| *name == room) else {
        return vec![format!("{}: the room `{room}` has no entry in DOORS", source.path)];
    };
    let mut complaints: Complaints = crate_names(&source.code)
        .into_iter()
        .filter(|name| name != room && !open.contains(&name.as_str()))
        .map(|name| format!("{}: `{room}` must not import `{name}`", source.path))
        .collect();
    // Out of the room through its back door: `super` more often than the file is deep.
    let way_out = "super::".repeat(source.depth());
    if source.code.contains(&way_out) && source.depth() > 0 {
        complaints.push(format!("{}: write `crate::` for what is outside of `{room}`", source.path));
    }
    complaints
}

/// The first names after `crate::`, also of a group in braces.
fn crate_names(code: &str) -> Vec<String> {
    let mut names: Vec<String> = code
        .match_indices("crate::")
        .filter(|(at, _)| !code[..*at].ends_with('$'))
        .flat_map(|(at, found)| match code[at + found.len()..].strip_prefix('{') {
            Some(group) => first_names(group),
            None => vec![leading_name(&code[at + found.len()..])],
        })
        .filter(|name| name.starts_with(|c: char| c.is_ascii_lowercase()))
        .collect();
    names.sort();
    names.dedup();
    names
}

/// The names at the top level of a group, up to its closing brace.
fn first_names(group: &str) -> Vec<String> {
    let (mut depth, mut top) = (0, String::new());
    for c in group.chars() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            c if depth == 0 => top.push(c),
            _ => {}
        }
    }
    top.split(',').map(|part| leading_name(part.trim())).collect()
}

fn leading_name(text: &str) -> String {
    text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect()
}

fn only_store_names_diesel(source: &Source) -> Complaints {
    if source.room() == Some("store") {
        return Vec::new();
    }
    complain(
        source,
        &["diesel", "diesel_migrations", "libsqlite3_sys", "pq_sys", "r2d2"],
        "belongs to `store`",
    )
}

fn only_web_dialect_and_app_name_actix(source: &Source) -> Complaints {
    if matches!(source.room(), Some("web" | "dialect" | "app")) {
        return Vec::new();
    }
    complain(
        source,
        &["actix_web", "actix_http", "actix_rt", "actix"],
        "belongs to `web`, `dialect` and `app`",
    )
}

fn protocol_touches_nothing(source: &Source) -> Complaints {
    if source.room() != Some("protocol") {
        return Vec::new();
    }
    let doing =
        ["async", "await", "tokio", "reqwest", "lettre", "fs", "io", "env", "process", "thread", "tracing"];
    complain(source, &doing, "is input or output; `protocol` is pure")
}

fn pages_do_not_know_each_other(source: &Source) -> Complaints {
    // What pages share; everything else in these folders is a page.
    let shared: &[(&str, &[&str])] = &[
        ("src/web/page/account/", &["mod", "words"]),
        ("src/web/page/", &["mod", "parts", "fields", "testing"]),
        ("src/web/account/", &["mod"]),
        ("src/web/login/", &["mod", "ceremony", "claim", "joining", "next", "situation", "visitor"]),
    ];
    let Some((folder, shared)) = shared.iter().find(|(folder, _)| source.path.starts_with(folder)) else {
        return Vec::new();
    };
    let own = source.path.trim_start_matches(folder).trim_end_matches(".rs");
    let pages = page_names(folder, shared);
    if shared.contains(&own) {
        return Vec::new();
    }
    let area = folder.trim_end_matches('/').rsplit('/').next().unwrap_or_default();
    pages
        .iter()
        .filter(|page| page.as_str() != own)
        .filter(|page| {
            let ways = [format!("super::{page}"), format!("{area}::{page}")];
            ways.iter().any(|way| source.code.lines().any(|line| has_word(line, way)))
        })
        .map(|page| format!("{}: imports the page `{page}`", source.path))
        .collect()
}

fn page_names(folder: &str, shared: &[&str]) -> Vec<String> {
    files(folder)
        .iter()
        .map(|file| file.path.trim_start_matches(folder).trim_end_matches(".rs").to_owned())
        .filter(|name| !shared.contains(&name.as_str()))
        .collect()
}

fn templates_stand_alone(source: &Source) -> Complaints {
    let mut complaints = Vec::new();
    for (index, line) in source.text.lines().enumerate() {
        let packed: String = line.chars().filter(|c| !c.is_whitespace()).collect();
        let place = format!("{}:{}", source.path, index + 1);
        if ["|safe", "|escape(", "|e("].iter().any(|filter| packed.contains(filter)) {
            complaints.push(format!("{place}: everything is escaped by the engine, nothing is called safe"));
        }
        let other = ["{%extends\"pages/", "{%include\"pages/", "{%import\"pages/"];
        if other.iter().any(|tag| packed.replace("{%-", "{%").contains(tag)) {
            complaints.push(format!("{place}: a page uses components, never another page"));
        }
    }
    complaints
}

/// Waiting and measuring with a monotonic clock (`Instant`) is no reading of the time.
fn time_and_chance_are_passed_in(source: &Source) -> Complaints {
    let mut complaints = Vec::new();
    if source.path != "src/clock.rs" {
        let readers = ["SystemTime", "now_utc", "now_local", "now_v7", "Utc"];
        complaints.extend(complain(source, &readers, "reads the time; take it from `clock::Clock`"));
    }
    if source.path != "src/crypto/random.rs" {
        let sources = ["SystemRandom", "OsRng", "thread_rng", "new_v4", "getrandom"];
        complaints.extend(complain(
            source,
            &sources,
            "is randomness of its own; take it from `crypto::Random`",
        ));
    }
    complaints
}

fn failures_are_said(source: &Source) -> Complaints {
    complain(
        source,
        &["unwrap", "unwrap_err"],
        "says nothing; write `expect` with the reason, or answer an error",
    )
}

/// Where the server answers, no dialect stands in front of it: `/api/v1` and what is below is one place.
fn dialects_stand_nowhere_of_ours(source: &Source) -> Complaints {
    let is_ours = source.path.starts_with("src/web/") || source.path == "src/protocol/metadata.rs";
    if !is_ours {
        return Complaints::new();
    }
    let is_below = source.path.starts_with("src/web/api/");
    let mut complaints = Complaints::new();
    for (index, (code, line)) in source.code.lines().zip(source.text.lines()).enumerate() {
        // What is a comment, or exists for tests only, is blank.
        if code.trim().is_empty() || (is_below && !code.contains("const BASE")) {
            continue;
        }
        for path in line.split('"').skip(1).step_by(2) {
            let word = |c: char| !(c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '~'));
            let first = path.strip_prefix('/').and_then(|rest| rest.split(word).next()).unwrap_or_default();
            if !first.is_empty()
                && countersign::config::dialect::check_mount_path(&format!("/{first}")).is_ok()
            {
                complaints.push(format!(
                    "{}:{}: `/{first}` is ours and can be a dialect's: add it to OWN_PATHS",
                    source.path,
                    index + 1
                ));
            }
        }
    }
    complaints
}

fn nothing_is_left_over(source: &Source) -> Complaints {
    let mut complaints = complain(source, &["todo", "unimplemented", "dbg"], "is unfinished work");
    // What tests share is compiled into several programs, and none of them uses all of it.
    let shared = source.path.starts_with("tests/support/");
    let hiding: &[&str] = match shared {
        true => &["#[ignore"],
        false => &["#[ignore", "allow(dead_code", "expect(dead_code", "allow(unused)", "allow(warnings)"],
    };
    for (index, line) in source.code.lines().enumerate() {
        let packed: String = line.chars().filter(|c| !c.is_whitespace()).collect();
        for attribute in hiding.iter().filter(|attribute| packed.contains(*attribute)) {
            complaints.push(format!("{}:{}: `{attribute}` hides something", source.path, index + 1));
        }
    }
    complaints
}

fn modules_say_what_they_are(source: &Source) -> Complaints {
    match source.text.starts_with("//! ") {
        true => Vec::new(),
        false => vec![format!("{}: the first line says what the module is", source.path)],
    }
}

/// Paths of somebody's machine and hosts that packages were fetched from. (Cargo.lock names the one public index.)
fn nothing_tells_where_it_was_made(source: &Source) -> Complaints {
    // In halves, so that this file passes its own rule.
    let traces = [
        concat!("/ho", "me/"),
        concat!("/ro", "ot/"),
        concat!("/Use", "rs/"),
        concat!("/wo", "rk/"),
        concat!("registry.", "npmjs"),
        concat!("pypi", ".org/simple"),
        concat!("files.", "pythonhosted"),
        concat!("index", "-url"),
        concat!("arti", "factory"),
        concat!("replace", "-with"),
    ];
    let mut complaints = Vec::new();
    for (index, line) in source.text.lines().enumerate() {
        for trace in traces.iter().filter(|trace| line.contains(*trace)) {
            complaints.push(format!("{}:{}: `{trace}` is of one machine only", source.path, index + 1));
        }
    }
    complaints
}

fn complain(source: &Source, words: &[&str], why: &str) -> Complaints {
    words
        .iter()
        .flat_map(|word| {
            source.lines_with(word).map(move |line| format!("{}:{line}: `{word}` {why}", source.path))
        })
        .collect()
}

fn check(sources: &[Source], rule: fn(&Source) -> Complaints) {
    assert!(!sources.is_empty(), "nothing was read");
    let complaints: Complaints = sources.iter().flat_map(rule).collect();
    assert!(complaints.is_empty(), "\n{}\n", complaints.join("\n"));
}

#[test]
fn the_crate_keeps_the_rules() {
    let sources = crate_sources();
    let rules: [fn(&Source) -> Complaints; 9] = [
        imports_follow_the_doors,
        only_store_names_diesel,
        only_web_dialect_and_app_name_actix,
        protocol_touches_nothing,
        pages_do_not_know_each_other,
        time_and_chance_are_passed_in,
        failures_are_said,
        modules_say_what_they_are,
        dialects_stand_nowhere_of_ours,
    ];
    for rule in rules {
        check(&sources, rule);
    }
}

#[test]
fn the_templates_keep_the_rules() {
    check(&files("templates"), templates_stand_alone);
}

#[test]
fn the_repository_keeps_the_rules() {
    let all = files("");
    check(&all, nothing_tells_where_it_was_made);
    let rust: Vec<Source> = all.into_iter().filter(|source| source.path.ends_with(".rs")).collect();
    check(&rust, nothing_is_left_over);
    // Files for tests only say what they are too.
    check(&rust, modules_say_what_they_are);
}

#[test]
fn every_rule_can_fail() {
    type Rule = fn(&Source) -> Complaints;
    let head = "//! A module.\n";
    let cases: &[(Rule, &str, &str)] = &[
        (imports_follow_the_doors, "src/store/users.rs", "use crate::grants::issue;"),
        (imports_follow_the_doors, "src/store/users.rs", "use crate::{model::UserId, web};"),
        (imports_follow_the_doors, "src/store/users.rs", "fn f() { crate::identity::g() }"),
        (imports_follow_the_doors, "src/grants/issue.rs", "use crate::web::respond;"),
        (imports_follow_the_doors, "src/web/mod.rs", "use crate::cli;"),
        (imports_follow_the_doors, "src/store/users.rs", "use super::super::web;"),
        (imports_follow_the_doors, "src/clock.rs", "use super::model;"),
        (imports_follow_the_doors, "src/cellar/mod.rs", ""),
        (only_store_names_diesel, "src/grants/issue.rs", "use diesel::prelude::*;"),
        (only_web_dialect_and_app_name_actix, "src/grants/issue.rs", "fn f(_: actix_web::HttpRequest) {}"),
        (protocol_touches_nothing, "src/protocol/pkce.rs", "async fn f() {}"),
        (protocol_touches_nothing, "src/protocol/pkce.rs", "use std::fs;"),
        (pages_do_not_know_each_other, "src/web/page/login.rs", "use super::consent::ConsentPage;"),
        (pages_do_not_know_each_other, "src/web/login/sign_in.rs", "use crate::web::login::consent;"),
        (pages_do_not_know_each_other, "src/web/account/data.rs", "use super::profile;"),
        (pages_do_not_know_each_other, "src/web/page/account/data.rs", "use super::profile::ProfilePage;"),
        (time_and_chance_are_passed_in, "src/grants/issue.rs", "let now = std::time::SystemTime::now();"),
        (time_and_chance_are_passed_in, "src/grants/issue.rs", "let rng = ring::rand::SystemRandom::new();"),
        (failures_are_said, "src/grants/issue.rs", "let a = b.unwrap();"),
        (nothing_is_left_over, "src/grants/issue.rs", "fn f() { todo!() }"),
        (nothing_is_left_over, "tests/oidc/flows.rs", "#[test]\n#[ignore = \"slow\"]\nfn f() {}"),
        (nothing_is_left_over, "src/grants/issue.rs", "#[allow(dead_code)]\nfn f() {}"),
        (dialects_stand_nowhere_of_ours, "src/web/cellar.rs", "const PATH: &str = \"/cellar/{bottle}\";"),
        (templates_stand_alone, "templates/pages/login.html", "{{ name | safe }}"),
        (templates_stand_alone, "templates/pages/login.html", "{{ name|escape(\"none\") }}"),
        (templates_stand_alone, "templates/pages/login.html", "{%- include \"pages/consent.html\" %}"),
        (nothing_tells_where_it_was_made, "README.md", concat!("cd /ho", "me/ada/countersign")),
    ];
    for (rule, path, text) in cases {
        let source = Source::new(path, &format!("{head}{text}\n"));
        assert_eq!(rule(&source).len(), 1, "{path}: {text}\n{:?}", rule(&source));
    }
    for text in ["", "use a::b;\n", "// A comment.\n"] {
        assert_eq!(modules_say_what_they_are(&Source::new("src/a.rs", text)).len(), 1, "{text}");
    }
}

#[test]
fn no_rule_fails_what_is_good() {
    let good = Source::new(
        "src/grants/issue.rs",
        "//! Issues tokens; diesel, actix_web and todo!() are words in a comment.\n\
         use crate::{app::App, model::{ClientId, web_name}};\n\
         use super::Tokens;\n\
         use std::time::Instant;\n\
         const WORD: &str = \"unwrap() crate::web\";\n\
         #[cfg(test)]\nmod tests { use crate::web; fn f() { g().unwrap() } }\n",
    );
    for rule in [
        imports_follow_the_doors,
        only_store_names_diesel,
        only_web_dialect_and_app_name_actix,
        protocol_touches_nothing,
        pages_do_not_know_each_other,
        time_and_chance_are_passed_in,
        failures_are_said,
        dialects_stand_nowhere_of_ours,
        nothing_is_left_over,
        modules_say_what_they_are,
        nothing_tells_where_it_was_made,
    ] {
        assert_eq!(rule(&good), Complaints::new());
    }
}

/// An API that uses `countersign::verify` gets these and what they need, and nothing of the server's.
#[test]
fn the_verifier_comes_without_the_server() {
    let manifest = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml")).unwrap();
    let dependencies = manifest.split("\n[dependencies]\n").nth(1).unwrap().split("\n[").next().unwrap();
    let needed: Vec<&str> = dependencies
        .lines()
        .filter(|line| !line.contains("optional = true"))
        .filter_map(|line| line.split_once(" = "))
        .map(|(name, _)| name)
        .collect();
    assert_eq!(
        needed,
        ["ring", "subtle", "zeroize", "serde", "serde_json", "time", "base64", "flate2", "thiserror"],
        "a dependency of the server is `optional = true` and named in the feature `server`"
    );
}
