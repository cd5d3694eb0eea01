//! The answer of `response_mode=form_post`.

use askama::Template;

use crate::web::ui::Ui;

use super::Page;

/// A form that goes to the application by itself, or by its button where scripts are off (OAuth 2.0 Form Post
/// Response Mode §2). Sent with `no-store` and without `form-action`.
#[derive(Clone, Debug, Template)]
#[template(path = "pages/form_post.html")]
pub struct FormPostPage<'a> {
    pub ui: &'a Ui<'a>,
    pub client_name: &'a str,
    /// The checked redirect URI.
    pub action: &'a str,
    /// `code`, `state`, `iss` or `error`, …
    pub parameters: &'a [(&'a str, &'a str)],
}

impl Page for FormPostPage<'_> {}

#[cfg(test)]
mod tests {
    use super::super::testing::{AWKWARD, check, each_language};
    use super::*;

    #[test]
    fn az_3_15_the_form_works_with_and_without_scripts() {
        each_language(|ui| {
            for text in AWKWARD {
                let html = check(&FormPostPage {
                    ui,
                    client_name: text,
                    action: "https://app.example.org/cb?a=1&b=2",
                    parameters: &[("code", "c0de"), ("state", text)],
                });
                assert!(html.contains(r#"action="https://app.example.org/cb?a=1&#38;b=2""#));
                assert!(html.contains(r#"name="code" value="c0de""#) && html.contains("form_post.js"));
                assert!(html.contains(r#"type="submit""#) && !html.contains("csrf"));
            }
        });
    }
}
