//! `/admin/providers`.

use countersign::audit::Origin;
use countersign::clock::Clock;
use countersign::config::Provider;
use countersign::identity::federation::providers;
use countersign::model::{InstanceRole, OrganisationId, UserId};
use serde_json::json;

use super::{listed, press, user_with_role};
use crate::on_both_databases;
use crate::support::{Browser, Database, Mock, Page, RealProvider, Settings, TestApp};

/// A server, a provider that it does not know yet, and a browser in which `root` is in the console.
async fn world(database: Database) -> (TestApp, Mock, Browser) {
    let settings = Settings::default();
    let clock: Clock = settings.clock.clone();
    let mock = Mock::start("oidc", clock).await;
    let app = TestApp::start_with(database, settings).await;
    user_with_role(&app, "root", InstanceRole::Administrator).await;
    let browser = app.signed_in("root").await;
    (app, mock, browser)
}

/// What somebody types about the provider that these settings are of.
fn typed(settings: Provider) -> Vec<(&'static str, String)> {
    let secret = settings.client_secret.expect("a secret");
    vec![
        ("id", "corp".to_owned()),
        ("name", "Corp".to_owned()),
        ("issuer", settings.issuer.expect("an issuer")),
        ("client_id", settings.client_id),
        ("client_secret", secret.expose().to_owned()),
        ("first_sign_in", "create_organisation".to_owned()),
        ("private", "yes".to_owned()),
    ]
}

async fn submit(browser: &mut Browser, page: &Page, form: &str, typed: &[(&str, String)]) -> Page {
    let typed: Vec<(&str, &str)> = typed.iter().map(|(name, value)| (*name, value.as_str())).collect();
    browser.submit(page, form, &typed, None).await
}

/// There and back: what the browser shows then.
async fn try_out(browser: &mut Browser, mock: &Mock) -> Page {
    let page = browser.get("/admin/providers/corp/trial").await;
    let away = press(browser, &page, "/trial").await;
    assert!(away.url.starts_with(&mock.origin), "{}", away.url);
    let answer = mock.consent(&away.url);
    browser.get(&callback(&answer)).await
}

fn callback(answer: &[(String, String)]) -> String {
    let query = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(answer).finish();
    format!("/login/federation/corp/callback?{query}")
}

/// How many users, organisations, linked identities and sessions there are.
async fn counts(app: &TestApp, root: UserId) -> (usize, usize, usize, usize) {
    let now = app.clock.now();
    app.read(move |db| {
        let users = countersign::store::users::list(db, None, 100)?;
        let mut linked = 0;
        for user in &users {
            linked += countersign::store::federation::identities_of(db, user.id)?.len();
        }
        let organisations = countersign::store::organisations::list(db, None::<OrganisationId>, 100)?.len();
        let sessions = countersign::store::sessions::list_for_user(db, root, now)?.len();
        Ok((users.len(), organisations, linked, sessions))
    })
    .await
}

