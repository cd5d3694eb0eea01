//! From a dialect's file to a [`Dialect`], or to everything that is wrong with it.
//!
//! Whatever could go wrong at a request because of the file is refused here: unknown settings, actions, inputs and
//! names, inputs that an action needs, two endpoints at one place, claims that are not a dialect's to make (TK-7).

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use toml::de::DeTable;

use super::model::{BodyForm, Dialect, Mount, RefreshStyle, RegistrationStyle, RoleNames, Tokens};
use super::problem::{Problem, Problems};
use super::reader::{At, Reader, Scope, in_order};
use super::template::Template;
use super::{action, mount, read_endpoint, read_errors};
use crate::config::{Limit, Limits, dialect as rules};
use crate::model::FirstSignIn;

/// No description of an API is longer.
const LONGEST_FILE: usize = 1024 * 1024;

const SETTINGS: &[&str] = &[
    "name",
    "description",
    "mount",
    "body",
    "body_limit",
    "needs_organisation",
    "registration",
    "first_sign_in",
    "system_secret_header",
    "tokens",
    "roles",
    "limits",
    "redirect_urls",
    "magic_link_page",
    "endpoint",
    "errors",
];

/// Claims that say what a token is and whom it is for: ours alone (TK-7).
const RESERVED_CLAIMS: &[&str] = &[
    "iss",
    "sub",
    "aud",
    "exp",
    "iat",
    "nbf",
    "jti",
    "sid",
    "gid",
    "acr",
    "amr",
    "auth_time",
    "azp",
    "nonce",
    "email_verified",
    "scope",
    "client_id",
    "org",
    "workspace",
    "roles",
    "permissions",
    "cnf",
    "act",
    "may_act",
    "status",
    "typ",
    "org_slug",
    "api_key",
    "passed_on",
];

/// Reserved claims that a dialect may ask for, though not choose: the server's own value, in the dialect's words.
const OWN_VALUES: &[(&str, &str)] = &[("roles", "{{roles}}")];

/// What a claim of a refresh token may tell.
const REFRESH_NAMES: &[(&str, action::Kind)] =
    &[("user.id", action::Kind::Text), ("org.id", action::Kind::Text), ("session.id", action::Kind::Text)];

/// Reads the file. `source` is what problems call it.
pub fn read(source: &str, text: &str) -> Result<Dialect, Problems> {
    let mut reader = Reader::new(source, text);
    let dialect = reader.document().and_then(|document| whole(&mut reader, &document));
    match dialect {
        Some(dialect) if reader.is_clean() => Ok(dialect),
        _ => {
            let mut problems = reader.finish();
            problems.sort_by_key(|problem| problem.place);
            problems.dedup();
            Err(Problems(problems))
        }
    }
}

/// Reads the file at this path.
pub fn read_file(path: &Path) -> Result<Dialect, Problems> {
    let source = path.display().to_string();
    match std::fs::read_to_string(path) {
        Ok(text) if text.len() <= LONGEST_FILE => read(&source, &text),
        Ok(_) => Err(Problems(vec![Problem::of(&source, "is longer than 1 MiB")])),
        Err(error) => Err(Problems(vec![Problem::of(&source, format!("cannot be read: {error}"))])),
    }
}

