//! What a call brings: its inputs, from wherever in the request the endpoint says they stand.
//!
//! A header that a proxy could mistake for another (sent twice, or with `_` for `-`) is refused rather than chosen
//! from (OR-1), and so is a call with two credentials.

use std::collections::{BTreeMap, BTreeSet};

use base64::Engine;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use serde_json::{Map, Value, json};

use super::action::Action;
use super::model::{Endpoint, Input};
use super::template::Template;
use crate::crypto::Secret;
use crate::web::fault::{Fault, Refused};
use crate::web::json;

/// Padding or not: clients differ.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// A request as it came, without its body's meaning.
pub struct Presented<'r> {
    /// Names in small letters, each as often as it was sent.
    pub headers: Vec<(&'r str, &'r [u8])>,
    pub query: &'r str,
    /// What stands at the places of the endpoint's path.
    pub path: Vec<(&'r str, String)>,
    pub body: Map<String, Value>,
}

/// The values of an endpoint's inputs. Any of them may be a secret.
#[derive(Debug, Default)]
pub struct Inputs {
    values: BTreeMap<&'static str, Secret>,
    /// Those that were sent in the body, as null or without a letter.
    emptied: BTreeSet<&'static str>,
}

impl Inputs {
    pub fn text(&self, name: &str) -> Option<&str> {
        self.values.get(name).map(Secret::expose)
    }

    /// Whether it was sent to say that there is nothing.
    pub fn is_emptied(&self, name: &str) -> bool {
        self.emptied.contains(name)
    }

    pub fn secret(&self, name: &str) -> Option<&Secret> {
        self.values.get(name)
    }

    /// The value of an input that the action needs: reading has seen to it.
    pub fn needed(&self, name: &str) -> Result<&Secret, Refused> {
        self.values.get(name).ok_or_else(|| lacking(name))
    }
}

/// Reads every input of the endpoint.
pub fn read(endpoint: &Endpoint, presented: &Presented<'_>) -> Result<Inputs, Refused> {
    let scope = presented.scope(endpoint)?;
    let mut inputs = Inputs::default();
    for (name, input) in &endpoint.inputs {
        if let Some(value) = value(name, input, &scope)? {
            inputs.values.insert(name, Secret::from_text(value));
        } else if is_emptied(input, &scope) {
            inputs.emptied.insert(name);
        }
    }
    if inputs.values.contains_key("token") && inputs.values.contains_key("api_key") {
        return Err(Fault::TwoCredentials.into());
    }
    for (name, input) in endpoint.inputs.iter().filter(|(_, input)| input.required) {
        if !inputs.values.contains_key(name) {
            return Err(missing(name, input));
        }
    }
    for group in endpoint.action.needs() {
        if !group.iter().any(|name| inputs.values.contains_key(name)) {
            let first = group.iter().find_map(|name| Some((name, endpoint.inputs.get(name)?)));
            return Err(first.map_or_else(|| lacking(group[0]), |(name, input)| missing(name, input)));
        }
    }
    if endpoint.action == Action::Check {
        presented.is_understood(endpoint)?;
    }
    Ok(inputs)
}

/// JSON as far as it is looked at: an object that is not too deep.
pub fn json_body(bytes: &[u8]) -> Result<Map<String, Value>, Refused> {
    let refuse = |why: &str| Refused::with_detail(Fault::InvalidRequest, why);
    if bytes.iter().all(u8::is_ascii_whitespace) {
        return Ok(Map::new());
    }
    if json::is_too_deep(bytes) {
        return Err(refuse("The body is nested too deeply."));
    }
    match json::once_each(bytes) {
        Ok(Value::Object(fields)) => Ok(fields),
        Ok(_) => Err(refuse("The body must be a JSON object.")),
        Err(_) => Err(refuse("The body is not valid JSON.")),
    }
}

/// The fields of a form; each may be there once.
pub fn form_body(bytes: &[u8]) -> Result<Map<String, Value>, Refused> {
    pairs(bytes, "The body")
}

fn pairs(encoded: &[u8], what: &str) -> Result<Map<String, Value>, Refused> {
    let mut fields = Map::new();
    for (name, value) in url::form_urlencoded::parse(encoded) {
        if fields.insert(name.clone().into_owned(), Value::String(value.into_owned())).is_some() {
            return Err(Refused::with_detail(Fault::InvalidRequest, format!("{what} has a field twice.")));
        }
    }
    Ok(fields)
}

