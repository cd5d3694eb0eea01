//! The organisation on its way through the browser into the tokens, and what becomes of it at a refresh.

use countersign::audit::Origin;
use countersign::model::UserId;
use countersign::tenancy::actor::Actor;
use countersign::tenancy::members::{self, Assignment};
use countersign::tenancy::organisations::{self, Change};
use serde_json::{Value, json};

use crate::on_both_databases;
use crate::support::status::listed_soon;
use crate::support::{
    Browser, Flow, Page, TestApp, TestClient, TestOrganisation, Tokens, without_references,
};

/// Chooses an organisation on its page.
async fn choose(browser: &mut Browser, page: &Page, organisation: &TestOrganisation) -> Page {
    assert!(page.has_id("organization-form"), "{}: {}", page.url, page.text());
    let id = organisation.id.to_string();
    browser.submit(page, "organization-form", &[], Some(("organization", &id))).await
}

async fn allow(browser: &mut Browser, page: &Page) -> Page {
    assert!(page.has_id("consent-form"), "{}: {}", page.url, page.text());
    browser.submit(page, "consent-form", &[], Some(("action", "allow"))).await
}

async fn redeem(client: &TestClient, flow: &Flow, page: &Page) -> Tokens {
    let query = page.query();
    let code = query.get("code").unwrap_or_else(|| panic!("no code at {}: {}", page.url, page.text()));
    client.redeem(flow, code).await.expect_tokens()
}

fn error(page: &Page) -> Option<String> {
    page.query().get("error").cloned()
}

/// What the token says of the organisation.
fn about(claims: &Value) -> Value {
    json!([claims["org"], claims["org_slug"], claims["roles"]])
}

fn nothing() -> Value {
    json!([null, null, null])
}

fn of(organisation: &TestOrganisation, roles: &[&str]) -> Value {
    json!([organisation.id, organisation.slug, roles])
}

async fn set_roles(app: &TestApp, organisation: &TestOrganisation, user: UserId, roles: &[&str]) {
    let roles = roles.iter().map(|role| (*role).to_owned()).collect();
    let assignment = Assignment { user, workspace: None, roles };
    members::set_roles(&app.app, Actor::Operator, organisation.id, assignment, &Origin::command_line())
        .await
        .expect("the roles are set");
}