fn whole(reader: &mut Reader<'_>, document: &toml::Spanned<DeTable<'_>>) -> Option<Dialect> {
    let top = document.get_ref();
    reader.only(top, SETTINGS);
    let name = match top.get("name") {
        Some(value) => name(reader, value),
        None => {
            reader.wrong(&(0..0), "lacks the setting `name`");
            None
        }
    };
    let tokens = tokens(reader, top.get("tokens"));
    let registration = top
        .get("registration")
        .and_then(|value| reader.word(value, REGISTRATIONS))
        .unwrap_or(RegistrationStyle::ByMail);
    let endpoints = match top.get("endpoint") {
        Some(value) => read_endpoint::all(reader, value, &tokens, registration),
        None => {
            reader.wrong(&(0..0), "describes no endpoint: write at least one `[[endpoint]]`");
            Vec::new()
        }
    };
    Some(Dialect {
        name: name?,
        description: top
            .get("description")
            .and_then(|value| reader.text(value))
            .unwrap_or_default()
            .to_owned(),
        mount: top.get("mount").and_then(|value| mounted(reader, value)),
        body: top.get("body").and_then(|value| reader.word(value, BODIES)).unwrap_or(BodyForm::Json),
        body_limit: top
            .get("body_limit")
            .and_then(|value| reader.number_in(value, 256..=256 * 1024))
            .and_then(|bytes| usize::try_from(bytes).ok())
            .unwrap_or(64 * 1024),
        needs_organisation: top
            .get("needs_organisation")
            .and_then(|value| reader.flag(value))
            .unwrap_or_default(),
        registration,
        first_sign_in: top.get("first_sign_in").and_then(|value| first_sign_in(reader, value)),
        system_secret_header: top.get("system_secret_header").and_then(|value| header_name(reader, value)),
        tokens,
        roles: top.get("roles").map(|value| roles(reader, value)).unwrap_or_default(),
        limits: top.get("limits").map(|value| limits(reader, value)).unwrap_or_default(),
        magic_link_page: top.get("magic_link_page").and_then(|value| page(reader, value)),
        redirect_urls: top.get("redirect_urls").map(|value| redirect_urls(reader, value)).unwrap_or_default(),
        errors: read_errors::read(reader, top.get("errors")),
        endpoints,
    })
}

const BODIES: &[(&str, BodyForm)] =
    &[("json", BodyForm::Json), ("form", BodyForm::Form), ("either", BodyForm::Either)];
const REGISTRATIONS: &[(&str, RegistrationStyle)] =
    &[("by_mail", RegistrationStyle::ByMail), ("at_once", RegistrationStyle::AtOnce)];
const STYLES: &[(&str, RefreshStyle)] =
    &[("rotating", RefreshStyle::Rotating), ("bearer", RefreshStyle::Bearer), ("none", RefreshStyle::None)];

fn name(reader: &mut Reader<'_>, value: At<'_>) -> Option<String> {
    let text = reader.text(value)?;
    let is_name = (1..=32).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
        && !text.starts_with('-');
    if !is_name {
        reader.wrong(&value.span(), "must have 1 to 32 small letters, digits or `-`");
    }
    is_name.then(|| text.to_owned())
}

fn mounted(reader: &mut Reader<'_>, value: At<'_>) -> Option<Mount> {
    let table = reader.table(value)?;
    reader.only(table, &["path", "host"]);
    let text = |reader: &mut Reader<'_>, key: &str| table.get(key).and_then(|value| reader.text(value));
    let parsed = match (text(reader, "path"), text(reader, "host")) {
        (Some(path), None) => rules::check_mount_path(path).map(|()| Mount::Path(path.to_owned())),
        (None, Some(host)) => rules::check_host(host).map(|()| Mount::Host(host.to_owned())),
        _ => Err("names either a `path` or a `host`"),
    };
    parsed.map_err(|reason| reader.wrong(&value.span(), reason)).ok()
}

fn first_sign_in(reader: &mut Reader<'_>, value: At<'_>) -> Option<FirstSignIn> {
    let words: Vec<_> = FirstSignIn::ALL.iter().map(|policy| (policy.as_str(), *policy)).collect();
    reader.word(value, &words)
}

/// The name of a header, in small letters.
pub fn header_name(reader: &mut Reader<'_>, value: At<'_>) -> Option<String> {
    let text = reader.text(value)?;
    let is_name = !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    if !is_name {
        reader.wrong(&value.span(), "must be a header's name: letters, digits and `-`");
    }
    is_name.then(|| text.to_ascii_lowercase())
}

fn roles(reader: &mut Reader<'_>, value: At<'_>) -> RoleNames {
    let mut names = RoleNames::default();
    let Some(table) = reader.table(value) else { return names };
    for (key, value) in in_order(table) {
        let Some(word) = reader.text(value).map(str::to_owned) else { continue };
        match key.get_ref().as_ref() {
            "*" => names.other = Some(word),
            role => drop(names.words.insert(role.to_owned(), word)),
        }
    }
    names
}

