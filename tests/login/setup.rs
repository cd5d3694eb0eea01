//! `/setup/{token}`: the first administrator.

use countersign::tenancy::links;
use reqwest::Method;

use crate::on_both_databases;
use crate::support::{PASSWORD, TestApp};

on_both_databases! {
    async fn ad_1_the_link_makes_the_first_administrator_once(database) {
        let app = TestApp::start(database).await;
        app.user("ada").await;
        let path = setup_path(&app).await;
        let mut browser = app.browser();
        let page = browser.get(&path).await;
        assert_eq!(page.header("referrer-policy"), "no-referrer");
        let fields = [("name", "Root"), ("email", "ada@example.com"), ("password", PASSWORD)];
        let page = browser.submit(&page, "setup-form", &fields, None).await;
        assert_eq!(page.status, 422, "the address is taken");
        assert!(page.has_id("email-error"));
        let fields = [("name", "Root"), ("email", "root@example.com"), ("password", PASSWORD)];
        let page = browser.submit(&page, "setup-form", &fields, None).await;
        assert_eq!(page.url, app.url("/admin/setup"));
        assert!(page.has_id("step-administrator") && page.text().contains("Root"));
        let users = app.read(|db| countersign::store::users::list(db, None, 10)).await;
        let admins: Vec<&str> = users.iter().filter(|user| user.is_admin()).map(|user| user.name.as_str()).collect();
        assert_eq!(admins, ["Root"]);

        let page = browser.get(&path).await;
        assert_eq!(page.status, 410);
        assert!(page.has_id("link-expired"));
        assert!(links::first_administrator(&app.app).await.unwrap().is_none());
        assert!(app.audit().await.contains(&"setup.completed success".to_owned()));
    }

    async fn ad_1_of_many_set_ups_at_once_one_wins(database) {
        let app = TestApp::start(database).await;
        let path = setup_path(&app).await;
        let mut browser = app.browser();
        let form = browser.get(&path).await.form("setup-form");
        let tries = (0..6).map(|at| {
            let (mut browser, path, mut form) = (browser.clone(), path.clone(), form.clone());
            form.set("name", "Root");
            form.set("email", &format!("root{at}@example.com"));
            form.set("password", PASSWORD);
            async move { browser.once(Method::POST, &path, Some(&form.fields)).await.status().as_u16() }
        });
        let mut statuses = futures_util::future::join_all(tries).await;
        statuses.sort_unstable();
        assert_eq!(statuses[0], 303, "{statuses:?}");
        assert!(statuses[1..].iter().all(|status| [410, 503].contains(status)), "{statuses:?}");
        let users = app.read(|db| countersign::store::users::list(db, None, 10)).await;
        assert_eq!(users.len(), 1);
    }

    async fn ad_1_mf_2_a_passkey_that_does_not_answer_spends_nothing_and_makes_nobody(database) {
        let app = TestApp::start(database).await;
        let path = setup_path(&app).await;
        let mut browser = app.browser();
        let page = browser.get(&path).await;
        let form = page.form("passkey-form");
        assert_eq!(form.action, format!("{path}/passkey"));
        let csrf = form.field("csrf").expect("a token").to_owned();
        let ask = |email: &str| {
            [("csrf", csrf.as_str()), ("name", "Root"), ("email", email)].map(|(name, value)| (name.to_owned(), value.to_owned()))
        };
        // What was typed is judged before any challenge is made.
        let options = format!("{path}/passkey/options");
        assert_eq!(browser.once(Method::POST, &options, Some(&ask("nonsense"))).await.status(), 404);
        let page = browser.post(&form.action, &ask("nonsense")).await;
        assert!(page.status == 422 && page.has_id("email-error"), "{}", page.text());
        assert_eq!(page.form("setup-form").field("name"), Some("Root"), "nothing typed is lost");

        let made = browser.once(Method::POST, &options, Some(&ask("root@example.com"))).await;
        assert_eq!(made.status(), 200);
        let challenge: serde_json::Value = made.json().await.expect("JSON");
        assert_eq!(challenge["publicKey"]["user"]["name"], "root@example.com");
        assert_eq!(challenge["publicKey"]["authenticatorSelection"]["residentKey"], "required");
        let mut answer = ask("root@example.com").to_vec();
        answer.push(("ceremony".to_owned(), challenge["ceremony"].as_str().expect("text").to_owned()));
        answer.push(("credential".to_owned(), "{}".to_owned()));
        let page = browser.post(&form.action, &answer).await;
        assert_eq!(page.status, 401);
        assert!(page.has_id("form-error") && page.has_id("setup-form"), "{}", page.text());
        assert!(app.read(|db| countersign::store::users::list(db, None, 10)).await.is_empty());

        // Without the link there is no challenge.
        let guess = browser.once(Method::POST, "/setup/guess/passkey/options", Some(&ask("root@example.com"))).await;
        assert_eq!(guess.status(), 404);
        let guess = browser.once(Method::POST, "/setup/guess/passkey", Some(&ask("root@example.com"))).await;
        assert_eq!(guess.status(), 410);
        assert_eq!(browser.get(&path).await.status, 200, "the link is as good as before");
    }

    async fn rl_3_guessing_the_set_up_link_is_stopped(database) {
        let app = TestApp::start(database).await;
        let mut browser = app.browser();
        for _ in 0..10 {
            assert_eq!(browser.get("/setup/guess").await.status, 410);
        }
        assert_eq!(browser.get("/setup/guess").await.status, 429);
    }
}

async fn setup_path(app: &TestApp) -> String {
    let secret = links::first_administrator(&app.app).await.unwrap().expect("nobody administers yet");
    format!("/setup/{}", secret.expose())
}
