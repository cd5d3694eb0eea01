//! One call of a dialect, whoever carried it here: which endpoint it is of, its body, and its answer.

use actix_web::http::header::{
    ALLOW, CACHE_CONTROL, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, PRAGMA, WWW_AUTHENTICATE,
};
use actix_web::http::{Method as HttpMethod, StatusCode};
use actix_web::{HttpResponse, web};

use super::answer::{Answer, refusal};
use super::input::{self, Presented};
use super::model::{BodyForm, Endpoint, Method};
use super::mounted::{Dialects, Mounted};
use super::read_endpoint::DESCRIPTION;
use super::run::{self, Call};
use crate::app::App;
use crate::audit::Origin;
use crate::web::call::Incoming;
use crate::web::fault::{Fault, Refused};
use crate::web::json::collect;
use crate::web::respond::in_header;

/// An endpoint, with what a call has at the places of its path.
type Here<'a> = (&'a Endpoint, Vec<(&'a str, String)>);

impl Dialects {
    /// What the dialect of this name answers to a call; `None` if none is called so. The call is of this dialect whatever
    /// its path says.
    pub async fn ask(&self, app: &web::Data<App>, name: &str, call: Incoming<'_>) -> Option<HttpResponse> {
        let mounted = self.iter().find(|mounted| mounted.dialect.name == name)?;
        Some(mounted.answer(app, call).await)
    }
}

impl Mounted {
    /// The answer, also of a call that is refused.
    pub(super) async fn answer(&self, app: &web::Data<App>, call: Incoming<'_>) -> HttpResponse {
        if call.path == DESCRIPTION && call.method == HttpMethod::GET {
            return described(self);
        }
        let (path, origin) = (call.path, call.origin.clone());
        let refused = match self.endpoint(path, call.method) {
            Ok(here) => match self.run(here, app, call).await {
                Ok(answer) => return response(&answer),
                Err(refused) => refused,
            },
            Err(fault) => fault.into(),
        };
        note(&origin, self, &refused);
        tell(&origin, &refused);
        let mut answer = response(&refusal(&self.dialect, &refused));
        let headers = answer.headers_mut();
        match refused.fault {
            Fault::MethodNotAllowed => drop(headers.insert(ALLOW, self.allowed(path))),
            // Never `Basic`: a browser would ask for a password itself.
            Fault::TokenMissing | Fault::TokenInvalid | Fault::TokenExpired => {
                headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
            }
            _ => {}
        }
        answer
    }

    /// The endpoints that a call of this path may be of, the one that names it most precisely first.
    fn here<'a>(&'a self, path: &str) -> Vec<Here<'a>> {
        let endpoints = self.dialect.endpoints.iter();
        let mut here: Vec<Here<'_>> =
            endpoints.filter_map(|endpoint| Some((endpoint, endpoint.route.read(path)?))).collect();
        here.sort_by(|(one, _), (other, _)| one.route.by_precision(&other.route));
        here
    }

    fn endpoint(&self, path: &str, method: &HttpMethod) -> Result<Here<'_>, Fault> {
        let here = self.here(path);
        if here.is_empty() && path != DESCRIPTION {
            return Err(Fault::NotFound);
        }
        let found = here.into_iter().find(|(endpoint, _)| endpoint.method.as_str() == method.as_str());
        found.ok_or(Fault::MethodNotAllowed)
    }

    /// The methods of this path.
    pub(super) fn allowed(&self, path: &str) -> HeaderValue {
        let here = self.here(path);
        let mut methods: Vec<&str> = here.iter().map(|(endpoint, _)| endpoint.method.as_str()).collect();
        if path == DESCRIPTION {
            methods.push(Method::Get.as_str());
        }
        methods.sort_unstable();
        methods.dedup();
        methods.join(", ").parse().expect("methods are ASCII")
    }

    async fn run(
        &self,
        (endpoint, path): Here<'_>,
        app: &web::Data<App>,
        call: Incoming<'_>,
    ) -> Result<Answer, Refused> {
        let sent = call.headers;
        let bytes = collect(call.payload, self.dialect.body_limit).await?;
        let body = match endpoint.reads_body() && !bytes.is_empty() {
            true => match form_of(sent, self.dialect.body)? {
                BodyForm::Form => input::form_body(&bytes)?,
                _ => input::json_body(&bytes)?,
            },
            false => serde_json::Map::new(),
        };
        let headers = sent.iter().map(|(name, value)| (name.as_str(), value.as_bytes())).collect();
        let inputs = input::read(endpoint, &Presented { headers, query: call.query, path, body })?;
        let secret = self.dialect.system_secret_header.as_deref();
        let language = sent.get("accept-language").and_then(|value| value.to_str().ok());
        let call = Call {
            app,
            mounted: self,
            endpoint,
            inputs,
            origin: call.origin,
            language: language.map(str::to_owned),
            system_secret: secret.and_then(|name| sent.get(name)).map(|value| value.as_bytes().to_vec()),
        };
        run::run(&call).await
    }
}

fn form_of(headers: &HeaderMap, taken: BodyForm) -> Result<BodyForm, Refused> {
    let content_type = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let is_json =
        essence == "application/json" || (essence.starts_with("application/") && essence.ends_with("+json"));
    match (essence.as_str(), taken) {
        (_, BodyForm::Json | BodyForm::Either) if is_json => Ok(BodyForm::Json),
        ("application/x-www-form-urlencoded", BodyForm::Form | BodyForm::Either) => Ok(BodyForm::Form),
        _ => Err(Fault::UnsupportedMediaType.into()),
    }
}

/// An answer that nobody keeps.
pub(super) fn response(answer: &Answer) -> HttpResponse {
    let status = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = match &answer.body {
        Some(body) => HttpResponse::build(status).json(body),
        None => HttpResponse::build(status).finish(),
    };
    let headers = response.headers_mut();
    for (name, value) in &answer.headers {
        // An address may be no ASCII; the rest is encoded already, or text of the file's own, which is.
        let value = HeaderValue::from_str(value)
            .or_else(|_| HeaderValue::from_str(&in_header(value)))
            .expect("what is encoded is visible ASCII");
        if let Ok(name) = HeaderName::try_from(name.as_str()) {
            headers.insert(name, value);
        }
    }
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(PRAGMA, HeaderValue::from_static("no-cache"));
    response
}

fn described(mounted: &Mounted) -> HttpResponse {
    HttpResponse::Ok()
        .insert_header((CACHE_CONTROL, "public, max-age=300"))
        .content_type("application/json")
        .body(mounted.description.clone())
}

/// What an operator must know of a refusal; the rest is in the request's own line.
fn note(origin: &Origin, mounted: &Mounted, refused: &Refused) {
    if let Some(cause) = &refused.cause {
        let request_id = &origin.request_id;
        let dialect = &mounted.dialect.name;
        tracing::error!(
            request_id,
            dialect,
            error = refused.fault.as_str(),
            cause,
            "a dialect's call failed"
        );
    }
}

/// Why, for those who run the instance, where nobody has said more. A path that is none is refused to nobody.
fn tell(origin: &Origin, refused: &Refused) {
    if !origin.slip.is_refused() && !matches!(refused.fault, Fault::NotFound | Fault::MethodNotAllowed) {
        origin.slip.refuse(refused.explanation());
    }
}
