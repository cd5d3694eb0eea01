//! What a person does in the browser, step by step, and what must be true of every page on the way.

use serde_json::{Value, json};

use crate::support::{PASSWORD, TestApp, browser_journey};

/// A journey being planned. See `tests/browser/run.mjs` for the steps.
pub struct Journey {
    job: Value,
    steps: Vec<Value>,
    prefix: String,
}

impl Journey {
    pub fn new(app: &TestApp) -> Self {
        let mut job = json!({ "base": app.issuer, "timeout_ms": 10_000, "deadline_ms": 90_000 });
        if let Ok(folder) = std::env::var("COUNTERSIGN_TEST_SCREENSHOTS") {
            job["out"] = json!(folder);
        }
        Self { job, steps: Vec::new(), prefix: String::new() }
    }

    pub fn without_scripts(mut self) -> Self {
        self.job["javascript"] = json!(false);
        self
    }

    /// A language as the browser asks for it; pictures are named after it.
    pub fn speaking(mut self, locale: &str) -> Self {
        self.job["locale"] = json!(locale);
        self.prefix = format!("{locale}-");
        self
    }

    fn step(mut self, step: Value) -> Self {
        self.steps.push(step);
        self
    }

    /// An address, or a path below the issuer.
    pub fn goto(self, url: &str) -> Self {
        // A path would be resolved against the origin, without the issuer's own path.
        let base = self.job["base"].as_str().expect("text");
        let url = if url.starts_with('/') { format!("{base}{url}") } else { url.to_owned() };
        self.step(json!({ "do": "goto", "url": url }))
    }

    pub fn fill(self, field: &str, value: &str) -> Self {
        self.step(json!({ "do": "fill", "target": format!("#{field}"), "value": value }))
    }

    /// Chooses from a list.
    pub fn choose(self, field: &str, value: &str) -> Self {
        self.step(json!({ "do": "select", "target": format!("#{field}"), "value": value }))
    }

    pub fn click(self, target: &str) -> Self {
        self.step(json!({ "do": "click", "target": target }))
    }

    pub fn press(self, key: &str) -> Self {
        self.step(json!({ "do": "press", "key": key }))
    }

    /// Presses keys as if the text were typed into what has the focus.
    pub fn type_in(self, text: &str) -> Self {
        text.chars().fold(self, |journey, key| {
            let key = if key == ' ' { "Space".to_owned() } else { key.to_string() };
            journey.press(&key)
        })
    }

    /// Something is visible.
    pub fn see(self, target: &str) -> Self {
        self.step(json!({ "do": "expect_selector", "target": target }))
    }

    pub fn see_text(self, text: &str) -> Self {
        self.step(json!({ "do": "expect_text", "text": text }))
    }

    pub fn not_see(self, target: &str) -> Self {
        self.step(json!({ "do": "expect_no_selector", "target": target }))
    }

    pub fn at(self, url: &str) -> Self {
        self.step(json!({ "do": "expect_url", "url": url }))
    }

    pub fn reload(self) -> Self {
        self.step(json!({ "do": "reload" }))
    }

    /// The page is in the browser of somebody who went there by other means.
    pub fn cookie(self, name: &str, value: &str) -> Self {
        self.step(json!({ "do": "cookie", "name": name, "value": value }))
    }

    pub fn forget_cookies(self) -> Self {
        self.step(json!({ "do": "clear_cookies" }))
    }

    /// The page in every size and colour scheme: nothing overflows, and axe, which needs scripts, finds nothing.
    pub fn inspect(self, name: &str) -> Self {
        let name = format!("{}{name}", self.prefix);
        self.step(json!({ "do": "inspect", "name": name }))
    }

    /// Gives the page an authenticator, which answers at once.
    pub fn authenticator(self) -> Self {
        self.step(json!({ "do": "authenticator" }))
    }

    /// Passkeys are offered by the button only.
    pub fn without_autofill(self) -> Self {
        self.step(json!({ "do": "no_autofill" }))
    }

    /// Fills the login form with one of the tests' users and sends it.
    pub fn sign_in(self, name: &str) -> Self {
        let journey = self.see("#login-form").fill("username", &format!("{name}@example.com"));
        journey.fill("password", PASSWORD).click("#login-submit")
    }

    /// Goes there. Whatever the pages must never do, on any journey, fails here.
    pub async fn run(mut self) -> Value {
        self.job["steps"] = Value::Array(self.steps);
        let report = browser_journey(&self.job).await;
        assert_eq!(report["ok"], true, "{:#}", report["failed"]);
        assert_eq!(report["violations"], json!([]), "{:#}", report["violations"]);
        assert_eq!(report["foreign"], json!([]));
        let warnings: Vec<&Value> =
            report["console"].as_array().expect("a list").iter().filter(|line| !is_status(line)).collect();
        assert!(warnings.is_empty(), "{warnings:#?}");
        report
    }
}

/// Chromium notes the status of every page that is an error page, as it should be. Of an asset it is a failure.
fn is_status(line: &Value) -> bool {
    let text = |member: &str| line[member].as_str().unwrap_or_default();
    let is_page = !text("url").contains("/assets/");
    // 502: a provider is away, which its page says.
    is_page && ["status of 4", "status of 502"].iter().any(|status| text("text").contains(status))
}
