//! Domains that an organisation proves by DNS, and its own provider for their people (OR-8).

use std::time::Duration;

use countersign::audit::Origin;
use countersign::identity::federation::providers;
use countersign::model::{EmailAddress, OrganisationId, UserId};
use countersign::tenancy::actor::Actor;
use countersign::tenancy::domains::{self, DomainError};
use countersign::tenancy::{domain_watch, organisations};
use reqwest::Method;
use serde_json::json;

use super::{roles, selected};
use crate::on_both_databases;
use crate::support::{
    Browser, Database, Mock, NameServer, PASSWORD, Page, Settings, TestApp, TestOrganisation,
};

const DAY: Duration = Duration::from_secs(86_400);

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

    async fn user(&self, address: &str) -> UserId {
        let email = EmailAddress::parse(address).expect("an address");
        let found = self.app.read(move |db| countersign::store::users::find_by_email(db, &email)).await;
        found.expect("the account is there").id
    }

    /// What the DNS of acme's domain has to say.
    async fn record(&self) -> String {
        let acme = self.acme.id;
        let all = self.app.read(move |db| countersign::store::domains::list(db, acme)).await;
        domains::record(&all[0])
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

    async fn ar_5_at_a_proxy_a_session_counts_in_the_organisation_that_vouches_for_it(database) {
        let world = World::routed(database).await;
        let mut browser = world.app.browser();
        world.sign_in(&mut browser).await;
        let ada = world.user("ada@example.com").await;
        let umbra = world.app.organisation("umbra").await;
        world.app.member(&umbra, ada, &["admin"]).await;
        let cookie: Vec<String> =
            browser.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let ask = async |demands: &str| {
            let asked = world.app.http.get(world.app.url(&format!("/forward-auth?{demands}")));
            let answer = asked.header("cookie", cookie.join("; ")).send().await.expect("an answer");
            let told = |name: &str| answer.headers().get(name).map(|value| value.to_str().unwrap().to_owned());
            (answer.status().as_u16(), told("x-auth-organization"), told("x-auth-roles"))
        };
        let acme = Some(world.acme.id.to_string());
        for demands in ["", "role=member", "organization=acme"] {
            assert_eq!(ask(demands).await, (200, acme.clone(), Some("member".to_owned())), "{demands}");
        }
        // What is held elsewhere does not count: nobody there vouched for this session.
        for demands in ["role=admin", "organization=umbra", "organization=umbra&role=admin"] {
            assert_eq!(ask(demands).await.0, 403, "{demands}");
        }
        let origin = Origin::command_line();
        organisations::suspend(&world.app.app, world.acme.id, &origin).await.expect("suspended");
        assert_eq!(ask("role=member").await.0, 403);
        assert_ne!(ask("").await.1, acme);
    }

    async fn or_8_every_form_that_takes_an_address_leads_to_the_provider(database) {
        let world = World::routed(database).await;
        for (page, form, address) in [
            ("/login", "login-form", "username"),
            ("/login", "magic-form", "email"),
            ("/register", "register-form", "email"),
            ("/recover", "recover-form", "email"),
        ] {
            let mut browser = world.app.browser();
            let shown = browser.get(page).await;
            assert!(!shown.header("content-security-policy").contains("form-action"), "{page}: it leads out");
            // An address of nobody and one of somebody are sent the same way (PW-6).
            for typed in ["ada@example.com", "nobody@EXAMPLE.com"] {
                let mut form = shown.form(form);
                form.set(address, typed);
                let answer = browser.once(Method::POST, &form.action, Some(&form.fields)).await;
                let location = answer.headers().get("location").map(|value| value.to_str().unwrap());
                assert!(location.is_some_and(|to| to.ends_with("/login/federation/oidc")), "{page} {typed}: {location:?}");
            }
            let mut form = shown.form(form);
            form.set(address, "ada@other.example");
            let answer = browser.once(Method::POST, &form.action, Some(&form.fields)).await;
            assert!(answer.headers().get("location").is_none(), "{page}: others stay");
        }
        let mails = world.app.read(|db| countersign::store::outbox::newest(db, 100)).await;
        assert!(mails.iter().all(|mail| !mail.recipient.to_lowercase().ends_with("@example.com")), "no mail lets anybody in");
        // Where nothing is routed, forms stay here.
        world.route(world.acme.id, None).await.expect("to none");
        let shown = world.app.browser().get("/register").await;
        assert!(shown.header("content-security-policy").contains("form-action"));
    }

    async fn or_8_a_request_that_waits_goes_along_to_the_provider(database) {
        let world = World::routed(database).await;
        let client = world.app.client("calendar").await;
        let mut browser = world.app.browser();
        let page = browser.get(&client.flow("openid").path()).await;
        let register = page.links().into_iter().find(|link| link.contains("/register")).expect("a link");
        let mut form = browser.get(&register).await.form("register-form");
        form.set("email", "ada@example.com");
        let answer = browser.once(Method::POST, &form.action, Some(&form.fields)).await;
        let location = answer.headers().get("location").expect("the provider").to_str().unwrap();
        assert!(location.contains("/login/federation/oidc?request="), "{location}");
    }

    async fn or_8_a_proof_that_is_gone_for_the_whole_grace_period_counts_no_more(database) {
        let world = World::routed(database).await;
        let (owner, member) = (world.app.user("owner").await, world.app.user("worker").await);
        world.app.member(&world.acme, owner, &["admin"]).await;
        world.app.member(&world.acme, member, &["member"]).await;
        let record = world.record().await;
        let mut browser = world.app.browser();
        let look = async || domain_watch::look_again(&world.app.app).await.expect("the database answers");
        let told = async || {
            let mails = world.app.read(|db| countersign::store::outbox::newest(db, 100)).await;
            let about = mails.into_iter().filter(|mail| mail.body_text.contains("acme & Söhne"));
            about.map(|mail| mail.recipient).collect::<Vec<_>>()
        };
        // There still; and asked once in a while only.
        world.app.advance(DAY);
        look().await;
        assert!(told().await.is_empty());
        world.dns.set("example.com", &["v=spf1 -all"]);
        world.app.advance(DAY / 2);
        look().await;
        assert!(told().await.is_empty(), "not due yet");
        world.app.advance(DAY / 2);
        look().await;
        look().await;
        assert_eq!(told().await, ["owner@example.com"], "told once, and who administers it");
        assert!(world.type_address(&mut browser, "ada@example.com").await.is_some(), "a time to put it back");
        // Back, and nothing happened.
        world.dns.set("example.com", &[&record]);
        world.app.advance(6 * DAY);
        look().await;
        world.dns.set("example.com", &[]);
        for _ in 0..8 {
            assert!(world.type_address(&mut browser, "ada@example.com").await.is_some());
            world.app.advance(DAY);
            look().await;
        }
        assert_eq!(told().await.len(), 3, "gone again, and too late");
        assert_eq!(world.type_address(&mut browser, "ada@example.com").await, None);
        world.sign_in(&mut browser).await;
        assert!(!is_signed_in(&mut browser).await, "the provider speaks for nobody");
        let audit = world.app.audit().await;
        for event in ["domain.missing success", "domain.lapsed success"] {
            assert!(audit.contains(&event.to_owned()), "{event}: {audit:?}");
        }
        // Proven anew, its people are sent where they were.
        world.dns.set("example.com", &[&record]);
        world.verify(world.acme.id, "example.com").await.expect("it is proven");
        assert!(world.type_address(&mut browser, "ada@example.com").await.is_some());
    }

    async fn or_8_a_name_server_that_does_not_answer_takes_no_proof_away(database) {
        let world = World::routed(database).await;
        let owner = world.app.user("owner").await;
        world.app.member(&world.acme, owner, &["admin"]).await;
        world.dns.refuse();
        for _ in 0..10 {
            world.app.advance(DAY);
            domain_watch::look_again(&world.app.app).await.expect("the database answers");
        }
        let mut browser = world.app.browser();
        assert!(world.type_address(&mut browser, "ada@example.com").await.is_some());
        let metrics = world.app.app.metrics.encode();
        assert!(metrics.contains("countersign_domain_checks_total{outcome=\"unanswered\"} 10"), "{metrics}");
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
