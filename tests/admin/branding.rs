//! `/admin/organizations/{organization}/branding`, and where it shows.

use countersign::audit::Origin;
use countersign::model::EmailAddress;
use countersign::tenancy::actor::Actor;
use countersign::tenancy::branding::{self, Words};
use reqwest::header::COOKIE;

use super::{console, press};
use crate::on_both_databases;
use crate::support::{Browser, Page, TestApp, TestClient, TestOrganisation};

/// A picture of 96 by 32 pixels, as far as anybody looks.
const PNG: &[u8] = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x60\0\0\0\x20\x08\x06\0\0\0crc!nothing more";

async fn brand(app: &TestApp, of: &TestOrganisation, accent: &str) {
    let words = Words {
        accent: Some(accent.to_owned()),
        message: Some("Staff only".to_owned()),
        support: Some("help@acme.example".to_owned()),
    };
    branding::change(&app.app, Actor::Operator, of.id, words, &Origin::command_line())
        .await
        .expect("branded");
}

/// Sends a file as a browser does from the page's own form.
async fn upload(app: &TestApp, browser: &Browser, page: &Page, bytes: &[u8]) -> (u16, String) {
    let form = page.form("set-logo");
    let mut body = Vec::new();
    body.extend_from_slice(b"--XyZ\r\nContent-Disposition: form-data; name=\"csrf\"\r\n\r\n");
    body.extend_from_slice(form.field("csrf").expect("a token").as_bytes());
    body.extend_from_slice(
        b"\r\n--XyZ\r\nContent-Disposition: form-data; name=\"file\"; filename=\"logo.png\"\r\n\r\n",
    );
    body.extend_from_slice(bytes);
    body.extend_from_slice(b"\r\n--XyZ--\r\n");
    let cookies: Vec<String> =
        browser.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let answer = app
        .http
        .post(app.url(&form.action))
        .header(COOKIE, cookies.join("; "))
        .header("origin", app.issuer.as_str())
        .header("sec-fetch-site", "same-origin")
        .header("accept", "text/html")
        .header("content-type", "multipart/form-data; boundary=XyZ")
        .body(body)
        .send()
        .await
        .expect("an answer");
    (answer.status().as_u16(), answer.text().await.expect("text"))
}

/// The address of the picture on the page.
fn picture(page: &Page) -> String {
    let rest = page.html.split("<img class=\"wide\" src=\"").nth(1).expect("a picture");
    rest.split('"').next().expect("its address").replace("&#38;", "&")
}

/// The style sheet of the organisation that a page names.
fn style(page: &Page) -> Option<String> {
    let (_, rest) = page.html.split_once("href=\"/branding/")?;
    Some(format!("/branding/{}", rest.split('"').next()?))
}

