//! A file that a form of ours sends (`multipart/form-data`, RFC 7578), from somebody who may change what the route is
//! about. Small ones only: they are held in memory.

use std::time::Duration;

use actix_web::dev::Payload;
use actix_web::http::header::CONTENT_TYPE;
use actix_web::{FromRequest, HttpRequest};
use futures_util::StreamExt;
use futures_util::future::LocalBoxFuture;

use super::access::{Change, Console};
use crate::protocol::Params;
use crate::web::csrf;
use crate::web::extract::Browser;
use crate::web::failure::PageFailure;
use crate::web::guard::MAX_BODY;

const MAX_PARTS: usize = 8;
const BODY_TIME: Duration = Duration::from_secs(15);

/// What was sent.
pub struct Upload {
    pub change: Change,
    /// The first file; empty if none was chosen.
    pub file: Vec<u8>,
}

impl FromRequest for Upload {
    type Error = actix_web::Error;
    type Future = LocalBoxFuture<'static, Result<Self, Self::Error>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let console = Console::from_request(request, payload);
        let (request, payload) = (request.clone(), payload.take());
        Box::pin(async move {
            let console = console.await?;
            let app = console.app();
            if !csrf::is_sent_by(&app.config.issuer.origin(), request.headers()) {
                return Err(PageFailure::FormExpired.into());
            }
            let content_type = request.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
            let boundary = content_type.and_then(boundary_of).ok_or(PageFailure::FormExpired)?.to_owned();
            let body = tokio::time::timeout(BODY_TIME, collect(payload)).await.map_err(|_| malformed())??;
            let parts = parts(&boundary, &body).ok_or_else(malformed)?;
            let of = |name: &str| parts.iter().find(|part| part.name == name).map(|part| part.bytes);
            let token = of(csrf::FIELD).and_then(|token| std::str::from_utf8(token).ok());
            match (Browser::from_request(&request, &mut Payload::None).await?.binding, token) {
                (Some(binding), Some(token)) if csrf::verify(&app.master, &binding, token) => {}
                _ => return Err(PageFailure::FormExpired.into()),
            }
            let file = of("file").unwrap_or_default().to_vec();
            Ok(Self { change: Change::of(console, Params::default()), file })
        })
    }
}

fn malformed() -> PageFailure {
    PageFailure::Unreadable("the body must be multipart/form-data, whole and within 15 seconds".to_owned())
}

async fn collect(mut payload: Payload) -> Result<Vec<u8>, PageFailure> {
    let mut body = Vec::new();
    while let Some(chunk) = payload.next().await {
        let chunk = chunk.map_err(|_| malformed())?;
        if body.len() + chunk.len() > MAX_BODY {
            return Err(PageFailure::TooLarge);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

/// One field of the form.
struct Part<'b> {
    name: String,
    bytes: &'b [u8],
}

fn boundary_of(content_type: &str) -> Option<&str> {
    let mut parts = content_type.split(';').map(str::trim);
    if !parts.next()?.eq_ignore_ascii_case("multipart/form-data") {
        return None;
    }
    let boundary = parts.find_map(|part| part.strip_prefix("boundary="))?.trim_matches('"');
    (1..=70).contains(&boundary.len()).then_some(boundary)
}

/// The fields in their order; `None` if this is no such body.
fn parts<'b>(boundary: &str, body: &'b [u8]) -> Option<Vec<Part<'b>>> {
    let delimiter = format!("\r\n--{boundary}").into_bytes();
    let mut rest = body.strip_prefix(&delimiter[2..])?;
    let mut found = Vec::new();
    while !rest.starts_with(b"--") {
        rest = rest.strip_prefix(b"\r\n")?;
        let head = position(rest, b"\r\n\r\n")?;
        let name = name_of(std::str::from_utf8(&rest[..head]).ok()?)?;
        let inside = &rest[head + 4..];
        let end = position(inside, &delimiter)?;
        if found.len() == MAX_PARTS {
            return None;
        }
        found.push(Part { name, bytes: &inside[..end] });
        rest = &inside[end + delimiter.len()..];
    }
    Some(found)
}

fn name_of(head: &str) -> Option<String> {
    let line = head.lines().find(|line| {
        line.split_once(':').is_some_and(|(name, _)| name.trim().eq_ignore_ascii_case("content-disposition"))
    })?;
    let name = line.split(';').map(str::trim).find_map(|part| part.strip_prefix("name=\""))?;
    Some(name.strip_suffix('"')?.to_owned())
}

fn position(text: &[u8], sought: &[u8]) -> Option<usize> {
    text.windows(sought.len()).position(|window| window == sought)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_with_a_file_is_taken_apart() {
        let body = b"--B1\r\nContent-Disposition: form-data; name=\"csrf\"\r\n\r\ntoken\r\n--B1\r\n\
            content-disposition: form-data; name=\"file\"; filename=\"a; name=\\\"x.png\"\r\nContent-Type: image/png\r\n\r\n\
            \x89PNG\r\n\x1a\n--B\r\n\r\n--B1--\r\n";
        let found = parts("B1", body).expect("it is one");
        assert_eq!(found.len(), 2);
        assert_eq!((found[0].name.as_str(), found[0].bytes), ("csrf", b"token".as_slice()));
        assert_eq!(
            (found[1].name.as_str(), found[1].bytes),
            ("file", b"\x89PNG\r\n\x1a\n--B\r\n".as_slice())
        );
    }

    #[test]
    fn what_is_cut_short_or_something_else_is_none() {
        let whole = b"--B\r\nContent-Disposition: form-data; name=\"file\"\r\n\r\nx\r\n--B--";
        assert!(parts("B", whole).is_some());
        for end in 0..whole.len() - 1 {
            assert!(parts("B", &whole[..end]).is_none(), "{end}");
        }
        assert!(parts("C", whole).is_none());
        assert!(parts("B", b"--B\r\nX: y\r\n\r\nx\r\n--B--").is_none(), "a field without a name");
        for (text, boundary) in [
            ("multipart/form-data; boundary=abc", Some("abc")),
            ("Multipart/Form-Data; charset=utf-8; boundary=\"a b\"", Some("a b")),
            ("multipart/form-data", None),
            ("multipart/form-data; boundary=", None),
            ("text/plain; boundary=abc", None),
        ] {
            assert_eq!(boundary_of(text), boundary, "{text}");
        }
    }
}
