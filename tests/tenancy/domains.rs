//! Domains that an organisation proves by DNS, and its own provider for their people (OR-8).

use countersign::audit::Origin;
use countersign::identity::federation::providers;
use countersign::model::{EmailAddress, OrganisationId};
use countersign::tenancy::actor::Actor;
use countersign::tenancy::domains::{self, DomainError};
use countersign::tenancy::organisations;
use reqwest::Method;
use serde_json::json;

use super::{roles, selected};
use crate::on_both_databases;
use crate::support::{
    Browser, Database, Mock, NameServer, PASSWORD, Page, Settings, TestApp, TestOrganisation,
};

/// A server with a name server and a provider that belongs to acme.
struct World {
    app: TestApp,
    dns: NameServer,
    mock: Mock,
    acme: TestOrganisation,
}

impl World {
    async fn of(database: Database) -> Self {
        let dns = NameServer::start().await;
        let server = dns.address;
        let settings = Settings::with(move |config| config.outbound.dns_server = Some(server));
        let mock = Mock::start("oidc", settings.clock.clone()).await;
        let app = TestApp::start_with(database, settings).await;
        let acme = app.organisation("acme").await;
        providers::add_for(&app.app, mock.settings(), Some(acme.id), &Origin::command_line())
            .await
            .expect("stored");
        Self { app, dns, mock, acme }
    }

    async fn claim(&self, organisation: OrganisationId, domain: &str) -> String {
        let origin = Origin::command_line();
        let claimed = domains::claim(&self.app.app, Actor::Operator, organisation, domain, &origin).await;
        domains::record(&claimed.expect("it is claimed"))
    }

    async fn verify(&self, organisation: OrganisationId, domain: &str) -> Result<(), DomainError> {
        let origin = Origin::command_line();
        domains::verify(&self.app.app, Actor::Operator, organisation, domain, &origin).await.map(|_| ())
    }

    async fn route(&self, organisation: OrganisationId, to: Option<&str>) -> Result<(), DomainError> {
        let (origin, to) = (Origin::command_line(), to.map(str::to_owned));
        domains::route(&self.app.app, Actor::Operator, organisation, "example.com", to, &origin).await
    }

    /// example.com is acme's, and its people are sent to acme's provider.
    async fn routed(database: Database) -> Self {
        let world = Self::of(database).await;
        let record = world.claim(world.acme.id, "example.com").await;
        world.dns.set("example.com", &["v=spf1 -all", &record]);
        world.verify(world.acme.id, "example.com").await.expect("it is proven");
        world.route(world.acme.id, Some("oidc")).await.expect("it is routed");
        world
    }

    /// Types an address into the sign-in page; gives where the browser is sent, if to the provider.
    async fn type_address(&self, browser: &mut Browser, address: &str) -> Option<String> {
        let page = browser.get("/login").await;
        let mut form = page.form("login-form");
        form.set("username", address);
        form.set("password", "whatever");
        let answer = browser.once(Method::POST, &form.action, Some(&form.fields)).await;
        let location = answer.headers().get("location")?.to_str().expect("text").to_owned();
        let answer = browser.once(Method::GET, &location, None).await;
        Some(answer.headers().get("location")?.to_str().expect("text").to_owned())
    }

    async fn come_back(&self, browser: &mut Browser, address: &str) -> Page {
        let answer = self.mock.consent(address);
        let query = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(&answer).finish();
        browser.get(&format!("/login/federation/oidc/callback?{query}")).await
    }

    async fn sign_in(&self, browser: &mut Browser) -> Page {
        let answer = browser.once(Method::GET, "/login/federation/oidc", None).await;
        let address =
            answer.headers().get("location").expect("the provider").to_str().expect("text").to_owned();
        self.come_back(browser, &address).await
    }
}

async fn is_signed_in(browser: &mut Browser) -> bool {
    browser.get("/account").await.url.ends_with("/account")
}

