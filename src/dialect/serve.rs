//! Dialects over HTTP: which call is whose, its body, its answer, and what scripts of other origins may read.

use std::collections::BTreeSet;
use std::sync::Arc;

use actix_web::guard::GuardContext;
use actix_web::http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_METHOD, ALLOW,
    CACHE_CONTROL, CONTENT_TYPE, HOST, HeaderMap, HeaderName, HeaderValue, ORIGIN, PRAGMA, VARY,
    WWW_AUTHENTICATE,
};
use actix_web::http::{Method as HttpMethod, StatusCode};
use actix_web::web::{self, Payload, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse, guard};

use super::answer::{Answer, refusal};
use super::input::{self, Presented};
use super::model::{BodyForm, Endpoint, Method, Mount};
use super::mounted::{Dialects, Mounted};
use super::read_endpoint::DESCRIPTION;
use super::route::Route;
use super::run::{self, Call};
use crate::app::App;
use crate::config::Issuer;
use crate::web::extract::Caller;
use crate::web::fault::{Fault, Refused};
use crate::web::json::collect;
use crate::web::respond::in_header;

impl Dialects {
    /// Mounts every dialect. Before the rest: a host of a dialect's own is all its.
    pub fn routes(&self, cfg: &mut ServiceConfig, issuer: &Issuer) {
        for mounted in self.0.iter() {
            let prefix = mounted.prefix(issuer);
            let routes = |cfg: &mut ServiceConfig| routes(cfg, mounted, &prefix);
            let scope = web::scope(&prefix).configure(routes);
            match &mounted.mount {
                Mount::Path(_) => cfg.service(scope),
                Mount::Host(host) => {
                    let host = host.clone();
                    cfg.service(scope.guard(guard::fn_guard(move |context| is_host(context, &host))))
                }
            };
        }
    }

    /// The words in which the dialect at this place would refuse what no handler gets to see.
    pub fn refuse(&self, request: &HttpRequest, issuer: &Issuer, status: u16) -> Option<HttpResponse> {
        let fault = match status {
            400 | 414 => Fault::InvalidRequest,
            405 => Fault::MethodNotAllowed,
            413 => Fault::BodyTooLarge,
            415 => Fault::UnsupportedMediaType,
            431 => Fault::HeadersTooLarge,
            _ => return None,
        };
        let host = host_of(request.headers().get(HOST), request.uri().host());
        let mounted = self.0.iter().find(|mounted| match &mounted.mount {
            Mount::Host(name) => host.as_deref() == Some(name),
            Mount::Path(_) => request
                .path()
                .strip_prefix(&mounted.prefix(issuer))
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('/')),
        })?;
        let mut answer = response(&refusal(&mounted.dialect, &fault.into()));
        add_cors(answer.headers_mut(), mounted, request.headers().get(ORIGIN));
        Some(answer)
    }
}

/// A resource for each path, so that calls are counted by it. Which endpoint it is, [`At`] finds by itself: a call of
/// `/users/me` may be one of `/users/{id}`, by its method.
fn routes(cfg: &mut ServiceConfig, mounted: &Arc<Mounted>, prefix: &str) {
    let mut paths: Vec<&Route> = mounted.dialect.endpoints.iter().map(|endpoint| &endpoint.route).collect();
    paths.sort_by(|a, b| a.by_precision(b).then_with(|| a.text().cmp(&b.text())));
    paths.dedup();
    let at = At { mounted: Arc::clone(mounted), prefix: prefix.into() };
    for path in [DESCRIPTION.to_owned()].into_iter().chain(paths.into_iter().map(Route::text)) {
        let at = at.clone();
        cfg.service(web::resource(path).to(move |request, payload| at.clone().answer(request, payload)));
    }
    cfg.default_service(web::to(move |request, payload| at.clone().answer(request, payload)));
}

/// The `Host` only chooses among configured names; no address is made of it.
fn is_host(context: &GuardContext<'_>, host: &str) -> bool {
    let head = context.head();
    host_of(head.headers().get(HOST), head.uri.host()).as_deref() == Some(host)
}

fn host_of(header: Option<&HeaderValue>, target: Option<&str>) -> Option<String> {
    let host = header.and_then(|value| value.to_str().ok()).or(target)?;
    let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
    Some(name.trim_end_matches('.').to_ascii_lowercase())
}

/// The place of a dialect.
#[derive(Clone)]
struct At {
    mounted: Arc<Mounted>,
    prefix: Arc<str>,
}

