//! What several pages show: a client, a person, an organisation.

use url::Url;

use crate::model::Client;

/// A client as the person at the browser gets to know it (OpenID Connect Dynamic Client Registration §2).
///
/// Its addresses are private to this type, so that only `https` (or, for links, a loopback address) reaches a page
/// (CH-6).
#[derive(Clone, Debug, PartialEq)]
pub struct ClientCard<'a> {
    name: &'a str,
    logo: Option<&'a str>,
    policy: Option<&'a str>,
    terms: Option<&'a str>,
}

impl<'a> ClientCard<'a> {
    pub fn of(client: &'a Client) -> Self {
        Self {
            name: if client.name.trim().is_empty() { &client.client_id } else { &client.name },
            logo: client.logo_uri.as_deref().filter(|logo| is_web_address(logo, Use::Picture)),
            policy: client.policy_uri.as_deref().filter(|policy| is_web_address(policy, Use::Link)),
            terms: client.tos_uri.as_deref().filter(|terms| is_web_address(terms, Use::Link)),
        }
    }

    pub fn name(&self) -> &'a str {
        self.name
    }

    pub fn logo(&self) -> Option<&'a str> {
        self.logo
    }

    pub fn policy(&self) -> Option<&'a str> {
        self.policy
    }

    pub fn terms(&self) -> Option<&'a str> {
        self.terms
    }

    /// Where its logo comes from, as a source for `img-src`.
    pub fn image_origins(&self) -> Vec<String> {
        self.logo
            .and_then(|logo| Url::parse(logo).ok())
            .map(|logo| logo.origin().ascii_serialization())
            .into_iter()
            .collect()
    }
}

/// Somebody with an account here.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Person<'a> {
    /// May be empty: then the address stands for the person.
    pub name: &'a str,
    pub email: &'a str,
}

impl<'a> Person<'a> {
    /// How the person is called.
    pub fn label(&self) -> &'a str {
        if self.name.trim().is_empty() { self.email } else { self.name }
    }

    /// The letter in the round picture that stands for the person.
    pub fn initial(&self) -> String {
        initial(self.label())
    }
}

/// An organisation that the person belongs to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct OrganisationCard<'a> {
    /// The text of its [`crate::model::OrganisationId`].
    pub id: &'a str,
    pub name: &'a str,
}

impl OrganisationCard<'_> {
    /// The letter in the round picture that stands for the organisation.
    pub fn initial(&self) -> String {
        initial(self.name)
    }
}

fn initial(label: &str) -> String {
    label.chars().find(|c| c.is_alphanumeric()).map_or_else(|| "?".to_owned(), |c| c.to_uppercase().collect())
}

enum Use {
    Picture,
    Link,
}

fn is_web_address(text: &str, purpose: Use) -> bool {
    let Ok(url) = Url::parse(text) else { return false };
    match (url.scheme(), purpose) {
        ("https", _) => true,
        ("http", Use::Link) => matches!(url.host_str(), Some("localhost" | "127.0.0.1" | "[::1]")),
        _ => false,
    }
}

#[cfg(test)]
impl<'a> ClientCard<'a> {
    /// A card for the tests of pages: with everything, or with a name only.
    pub(super) fn sample(name: &'a str, full: bool) -> Self {
        Self {
            name,
            logo: full.then_some("https://cdn.example.org/logo.png?a=1&b=2"),
            policy: full.then_some("https://example.org/privacy"),
            terms: full.then_some("https://example.org/terms"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ch_6_only_safe_addresses_reach_a_page() {
        for (address, picture, link) in [
            ("https://example.org/logo.png", true, true),
            ("http://example.org/logo.png", false, false),
            ("http://localhost:3000/terms", false, true),
            ("javascript:alert(1)", false, false),
            ("data:image/svg+xml,<svg/>", false, false),
            ("//example.org/logo.png", false, false),
            ("/logo.png", false, false),
            ("", false, false),
        ] {
            assert_eq!(is_web_address(address, Use::Picture), picture, "{address}");
            assert_eq!(is_web_address(address, Use::Link), link, "{address}");
        }
    }

    #[test]
    fn ch_2_a_logo_widens_img_src_by_its_origin_and_nothing_more() {
        let origins = ClientCard::sample("Calendar", true).image_origins();
        assert_eq!(origins, ["https://cdn.example.org"]);
        assert!(ClientCard::sample("Calendar", false).image_origins().is_empty());
    }

    #[test]
    fn a_person_always_has_a_label_and_an_initial() {
        for (name, email, label, initial) in [
            ("Ada Lovelace", "ada@example.org", "Ada Lovelace", "A"),
            ("", "ada@example.org", "ada@example.org", "A"),
            ("  ", "ß@example.org", "ß@example.org", "SS"),
            ("", "", "", "?"),
        ] {
            let person = Person { name, email };
            assert_eq!((person.label(), person.initial().as_str()), (label, initial));
        }
    }
}