on_both_databases! {
    async fn or_8_a_domain_is_proven_by_its_dns_and_by_one_organisation(database) {
        let world = World::of(database).await;
        let umbra = world.app.organisation("umbra").await;
        let acme = world.acme.id;
        let record = world.claim(acme, "Example.COM").await;
        let theirs = world.claim(umbra.id, "example.com").await;
        assert!(record.starts_with("countersign-verification=") && record != theirs, "{record}");
        // Nothing there; something else there; somebody else's proof there.
        assert!(matches!(world.verify(acme, "example.com").await, Err(DomainError::NotProven { .. })));
        world.dns.set("example.com", &["v=spf1 -all", "countersign-verification=", &theirs]);
        assert!(matches!(world.verify(acme, "example.com").await, Err(DomainError::NotProven { .. })));
        assert!(matches!(world.route(acme, Some("oidc")).await, Err(DomainError::NotYetProven)));
        world.dns.set("example.com", &[&theirs, &record]);
        world.verify(acme, "example.com").await.expect("it is proven");
        assert!(matches!(world.verify(umbra.id, "example.com").await, Err(DomainError::ProvenByAnother)));
        assert!(matches!(world.verify(acme, "other.example").await, Err(DomainError::NotClaimed)));
        // A provider of another organisation is none of its own.
        assert!(matches!(world.route(umbra.id, Some("oidc")).await, Err(DomainError::NoSuchProvider)));
        let origin = Origin::command_line();
        domains::remove(&world.app.app, Actor::Operator, acme, "example.com", &origin).await.expect("given up");
        world.verify(umbra.id, "example.com").await.expect("it is free again");
    }

    async fn or_8_a_name_server_that_does_not_answer_proves_nothing(database) {
        let server = "127.0.0.1:9".parse().expect("nobody listens there");
        let app = TestApp::start_with(database, Settings::with(move |config| {
            config.outbound.dns_server = Some(server);
        })).await;
        let acme = app.organisation("acme").await;
        let origin = Origin::command_line();
        domains::claim(&app.app, Actor::Operator, acme.id, "example.com", &origin).await.expect("claimed");
        let answer = domains::verify(&app.app, Actor::Operator, acme.id, "example.com", &origin).await;
        assert!(matches!(answer, Err(DomainError::Dns(_))), "{answer:?}");
    }

    async fn or_8_people_of_the_domain_are_sent_to_the_organisations_provider_and_join(database) {
        let world = World::routed(database).await;
        let mut browser = world.app.browser();
        assert_eq!(world.type_address(&mut browser, "ada@other.example").await, None, "nobody else is");
        let address = world.type_address(&mut browser, " Ada@Example.com").await.expect("sent there");
        world.come_back(&mut browser, &address).await;
        assert!(is_signed_in(&mut browser).await);
        let ada = world.app.read(|db| {
            let email = EmailAddress::parse("ada@example.com").expect("an address");
            countersign::store::users::find_by_email(db, &email)
        }).await.expect("the account is there");
        let joined = selected(&world.app, ada.id, None, None).await.expect("a member");
        assert_eq!((joined.organisation().id, roles(&joined)), (world.acme.id, vec!["member"]));
        assert!(world.app.browser().get("/login").await.links().iter().all(|link| !link.contains("federation")), "OR-7");
    }

    async fn or_8_the_provider_speaks_for_its_domain_and_for_nobody_else(database) {
        let world = World::routed(database).await;
        let victim = world.app.user_with("victim", |new| {
            new.email = EmailAddress::parse("victim@other.example").expect("an address");
        }).await;
        for claims in [
            json!({ "email": "victim@other.example", "email_verified": true }),
            json!({ "email": "new@other.example", "email_verified": true }),
            json!({ "email": "ada@sub.example.com", "email_verified": true }),
            json!({ "email": null }),
        ] {
            world.mock.claim(claims.clone());
            let mut browser = world.app.browser();
            world.sign_in(&mut browser).await;
            assert!(!is_signed_in(&mut browser).await, "{claims}");
        }
        assert!(selected(&world.app, victim, None, None).await.is_err());
        // Not without the route, however well the domain is proven; nor while the organisation is suspended.
        world.mock.claim(json!({}));
        let origin = Origin::command_line();
        organisations::suspend(&world.app.app, world.acme.id, &origin).await.expect("suspended");
        let mut browser = world.app.browser();
        assert_eq!(world.type_address(&mut browser, "ada@example.com").await, None);
        world.sign_in(&mut browser).await;
        assert!(!is_signed_in(&mut browser).await);
        organisations::resume(&world.app.app, world.acme.id, &origin).await.expect("resumed");
        world.route(world.acme.id, None).await.expect("to none");
        assert_eq!(world.type_address(&mut browser, "ada@example.com").await, None);
        world.sign_in(&mut browser).await;
        assert!(!is_signed_in(&mut browser).await);
    }

    async fn fe_7_an_account_that_has_the_address_is_linked_by_its_owner_only(database) {
        let world = World::routed(database).await;
        let ada = world.app.user("ada").await;
        let mut browser = world.app.browser();
        let page = world.sign_in(&mut browser).await;
        assert!(!is_signed_in(&mut browser).await, "no silent linking");
        assert!(page.has_id("login-link"), "{}", page.text());
        assert!(selected(&world.app, ada, None, None).await.is_err());
        let page = browser.answer_login(&page, "ada", PASSWORD).await;
        // The owner proves it by the password, although the domain is routed.
        assert!(is_signed_in(&mut browser).await, "{}: {}", page.url, page.text());
    }

    async fn ar_5_whom_one_organisation_vouches_for_acts_in_that_one_only(database) {
        let world = World::routed(database).await;
        let mut browser = world.app.browser();
        world.sign_in(&mut browser).await;
        let ada = world.app.read(|db| {
            let email = EmailAddress::parse("ada@example.com").expect("an address");
            countersign::store::users::find_by_email(db, &email)
        }).await.expect("the account is there");
        let umbra = world.app.organisation("umbra").await;
        world.app.member(&umbra, ada.id, &["admin"]).await;
        let client = world.app.client("calendar").await;
        let to = |organisation: &str| client.flow("openid").with("organization", organisation);
        let page = browser.get(&to("umbra").path()).await;
        assert_eq!(page.query().get("error").map(String::as_str), Some("access_denied"), "{}", page.url);
        let page = browser.get(&to("acme").path()).await;
        assert!(page.has_id("consent-form"), "{}: {}", page.url, page.text());
    }
}