/// An endpoint, with what a call has at the places of its path.
type Here<'a> = (&'a Endpoint, Vec<(&'a str, String)>);

impl At {
    async fn answer(self, request: HttpRequest, payload: Payload) -> HttpResponse {
        let origin = request.headers().get(ORIGIN).cloned();
        let path = request.match_info().as_str().strip_prefix(&*self.prefix).unwrap_or_default().to_owned();
        let mut answer = if is_preflight(&request) {
            self.preflight(&path, origin.as_ref())
        } else {
            self.serve(&path, &request, payload).await
        };
        add_cors(answer.headers_mut(), &self.mounted, origin.as_ref());
        answer
    }

    async fn serve(&self, path: &str, request: &HttpRequest, payload: Payload) -> HttpResponse {
        if path == DESCRIPTION && request.method() == HttpMethod::GET {
            return described(&self.mounted);
        }
        let refused = match self.endpoint(path, request.method()) {
            Ok(here) => match self.call(here, request, payload).await {
                Ok(answer) => return response(&answer),
                Err(refused) => refused,
            },
            Err(fault) => fault.into(),
        };
        note(request, &self.mounted, &refused);
        tell(request, &refused);
        let mut answer = response(&refusal(&self.mounted.dialect, &refused));
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
        let endpoints = self.mounted.dialect.endpoints.iter();
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
    fn allowed(&self, path: &str) -> HeaderValue {
        let here = self.here(path);
        let mut methods: Vec<&str> = here.iter().map(|(endpoint, _)| endpoint.method.as_str()).collect();
        if path == DESCRIPTION {
            methods.push(Method::Get.as_str());
        }
        methods.sort_unstable();
        methods.dedup();
        methods.join(", ").parse().expect("methods are ASCII")
    }

    async fn call(
        &self,
        (endpoint, path): Here<'_>,
        request: &HttpRequest,
        payload: Payload,
    ) -> Result<Answer, Refused> {
        let mounted = &self.mounted;
        let bytes = collect(payload.into_inner(), mounted.dialect.body_limit).await?;
        let body = match endpoint.reads_body() && !bytes.is_empty() {
            true => match form_of(request.headers(), mounted.dialect.body)? {
                BodyForm::Form => input::form_body(&bytes)?,
                _ => input::json_body(&bytes)?,
            },
            false => serde_json::Map::new(),
        };
        let headers =
            request.headers().iter().map(|(name, value)| (name.as_str(), value.as_bytes())).collect();
        let query = request.query_string();
        let inputs = input::read(endpoint, &Presented { headers, query, path, body })?;
        let secret = mounted.dialect.system_secret_header.as_deref();
        let call = Call {
            app: app(request),
            mounted,
            endpoint,
            inputs,
            origin: Caller::of(request).0,
            language: request
                .headers()
                .get("accept-language")
                .and_then(|value| value.to_str().ok())
                .map(str::to_owned),
            system_secret: secret
                .and_then(|name| request.headers().get(name))
                .map(|value| value.as_bytes().to_vec()),
        };
        run::run(&call).await
    }

    fn preflight(&self, path: &str, origin: Option<&HeaderValue>) -> HttpResponse {
        let mut answer = HttpResponse::NoContent().finish();
        if allowed_origin(&self.mounted, origin).is_some() {
            let headers = answer.headers_mut();
            headers.insert(ACCESS_CONTROL_ALLOW_METHODS, self.allowed(path));
            headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, readable_headers(&self.mounted));
            headers.insert(ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("600"));
        }
        answer
    }
}

/// What a script may send: whatever any endpoint reads. Clients have one set of headers for all their calls.
fn readable_headers(mounted: &Mounted) -> HeaderValue {
    let mut names = vec!["Authorization".to_owned(), "Content-Type".to_owned()];
    let inputs = mounted.dialect.endpoints.iter().flat_map(|endpoint| endpoint.inputs.values());
    for source in inputs.flat_map(|input| input.sources()) {
        match source.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
            ["header", name] => names.push((*name).to_owned()),
            ["api_key"] => names.push("X-API-Key".to_owned()),
            _ => {}
        }
    }
    if mounted.system_secret.is_some() {
        names.extend(mounted.dialect.system_secret_header.clone());
    }
    let mut known = BTreeSet::new();
    names.retain(|name| known.insert(name.to_ascii_lowercase()));
    names.join(", ").parse().expect("headers' names are ASCII")
}

/// The instance that a request was sent to.
fn app(request: &HttpRequest) -> &web::Data<App> {
    request.app_data().expect("every server is built with its App")
}

fn is_preflight(request: &HttpRequest) -> bool {
    request.method() == HttpMethod::OPTIONS
        && request.headers().contains_key(ORIGIN)
        && request.headers().contains_key(ACCESS_CONTROL_REQUEST_METHOD)
}

fn allowed_origin<'o>(mounted: &Mounted, origin: Option<&'o HeaderValue>) -> Option<&'o HeaderValue> {
    origin.filter(|origin| origin.to_str().is_ok_and(|text| mounted.origins.contains(text)))
}

/// Never with credentials: tokens travel in headers that scripts set themselves (CH-4).
fn add_cors(headers: &mut HeaderMap, mounted: &Mounted, origin: Option<&HeaderValue>) {
    if mounted.origins.is_empty() {
        return;
    }
    headers.append(VARY, HeaderValue::from_static("Origin"));
    if let Some(origin) = allowed_origin(mounted, origin) {
        headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
        let mut exposed = vec!["Retry-After", "X-Request-Id"];
        let told = mounted.dialect.endpoints.iter().flat_map(|endpoint| &endpoint.headers);
        exposed.extend(told.map(|(name, _)| name.as_str()));
        exposed.sort_unstable();
        exposed.dedup();
        if let Ok(exposed) = exposed.join(", ").parse() {
            headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, exposed);
        }
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
fn response(answer: &Answer) -> HttpResponse {
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
fn note(request: &HttpRequest, mounted: &Mounted, refused: &Refused) {
    if let Some(cause) = &refused.cause {
        let request_id = Caller::of(request).0.request_id;
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
fn tell(request: &HttpRequest, refused: &Refused) {
    let Caller(origin) = Caller::of(request);
    if !origin.slip.is_refused() && !matches!(refused.fault, Fault::NotFound | Fault::MethodNotAllowed) {
        origin.slip.refuse(refused.explanation());
    }
}
