//! Where an address that was asked for leaves the registered ones: what a developer needs to see.
//!
//! Decides nothing: [`super::redirect::matches`] does. The parts are cut out of the text as it stands, since it is the
//! text that is compared.

use crate::model::explanation::{Explanation, Rule};

/// A part of an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    Scheme,
    UserInfo,
    Host,
    Port,
    Path,
    /// The paths are the same but for slashes at the end.
    TrailingSlash,
    /// The part is the same but for capital letters.
    Case,
    Query,
    Fragment,
}

impl Part {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Scheme => "scheme",
            Self::UserInfo => "user name",
            Self::Host => "host",
            Self::Port => "port",
            Self::Path => "path",
            Self::TrailingSlash => "trailing slash",
            Self::Case => "capital letters",
            Self::Query => "query",
            Self::Fragment => "fragment",
        }
    }
}

/// The first difference from the registered address that comes nearest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Difference<'a> {
    pub nearest: &'a str,
    pub part: Part,
    /// The part as it was asked for, with what divides it from the one before.
    pub asked: &'a str,
    pub registered: &'a str,
}

const PARTS: [Part; 7] =
    [Part::Scheme, Part::UserInfo, Part::Host, Part::Port, Part::Path, Part::Query, Part::Fragment];

/// `None` if nothing is registered, or the address is.
pub fn difference<'a>(asked: &'a str, registered: &'a [String]) -> Option<Difference<'a>> {
    let parts = split(asked);
    // The first of those that are equally near.
    let (nearest, theirs) = registered
        .iter()
        .map(|uri| (uri.as_str(), split(uri)))
        .rev()
        .max_by_key(|(uri, theirs)| (equal_parts(&parts, theirs), shared(asked, uri)))?;
    let at = (0..PARTS.len()).find(|&at| parts[at] != theirs[at])?;
    let (asked, registered) = (parts[at], theirs[at]);
    let part = match PARTS[at] {
        Part::Path if asked.trim_end_matches('/') == registered.trim_end_matches('/') => Part::TrailingSlash,
        _ if asked.eq_ignore_ascii_case(registered) => Part::Case,
        part => part,
    };
    Some(Difference { nearest, part, asked, registered })
}

/// Why this redirect URI is refused, in facts that hold nothing of what stands in its query or in front of its host.
pub fn explain(asked: &str, registered: &[String]) -> Explanation {
    let [scheme, _, host, port, path, ..] = split(asked);
    let explanation =
        Explanation::of(Rule::RedirectUri).with("asked for", format!("{scheme}{host}{port}{path}"));
    let Some(found) = difference(asked, registered) else { return explanation.with("registered", "none") };
    let shown = match found.part {
        Part::UserInfo => if found.asked.is_empty() { "none" } else { "one" }.to_owned(),
        Part::Fragment => if found.asked.is_empty() { "none" } else { "#…" }.to_owned(),
        _ if found.asked.starts_with('?') => names_of(found.asked),
        _ => plain(found.asked),
    };
    explanation
        .with("differs in", found.part.as_str())
        .with("asked", shown)
        .with("registered", plain(found.registered))
        .with("nearest registered", found.nearest)
        .with("registered in all", registered.len())
}

/// The parts of an address, which together are the address again.
fn split(uri: &str) -> [&str; 7] {
    let scheme = match uri.split_once(':') {
        Some((scheme, rest)) => scheme.len() + 1 + if rest.starts_with("//") { 2 } else { 0 },
        None => 0,
    };
    let (scheme, rest) = uri.split_at(scheme);
    let authority = match scheme.ends_with("//") {
        true => rest.find(['/', '?', '#', '\\']).unwrap_or(rest.len()),
        false => 0,
    };
    let (authority, rest) = rest.split_at(authority);
    let (user, host_and_port) = authority.split_at(authority.rfind('@').map_or(0, |at| at + 1));
    let after_name = host_and_port.rfind(']').unwrap_or(0);
    let port = host_and_port[after_name..].find(':').map_or(host_and_port.len(), |at| at + after_name);
    let (host, port) = host_and_port.split_at(port);
    let (rest, fragment) = rest.split_at(rest.find('#').unwrap_or(rest.len()));
    let (path, query) = rest.split_at(rest.find('?').unwrap_or(rest.len()));
    [scheme, user, host, port, path, query, fragment]
}

fn equal_parts(one: &[&str; 7], other: &[&str; 7]) -> usize {
    one.iter().zip(other).filter(|(one, other)| one == other).count()
}

/// The characters that both begin with and that both end with.
fn shared(one: &str, other: &str) -> usize {
    let same = |(a, b): &(u8, u8)| a == b;
    one.bytes().zip(other.bytes()).take_while(same).count()
        + one.bytes().rev().zip(other.bytes().rev()).take_while(same).count()
}

