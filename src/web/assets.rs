//! Style sheets, pictures and scripts, embedded in the binary.
//!
//! An asset's address holds the beginning of its SHA-256, so it may be cached for ever and a new release never shows
//! a page with an old style. An address with another hash is unknown: during a rolling upgrade an old node must not
//! hand out its style under the new name.

use std::sync::LazyLock;

use actix_web::http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, HeaderMap, IF_NONE_MATCH};
use actix_web::{HttpRequest, HttpResponse, web};

use crate::crypto::Digest;

/// A file that pages refer to.
#[derive(Debug)]
pub struct Asset {
    pub name: &'static str,
    pub bytes: &'static [u8],
    pub content_type: &'static str,
    /// The first eight hexadecimal digits of its SHA-256, as in its address.
    pub hash: String,
    /// With the quotation marks of RFC 9110 §8.8.3.
    pub etag: String,
}

static ASSETS: LazyLock<[Asset; 8]> = LazyLock::new(|| {
    const SVG: &str = "image/svg+xml";
    [
        embed("app.css", "text/css; charset=utf-8", include_bytes!("../../templates/assets/app.css")),
        embed("console.css", "text/css; charset=utf-8", include_bytes!("../../templates/assets/console.css")),
        embed("logo.svg", SVG, include_bytes!("../../templates/assets/logo.svg")),
        embed("favicon.svg", SVG, include_bytes!("../../templates/assets/favicon.svg")),
        embed(
            "form_post.js",
            "text/javascript; charset=utf-8",
            include_bytes!("../../templates/assets/form_post.js"),
        ),
        embed(
            "passkey.js",
            "text/javascript; charset=utf-8",
            include_bytes!("../../templates/assets/passkey.js"),
        ),
        embed("look.js", "text/javascript; charset=utf-8", include_bytes!("../../templates/assets/look.js")),
        embed(
            "watch.js",
            "text/javascript; charset=utf-8",
            include_bytes!("../../templates/assets/watch.js"),
        ),
    ]
});

fn embed(name: &'static str, content_type: &'static str, bytes: &'static [u8]) -> Asset {
    let digest = Digest::of(bytes);
    let hash = digest.as_bytes()[..4].iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    Asset { name, bytes, content_type, etag: format!("\"{hash}\""), hash }
}

/// The address of an asset below the issuer's path: `/assets/1f2e3d4c/app.css`.
pub fn asset_url(name: &'static str) -> String {
    let asset = ASSETS.iter().find(|asset| asset.name == name).expect("pages name only assets that exist");
    format!("/assets/{}/{}", asset.hash, asset.name)
}

/// The asset at an address, if both its hash and its name are ours.
pub fn lookup(hash: &str, name: &str) -> Option<&'static Asset> {
    ASSETS.iter().find(|asset| asset.name == name && asset.hash == hash)
}

/// Below the issuer's path.
pub fn routes(cfg: &mut web::ServiceConfig) {
    cfg.service(web::resource("/assets/{hash}/{file}").route(web::get().to(serve)));
}

/// At the root of the host, where browsers and robots look without being told.
pub fn root_routes(cfg: &mut web::ServiceConfig) {
    cfg.service(web::resource("/favicon.ico").route(web::get().to(favicon)))
        .service(web::resource("/robots.txt").route(web::get().to(robots)));
}

/// `GET /assets/{hash}/{file}`.
async fn serve(request: HttpRequest, path: web::Path<(String, String)>) -> HttpResponse {
    match lookup(&path.0, &path.1) {
        Some(asset) => send(&request, asset, "public, max-age=31536000, immutable"),
        None => HttpResponse::NotFound().finish(),
    }
}

/// `GET /favicon.ico`: the address does not change with the picture, so it is not kept for ever.
async fn favicon(request: HttpRequest) -> HttpResponse {
    let icon = ASSETS.iter().find(|asset| asset.name == "favicon.svg").expect("the icon is embedded");
    send(&request, icon, "public, max-age=86400")
}

/// `GET /robots.txt`: nothing here is for a search engine.
async fn robots() -> &'static str {
    "User-agent: *\nDisallow: /\n"
}

fn send(request: &HttpRequest, asset: &'static Asset, cache: &'static str) -> HttpResponse {
    let mut answer =
        if is_known(request.headers(), asset) { HttpResponse::NotModified() } else { HttpResponse::Ok() };
    answer
        .insert_header((CACHE_CONTROL, cache))
        .insert_header((ETAG, asset.etag.as_str()))
        .insert_header((CONTENT_TYPE, asset.content_type));
    if is_known(request.headers(), asset) { answer.finish() } else { answer.body(asset.bytes) }
}

/// Whether the browser says that it has these bytes (RFC 9110 §13.1.2; a weak validator is as good as a strong one).
fn is_known(headers: &HeaderMap, asset: &Asset) -> bool {
    headers.get_all(IF_NONE_MATCH).filter_map(|value| value.to_str().ok()).any(|value| {
        value.split(',').map(str::trim).any(|tag| tag.strip_prefix("W/").unwrap_or(tag) == asset.etag)
    })
}

#[cfg(test)]
mod tests {
    use actix_web::App;
    use actix_web::http::StatusCode;
    use actix_web::test::{TestRequest, call_service, init_service};

    use super::*;

    #[actix_web::test]
    async fn an_asset_is_served_at_its_address_only_and_for_ever() {
        let app = init_service(App::new().configure(routes)).await;
        let get = |path: String| TestRequest::get().uri(&path);

        let answer = call_service(&app, get(asset_url("app.css")).to_request()).await;
        assert_eq!(answer.status(), StatusCode::OK);
        assert_eq!(answer.headers().get(CONTENT_TYPE).unwrap(), "text/css; charset=utf-8");
        assert!(answer.headers().get(CACHE_CONTROL).unwrap().to_str().unwrap().contains("immutable"));

        let etag = answer.headers().get(ETAG).unwrap().clone();
        let again = get(asset_url("app.css")).insert_header((IF_NONE_MATCH, etag)).to_request();
        assert_eq!(call_service(&app, again).await.status(), StatusCode::NOT_MODIFIED);

        for unknown in
            ["/assets/00000000/app.css", "/assets/00000000/..%2f..%2fCargo.toml", "/assets/x/app.css"]
        {
            let answer = call_service(&app, get(unknown.to_owned()).to_request()).await;
            assert_eq!(answer.status(), StatusCode::NOT_FOUND, "{unknown}");
        }
    }

    #[test]
    fn the_style_sheet_stays_small_and_asks_for_nothing_else() {
        let css = std::str::from_utf8(include_bytes!("../../templates/assets/app.css")).unwrap();
        assert!(css.len() < 16 * 1024, "{} bytes", css.len());
        for outside in ["@import", "url(", "http:", "https:", "expression("] {
            assert!(!css.contains(outside), "{outside}");
        }
    }
}
