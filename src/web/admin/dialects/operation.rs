//! What a login API says of its calls (OpenAPI), as far as a form needs it, and a call made of what was typed into the
//! form.

use actix_web::http::Method;
use actix_web::http::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;
use url::form_urlencoded;

use crate::protocol::Params;

/// The media type of the body, where an API takes more than one.
const JSON: &str = "application/json";
const FORM: &str = "application/x-www-form-urlencoded";
pub const X_API_KEY: HeaderName = HeaderName::from_static("x-api-key");

/// Where a value of the call stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stands {
    Path,
    Query,
    Header,
}

impl Stands {
    fn parse(word: &str) -> Option<Self> {
        Some(match word {
            "path" => Self::Path,
            "query" => Self::Query,
            "header" => Self::Header,
            _ => return None,
        })
    }

    const fn as_str(self) -> &'static str {
        match self {
            Self::Path => "path",
            Self::Query => "query",
            Self::Header => "header",
        }
    }
}

/// A value that the call takes outside its body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parameter {
    pub name: String,
    pub stands: Stands,
    pub required: bool,
}

impl Parameter {
    /// The name of its field.
    pub fn field(&self) -> String {
        format!("{}.{}", self.stands.as_str(), self.name)
    }
}

/// A credential that the call takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    Bearer,
    ApiKey,
    Basic,
}

/// A call that the API describes.
#[derive(Clone, Debug, PartialEq)]
pub struct Operation {
    pub method: Method,
    /// With its places in braces.
    pub path: String,
    /// What it does.
    pub action: String,
    pub parameters: Vec<Parameter>,
    pub schemes: Vec<Scheme>,
    /// The body's type, and an example of it.
    pub body: Option<(&'static str, Value)>,
}

/// Everything that the description offers, by path and method.
pub fn all(description: &str) -> Vec<Operation> {
    let described: Value = serde_json::from_str(description).expect("the description is JSON of ours");
    let Some(paths) = described["paths"].as_object() else { return Vec::new() };
    let operations = paths.iter().flat_map(|(path, methods)| {
        let methods = methods.as_object().into_iter().flatten();
        methods.filter_map(|(method, told)| Operation::of(path, method, told))
    });
    operations.collect()
}

impl Operation {
    fn of(path: &str, method: &str, told: &Value) -> Option<Self> {
        let list = |member: &str| told[member].as_array().cloned().unwrap_or_default();
        let parameter = |one: &Value| {
            Some(Parameter {
                name: one["name"].as_str()?.to_owned(),
                stands: Stands::parse(one["in"].as_str()?)?,
                required: one["required"] == true,
            })
        };
        let schemes = list("security").into_iter().filter_map(|one| {
            let name = one.as_object()?.keys().next()?.clone();
            Some(match name.as_str() {
                "bearer" => Scheme::Bearer,
                "api_key" => Scheme::ApiKey,
                "basic" => Scheme::Basic,
                _ => return None,
            })
        });
        let content = &told["requestBody"]["content"];
        let body = [JSON, FORM].into_iter().find_map(|media| Some((media, content.get(media)?)));
        Some(Self {
            method: method.to_ascii_uppercase().parse().ok()?,
            path: path.to_owned(),
            action: told["summary"].as_str().unwrap_or_default().to_owned(),
            parameters: list("parameters").iter().filter_map(parameter).collect(),
            schemes: schemes.collect(),
            body: body.map(|(media, content)| (media, content["example"].clone())),
        })
    }

    /// Its method and path, by which it is chosen.
    pub fn name(&self) -> String {
        format!("{} {}", self.method, self.path)
    }

    /// The call, with what was typed.
    ///
    /// # Errors
    /// With the field that cannot be sent.
    pub fn fill(&self, typed: &Params) -> Result<Filled, String> {
        let mut filled =
            Filled { path: String::new(), query: String::new(), headers: HeaderMap::new(), body: Vec::new() };
        let mut query = form_urlencoded::Serializer::new(String::new());
        for parameter in &self.parameters {
            let value = match typed.get(&parameter.field()) {
                Some(value) => value,
                // The path would be another one.
                None if parameter.stands == Stands::Path => return Err(parameter.field()),
                None => continue,
            };
            match parameter.stands {
                Stands::Path => {}
                Stands::Query => drop(query.append_pair(&parameter.name, value)),
                Stands::Header => {
                    let name =
                        HeaderName::try_from(parameter.name.as_str()).map_err(|_| parameter.field())?;
                    filled.headers.insert(name, header(value).ok_or_else(|| parameter.field())?);
                }
            }
        }
        filled.query = query.finish();
        filled.path = self.path_with(typed);
        self.credentials(typed, &mut filled.headers)?;
        if let Some((media, _)) = self.body {
            let body = typed.get("body").unwrap_or_default();
            filled.body = match media {
                FORM => form(body).ok_or_else(|| "body".to_owned())?,
                _ => body.as_bytes().to_vec(),
            };
            filled.headers.insert(CONTENT_TYPE, HeaderValue::from_static(media));
        }
        Ok(filled)
    }