/// Inputs with which a proxy demands something.
const DEMANDS: [&str; 2] = ["role", "scope"];

impl Presented<'_> {
    /// Refuses what a proxy demands in words that nobody reads, or leaves empty: a demand that were passed over would open
    /// what it should have closed.
    fn is_understood(&self, endpoint: &Endpoint) -> Result<(), Refused> {
        let refuse = |why: String| Err(Refused::with_detail(Fault::InvalidRequest, why));
        let sources: Vec<Vec<String>> = endpoint.inputs.values().flat_map(Input::sources).collect();
        for (name, value) in pairs(self.query.as_bytes(), "The address")? {
            if !sources.iter().any(|source| source[0] == "query" && source[1] == name) {
                return refuse("The address has a parameter that is not known here.".to_owned());
            }
            if value.as_str().is_some_and(|value| value.trim().is_empty()) {
                return refuse(format!("`{name}` has no value."));
            }
        }
        let demands = endpoint.inputs.iter().filter(|(name, _)| DEMANDS.contains(name));
        for source in demands.flat_map(|(_, input)| input.sources()) {
            let is_empty = match source[0].as_str() {
                "header" => {
                    let of_name = |(sent, _): &&(&str, &[u8])| sent.eq_ignore_ascii_case(&source[1]);
                    self.headers.iter().filter(of_name).any(|(_, value)| value.trim_ascii().is_empty())
                }
                "body" => {
                    let place = format!("/{}", source[1..].join("/"));
                    let body = Value::Object(self.body.clone());
                    body.pointer(&place).and_then(Value::as_str).is_some_and(|text| text.trim().is_empty())
                }
                _ => false,
            };
            if is_empty {
                return refuse(format!("`{}` has no value.", source[source.len() - 1]));
            }
        }
        Ok(())
    }

    /// What the endpoint's templates are filled from.
    fn scope(&self, endpoint: &Endpoint) -> Result<Value, Refused> {
        let path: Map<String, Value> =
            self.path.iter().map(|(name, value)| ((*name).to_owned(), json!(value))).collect();
        let mut scope = json!({ "header": {}, "body": self.body, "path": path });
        for source in endpoint.inputs.values().flat_map(Input::sources) {
            let parts: Vec<&str> = source.iter().map(String::as_str).collect();
            match parts.as_slice() {
                ["header", name] => {
                    scope["header"][*name] =
                        self.header(&name.to_ascii_lowercase())?.map_or(Value::Null, Value::from);
                }
                ["query", _] if scope.get("query").is_none() => {
                    scope["query"] = Value::Object(pairs(self.query.as_bytes(), "The address")?);
                }
                ["bearer"] => scope["bearer"] = self.bearer()?.map_or(Value::Null, Value::from),
                ["api_key"] => scope["api_key"] = self.header("x-api-key")?.map_or(Value::Null, Value::from),
                ["basic", _] if scope.get("basic").is_none() => {
                    scope["basic"] = self.basic()?.unwrap_or_default();
                }
                _ => {}
            }
        }
        Ok(scope)
    }

    /// The one header of this name, trimmed. Empty counts as absent.
    fn header(&self, name: &str) -> Result<Option<String>, Refused> {
        let alike = |sent: &str| sent.len() == name.len() && sent.replace('_', "-") == name;
        let mut found = self.headers.iter().filter(|(sent, _)| alike(sent));
        let (Some((sent, value)), None) = (found.next(), found.next()) else {
            return match self.headers.iter().any(|(sent, _)| alike(sent)) {
                true => Err(ambiguous(name)),
                false => Ok(None),
            };
        };
        if *sent != name {
            return Err(ambiguous(name));
        }
        let text = std::str::from_utf8(value).map_err(|_| ambiguous(name))?.trim();
        Ok((!text.is_empty()).then(|| text.to_owned()))
    }

    /// The token behind `Bearer`, however that is written. Another scheme is no token.
    fn bearer(&self) -> Result<Option<String>, Refused> {
        let Some(header) = self.header("authorization")? else { return Ok(None) };
        let Some((scheme, token)) = header.split_once(|c: char| c.is_ascii_whitespace()) else {
            return Ok(None);
        };
        let token = token.trim();
        Ok((scheme.eq_ignore_ascii_case("bearer") && !token.is_empty()).then(|| token.to_owned()))
    }

    /// The name and the password behind `Basic`: split at the first colon, so that a password may hold one. Python
    /// sends UTF-8, browsers' `btoa` sends Latin-1.
    fn basic(&self) -> Result<Option<Value>, Refused> {
        let Some(header) = self.header("authorization")? else { return Ok(None) };
        let Some((scheme, encoded)) = header.split_once(|c: char| c.is_ascii_whitespace()) else {
            return Ok(None);
        };
        if !scheme.eq_ignore_ascii_case("basic") {
            return Ok(None);
        }
        let Ok(bytes) = BASE64.decode(encoded.trim()) else { return Ok(None) };
        let text = String::from_utf8(bytes)
            .unwrap_or_else(|latin| latin.into_bytes().into_iter().map(char::from).collect());
        Ok(text.split_once(':').map(|(name, password)| json!({ "username": name, "password": password })))
    }
}

