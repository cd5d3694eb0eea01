//! `/logout`: leaving, and having left.

use askama::Template;
use url::Url;

use crate::web::ui::Ui;

use super::{Page, Person};

/// Asks whether to sign out (OpenID Connect RP-Initiated Logout §2).
#[derive(Clone, Debug, Template)]
#[template(path = "pages/logout.html")]
pub struct LogoutPage<'a> {
    pub ui: &'a Ui<'a>,
    /// Who would be signed out; nobody if there is no session.
    pub person: Option<Person<'a>>,
    /// The application that asked.
    pub client_name: Option<&'a str>,
    /// The parameters that the confirmation carries on (`state`, `post_logout_redirect_uri`, …), checked again then.
    pub carried: &'a [(&'a str, &'a str)],
}

/// The end of a session.
#[derive(Clone, Debug, Template)]
#[template(path = "pages/logged_out.html")]
pub struct LoggedOutPage<'a> {
    pub ui: &'a Ui<'a>,
    pub back: Option<BackLink<'a>>,
}

/// The way back to the application.
#[derive(Clone, Copy, Debug)]
pub struct BackLink<'a> {
    client_name: &'a str,
    uri: &'a str,
}

impl<'a> BackLink<'a> {
    /// A link to a registered address. `None` for a scheme that a browser might run instead of open: only the web
    /// and private-use schemes, which have a dot, are links (RFC 8252 §7.1).
    pub fn to(client_name: &'a str, uri: &'a str) -> Option<Self> {
        let url = Url::parse(uri).ok()?;
        let opens = matches!(url.scheme(), "https" | "http") || url.scheme().contains('.');
        opens.then_some(Self { client_name, uri })
    }
}

impl Page for LogoutPage<'_> {}
impl Page for LoggedOutPage<'_> {}

#[cfg(test)]
mod tests {
    use super::super::testing::{AWKWARD, check, each_language};
    use super::*;

    #[test]
    fn renders_with_awkward_values() {
        each_language(|ui| {
            for text in AWKWARD {
                let html = check(&LogoutPage {
                    ui,
                    person: Some(Person { name: text, email: text }),
                    client_name: Some(text),
                    carried: &[("state", text), (text, "x")],
                });
                assert!(html.contains(r#"id="logout-form""#) && html.contains(r#"id="logout-confirm""#));
                check(&LogoutPage { ui, person: None, client_name: None, carried: &[] });

                let html = check(&LoggedOutPage {
                    ui,
                    back: BackLink::to(text, "https://app.example.org/?a=1&b=2"),
                });
                assert!(html.contains(r#"id="logged-out""#) && html.contains("https://app.example.org/"));
                check(&LoggedOutPage { ui, back: None });
            }
        });
    }

    #[test]
    fn ch_6_a_way_back_is_never_a_script() {
        for (uri, opens) in [
            ("https://app.example.org/bye", true),
            ("com.example.app:/bye", true),
            ("javascript:alert(1)", false),
            ("data:text/html,x", false),
            ("/bye", false),
        ] {
            assert_eq!(BackLink::to("App", uri).is_some(), opens, "{uri}");
        }
    }
}
