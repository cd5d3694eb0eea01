//! What went wrong, for the person and for whoever develops the application.

use std::time::Duration;

use askama::Template;

use crate::web::ui::Ui;

use super::Page;

/// An error that cannot or must not be sent to an application.
#[derive(Clone, Debug, Template)]
#[template(path = "pages/error.html")]
pub struct ErrorPage<'a> {
    pub ui: &'a Ui<'a>,
    pub problem: Problem<'a>,
    /// The id that the log has too.
    pub reference: &'a str,
}

/// What went wrong.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Problem<'a> {
    /// An authorization or logout request that must not be answered by a redirect (RFC 6749 §4.1.2.1). `detail` is
    /// for the developer: one English sentence that says nothing an attacker could use.
    Request {
        code: &'a str,
        parameter: Option<&'a str>,
        detail: Option<&'a str>,
    },
    /// The stored authorization request is over, or belongs to another browser.
    RequestExpired,
    /// The form's token is missing, old or from another browser (CH-1).
    FormExpired,
    /// What a form of ours sent is larger than any of them takes.
    TooLarge,
    /// A form of ours arrived cut short, or with what is no text.
    Unreadable,
    /// Something is done at this address, and a page of another site led to it.
    FromElsewhere,
    Forbidden,
    NotFound,
    MethodNotAllowed,
    TooManyRequests {
        wait: Duration,
    },
    Internal,
    /// The database or a queue is away for now (CR-3). Never a statement about the person's rights.
    Unavailable,
}

impl<'a> Problem<'a> {
    /// The HTTP status of the answer.
    pub const fn status(&self) -> u16 {
        match self {
            Self::Request { .. } | Self::RequestExpired | Self::Unreadable => 400,
            Self::FormExpired | Self::FromElsewhere | Self::Forbidden => 403,
            Self::NotFound => 404,
            Self::MethodNotAllowed => 405,
            Self::TooLarge => 413,
            Self::TooManyRequests { .. } => 429,
            Self::Internal => 500,
            Self::Unavailable => 503,
        }
    }

    /// The error code that programs read.
    pub const fn code(&self) -> &'a str {
        match self {
            Self::Request { code, .. } => code,
            Self::RequestExpired => "request_expired",
            Self::FormExpired => "form_expired",
            Self::TooLarge => "too_large",
            Self::Unreadable => "unreadable",
            Self::FromElsewhere => "from_elsewhere",
            Self::Forbidden => "forbidden",
            Self::NotFound => "not_found",
            Self::MethodNotAllowed => "method_not_allowed",
            Self::TooManyRequests { .. } => "too_many_requests",
            Self::Internal => "server_error",
            Self::Unavailable => "temporarily_unavailable",
        }
    }

    fn parameter(&self) -> Option<&'a str> {
        if let Self::Request { parameter, .. } = self { *parameter } else { None }
    }

    fn detail(&self) -> Option<&'a str> {
        if let Self::Request { detail, .. } = self { *detail } else { None }
    }

    fn title(&self, ui: &Ui<'_>) -> &'static str {
        ui.t(match self {
            Self::Request { .. } => "error.request_title",
            Self::RequestExpired => "error.request_expired_title",
            Self::FormExpired => "error.form_expired_title",
            Self::TooLarge => "error.too_large_title",
            Self::Unreadable => "error.unreadable_title",
            Self::FromElsewhere => "error.from_elsewhere_title",
            Self::Forbidden => "error.forbidden_title",
            Self::NotFound => "error.not_found_title",
            Self::MethodNotAllowed => "error.method_title",
            Self::TooManyRequests { .. } => "error.too_many_title",
            Self::Internal => "error.internal_title",
            Self::Unavailable => "error.unavailable_title",
        })
    }

    /// What the person can do.
    fn for_user(&self, ui: &Ui<'_>) -> String {
        let key = match self {
            Self::Request { .. } => "error.request_user",
            Self::RequestExpired => "error.request_expired_user",
            Self::FormExpired => "error.form_expired_user",
            Self::TooLarge => "error.too_large_user",
            Self::Unreadable => "error.unreadable_user",
            Self::FromElsewhere => "error.from_elsewhere_user",
            Self::Forbidden => "error.forbidden_user",
            Self::NotFound => "error.not_found_user",
            Self::MethodNotAllowed => "error.method_user",
            Self::TooManyRequests { wait } => {
                return ui.with("error.too_many_user", &[("span", &ui.span(*wait))]);
            }
            Self::Internal => "error.internal_user",
            Self::Unavailable => "error.unavailable_user",
        };
        ui.t(key).to_owned()
    }

    /// What the developer or operator can do, where there is something.
    fn for_developer(&self, ui: &Ui<'_>) -> Option<&'static str> {
        let key = match self {
            Self::Request { parameter: Some("redirect_uri"), .. } => "error.redirect_uri_developer",
            Self::Request { parameter: Some("client_id"), .. } => "error.client_id_developer",
            Self::Request { .. } => "error.request_developer",
            Self::RequestExpired => "error.request_expired_developer",
            Self::MethodNotAllowed => "error.method_developer",
            Self::Internal | Self::Unavailable => "error.operator",
            Self::FormExpired
            | Self::TooLarge
            | Self::Unreadable
            | Self::FromElsewhere
            | Self::Forbidden
            | Self::NotFound
            | Self::TooManyRequests { .. } => return None,
        };
        Some(ui.t(key))
    }
}

impl Page for ErrorPage<'_> {}

#[cfg(test)]
mod tests {
    use super::super::testing::{AWKWARD, check, each_language};
    use super::*;

    #[test]
    fn renders_with_awkward_values() {
        each_language(|ui| {
            for text in AWKWARD {
                for (problem, status) in [
                    (Problem::Request { code: text, parameter: Some(text), detail: Some(text) }, 400),
                    (Problem::Request { code: text, parameter: None, detail: None }, 400),
                    (Problem::RequestExpired, 400),
                    (Problem::FormExpired, 403),
                    (Problem::TooLarge, 413),
                    (Problem::Unreadable, 400),
                    (Problem::FromElsewhere, 403),
                    (Problem::Forbidden, 403),
                    (Problem::NotFound, 404),
                    (Problem::MethodNotAllowed, 405),
                    (Problem::TooManyRequests { wait: Duration::from_secs(30) }, 429),
                    (Problem::Internal, 500),
                    (Problem::Unavailable, 503),
                ] {
                    let html = check(&ErrorPage { ui, problem, reference: text });
                    assert!(html.contains(r#"id="error-page""#));
                    assert_eq!(problem.status(), status);
                }
            }
        });
    }

    #[test]
    fn az_3_2_the_page_names_the_code_the_parameter_and_the_reference() {
        each_language(|ui| {
            let problem = Problem::Request {
                code: "invalid_request",
                parameter: Some("redirect_uri"),
                detail: Some("The redirect URI is not registered."),
            };
            let html = check(&ErrorPage { ui, problem, reference: "k7f2-9qpd" });
            for part in
                ["invalid_request", "redirect_uri", "The redirect URI is not registered.", "k7f2-9qpd"]
            {
                assert!(html.contains(part), "{part}");
            }
        });
    }
}