on_both_databases! {
    async fn a_colour_that_cannot_be_read_is_refused_with_one_that_can(database) {
        let (app, mut browser) = console(database).await;
        let acme = app.organisation("acme").await;
        let at = format!("/admin/organizations/{}/branding", acme.id);
        let page = browser.get(&at).await;
        let typed = [("accent", "#ffee00"), ("message", "Staff only"), ("support", "help@acme.example")];
        let page = browser.submit(&page, "change-look", &typed, None).await;
        assert!(page.status == 422 && page.has_id("accent-error") && page.text().contains("nearest darker"), "{}", page.text());
        assert_eq!(page.form("change-look").field("message"), Some("Staff only"));
        let page = browser.submit(&page, "change-look", &[("accent", "red")], None).await;
        assert!(page.status == 422 && page.text().contains("six hexadecimal digits"), "{}", page.text());
        let page = browser.submit(&page, "change-look", &[("accent", "#8A1C5B"), ("support", "nobody")], None).await;
        assert!(page.status == 422 && page.has_id("support-error"), "{}", page.text());
        let page = browser.submit(&page, "change-look", &[("support", "help@acme.example")], None).await;
        assert!(page.has_id("done") && page.form("change-look").field("accent") == Some("#8a1c5b"), "{}", page.text());
        assert!(app.audit().await.contains(&"branding.changed success".to_owned()));

        let long = "x".repeat(600);
        let page = browser.submit(&page, "change-look", &[("message", &long)], None).await;
        assert!(page.status == 422 && page.has_id("message-error"), "{}", page.text());
        assert_eq!(page.form("change-look").field("message"), Some(long.as_str()));
    }

    async fn what_is_typed_is_drawn_before_it_is_stored(database) {
        let (app, mut browser) = console(database).await;
        let acme = app.organisation("acme").await;
        brand(&app, &acme, "#8a1c5b").await;
        let at = format!("/admin/organizations/{}/branding", acme.id);
        let page = browser.get(&at).await;
        assert!(page.html.contains("/look.js") && page.html.contains("data-shows=\"change-look\""));
        let drawn = browser.get(&picture(&page)).await;
        for stored in ["#8a1c5b", "Staff only", "help@acme.example", "acme &#38; Söhne", "stroke-dasharray"] {
            assert!(drawn.html.contains(stored), "{stored}: {}", drawn.html);
        }
        assert!(drawn.header("content-type").starts_with("image/svg+xml") && drawn.header("content-security-policy").contains("sandbox"));

        let message = format!("Grüße <b> {}", "ü".repeat(280));
        let typed = [("accent", "#1f3b8f"), ("message", message.as_str()), ("support", "it@acme.example")];
        let page = browser.submit(&page, "change-look", &typed, Some(("preview", "yes"))).await;
        assert!(page.status == 200 && !page.has_id("done"), "{}", page.text());
        assert!(page.text().contains("Nothing is saved yet") && page.text().contains("#1f3b8f can be read"), "{}", page.text());
        for (name, value) in typed {
            assert_eq!(page.form("change-look").field(name), Some(value));
        }
        let drawn = browser.get(&picture(&page)).await;
        assert_eq!(drawn.status, 200, "{}", drawn.html);
        for shown in ["#1f3b8f", "Grüße &#60;b&#62; üü", "it@acme.example"] {
            assert!(drawn.html.contains(shown), "{shown}: {}", drawn.html);
        }
        assert!(!drawn.html.contains("Staff only") && !drawn.html.contains("#8a1c5b"), "{}", drawn.html);
        let page = browser.submit(&page, "change-look", &[("message", ""), ("support", "")], Some(("preview", "yes"))).await;
        let drawn = browser.get(&picture(&page)).await;
        assert!(!drawn.html.contains("acme.example") && !drawn.html.contains("Staff only"), "empty is nothing: {}", drawn.html);
        let page = browser.submit(&page, "change-look", &[("accent", "#ffee00")], Some(("preview", "yes"))).await;
        assert!(page.status == 422 && page.has_id("accent-error"), "{}", page.text());
        assert_eq!(page.form("change-look").field("accent"), Some("#ffee00"));

        let look = app.read(move |db| branding::of(db, acme.id)).await.expect("a look");
        assert_eq!((look.message.as_str(), look.support.as_str()), ("Staff only", "help@acme.example"), "nothing was stored");
        let events = app.audit().await;
        assert_eq!(events.iter().filter(|event| event.starts_with("branding.changed")).count(), 1, "{events:?}");
    }

    async fn ch_2_the_sign_in_page_of_an_organisation_looks_as_it_chose(database) {
        let app = TestApp::start(database).await;
        let acme = app.organisation("acme").await;
        app.organisation("plain").await;
        brand(&app, &acme, "#8a1c5b").await;
        let client = TestClient::register(&app, "shop", |_| {}).await;
        let mut browser = app.browser();
        let page = browser.get(&client.flow("openid").and("organization", "ACME").path()).await;
        let sheet = style(&page).unwrap_or_else(|| panic!("{}", page.html));
        for words in ["acme & Söhne", "Staff only", "help@acme.example", "Sign in"] {
            assert!(page.text().contains(words), "{words}: {}", page.text());
        }
        assert!(page.header("content-security-policy").contains("style-src 'self'"));
        let css = browser.get(&sheet).await;
        assert!(css.status == 200 && css.html.contains("--accent: #8a1c5b") && css.html.contains("dark"), "{}", css.html);
        assert!(css.header("cache-control").contains("immutable") && css.header("content-type").starts_with("text/css"));

        // Whoever chose nothing is not told from whoever is not there.
        for other in ["plain", "nobody"] {
            let page = app.browser().get(&client.flow("openid").and("organization", other).path()).await;
            assert!(style(&page).is_none() && !page.text().contains("plain &"), "OR-1: {}", page.text());
        }
        assert!(style(&app.browser().get("/login").await).is_none());

        // An old address is unknown, and a suspended organisation shows nothing.
        brand(&app, &acme, "#1f3b8f").await;
        assert_eq!(browser.get(&sheet).await.status, 404);
        let page = app.browser().get(&client.flow("openid").and("organization", "acme").path()).await;
        let now = style(&page).expect("the new one");
        countersign::tenancy::organisations::suspend(&app.app, acme.id, &Origin::command_line()).await.expect("suspended");
        let page = app.browser().get(&client.flow("openid").and("organization", "acme").path()).await;
        assert!(style(&page).is_none());
        assert_eq!(app.browser().get(&now).await.status, 404);
    }

    async fn an_invitation_looks_like_whoever_invites(database) {
        let app = TestApp::start(database).await;
        let acme = app.organisation("acme").await;
        brand(&app, &acme, "#8a1c5b").await;
        let guest = countersign::tenancy::invitations::Guest {
            email: EmailAddress::parse("guest@example.com").expect("an address"),
            workspace: None,
            roles: vec!["member".to_owned()],
            language: Default::default(),
            lifetime: std::time::Duration::from_secs(3_600),
        };
        let origin = Origin::command_line();
        countersign::tenancy::invitations::send(&app.app, Actor::Operator, acme.id, guest, &origin).await.expect("sent");
        let mail = app.read(|db| countersign::store::outbox::newest(db, 5)).await;
        let link = mail[0].body_text.lines().find(|line| line.contains("/invitation/")).expect("a link").trim().to_owned();
        let page = app.browser().get(&link).await;
        assert!(style(&page).is_some() && page.text().contains("Staff only"), "{}", page.text());
    }

    async fn a_logo_is_a_picture_by_its_bytes_and_served_as_nothing_else(database) {
        let (app, mut browser) = console(database).await;
        let acme = app.organisation("acme").await;
        let at = format!("/admin/organizations/{}/branding", acme.id);
        let page = browser.get(&at).await;
        let script = b"<svg xmlns=\"http://www.w3.org/2000/svg\"><script>alert(1)</script></svg>";
        let (status, html) = upload(&app, &browser, &page, script).await;
        assert!(status == 422 && html.contains("id=\"file-error\""), "{html}");
        let large = [PNG, &vec![0; 64 * 1024]].concat();
        let (status, html) = upload(&app, &browser, &page, &large).await;
        assert!(status == 422 && html.contains("more than 64 KiB"), "{html}");
        let (status, html) = upload(&app, &browser, &page, &vec![0; 200 * 1024]).await;
        assert!(status == 422 && html.contains("more than 64 KiB"), "{html}");
        let (status, html) = upload(&app, &browser, &page, &vec![0; 300 * 1024]).await;
        assert!(status == 413 && html.contains("id=\"error-page\"") && html.contains("choose a smaller file"), "{html}");
        let (status, html) = upload(&app, &browser, &page, b"\x89PNG\r\n\x1a\nnonsense").await;
        assert!(status == 422 && html.contains("id=\"file-error\""), "{html}");
        let mut forged = page.clone();
        forged.html = forged.html.replace("name=\"csrf\" value=\"", "name=\"csrf\" value=\"x");
        let (status, _) = upload(&app, &browser, &forged, PNG).await;
        assert_eq!(status, 403, "CH-1: a form that is not ours");
        let (status, _) = upload(&app, &browser, &page, PNG).await;
        assert_eq!(status, 303);

        let look = app.read(move |db| branding::of(db, acme.id)).await.expect("a look");
        let address = format!("/branding/{}/{}/logo", acme.id, look.hash);
        let answer = app.http.get(app.url(&address)).send().await.expect("an answer");
        let header = |name: &str| answer.headers()[name].to_str().expect("text").to_owned();
        assert_eq!((header("content-type"), header("x-content-type-options")), ("image/png".to_owned(), "nosniff".to_owned()));
        assert!(header("content-security-policy").contains("sandbox") && header("cache-control").contains("immutable"));
        assert_eq!(answer.bytes().await.expect("bytes").as_ref(), PNG);
        let drawn = browser.get(&format!("{at}/preview")).await;
        assert!(drawn.html.contains("data:image/png;base64,"), "{}", drawn.html);

        let page = browser.get(&at).await;
        let page = press(&mut browser, &page, "/remove-logo").await;
        assert!(page.has_id("done"), "{}", page.text());
        assert_eq!(app.http.get(app.url(&address)).send().await.expect("an answer").status(), 404);
    }
}
