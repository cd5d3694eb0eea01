//! "Explain this refusal" in the console.

use super::{console, rows, user_with_role};
use crate::on_both_databases;
use crate::support::TestApp;
use countersign::model::InstanceRole;

on_both_databases! {
    async fn lo_3_a_reference_is_found_and_tells_the_rule_and_the_difference(database) {
        let (app, mut browser) = console(database).await;
        let client = app.client("calendar").await;
        let asked = client.flow("openid").with("redirect_uri", "https://calendar.example.org/callback/");
        let refused = app.browser().get(&asked.path()).await;
        let reference = refused.header("x-request-id").to_owned();
        app.user("ada").await;
        let mut hers = app.browser();
        let page = hers.get("/login").await;
        hers.answer_login(&page, "ada", "wrong").await;

        assert!(browser.get("/admin/explain").await.form("find").field("reference").is_some());
        let found = browser.get(&format!("/admin/explain?reference={}", reference.to_uppercase())).await;
        assert!(found.url.ends_with(&format!("/admin/explain/{reference}")), "{}", found.url);
        for told in ["letter by letter", "redirect_uri", "trailing slash", "/callback/", "calendar"] {
            assert!(found.text().contains(told), "{told}: {}", found.text());
        }
        assert!(found.has_id("facts") && !found.has_id("reference"));

        let list = browser.get("/admin/explain").await;
        assert!(list.text().contains(&reference) && rows(&list).contains("the password is wrong"), "{}", list.text());
        let of_client = browser.get(&format!("/admin/explain?client={}", client.client_id)).await;
        assert!(of_client.text().contains(&reference) && !rows(&of_client).contains("the password is wrong"));
        let sign_ins = browser.get("/admin/explain?kind=sign_in").await;
        assert!(!sign_ins.text().contains(&reference) && rows(&sign_ins).contains("the password is wrong"));
        let unknown = browser.get("/admin/explain?reference=0000-0000-0000").await;
        assert!(unknown.text().contains("Nothing is known of this reference"), "{}", unknown.text());
        assert_eq!(browser.get("/admin/explain/0000-0000-0000").await.status, 404);
    }

    async fn in_german_the_rule_and_the_facts_are_german(database) {
        let (app, mut browser) = console(database).await;
        let client = app.client("calendar").await;
        let asked = client.flow("openid").with("redirect_uri", "https://calendar.example.org/callback/");
        let reference = app.browser().get(&asked.path()).await.header("x-request-id").to_owned();
        let path = format!("/admin/explain/{reference}");
        let (english, german) = (["differs in", "trailing slash"], ["weicht ab in", "Schrägstrich am Ende"]);
        let page = browser.get(&path).await.text();
        assert!(english.iter().all(|words| page.contains(words)) && !page.contains(german[0]), "{page}");
        browser.headers.push(("accept-language", "de".to_owned()));
        let page = browser.get(&path).await.text();
        for words in german.iter().chain(&["Zeichen für Zeichen", "/callback/", "ähnlichste registrierte"]) {
            assert!(page.contains(words), "{words}: {page}");
        }
        assert!(!english.iter().any(|words| page.contains(words)), "{page}");
        let rules = browser.get("/admin/explain").await.text();
        assert!(rules.contains("Das Client-Geheimnis ist falsch oder abgelaufen."), "to choose from: {rules}");
        // What the API and the command line read.
        let told = countersign::explain::find(&app.app, &reference, None).await.unwrap().expect("kept").told;
        let fact = told.facts.iter().find(|fact| fact.name == english[0]).expect("in English");
        assert_eq!(fact.value, english[1]);
    }

    async fn refusals_are_found_by_what_people_and_applications_are_called(database) {
        let (app, mut browser) = console(database).await;
        app.user("ada").await;
        let client = app.client("calendar").await;
        app.client("diary").await;
        let wrong = client.flow("openid").with("redirect_uri", "https://calendar.example.org/elsewhere");
        app.browser().get(&wrong.path()).await;
        let mut theirs = app.browser();
        let page = theirs.get("/login").await;
        theirs.answer_login(&page, "ada", "wrong").await;
        for (asked, count) in [
            ("client=calendar", 1),
            ("client=Diary", 0),
            ("user=ada@example.com", 1),
            ("user=root@example.com", 0),
        ] {
            let page = browser.get(&format!("/admin/explain?{asked}")).await;
            assert_eq!(page.html.matches("<th scope=\"row\"").count(), count, "{asked}: {}", page.text());
            assert!(!page.text().contains("Nobody, or nothing"), "{asked}");
        }
        for asked in ["client=nonsense", "user=nobody", "organization=nowhere"] {
            let page = browser.get(&format!("/admin/explain?{asked}")).await.text();
            assert!(page.contains("Nobody, or nothing"), "{asked}: {page}");
        }
    }

    async fn ad_3_support_may_look_and_nobody_else(database) {
        let app = TestApp::start(database).await;
        user_with_role(&app, "support", InstanceRole::Support).await;
        app.user("ada").await;
        assert_eq!(app.signed_in("support").await.get("/admin/explain").await.status, 200);
        assert_eq!(app.signed_in("ada").await.get("/admin/explain").await.status, 403);
    }

    async fn or_1_an_organisations_administrator_finds_what_was_refused_in_it_alone(database) {
        let app = TestApp::start(database).await;
        let (ada, eve) = (app.user("ada").await, app.user("eve").await);
        let (ours, other) = (app.organisation("acme").await, app.organisation("other").await);
        app.member(&ours, ada, &["admin"]).await;
        app.member(&other, eve, &["member"]).await;
        let client = app.client("calendar").await;
        let mut references = Vec::new();
        for (name, user) in [("ada", &ours), ("eve", &other)] {
            let mut browser = app.browser();
            let flow = client.flow("openid offline_access").and("organization", &user.slug);
            let code = client.authorize(&mut browser, &flow, name).await;
            client.redeem(&flow, &code).await.expect_tokens();
            references.push(client.redeem(&flow, &code).await.header("x-request-id").to_owned());
        }
        let mut browser = app.signed_in("ada").await;
        let base = format!("/admin/organizations/{}/explain", ours.id);
        let list = browser.get(&base).await;
        assert!(list.text().contains(&references[0]) && !list.text().contains(&references[1]), "{}", list.text());
        assert_eq!(browser.get(&format!("{base}/{}", references[0])).await.status, 200);
        assert_eq!(browser.get(&format!("{base}/{}", references[1])).await.status, 404);
        let tried = browser.get(&format!("{base}?organization={}", other.id)).await;
        assert!(!tried.text().contains(&references[1]), "{}", tried.text());
        assert_eq!(browser.get("/admin/explain").await.status, 403);
    }
}
