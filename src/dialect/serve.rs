//! Dialects over HTTP: which call is whose, and what scripts of other origins may read of its answer.

use std::collections::BTreeSet;
use std::sync::Arc;

use actix_web::guard::GuardContext;
use actix_web::http::Method as HttpMethod;
use actix_web::http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_METHOD, HOST, HeaderMap,
    HeaderValue, ORIGIN, VARY,
};
use actix_web::web::{self, Payload, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse, guard};

use super::answer::refusal;
use super::ask::response;
use super::model::Mount;
use super::mounted::{Dialects, Mounted};
use super::read_endpoint::DESCRIPTION;
use super::route::Route;
use crate::app::App;
use crate::config::Issuer;
use crate::web::call::Incoming;
use crate::web::extract::Caller;
use crate::web::fault::Fault;

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

/// A resource for each path, so that calls are counted by it. Which endpoint it is, [`Mounted::answer`] finds by itself:
/// a call of `/users/me` may be one of `/users/{id}`, by its method.
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

impl At {
    async fn answer(self, request: HttpRequest, payload: Payload) -> HttpResponse {
        let origin = request.headers().get(ORIGIN).cloned();
        let path = request.match_info().as_str().strip_prefix(&*self.prefix).unwrap_or_default().to_owned();
        let mut answer = if is_preflight(&request) {
            self.preflight(&path, origin.as_ref())
        } else {
            let call = Incoming {
                method: request.method(),
                path: &path,
                query: request.query_string(),
                headers: request.headers(),
                payload: payload.into_inner(),
                origin: Caller::of(&request).0,
            };
            self.mounted.answer(app(&request), call).await
        };
        add_cors(answer.headers_mut(), &self.mounted, origin.as_ref());
        answer
    }

    fn preflight(&self, path: &str, origin: Option<&HeaderValue>) -> HttpResponse {
        let mut answer = HttpResponse::NoContent().finish();
        if allowed_origin(&self.mounted, origin).is_some() {
            let headers = answer.headers_mut();
            headers.insert(ACCESS_CONTROL_ALLOW_METHODS, self.mounted.allowed(path));
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