on_both_databases! {
    async fn tk_5_the_only_organisation_is_in_the_tokens(database) {
        let app = TestApp::start(database).await;
        let ada = app.user("ada").await;
        let acme = app.organisation("acme").await;
        app.member(&acme, ada, &["member", "manager"]).await;
        let client = app.client("calendar").await;
        let mut browser = app.browser();
        let tokens = client.sign_in(&mut browser, "ada", "openid organizations").await;
        let access = tokens.access_claims();
        assert_eq!(about(&access), of(&acme, &["manager", "member"]));
        assert_eq!(access["permissions"], json!(["members:read", "org:read"]));
        assert_eq!(about(&tokens.id_claims()), about(&access));
        let userinfo = client.userinfo(&tokens.access_token).await;
        assert_eq!(about(&userinfo.body), about(&access));
        // Without the scope the API still learns it, and the application is not told.
        let plain = client.sign_in(&mut browser, "ada", "openid").await;
        assert_eq!(about(&plain.access_claims()), about(&access));
        assert_eq!(about(&plain.id_claims()), nothing());
        assert_eq!(about(&client.userinfo(&plain.access_token).await.body), nothing());
    }

    async fn who_belongs_nowhere_has_tokens_without_an_organisation(database) {
        let app = TestApp::start(database).await;
        app.user("ada").await;
        app.organisation("acme").await;
        let client = app.client("calendar").await;
        let tokens = client.sign_in(&mut app.browser(), "ada", "openid organizations").await;
        assert_eq!(about(&tokens.access_claims()), nothing());
        assert_eq!(tokens.access_claims()["permissions"], Value::Null);
        let strict = TestClient::register(&app, "strict", |terms| terms.require_organization = true).await;
        let page = strict.visit(&mut app.browser(), &strict.flow("openid"), "ada").await;
        assert_eq!(error(&page).as_deref(), Some("access_denied"));
    }

    async fn ed9_who_belongs_to_several_chooses(database) {
        let app = TestApp::start(database).await;
        let ada = app.user("ada").await;
        let (acme, umbra, other) =
            (app.organisation("acme").await, app.organisation("umbra").await, app.organisation("other").await);
        app.member(&acme, ada, &["admin"]).await;
        app.member(&umbra, ada, &["member"]).await;
        let client = app.client("calendar").await;
        let flow = client.flow("openid organizations");
        let mut browser = app.signed_in("ada").await;
        let page = browser.get(&flow.path()).await;
        assert!(page.text().contains("acme & Söhne") && page.text().contains("umbra & Söhne"), "{}", page.text());
        assert!(!page.text().contains("other &"));
        // One that ada does not belong to changes nothing.
        let page = {
            let mut form = page.form("organization-form");
            form.set("organization", &other.id.to_string());
            browser.post(&form.action, &form.fields).await
        };
        assert!(page.has_id("organization-form"), "{}", page.url);
        // Neither does one that there is not, and nobody learns which it was (OR-1).
        let mut form = page.form("organization-form");
        form.set("organization", &format!("org_{}", "0".repeat(32)));
        let page = browser.post(&form.action, &form.fields).await;
        assert!(page.has_id("organization-form"), "{}", page.url);
        let page = choose(&mut browser, &page, &umbra).await;
        assert!(page.text().contains("umbra & Söhne"), "consent names it: {}", page.text());
        let page = allow(&mut browser, &page).await;
        let tokens = redeem(&client, &flow, &page).await;
        assert_eq!(about(&tokens.access_claims()), of(&umbra, &["member"]));
        // An application that does not care is not told, and nobody is asked.
        let plain = client.sign_in(&mut browser, "ada", "openid").await;
        assert_eq!(about(&plain.access_claims()), nothing());
        let silent = flow.clone().with("prompt", "none");
        assert_eq!(error(&browser.get(&silent.path()).await).as_deref(), Some("interaction_required"));
        let silent = silent.with("organization", "umbra");
        assert!(browser.get(&silent.path()).await.query().contains_key("code"));
    }

    async fn az_10_consent_for_one_organisation_is_none_for_another(database) {
        let app = TestApp::start(database).await;
        let ada = app.user("ada").await;
        let (acme, umbra) = (app.organisation("acme").await, app.organisation("umbra").await);
        app.member(&acme, ada, &["admin"]).await;
        app.member(&umbra, ada, &["member"]).await;
        let client = app.client("calendar").await;
        let mut browser = app.signed_in("ada").await;
        let to = |organisation: &TestOrganisation| client.flow("openid").with("organization", &organisation.slug);
        let page = browser.get(&to(&acme).path()).await;
        assert!(page.text().contains("acme & Söhne"), "{}", page.text());
        allow(&mut browser, &page).await;
        assert!(browser.get(&to(&acme).path()).await.query().contains_key("code"), "it is remembered");
        let page = browser.get(&to(&umbra).path()).await;
        assert!(page.has_id("consent-form") && page.text().contains("umbra & Söhne"), "{}", page.text());
        // A form that was shown for another organisation allows nothing.
        let mut form = page.form("consent-form");
        form.set("organization", &acme.id.to_string());
        form.fields.push(("action".to_owned(), "allow".to_owned()));
        let page = browser.post(&form.action, &form.fields).await;
        assert!(page.has_id("consent-form"), "{}", page.url);
        let silent = to(&umbra).with("prompt", "none");
        assert_eq!(error(&browser.get(&silent.path()).await).as_deref(), Some("consent_required"));
    }

    async fn or_1_an_organization_that_is_not_the_users_is_refused_and_does_not_show_itself(database) {
        let app = TestApp::start(database).await;
        let ada = app.user("ada").await;
        let (acme, umbra) = (app.organisation("acme").await, app.organisation("umbra").await);
        app.member(&acme, ada, &["admin"]).await;
        let client = app.client("calendar").await;
        let mut browser = app.signed_in("ada").await;
        let mut told = Vec::new();
        for named in ["umbra", &umbra.id.to_string(), "nonsense", "org_1", "../acme", "%00"] {
            let page = browser.get(&client.flow("openid").with("organization", named).path()).await;
            let mut query = page.query();
            query.remove("state");
            for value in query.values_mut() {
                *value = without_references(value);
            }
            told.push(query);
        }
        assert_eq!(told[0].get("error").map(String::as_str), Some("access_denied"));
        assert!(told.iter().all(|answer| *answer == told[0]), "{told:?}");
        // Whoever is not signed in learns nothing before.
        let page = app.browser().get(&client.flow("openid").with("organization", "nonsense").path()).await;
        assert!(page.has_id("login-form"));
    }

    async fn or_6_a_refresh_sees_roles_and_standing_as_they_are_now(database) {
        let app = TestApp::start(database).await;
        let (ada, bob) = (app.user("ada").await, app.user("bob").await);
        let (acme, umbra) = (app.organisation("acme").await, app.organisation("umbra").await);
        app.member(&acme, ada, &["admin"]).await;
        app.member(&acme, bob, &["admin"]).await;
        app.member(&umbra, ada, &["member"]).await;
        let client = app.client("calendar").await;
        let flow = client.flow("openid offline_access organizations").with("organization", "acme");
        let code = client.authorize(&mut app.browser(), &flow, "ada").await;
        let tokens = client.redeem(&flow, &code).await.expect_tokens();
        assert_eq!(about(&tokens.access_claims()), of(&acme, &["admin"]));
        let asked = [
            ("grant_type", "refresh_token"),
            ("refresh_token", tokens.refresh_token()),
            // There is no such parameter here: the organisation of a grant stays (TE-6).
            ("organization", "umbra"),
        ];
        set_roles(&app, &acme, ada, &["member"]).await;
        let tokens = client.token(&asked).await.expect_tokens();
        assert_eq!(about(&tokens.access_claims()), of(&acme, &["member"]));
        assert_eq!(about(&tokens.id_claims()), of(&acme, &["member"]));
        let origin = Origin::command_line();
        let refresh = tokens.refresh_token();

        members::suspend(&app.app, Actor::Operator, acme.id, ada, &origin).await.expect("suspended");
        client.refresh(refresh).await.expect_error("invalid_grant");
        assert_eq!(client.introspect(&tokens.access_token).await, json!({ "active": false }));
        assert_eq!(client.userinfo(&tokens.access_token).await.status, 401);
        listed_soon(&app, &tokens.access_token).await;
        members::resume(&app.app, Actor::Operator, acme.id, ada, &origin).await.expect("resumed");
        let tokens = client.refresh(refresh).await.expect_tokens();

        organisations::suspend(&app.app, acme.id, &origin).await.expect("suspended");
        client.refresh(tokens.refresh_token()).await.expect_error("invalid_grant");
        assert_eq!(client.introspect(&tokens.access_token).await, json!({ "active": false }));
        listed_soon(&app, &tokens.access_token).await;
        organisations::resume(&app.app, acme.id, &origin).await.expect("resumed");
        let tokens = client.refresh(tokens.refresh_token()).await.expect_tokens();

        // Who was removed and is taken back begins anew.
        members::remove(&app.app, Actor::Operator, acme.id, ada, &origin).await.expect("removed");
        client.refresh(tokens.refresh_token()).await.expect_error("invalid_grant");
        app.member(&acme, ada, &["admin"]).await;
        client.refresh(tokens.refresh_token()).await.expect_error("invalid_grant");
    }

    async fn rv_3_what_was_listed_as_revoked_stays_dead_online_when_it_is_resumed(database) {
        let app = TestApp::start(database).await;
        let (ada, bob) = (app.user("ada").await, app.user("bob").await);
        let acme = app.organisation("acme").await;
        app.member(&acme, ada, &["admin"]).await;
        app.member(&acme, bob, &["admin"]).await;
        let client = app.client("calendar").await;
        let flow = client.flow("openid offline_access organizations").with("organization", "acme");
        let code = client.authorize(&mut app.browser(), &flow, "ada").await;
        let old = client.redeem(&flow, &code).await.expect_tokens();
        let origin = Origin::command_line();
        members::suspend(&app.app, Actor::Operator, acme.id, ada, &origin).await.expect("suspended");
        members::resume(&app.app, Actor::Operator, acme.id, ada, &origin).await.expect("resumed");
        listed_soon(&app, &old.access_token).await;
        assert_eq!(client.introspect(&old.access_token).await, json!({ "active": false }));
        assert_eq!(client.userinfo(&old.access_token).await.status, 401);
        // The application goes on with its refresh token.
        let next = client.refresh(old.refresh_token()).await.expect_tokens();
        assert_eq!(client.introspect(&next.access_token).await["active"], true);
        organisations::suspend(&app.app, acme.id, &origin).await.expect("suspended");
        organisations::resume(&app.app, acme.id, &origin).await.expect("resumed");
        listed_soon(&app, &next.access_token).await;
        assert_eq!(client.introspect(&next.access_token).await, json!({ "active": false }));
        client.refresh(next.refresh_token()).await.expect_tokens();
    }

    async fn ar_2_a_code_of_somebody_suspended_meanwhile_gives_nothing(database) {
        let app = TestApp::start(database).await;
        let (ada, bob) = (app.user("ada").await, app.user("bob").await);
        let acme = app.organisation("acme").await;
        app.member(&acme, ada, &["admin"]).await;
        app.member(&acme, bob, &["admin"]).await;
        let client = app.client("calendar").await;
        let flow = client.flow("openid");
        let code = client.authorize(&mut app.browser(), &flow, "ada").await;
        members::suspend(&app.app, Actor::Operator, acme.id, ada, &Origin::command_line()).await.expect("suspended");
        client.redeem(&flow, &code).await.expect_error("invalid_grant");
    }

    async fn mf_5_an_organisation_or_a_role_demands_two_factors(database) {
        let app = TestApp::start(database).await;
        let (ada, bob) = (app.user("ada").await, app.user("bob").await);
        let (acme, umbra) = (app.organisation("acme").await, app.organisation("umbra").await);
        app.member(&acme, ada, &["admin"]).await;
        let client = app.client("calendar").await;
        let mut browser = app.browser();
        let old = client.sign_in(&mut browser, "ada", "openid offline_access").await;
        let change = Change { require_mfa: Some(true), ..Change::default() };
        organisations::change(&app.app, Actor::Operator, acme.id, change, &Origin::command_line()).await.expect("changed");
        client.refresh(old.refresh_token()).await.expect_error("invalid_grant");
        let page = browser.get(&client.flow("openid").path()).await;
        assert!(page.url.contains("/login/enrol?request=arq_"), "{}", page.url);
        let silent = client.flow("openid").with("prompt", "none");
        assert_eq!(error(&browser.get(&silent.path()).await).as_deref(), Some("interaction_required"));

        let strict = countersign::tenancy::roles::Description {
            name: "Keeper".to_owned(),
            rank: 5,
            permissions: Default::default(),
            require_mfa: true,
        };
        countersign::tenancy::roles::define(&app.app, Actor::Operator, umbra.id, "keeper", strict, &Origin::command_line())
            .await
            .expect("defined");
        app.member(&umbra, bob, &["keeper"]).await;
        let page = client.visit(&mut app.browser(), &client.flow("openid"), "bob").await;
        assert!(page.url.contains("/login/enrol?request=arq_"), "{}", page.url);
    }

    async fn te_11_a_pushed_request_names_the_organisation(database) {
        let app = TestApp::start(database).await;
        let ada = app.user("ada").await;
        for slug in ["acme", "umbra"] {
            let organisation = app.organisation(slug).await;
            app.member(&organisation, ada, &["member"]).await;
        }
        let client = app.client("calendar").await;
        let flow = client.flow("openid").with("organization", "umbra");
        let fields: Vec<(&str, &str)> = flow.parameters.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
        let pushed = client.call("/oauth2/par", &fields).await;
        let uri = pushed.body["request_uri"].as_str().expect("a reference");
        let mut by_reference = flow.clone();
        by_reference.parameters = vec![
            ("client_id".to_owned(), client.client_id.clone()),
            ("request_uri".to_owned(), uri.to_owned()),
            // Nothing beside the reference counts (RFC 9126 section 4).
            ("organization".to_owned(), "acme".to_owned()),
        ];
        let code = client.authorize(&mut app.browser(), &by_reference, "ada").await;
        let tokens = client.redeem(&flow, &code).await.expect_tokens();
        assert_eq!(tokens.access_claims()["org_slug"], "umbra");
    }

    async fn ir_2_introspection_tells_of_the_roles_of_now(database) {
        let app = TestApp::start(database).await;
        let ada = app.user("ada").await;
        let acme = app.organisation("acme").await;
        app.member(&acme, ada, &["manager"]).await;
        let client = app.client("calendar").await;
        let tokens = client.sign_in(&mut app.browser(), "ada", "openid").await;
        assert_eq!(about(&client.introspect(&tokens.access_token).await), of(&acme, &["manager"]));
        set_roles(&app, &acme, ada, &["member"]).await;
        let now = client.introspect(&tokens.access_token).await;
        assert_eq!(about(&now), of(&acme, &["member"]));
        assert_eq!(now["permissions"], json!(["org:read"]));
    }

    async fn another_account_chooses_for_itself(database) {
        let app = TestApp::start(database).await;
        let (ada, bob) = (app.user("ada").await, app.user("bob").await);
        for slug in ["acme", "umbra"] {
            let organisation = app.organisation(slug).await;
            app.member(&organisation, ada, &["admin"]).await;
            app.member(&organisation, bob, &["member"]).await;
        }
        let client = TestClient::register(&app, "calendar", |terms| terms.require_organization = true).await;
        let mut browser = app.signed_in("ada").await;
        let page = browser.get(&client.flow("openid").path()).await;
        let form = page.form("organization-form");
        let (request, umbra) = (form.field("request").expect("the request").to_owned(), page.button("organization", "umbra & Söhne"));
        let page = browser.submit(&page, "organization-form", &[], Some(("organization", &umbra))).await;
        assert!(page.has_id("consent-form"), "{}", page.url);
        // Ada gives the browser to bob, who signs in for the same request.
        let page = browser.get(&format!("/login?request={request}&other=1")).await;
        let page = browser.answer_login(&page, "bob", crate::support::PASSWORD).await;
        assert!(page.has_id("organization-form") && page.text().contains("bob"), "{}: {}", page.url, page.text());
    }
}
