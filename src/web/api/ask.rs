//! What a call brings: a credential, the organisation that it is about, and a body of one type.
//!
//! A header that a proxy could mistake for another (sent twice, or with `_` for `-`) is refused rather than chosen from
//! (OR-1), and so is a call with two credentials.

use actix_web::dev::Payload;
use actix_web::http::header::{ACCEPT_LANGUAGE, CONTENT_TYPE, HeaderMap};
use actix_web::web::Data;
use actix_web::{FromRequest, HttpRequest};
use futures_util::future::LocalBoxFuture;
use serde::de::DeserializeOwned;
use serde_json::Map;

use super::BASE;
use super::once::Once;
use crate::app::App;
use crate::audit::Origin;
use crate::crypto::Secret;
use crate::grants::first_party::{Product, Refresh, Subject};
use crate::identity::notice::Notices;
use crate::identity::session::{Api, Arrival};
use crate::model::{Language, OrganisationId, Slug, WorkspaceId, language};
use crate::tenancy::clients;
use crate::tenancy::membership::Selection;
use crate::web::extract::{self, Credential};
use crate::web::fault::{Fault, Refused};
use crate::web::json;
use crate::web::visit::app;

/// The longest body, where nothing else is said.
const LONGEST: usize = 64 * 1024;
/// Where a picture is sent: 64 KiB of it, in base64, and what stands around it.
pub const WITH_PICTURE: usize = 96 * 1024;

/// Who calls, and then what they send: a body is not read before it is known whose it is.
pub struct Sent<C, T, const MOST: usize = LONGEST> {
    pub by: C,
    pub asked: T,
    /// For what is made once however often it is asked for.
    pub once: Once,
}

impl<C, T, const MOST: usize> FromRequest for Sent<C, T, MOST>
where
    C: FromRequest<Error = Refused>,
    C::Future: 'static,
    T: DeserializeOwned + 'static,
{
    type Error = Refused;
    type Future = LocalBoxFuture<'static, Result<Self, Refused>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let (caller, payload) = (C::from_request(request, &mut Payload::None), payload.take());
        let request = request.clone();
        Box::pin(async move {
            let by = caller.await?;
            if !is_json(request.headers()) {
                return Err(Fault::UnsupportedMediaType.into());
            }
            let body = json::collect(payload, MOST).await?;
            Ok(Self { by, asked: read(&body)?, once: Once::of(&request, &body) })
        })
    }
}

/// One media type and no other: a form of another site cannot send it without asking first.
fn is_json(headers: &HeaderMap) -> bool {
    let Ok(Some(content_type)) = extract::one(headers, CONTENT_TYPE.as_str()) else { return false };
    let mut parts = content_type.split(';').map(str::trim);
    parts.next().is_some_and(|essence| essence.eq_ignore_ascii_case("application/json"))
        && parts.all(|parameter| parameter.eq_ignore_ascii_case("charset=utf-8"))
}

fn read<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Refused> {
    let refuse = |why: String| Refused::with_detail(Fault::InvalidRequest, why);
    if json::is_too_deep(bytes) {
        return Err(refuse("The body is nested too deeply.".to_owned()));
    }
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let body = serde_path_to_error::deserialize(&mut reader).map_err(|error| {
        if !error.inner().is_data() {
            return refuse("The body is not valid JSON.".to_owned());
        }
        let path = error.path().to_string();
        refuse(about_a_field(&path, &error.inner().to_string()).unwrap_or_else(|| match path.as_str() {
            // What else serde says may quote what was sent: a password in the wrong place is not sent back.
            "." => "The body must be a JSON object.".to_owned(),
            _ => format!("`{path}` cannot be taken as it is."),
        }))
    })?;
    reader.end().map_err(|_| refuse("The body is not valid JSON.".to_owned()))?;
    Ok(body)
}

/// What serde says of a field that is missing, there twice or not known: in the names of our own structs.
fn about_a_field(path: &str, said: &str) -> Option<String> {
    let said = said.rsplit_once(" at line ").map_or(said, |(said, _)| said);
    let named = |start: &str| said.strip_prefix(start).and_then(|rest| rest.strip_suffix('`'));
    if let Some(name) = named("missing field `") {
        return Some(format!("`{name}` is missing."));
    }
    if let Some(name) = named("duplicate field `") {
        return Some(format!("`{name}` is there twice."));
    }
    let (_, known) = said.strip_prefix("unknown field `")?.rsplit_once("`, expected ")?;
    Some(format!("`{path}` is not known here: expected {known}."))
}

/// A call of the API, whoever makes it.
#[derive(Clone)]
pub struct Call {
    pub app: Data<App>,
    pub product: Product,
    pub origin: Origin,
    pub language: Language,
    /// What the headers say it is about.
    pub wanted: Selection,
    token: Option<Secret>,
    /// Of a machine.
    pub key: Option<Secret>,
}

impl FromRequest for Call {
    type Error = Refused;
    type Future = LocalBoxFuture<'static, Result<Self, Refused>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let request = request.clone();
        Box::pin(async move {
            let (app, headers) = (app(&request).clone(), request.headers());
            check_names(headers)?;
            let (token, key) = match Credential::read(headers) {
                Ok(Some(Credential::Bearer(token))) => (Some(token), None),
                Ok(Some(Credential::ApiKey(key))) => (None, Some(key)),
                Ok(None) => (None, None),
                Err(error) if headers.contains_key("x-api-key") && headers.contains_key("authorization") => {
                    return Err(Refused::with_detail(Fault::TwoCredentials, sentence(error.description())));
                }
                Err(_) => return Err(Fault::TokenInvalid.into()),
            };
            let accepted = headers.get(ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok());
            let origin = extract::Caller::of(&request).0;
            let wanted =
                selection(header(headers, "x-organization-id")?, header(headers, "x-workspace-id")?)?;
            let language = language::negotiate::<&str>(&[], accepted);
            Ok(Self { product: product(&app).await?, app, origin, language, wanted, token, key })
        })
    }
}