fn value(name: &str, input: &Input, scope: &Value) -> Result<Option<String>, Refused> {
    let found = match &input.from {
        Template::Text(_) if input.from.names().iter().all(|name| name.find(scope).is_null()) => Value::Null,
        template => template.fill(scope),
    };
    match found {
        Value::Null => Ok(None),
        Value::String(text) if text.contains('\0') => {
            Err(Refused::with_detail(Fault::InvalidRequest, format!("{} must be text.", shown(name, input))))
        }
        Value::String(text) => Ok((!text.is_empty()).then_some(text)),
        _ => {
            Err(Refused::with_detail(Fault::InvalidRequest, format!("{} must be text.", shown(name, input))))
        }
    }
}

fn is_emptied(input: &Input, scope: &Value) -> bool {
    let Template::Name(name) = &input.from else { return false };
    let sent = name.parts.iter().try_fold(scope, |value, part| value.get(part));
    name.parts[0] == "body" && sent.is_some_and(|sent| sent.is_null() || sent == "")
}

/// What the client calls the input.
fn shown(name: &str, input: &Input) -> String {
    let source = input.sources().next().and_then(|parts| parts.last().cloned());
    format!("`{}`", source.unwrap_or_else(|| name.to_owned()))
}

fn missing(name: &str, input: &Input) -> Refused {
    match input.missing {
        Fault::InvalidRequest => {
            Refused::with_detail(input.missing, format!("{} is required.", shown(name, input)))
        }
        fault => fault.into(),
    }
}

fn lacking(name: &str) -> Refused {
    Refused::with_detail(Fault::InvalidRequest, format!("`{name}` is required."))
}