fn limits(reader: &mut Reader<'_>, value: At<'_>) -> BTreeMap<String, Limit> {
    let Some(table) = reader.table(value) else { return BTreeMap::new() };
    reader.only(table, Limits::names());
    in_order(table)
        .filter_map(|(key, value)| Some((key.get_ref().clone().into_owned(), reader.limit(value)?)))
        .collect()
}

fn page(reader: &mut Reader<'_>, value: At<'_>) -> Option<String> {
    let url = reader.text(value)?;
    rules::check_redirect_url(url)
        .map_err(|reason| reader.wrong(&value.span(), format!("`{url}` {reason}")))
        .ok()?;
    Some(url.to_owned())
}

fn redirect_urls(reader: &mut Reader<'_>, value: At<'_>) -> Vec<String> {
    let urls = reader.texts(value);
    for url in &urls {
        if let Err(reason) = rules::check_redirect_url(url) {
            reader.wrong(&value.span(), format!("`{url}` {reason}"));
        }
    }
    urls
}

fn tokens(reader: &mut Reader<'_>, value: Option<At<'_>>) -> Tokens {
    const MINUTE: u64 = 60;
    const DAY: u64 = 24 * 60 * MINUTE;
    let mut tokens = Tokens {
        access_ttl: Duration::from_secs(15 * MINUTE),
        refresh: RefreshStyle::None,
        refresh_ttl: Duration::from_secs(30 * DAY),
        session_ttl: Duration::from_secs(30 * DAY),
        magic_ttl: None,
        claims: Vec::new(),
        refresh_claims: None,
    };
    let Some((value, table)) = value.and_then(|value| Some((value, reader.table(value)?))) else {
        return tokens;
    };
    let known =
        ["access_ttl", "refresh", "refresh_ttl", "session_ttl", "magic_ttl", "claims", "refresh_claims"];
    reader.only(table, &known);
    for (key, life) in [
        ("access_ttl", &mut tokens.access_ttl),
        ("refresh_ttl", &mut tokens.refresh_ttl),
        ("session_ttl", &mut tokens.session_ttl),
    ] {
        if let Some(given) = table.get(key).and_then(|value| reader.duration(value)) {
            *life = given;
        }
    }
    if let Some(style) = table.get("refresh").and_then(|value| reader.word(value, STYLES)) {
        tokens.refresh = style;
    }
    tokens.magic_ttl = table.get("magic_ttl").and_then(|value| reader.duration(value));
    for (setting, reason) in mount::token_problems(&tokens) {
        let place = table.get(setting).map_or_else(|| value.span(), toml::Spanned::span);
        reader.wrong(&place, reason);
    }
    let subject = [action::SUBJECT, action::SESSION].concat();
    if let Some(value) = table.get("claims") {
        tokens.claims = claims(reader, value, &subject);
    }
    if let Some(value) = table.get("refresh_claims") {
        if tokens.refresh != RefreshStyle::Rotating {
            reader.wrong(&value.span(), "there are refresh tokens only with `refresh = \"rotating\"`");
        }
        tokens.refresh_claims = Some(claims(reader, value, REFRESH_NAMES));
    }
    tokens
}

fn claims(
    reader: &mut Reader<'_>,
    value: At<'_>,
    names: &[(&'static str, action::Kind)],
) -> Vec<(String, Template)> {
    let Some(table) = reader.table(value) else { return Vec::new() };
    for (key, value) in in_order(table) {
        let claim = key.get_ref().as_ref();
        let own = OWN_VALUES.iter().find(|(own, _)| *own == claim).map(|(_, value)| *value);
        if RESERVED_CLAIMS.contains(&claim) && (own.is_none() || own != value.get_ref().as_str()) {
            let hint = own.map(|own| format!("; here it can only be `{own}`")).unwrap_or_default();
            reader.wrong(&key.span(), format!("`{claim}` is a claim of the server's own{hint}"));
        }
    }
    reader.fields(table, Scope::Told(names)).unwrap_or_default()
}