    /// Each value in its own place: what it holds of slashes and dots is encoded, so that it stays one part of the path.
    fn path_with(&self, typed: &Params) -> String {
        let parts = self.path.split('/').map(|part| match self.place(part) {
            Some(place) => {
                let value = typed.get(&place.field()).unwrap_or_default();
                utf8_percent_encode(value, NON_ALPHANUMERIC).to_string()
            }
            None => part.to_owned(),
        });
        parts.collect::<Vec<_>>().join("/")
    }

    fn place(&self, part: &str) -> Option<&Parameter> {
        let name = part.strip_prefix('{')?.strip_suffix('}')?;
        self.parameters.iter().find(|one| one.stands == Stands::Path && one.name == name)
    }

    fn credentials(&self, typed: &Params, headers: &mut HeaderMap) -> Result<(), String> {
        for scheme in &self.schemes {
            let (name, field, value) = match scheme {
                Scheme::Bearer => {
                    let token = typed.get("access_token").map(|token| format!("Bearer {}", token.trim()));
                    (AUTHORIZATION, "access_token", token)
                }
                Scheme::ApiKey => {
                    (X_API_KEY, "api_key", typed.get("api_key").map(|key| key.trim().to_owned()))
                }
                Scheme::Basic => {
                    let pair = typed.get("username").map(|name| {
                        let password = typed.get("password").unwrap_or_default();
                        format!("Basic {}", BASE64_STANDARD.encode(format!("{name}:{password}")))
                    });
                    (AUTHORIZATION, "username", pair)
                }
            };
            if let Some(value) = value {
                headers.insert(name, header(&value).ok_or_else(|| field.to_owned())?);
            }
        }
        Ok(())
    }
}

/// A call, ready to be made.
#[derive(Debug)]
pub struct Filled {
    /// Percent-encoded.
    pub path: String,
    pub query: String,
    pub headers: HeaderMap,
    pub body: Vec<u8>,
}

/// `None` for what no header may hold.
fn header(value: &str) -> Option<HeaderValue> {
    HeaderValue::from_bytes(value.as_bytes()).ok()
}

/// An object of texts as a form; `None` for anything else.
fn form(json: &str) -> Option<Vec<u8>> {
    let object: serde_json::Map<String, Value> = serde_json::from_str(json).ok()?;
    let mut form = form_urlencoded::Serializer::new(String::new());
    for (name, value) in &object {
        form.append_pair(name, value.as_str()?);
    }
    Some(form.finish().into_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    const DESCRIPTION: &str = r#"{ "paths": { "/users/{id}/mails": { "post": {
        "summary": "me",
        "parameters": [
            { "name": "id", "in": "path", "required": true },
            { "name": "w", "in": "query", "required": false },
            { "name": "X-Org-Id", "in": "header", "required": true }
        ],
        "security": [{ "bearer": [] }, { "api_key": [] }],
        "requestBody": { "content": { "application/json": { "example": { "a": "b" } } } }
    } } } }"#;

    fn filled(typed: &str) -> Result<Filled, String> {
        let all = all(DESCRIPTION);
        assert_eq!(all[0].name(), "POST /users/{id}/mails");
        all[0].fill(&Params::parse(typed.as_bytes()).expect("parameters"))
    }

    #[test]
    fn what_is_typed_stays_in_its_place() {
        for (typed, path) in [
            ("7", "/users/7/mails"),
            ("..", "/users/%2E%2E/mails"),
            ("../../admin", "/users/%2E%2E%2F%2E%2E%2Fadmin/mails"),
            ("a?b%23c", "/users/a%3Fb%23c/mails"),
            ("%252e%252e", "/users/%252e%252e/mails"),
        ] {
            let call = filled(&format!("path.id={typed}&query.w=a%26b&header.X-Org-Id=acme")).expect(typed);
            assert_eq!((call.path.as_str(), call.query.as_str()), (path, "w=a%26b"));
            assert_eq!(call.headers.get("x-org-id").unwrap(), "acme");
        }
    }

    #[test]
    fn what_cannot_be_sent_is_said_of_its_field() {
        assert_eq!(filled("").unwrap_err(), "path.id");
        assert_eq!(filled("path.id=1&header.X-Org-Id=a%0d%0ax-b:+c").unwrap_err(), "header.X-Org-Id");
        assert_eq!(filled("path.id=1&access_token=a%0ab").unwrap_err(), "access_token");
        assert_eq!(filled("path.id=1&api_key=a%0ab").unwrap_err(), "api_key");
    }

    #[test]
    fn a_credential_goes_into_its_header_alone() {
        let call = filled("path.id=1&access_token=+t+&body=%7B%7D").expect("a call");
        assert_eq!(call.headers.get(AUTHORIZATION).unwrap(), "Bearer t");
        assert_eq!((call.headers.len(), call.body.as_slice()), (2, &b"{}"[..]));
        assert_eq!(form(r#"{"a":"b c","d":"&"}"#).unwrap(), b"a=b+c&d=%26");
        assert!(form(r#"{"a":1}"#).is_none() && form("[]").is_none());
    }
}
