//! Whose request this is: the one function that answers it (RL-1).
//!
//! The socket's peer, unless that is a trusted proxy; then the nearest hop that is not one, as the configured header
//! tells it. Whatever does not read as an address makes the peer the answer again: no spelling gets around a limit.

use std::net::{IpAddr, SocketAddr};

use actix_web::http::header::HeaderMap;

use crate::config::{ForwardedHeader, Server};

/// The client's address. `None` only where the transport has no addresses.
pub fn client_ip(peer: Option<IpAddr>, headers: &HeaderMap, server: &Server) -> Option<IpAddr> {
    let peer = peer?.to_canonical();
    if !is_trusted(server, peer) {
        return Some(peer);
    }
    Some(nearest_stranger(headers, server).unwrap_or(peer))
}

/// The hops are written by proxies from left to right; those on the right were written by ours. When all of them
/// are ours, the first one is where the request began.
fn nearest_stranger(headers: &HeaderMap, server: &Server) -> Option<IpAddr> {
    let lines: Vec<&str> = headers
        .get_all(server.forwarded_header.as_str())
        .map(|line| line.to_str().ok())
        .collect::<Option<_>>()?;
    let mut nearest = None;
    for hop in lines.iter().rev().flat_map(|line| line.rsplit(',')) {
        let address = match server.forwarded_header {
            ForwardedHeader::XForwardedFor => parse_address(hop.trim())?,
            ForwardedHeader::Forwarded => parse_forwarded(hop)?,
        };
        nearest = Some(address);
        if !is_trusted(server, address) {
            break;
        }
    }
    nearest
}

fn is_trusted(server: &Server, address: IpAddr) -> bool {
    server.trusted_proxies.iter().any(|network| network.contains(address))
}

/// One element of RFC 7239 §4: `for=192.0.2.60;proto=http`, `For="[2001:db8::17]:4711"`. Obfuscated identifiers
/// (`_hidden`, `unknown`) are no addresses. A comma or semicolon inside quotation marks is in no address either.
fn parse_forwarded(element: &str) -> Option<IpAddr> {
    let mut hops = element.split(';').filter_map(|pair| {
        let (name, value) = pair.trim().split_once('=')?;
        name.trim().eq_ignore_ascii_case("for").then(|| value.trim())
    });
    let (Some(hop), None) = (hops.next(), hops.next()) else { return None };
    match hop.strip_prefix('"') {
        Some(quoted) => parse_address(quoted.strip_suffix('"')?),
        None => parse_address(hop),
    }
}