/// A part without what divides it from the one before.
fn plain(part: &str) -> String {
    let text = part.trim_end_matches("://").trim_start_matches([':', '?', '#']);
    if text.is_empty() { "none".to_owned() } else { text.to_owned() }
}

/// Of a query, what its parameters are called: what they say may be a secret.
fn names_of(query: &str) -> String {
    let names = query.trim_start_matches('?').split('&').map(|pair| match pair.split_once('=') {
        Some((name, _)) => format!("{name}=…"),
        None => "…".to_owned(),
    });
    names.collect::<Vec<_>>().join("&")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::protocol::fixtures::strings;

    #[test]
    fn the_first_differing_part_of_the_nearest_address_is_named() {
        const CB: &str = "https://app.example.com/cb";
        let registered =
            strings(&[CB, "http://localhost:3000/cb", "com.example.app:/back", "http://[::1]:8/cb?x=1"]);
        for (asked, part, theirs, ours, nearest) in [
            ("https://app.example.com/cb/", Part::TrailingSlash, "/cb/", "/cb", CB),
            ("https://app.example.com/callback", Part::Path, "/callback", "/cb", CB),
            ("https://app.example.com/CB", Part::Case, "/CB", "/cb", CB),
            ("https://App.example.com/cb", Part::Case, "App.example.com", "app.example.com", CB),
            ("http://app.example.com/cb", Part::Scheme, "http://", "https://", CB),
            ("https://www.example.com/cb", Part::Host, "www.example.com", "app.example.com", CB),
            ("https://app.example.com:443/cb", Part::Port, ":443", "", CB),
            ("https://app.example.com/cb?a=b", Part::Query, "?a=b", "", CB),
            ("https://app.example.com/cb#a", Part::Fragment, "#a", "", CB),
            ("https://evil@app.example.com/cb", Part::UserInfo, "evil@", "", CB),
            ("http://localhost:3001/cb", Part::Port, ":3001", ":3000", "http://localhost:3000/cb"),
            ("http://localhost/cb", Part::Port, "", ":3000", "http://localhost:3000/cb"),
            ("com.example.app:/backwards", Part::Path, "/backwards", "/back", "com.example.app:/back"),
            ("http://[::1]:9/cb?x=1", Part::Port, ":9", ":8", "http://[::1]:8/cb?x=1"),
        ] {
            let expected = Difference { nearest, part, asked: theirs, registered: ours };
            assert_eq!(difference(asked, &registered), Some(expected), "{asked}");
        }
        assert_eq!(difference(CB, &registered), None);
        assert_eq!(difference(CB, &[]), None);
    }

    #[test]
    fn lo_2_what_stands_in_a_query_or_before_a_host_is_not_told() {
        let registered = strings(&["https://app.example.com/cb"]);
        for asked in [
            "https://app.example.com/cb?password=hunter2&hunter2",
            "https://ada:hunter2@app.example.com/cb",
            "https://ada:hunter2@app.example.com/elsewhere?token=hunter2#hunter2",
            "https://app.example.com/cb#hunter2",
        ] {
            let told = explain(asked, &registered);
            assert!(!format!("{told:?}").contains("hunter2"), "{told:?}");
            assert_eq!(told.fact("nearest registered"), Some("https://app.example.com/cb"));
        }
        let told = explain("https://app.example.com/cb?a=1&b", &registered);
        assert_eq!((told.fact("differs in"), told.fact("asked")), (Some("query"), Some("a=…&…")));
    }

    proptest! {
        #[test]
        fn the_parts_are_the_address(uri in "[a-z:/?#@.\\[\\]0-9\\\\]{0,40}|.{0,40}") {
            prop_assert_eq!(split(&uri).concat(), uri);
        }

        #[test]
        fn what_is_told_is_different_and_all_before_it_is_the_same(
            asked in "(https?|com\\.x):(//)?[a-c@:/?#.0-9A-B]{0,20}",
            registered in proptest::collection::vec("(https?|com\\.x):(//)?[a-c@:/?#.0-9A-B]{0,20}", 1..5),
        ) {
            match difference(&asked, &registered) {
                None => prop_assert!(registered.contains(&asked)),
                Some(found) => {
                    prop_assert_ne!(found.asked, found.registered);
                    let at = found.asked.as_ptr() as usize - asked.as_ptr() as usize;
                    prop_assert_eq!(&found.nearest[..at.min(found.nearest.len())], &asked[..at]);
                    // No other registered address has more of its parts.
                    let nearest = equal_parts(&split(&asked), &split(found.nearest));
                    let others = registered.iter().map(|uri| equal_parts(&split(&asked), &split(uri)));
                    prop_assert!(others.max() == Some(nearest));
                }
            }
        }
    }
}