fn sentence(text: &str) -> String {
    format!("{text}.")
}

/// The API as what tokens are for.
async fn product(app: &App) -> Result<Product, Refused> {
    let client = clients::own_api(app, &Origin::system()).await.map_err(Refused::internal)?;
    Ok(Product {
        client,
        audience: app.config.issuer.at(BASE),
        access_ttl: app.config.lifetimes.access,
        refresh: Refresh::Opaque(app.config.lifetimes.refresh_idle),
        needs_organisation: false,
    })
}

/// No header comes under two names, of which a proxy might have looked at the other.
fn check_names(headers: &HeaderMap) -> Result<(), Refused> {
    let is_odd = |name: &str| {
        name.contains('_')
            && ["x-organization-id", "x-workspace-id", "x-api-key", "idempotency-key"]
                .contains(&name.replace('_', "-").as_str())
    };
    match headers.keys().find(|name| is_odd(name.as_str())) {
        Some(name) => Err(unreadable(name.as_str())),
        None => Ok(()),
    }
}

/// The one header of this name. An empty one says nothing that could be meant.
pub fn header<'h>(headers: &'h HeaderMap, name: &str) -> Result<Option<&'h str>, Refused> {
    match extract::one(headers, name).map_err(|_| unreadable(name))?.map(str::trim) {
        Some("") => Err(unreadable(name)),
        value => Ok(value),
    }
}

fn unreadable(name: &str) -> Refused {
    Refused::with_detail(Fault::InvalidRequest, format!("The header `{name}` cannot be read."))
}

/// Malformed, unknown and foreign are the same (OR-1).
fn selection(organisation: Option<&str>, workspace: Option<&str>) -> Result<Selection, Refused> {
    let is_good = |text: &str, is_id: bool| is_id || Slug::parse(text).is_ok();
    let good = organisation.is_none_or(|text| is_good(text, text.parse::<OrganisationId>().is_ok()))
        && workspace.is_none_or(|text| is_good(text, text.parse::<WorkspaceId>().is_ok()));
    if !good {
        return Err(Fault::OrganisationDenied.into());
    }
    Ok(Selection { organisation: organisation.map(str::to_owned), workspace: workspace.map(str::to_owned) })
}

impl Call {
    pub fn notices(&self) -> Notices {
        Notices::of(&self.app, self.language)
    }

    /// Somebody who comes by this API.
    pub fn arrival(&self) -> Arrival {
        let api = Api { session: self.app.config.lifetimes.session_max, first_sign_in: None };
        Arrival { present: Vec::new(), device: None, notices: self.notices(), api: Some(api) }
    }

    /// What tokens are wanted for: said in the body or in a header, and not of two places.
    pub fn place(&self, organization: Option<&str>, workspace: Option<&str>) -> Result<Selection, Refused> {
        let said = selection(organization, workspace)?;
        let differs = |a: &Option<String>, b: &Option<String>| a.is_some() && b.is_some() && a != b;
        let header = &self.wanted;
        if differs(&said.organisation, &header.organisation) || differs(&said.workspace, &header.workspace) {
            return Err(Fault::OrganisationMismatch.into());
        }
        Ok(Selection {
            organisation: said.organisation.or_else(|| header.organisation.clone()),
            workspace: said.workspace.or_else(|| header.workspace.clone()),
        })
    }

    /// The caller's token, whether it is good or not.
    pub fn token(&self) -> Result<&Secret, Refused> {
        self.token.as_ref().ok_or_else(|| Fault::TokenMissing.into())
    }
}

/// This API adds no claims.
pub fn no_claims(_: &Subject) -> Map<String, serde_json::Value> {
    Map::new()
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::{HeaderName, HeaderValue};

    use super::*;

    fn headers(lines: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(HeaderName::from_static(name), HeaderValue::from_static(value));
        }
        headers
    }

    #[test]
    fn bodies_are_json_and_nothing_else() {
        for (text, good) in [
            ("application/json", true),
            ("Application/JSON; charset=UTF-8", true),
            ("application/json; charset=latin1", false),
            ("application/problem+json", false),
            ("text/plain", false),
            ("application/x-www-form-urlencoded", false),
        ] {
            assert_eq!(is_json(&headers(&[("content-type", text)])), good, "{text}");
        }
        assert!(!is_json(&headers(&[])));
    }

    #[test]
    fn or_1_a_header_sent_twice_or_with_underscores_is_refused() {
        let twice = headers(&[("x-organization-id", "a"), ("x-organization-id", "b")]);
        assert!(header(&twice, "x-organization-id").is_err());
        assert!(check_names(&headers(&[("x_organization_id", "a")])).is_err());
        assert!(check_names(&headers(&[("x-organization_id", "a")])).is_err());
        assert!(check_names(&headers(&[("x-organization-id", "a"), ("x_other", "b")])).is_ok());
    }

    #[test]
    fn hl_1_deep_bodies_and_bodies_with_more_behind_them_are_refused() {
        assert!(read::<Vec<i64>>(b"[1]").is_ok());
        for bad in [&b"[1] 2"[..], b"[\"x\"]", b"", b"{"] {
            assert!(read::<Vec<i64>>(bad).is_err());
        }
        let deep = format!("{}{}", "[".repeat(40), "]".repeat(40));
        assert!(read::<serde_json::Value>(deep.as_bytes()).is_err());
    }
}