on_both_databases! {
    async fn fe_10_a_provider_is_set_up_tried_enabled_changed_and_removed(database) {
        let (app, mock, mut browser) = world(database).await;
        let page = browser.get("/admin/providers").await;
        assert!(page.text().contains("no provider yet"), "{}", page.text());
        let page = browser.get("/admin/providers/new").await;
        assert!(["google", "microsoft", "oidc"].iter().all(|kind| page.has_id(kind)));
        let page = browser.get("/admin/providers/new?kind=microsoft").await;
        assert!(page.text().contains(&format!("{}/login/federation/microsoft/callback", app.issuer)), "{}", page.text());
        let page = submit(&mut browser, &page, "new-provider", &[("client_id", "x y".into())]).await;
        assert!(page.status == 422 && page.has_id("tenants-error") && page.has_id("client_id-error"), "{}", page.text());
        assert_eq!(page.form("new-provider").field("client_id"), Some("x y"));

        let page = browser.get("/admin/providers/new?kind=oidc").await;
        let page = submit(&mut browser, &page, "new-provider", &[("id", "Corp!".into()), ("issuer", "ftp://x".into()), ("client_id", "a".into())]).await;
        assert!(page.status == 422 && page.has_id("id-error") && page.has_id("issuer-error"), "{}", page.text());

        let page = submit(&mut browser, &page, "new-provider", &[("id", "new".into()), ("issuer", mock.issuer())]).await;
        assert!(page.status == 422 && page.has_id("id-error") && page.text().contains("new is reserved"), "{}", page.text());
        assert!(providers::find(&app.app, "new").await.unwrap().is_none());

        // One that does not answer is kept, disabled, and said so.
        let mut wrong = typed(mock.settings());
        wrong.retain(|(name, _)| *name != "issuer");
        wrong.push(("issuer", "http://127.0.0.1:1".to_owned()));
        let page = submit(&mut browser, &page, "new-provider", &wrong).await;
        assert!(page.status == 200 && page.text().contains("does not answer as it should"), "{}", page.text());
        assert!(!page.has_id("round-trip"), "{}", page.text());
        let page = browser.get("/admin/providers/corp/edit").await;
        let page = submit(&mut browser, &page, "edit-provider", &[("issuer", mock.issuer())]).await;
        assert!(page.has_id("done") && page.has_id("round-trip") && page.has_id("enable"), "{}", page.text());
        assert!(!browser.get("/login?next=/account").await.text().contains("Corp"), "disabled until enabled");
        let stored = providers::find(&app.app, "corp").await.unwrap().expect("it is stored");
        let secret = stored.settings.client_secret.expect("the secret stays").expose().to_owned();
        assert_eq!(secret, mock.settings().client_secret.unwrap().expose());

        let page = browser.get("/admin/providers/new?kind=oidc").await;
        let page = submit(&mut browser, &page, "new-provider", &typed(mock.settings())).await;
        assert!(page.status == 422 && page.has_id("id-error"), "{}", page.text());

        let page = browser.get("/admin/providers/corp").await;
        let page = press(&mut browser, &page, "/enable").await;
        assert!(page.has_id("done") && page.text().contains("active"), "{}", page.text());
        assert!(app.browser().get("/login").await.text().contains("Corp"));
        assert_eq!(listed(&browser.get("/admin/providers").await), ["Corp"]);

        let page = browser.get("/admin/providers/corp/disable").await;
        let page = press(&mut browser, &page, "/disable").await;
        assert!(page.text().contains("disabled"), "{}", page.text());
        let page = browser.get("/admin/providers/corp/remove").await;
        press(&mut browser, &page, "/remove").await;
        assert_eq!(browser.get("/admin/providers/corp").await.status, 404);
        let events = app.audit().await;
        for action in ["provider.created", "provider.changed", "provider.removed"] {
            assert!(events.iter().any(|event| event.starts_with(action)), "LO-1: {action}: {events:?}");
        }
    }

    async fn fe_1_a_trial_shows_what_would_happen_and_does_nothing(database) {
        let (app, mock, mut browser) = world(database).await;
        let page = browser.get("/admin/providers/new?kind=oidc").await;
        submit(&mut browser, &page, "new-provider", &typed(mock.settings())).await;
        let root = app.read(|db| countersign::store::users::list(db, None, 5)).await[0].id;
        let before = counts(&app, root).await;

        mock.claim(json!({ "sub": "ada-there", "email": "ada@corp.example", "email_verified": true, "name": "Ada" }));
        let page = try_out(&mut browser, &mock).await;
        assert!(page.has_id("outcome") && page.has_id("claims"), "{}", page.text());
        assert!(page.text().contains("An account would be made for ada@corp.example"), "{}", page.text());
        assert!(page.html.contains("ada-there") && page.has_id("enable"), "{}", page.text());
        assert_eq!(counts(&app, root).await, before, "nothing was done");

        // Again, by the same address: what was shown once is over.
        let page = browser.get(&page.url).await;
        assert!(page.status == 422 && page.text().contains("The test is over"), "{}", page.text());

        app.user("grace").await;
        let before = counts(&app, root).await;
        mock.claim(json!({ "sub": "grace-there", "email": "grace@example.com", "email_verified": true }));
        let page = try_out(&mut browser, &mock).await;
        assert!(page.text().contains("grace@example.com has an account already"), "{}", page.text());
        assert_eq!(counts(&app, root).await, before);
        assert!(!browser.get("/login?link=1").await.text().contains("Corp"), "no link waits");

        let page = browser.get("/admin/providers/corp/edit").await;
        submit(&mut browser, &page, "edit-provider", &[("first_sign_in", "refuse".into())]).await;
        mock.claim(json!({ "sub": "new-there", "email": "new@corp.example", "email_verified": true }));
        let page = try_out(&mut browser, &mock).await;
        assert!(page.text().contains("would be refused"), "{}", page.text());
        let events = app.audit().await;
        assert!(events.iter().filter(|event| *event == "provider.tried success").count() == 3, "{events:?}");
    }

    async fn fe_2_a_trial_is_finished_by_who_began_it_and_signs_nobody_in(database) {
        let (app, mock, mut browser) = world(database).await;
        providers::add(&app.app, {
            let mut settings = mock.settings();
            settings.id = "corp".to_owned();
            settings
        }, &Origin::command_line()).await.expect("stored");
        mock.claim(json!({ "sub": "ada-there", "email": "ada@corp.example", "email_verified": true }));
        let page = browser.get("/admin/providers/corp/trial").await;
        let away = press(&mut browser, &page, "/trial").await;
        let answer = mock.consent(&away.url);

        let mut other = app.browser();
        other.get("/login").await;
        let page = other.get(&callback(&answer)).await;
        assert!(page.status == 400 && page.has_id("login-form"), "another browser: {}", page.text());

        // The same browser, in which somebody else is signed in meanwhile.
        user_with_role(&app, "second", InstanceRole::Administrator).await;
        let mut shared = browser.clone();
        shared.cookies.retain(|name, _| !name.contains("session"));
        shared.sign_in("second").await;
        let page = shared.get(&callback(&answer)).await;
        assert!(!page.has_id("claims") && !page.html.contains("ada-there"), "{}", page.text());
        assert_eq!(app.read(|db| countersign::store::users::list(db, None, 10)).await.len(), 2);

        // A sign-in's answer is no trial.
        let begun = browser.once(reqwest::Method::GET, "/login/federation/corp", None).await;
        let address = begun.headers()["location"].to_str().expect("text").to_owned();
        let query = callback(&mock.consent(&address)).split_once('?').expect("a query").1.to_owned();
        let page = browser.get(&format!("/admin/providers/corp/trial?{query}")).await;
        assert!(page.status == 422 && page.text().contains("The test is over"), "{}", page.text());
    }

    async fn fe_1_a_real_provider_is_set_up_and_tried_there_and_back(database) {
        let ada = json!({ "name": "Ada Lovelace", "email": "ada@corp.example", "email_verified": true });
        let provider = RealProvider::start("oidc", json!({ "ada": ada })).await;
        let app = TestApp::start_with(database, Settings::default().real_time()).await;
        let root = user_with_role(&app, "root", InstanceRole::Administrator).await;
        let mut browser = app.signed_in("root").await;
        let before = counts(&app, root).await;

        let page = browser.get("/admin/providers/new?kind=oidc").await;
        let mut wrong = typed(provider.settings());
        wrong.retain(|(name, _)| *name != "client_secret");
        wrong.push(("client_secret", "a secret of somebody else".to_owned()));
        let page = submit(&mut browser, &page, "new-provider", &wrong).await;
        // Its discovery document was read: where it sends browsers is nowhere in what was typed.
        let issuer = provider.settings().issuer.expect("an issuer");
        assert!(page.text().contains("It answers, and its keys are there") && page.text().contains(&issuer), "{}", page.text());
        assert!(page.text().contains(&format!("{issuer}/auth")), "{}", page.text());

        // Everything up to the token endpoint goes well with a wrong secret.
        let away = press(&mut browser, &page, "/trial").await;
        assert!(away.url.starts_with(&format!("{issuer}/auth?")), "{}", away.url);
        let page = browser.get(&provider.sign_in(&away.url, "ada").await).await;
        assert!(page.status == 422 && page.has_id("refused") && !page.has_id("claims"), "{}", page.text());
        assert!(page.text().contains("invalid_client"), "{}", page.text());

        let page = browser.get("/admin/providers/corp/edit").await;
        let page = submit(&mut browser, &page, "edit-provider", &typed(provider.settings())[4..5]).await;
        let away = press(&mut browser, &page, "/trial").await;
        let page = browser.get(&provider.sign_in(&away.url, "ada").await).await;
        assert!(page.status == 200 && page.has_id("outcome") && page.has_id("claims"), "{}", page.text());
        for told in ["An account would be made for ada@corp.example", "Ada Lovelace", &issuer] {
            assert!(page.text().contains(told), "{told}: {}", page.text());
        }
        for claim in ["\"sub\": \"ada\"", "\"email_verified\": true", &format!("\"iss\": \"{issuer}\"")] {
            assert!(page.text().contains(claim), "{claim}: {}", page.text());
        }

        // Nobody was signed in by it, in this browser or elsewhere.
        assert_eq!(counts(&app, root).await, before, "nothing was done");
        let account = browser.get("/account").await;
        assert!(account.text().contains("root@example.com") && !account.text().contains("ada@"), "{}", account.text());
        let events = app.audit().await;
        let told = |event: &str| events.iter().filter(|known| *known == event).count();
        assert_eq!((told("provider.tried failure"), told("provider.tried success")), (1, 1), "{events:?}");
        assert_eq!(told("identity.linked success"), 0, "{events:?}");

        // Enabled, it signs in who was only looked at before.
        let page = browser.get("/admin/providers/corp").await;
        press(&mut browser, &page, "/enable").await;
        let mut hers = app.browser();
        let away = hers.get("/login/federation/corp").await;
        hers.get(&provider.sign_in(&away.url, "ada").await).await;
        let account = hers.get("/account").await;
        assert!(account.text().contains("ada@corp.example"), "{}", account.text());
    }
}
