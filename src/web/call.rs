//! A call of an API as it came, before anybody has looked at what it asks for: from the network, or from a form of the
//! console.

use actix_web::dev::Payload;
use actix_web::http::Method;
use actix_web::http::header::HeaderMap;

use crate::audit::Origin;

/// A call whose body has not been read.
pub struct Incoming<'c> {
    pub method: &'c Method,
    /// Below the place of the API, as it was sent: percent-encoded.
    pub path: &'c str,
    pub query: &'c str,
    pub headers: &'c HeaderMap,
    pub payload: Payload,
    pub origin: Origin,
}