fn ambiguous(name: &str) -> Refused {
    Refused::with_detail(Fault::InvalidRequest, format!("The header `{name}` cannot be read."))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dialect::read as read_dialect;

    const FILE: &str = r#"
        name = "test"
        [[endpoint]]
        on = "POST /a"
        action = "password.sign_in"
        input = { login = "{{basic.username}}", password = "{{basic.password}}", organisation = "{{header.X-Org-Id}}" }
        [[endpoint]]
        on = "POST /b"
        action = "check"
        input = { token = "{{bearer}}", api_key = "{{api_key}}" }
        [[endpoint]]
        on = "POST /c"
        action = "password.sign_in"
        input = { login = "{{body.user.name}}", password = "{{body.password}}", workspace = "{{query.w}}" }
    "#;

    fn inputs(path: &str, headers: &[(&str, &str)], query: &str, body: &str) -> Result<Vec<String>, Fault> {
        let dialect = read_dialect("test", FILE).expect("a good file");
        let endpoint =
            dialect.endpoints.iter().find(|endpoint| endpoint.route.text() == path).expect("an endpoint");
        let headers = headers.iter().map(|(name, value)| (*name, value.as_bytes())).collect();
        let body = json_body(body.as_bytes()).map_err(|refused| refused.fault)?;
        let read = read(endpoint, &Presented { headers, query, path: Vec::new(), body })
            .map_err(|refused| refused.fault)?;
        Ok(read.values.iter().map(|(name, value)| format!("{name}={}", value.expose())).collect())
    }

    #[test]
    fn ed_1_basic_is_split_at_the_first_colon_and_read_as_utf_8_or_latin_1() {
        let encode = |bytes: &[u8]| format!("Basic {}", BASE64.encode(bytes));
        let (utf_8, latin_1) = (encode("zoë:pä:ß".as_bytes()), encode(b"zo\xeb:p\xe4:\xdf"));
        for header in [&utf_8, &latin_1, &utf_8.replace("Basic", "bAsIc "), utf_8.trim_end_matches('=')] {
            let found = inputs("/a", &[("authorization", header), ("x-org-id", " acme ")], "", "");
            assert_eq!(found.unwrap(), ["login=zoë", "organisation=acme", "password=pä:ß"], "{header}");
        }
        for header in ["Basic", "Basic %%%", "Bearer eDp5", "Basic eHk=", ""] {
            let found = inputs("/a", &[("authorization", header)], "", "");
            assert_eq!(found, Err(Fault::InvalidCredentials), "{header}");
        }
    }

    #[test]
    fn jk_silent_bearer_is_read_however_it_is_written_and_another_scheme_is_no_token() {
        for header in ["Bearer t", "bearer t", "BEARER   t ", " Bearer\tt"] {
            assert_eq!(inputs("/b", &[("authorization", header)], "", "").unwrap(), ["token=t"], "{header}");
        }
        for header in ["Basic t", "Token t", "Bearer", "Bearer ", "t", ""] {
            let found = inputs("/b", &[("authorization", header)], "", "");
            assert_eq!(found, Err(Fault::TokenMissing), "{header}");
        }
        let both = [("authorization", "Bearer t"), ("x-api-key", "k")];
        assert_eq!(inputs("/b", &both, "", ""), Err(Fault::TwoCredentials));
    }

    #[test]
    fn or_1_a_header_sent_twice_or_with_underscores_is_refused() {
        let basic = ("authorization", "Basic eDp5");
        for headers in [
            vec![basic, ("x-org-id", "a"), ("x-org-id", "b")],
            vec![basic, ("x-org-id", "a"), ("x_org_id", "b")],
            vec![basic, ("x_org_id", "a")],
            vec![basic, basic],
        ] {
            assert_eq!(inputs("/a", &headers, "", ""), Err(Fault::InvalidRequest), "{headers:?}");
        }
        assert_eq!(inputs("/a", &[basic], "", "").unwrap(), ["login=x", "password=y"]);
    }

    #[test]
    fn hl_3_the_wrong_type_of_json_is_refused() {
        let good = r#"{"user":{"name":"x"},"password":"y","more":[1]}"#;
        assert_eq!(inputs("/c", &[], "w=1", good).unwrap(), ["login=x", "password=y", "workspace=1"]);
        for bad in [
            r#"{"user":{"name":1},"password":"y"}"#,
            r#"{"user":{"name":["x"]},"password":"y"}"#,
            r#"{"user":{"name":"x\u0000"},"password":"y"}"#,
            r#"{"user":"x","password":"y"}"#,
            r#"{"user":{"name":"x"},"password":""}"#,
            r#"{"user":{"name":"x"},"password":null}"#,
            r#"{"user":{"name":"x"}}"#,
            "[]",
            "\"x\"",
            "{",
            "{} {}",
            "\u{feff}{}",
            "",
        ] {
            assert_eq!(inputs("/c", &[], "", bad), Err(Fault::InvalidRequest), "{bad}");
        }
        assert_eq!(inputs("/c", &[], "w=1&w=2", good), Err(Fault::InvalidRequest));
        // As forms refuse it: what stands first and what stands last may differ.
        for twice in [
            r#"{"user":{"name":"x"},"password":"y","password":"z"}"#,
            r#"{"user":{"name":"x","name":"y"},"password":"y"}"#,
            r#"{"user":{"name":"x"},"password":"y","more":[{"a":1,"a":1}]}"#,
        ] {
            assert_eq!(inputs("/c", &[], "", twice), Err(Fault::InvalidRequest), "{twice}");
        }
        let deep = format!("{{\"a\":{}{}}}", "[".repeat(40), "]".repeat(40));
        assert_eq!(inputs("/c", &[], "", &deep), Err(Fault::InvalidRequest));
    }

    proptest::proptest! {
        #[test]
        fn hl_3_nothing_that_is_sent_panics(header in "\\PC{0,40}", query in "\\PC{0,40}", body in "\\PC{0,60}") {
            for path in ["/a", "/b", "/c"] {
                let headers = [("authorization", header.as_str()), ("x-org-id", header.as_str())];
                let _ = inputs(path, &headers, &query, &body);
            }
        }
    }
}
