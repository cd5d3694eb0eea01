//! A browser without scripts: cookies, redirects within our origin, forms.

use std::collections::BTreeMap;

use reqwest::header::{COOKIE, HeaderMap, LOCATION, SET_COOKIE};
use reqwest::{Method, Response};

use super::app::{PASSWORD, http_client};
use super::html::{self, Form};

/// An answer that the browser shows, or a way out of our origin.
#[derive(Clone, Debug)]
pub struct Page {
    pub url: String,
    pub status: u16,
    pub headers: HeaderMap,
    pub html: String,
}

/// Cookies and a place.
#[derive(Clone)]
pub struct Browser {
    issuer: String,
    base: String,
    pub cookies: BTreeMap<String, String>,
    /// Sent with every request.
    pub headers: Vec<(&'static str, String)>,
    http: reqwest::Client,
}

impl Browser {
    /// `base` is where the issuer can be reached.
    pub fn new(issuer: &str, base: &str) -> Self {
        Self {
            issuer: issuer.to_owned(),
            base: base.to_owned(),
            cookies: BTreeMap::new(),
            headers: Vec::new(),
            http: http_client(),
        }
    }

    /// One request, whose redirect is not followed.
    pub async fn once(&mut self, method: Method, url: &str, form: Option<&[(String, String)]>) -> Response {
        let url = self.absolute(url).replacen(&self.issuer, &self.base, 1);
        let mut request = self.http.request(method, url);
        if !self.cookies.is_empty() {
            let cookies: Vec<String> =
                self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
            request = request.header(COOKIE, cookies.join("; "));
        }
        for (name, value) in &self.headers {
            request = request.header(*name, value);
        }
        if let Some(form) = form {
            // What a browser adds to a form of the site's own page.
            request = request
                .header("origin", origin(&self.issuer))
                .header("sec-fetch-site", "same-origin")
                .form(form);
        }
        let response = request.send().await.expect("the server answers");
        for cookie in response.headers().get_all(SET_COOKIE) {
            self.keep(cookie.to_str().expect("a cookie is text"));
        }
        response
    }

    /// Goes there and follows redirects within our origin.
    pub async fn get(&mut self, url: &str) -> Page {
        let response = self.once(Method::GET, url, None).await;
        self.follow(self.absolute(url), response).await
    }

    /// Sends a form as it is.
    pub async fn post(&mut self, url: &str, fields: &[(String, String)]) -> Page {
        let response = self.once(Method::POST, url, Some(fields)).await;
        self.follow(self.absolute(url), response).await
    }

    /// Fills the form with this id and presses a button, which may have a name and a value.
    pub async fn submit(
        &mut self,
        page: &Page,
        id: &str,
        fields: &[(&str, &str)],
        button: Option<(&str, &str)>,
    ) -> Page {
        let mut form = page.form(id);
        for (name, value) in fields.iter().chain(button.iter()) {
            form.set(name, value);
        }
        self.post(&relative_to(&page.url, &form.action), &form.fields).await
    }

    /// Signs in on our own page, outside any application.
    pub async fn sign_in(&mut self, name: &str) -> Page {
        let page = self.get("/login").await;
        let page = self.answer_login(&page, name, PASSWORD).await;
        assert_eq!(page.status, 200, "signing in failed: {}", page.text());
        page
    }

    pub async fn answer_login(&mut self, page: &Page, name: &str, password: &str) -> Page {
        let username = if name.contains('@') || name.is_empty() {
            name.to_owned()
        } else {
            format!("{name}@example.com")
        };
        self.submit(page, "login-form", &[("username", &username), ("password", password)], None).await
    }

    async fn follow(&mut self, mut url: String, mut response: Response) -> Page {
        for _ in 0..20 {
            let Some(location) = response.headers().get(LOCATION).cloned() else { break };
            url = relative_to(&url, location.to_str().expect("an address is text"));
            if !url.starts_with(&format!("{}/", self.issuer)) || url.contains("/callback") {
                let (status, headers) = (response.status().as_u16(), response.headers().clone());
                return Page { url, status, headers, html: String::new() };
            }
            response = self.once(Method::GET, &url, None).await;
        }
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let html = response.text().await.expect("a page is text");
        Page { url, status, headers, html }
    }

    fn absolute(&self, url: &str) -> String {
        if url.starts_with('/') { format!("{}{url}", self.issuer) } else { url.to_owned() }
    }

    fn keep(&mut self, cookie: &str) {
        let (pair, attributes) = cookie.split_once(';').unwrap_or((cookie, ""));
        let (name, value) = pair.split_once('=').expect("a cookie has a name");
        if value.is_empty() || attributes.to_ascii_lowercase().contains("max-age=0") {
            self.cookies.remove(name);
        } else {
            self.cookies.insert(name.to_owned(), value.to_owned());
        }
    }
}

/// What a link or a form of the page at `page` leads to.
fn relative_to(page: &str, reference: &str) -> String {
    // Written again only where it has to be: an address out of our origin is shown as it was sent.
    if reference.contains(':') && url::Url::parse(reference).is_ok() {
        return reference.to_owned();
    }
    let page = url::Url::parse(page).expect("a page has an address");
    page.join(reference).expect("a reference leads somewhere").into()
}

/// What a browser calls the site of this issuer.
fn origin(issuer: &str) -> String {
    url::Url::parse(issuer).expect("an issuer is an address").origin().ascii_serialization()
}

impl Page {
    pub fn form(&self, id: &str) -> Form {
        html::forms(&self.html)
            .into_iter()
            .find(|form| form.id == id)
            .unwrap_or_else(|| panic!("no form {id} at {} ({}): {}", self.url, self.status, self.text()))
    }

    pub fn forms(&self) -> Vec<Form> {
        html::forms(&self.html)
    }

    pub fn has_id(&self, id: &str) -> bool {
        html::has_id(&self.html, id)
    }

    /// The value of the button of this name on which these words stand.
    pub fn button(&self, name: &str, words: &str) -> String {
        let buttons = html::buttons(&self.html);
        let found = buttons.iter().find(|(known, _, on_it)| known == name && on_it.contains(words));
        found.unwrap_or_else(|| panic!("no button {name} with {words}: {}", self.text())).1.clone()
    }

    pub fn text(&self) -> String {
        html::text(&self.html)
    }

    pub fn links(&self) -> Vec<String> {
        html::links(&self.html)
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// The parameters of the address.
    pub fn query(&self) -> BTreeMap<String, String> {
        let url = url::Url::parse(&self.url).expect("an address");
        url.query_pairs().map(|(name, value)| (name.into_owned(), value.into_owned())).collect()
    }
}