/// An address as proxies write it: bare, with a port, in brackets.
fn parse_address(text: &str) -> Option<IpAddr> {
    let bracketed = || text.strip_prefix('[')?.strip_suffix(']')?.parse::<IpAddr>().ok();
    text.parse::<IpAddr>()
        .ok()
        .or_else(|| text.parse::<SocketAddr>().ok().map(|address| address.ip()))
        .or_else(bracketed)
        .map(|address| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::{HeaderName, HeaderValue};

    use super::*;

    fn ask(header: ForwardedHeader, peer: &str, lines: &[&[u8]]) -> String {
        let server = Server {
            trusted_proxies: ["10.0.0.0/8", "fd00::/8"].map(|text| text.parse().unwrap()).to_vec(),
            forwarded_header: header,
            ..Server::default()
        };
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(HeaderName::from_static(header.as_str()), HeaderValue::from_bytes(line).unwrap());
        }
        client_ip(Some(peer.parse().unwrap()), &headers, &server).unwrap().to_string()
    }

    #[test]
    fn rl_1_x_forwarded_for() {
        let cases: &[(&str, &[&[u8]], &str)] = &[
            ("203.0.113.9", &[b"192.0.2.1"], "203.0.113.9"),
            ("203.0.113.9", &[], "203.0.113.9"),
            ("10.0.0.1", &[], "10.0.0.1"),
            ("10.0.0.1", &[b"192.0.2.1"], "192.0.2.1"),
            ("::ffff:10.0.0.1", &[b"192.0.2.1"], "192.0.2.1"),
            // What a client wrote itself stands further left.
            ("10.0.0.1", &[b"198.51.100.7, 192.0.2.1"], "192.0.2.1"),
            ("10.0.0.1", &[b"garbage, 192.0.2.1"], "192.0.2.1"),
            ("10.0.0.1", &[b"192.0.2.1, 10.2.3.4,10.9.9.9"], "192.0.2.1"),
            ("10.0.0.1", &[b"198.51.100.7", b"192.0.2.1, 10.2.3.4"], "192.0.2.1"),
            ("10.0.0.1", &[b"192.0.2.1", b"10.2.3.4"], "192.0.2.1"),
            ("10.0.0.1", &[b"10.7.7.7, 10.2.3.4"], "10.7.7.7"),
            ("fd00::1", &[b"2001:db8::17"], "2001:db8::17"),
            ("10.0.0.1", &[b"[2001:db8::17]:4711"], "2001:db8::17"),
            ("10.0.0.1", &[b"[2001:db8::17]"], "2001:db8::17"),
            ("10.0.0.1", &[b"192.0.2.1:4711"], "192.0.2.1"),
            ("10.0.0.1", &[b"::ffff:192.0.2.1"], "192.0.2.1"),
            // Unparsable: the peer.
            ("10.0.0.1", &[b""], "10.0.0.1"),
            ("10.0.0.1", &[b"unknown"], "10.0.0.1"),
            ("10.0.0.1", &[b"192.0.2.1,"], "10.0.0.1"),
            ("10.0.0.1", &[b"192.0.2.1, x, 10.2.3.4"], "10.0.0.1"),
            ("10.0.0.1", &[b"192.0.2.1, \xff"], "10.0.0.1"),
            ("10.0.0.1", &[b"192.0.2.256"], "10.0.0.1"),
            ("10.0.0.1", &[b"localhost"], "10.0.0.1"),
            ("10.0.0.1", &[b"for=192.0.2.1"], "10.0.0.1"),
        ];
        for (peer, lines, expected) in cases {
            assert_eq!(ask(ForwardedHeader::XForwardedFor, peer, lines), *expected, "{peer} {lines:?}");
        }
    }

    #[test]
    fn rl_1_forwarded() {
        let cases: &[(&[&[u8]], &str)] = &[
            (&[b"for=192.0.2.1"], "192.0.2.1"),
            (&[b"For=192.0.2.1;proto=https;by=203.0.113.43"], "192.0.2.1"),
            (&[b"proto=https; for = 192.0.2.1"], "192.0.2.1"),
            (&[b"for=\"[2001:db8:cafe::17]:4711\""], "2001:db8:cafe::17"),
            (&[b"for=\"192.0.2.1:80\""], "192.0.2.1"),
            (&[b"for=198.51.100.7, for=192.0.2.1, for=10.1.1.1"], "192.0.2.1"),
            (&[b"for=198.51.100.7", b"for=192.0.2.1"], "192.0.2.1"),
            (&[b"for=unknown"], "10.0.0.1"),
            (&[b"for=_hidden"], "10.0.0.1"),
            (&[b"for=192.0.2.1, proto=https"], "10.0.0.1"),
            (&[b"for=192.0.2.1;for=192.0.2.2"], "10.0.0.1"),
            (&[b"for=\"192.0.2.1"], "10.0.0.1"),
            (&[b"for=\"a,b\""], "10.0.0.1"),
            (&[b"192.0.2.1"], "10.0.0.1"),
        ];
        for (lines, expected) in cases {
            assert_eq!(ask(ForwardedHeader::Forwarded, "10.0.0.1", lines), *expected, "{lines:?}");
        }
    }

    #[test]
    fn rl_1_only_the_configured_header_counts() {
        let mut headers = HeaderMap::new();
        for name in ["forwarded", "x-real-ip", "x-client-ip", "cf-connecting-ip", "true-client-ip"] {
            headers.insert(HeaderName::from_static(name), HeaderValue::from_static("192.0.2.1"));
        }
        let server = Server { trusted_proxies: vec!["10.0.0.0/8".parse().unwrap()], ..Server::default() };
        let peer = Some("10.0.0.1".parse().unwrap());
        assert_eq!(client_ip(peer, &headers, &server), peer);
        assert_eq!(client_ip(None, &headers, &server), None);
    }
}
