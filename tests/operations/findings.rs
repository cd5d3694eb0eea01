//! What is said of an instance is true, and is gone when it is mended.

use std::time::Duration;

use countersign::clock::Timestamp;
use countersign::config::Config;
use countersign::crypto::Secret;
use countersign::findings::{self, Finding, Severity};
use countersign::model::{ClientSecret, ClientSecretId, InstanceRole, MessageId, SigningAlg};
use countersign::store::{self, outbox::Message};

use crate::on_both_databases;
use crate::support::{Database, Settings, TestApp};

const DAY: Duration = Duration::from_secs(86_400);
const MINUTE: Duration = Duration::from_secs(60);

/// With an administrator and the true time, so that there is nothing to be said.
async fn good(database: Database) -> TestApp {
    let app = TestApp::start_with(database, Settings::default().real_time()).await;
    app.user_with("ada", |new| new.instance_role = Some(InstanceRole::Administrator)).await;
    app
}

async fn look(app: &TestApp, config: &Config, now: Timestamp) -> Vec<Finding> {
    findings::look(&app.app.db, config, now).await.unwrap()
}

async fn found(app: &TestApp) -> Vec<Finding> {
    look(app, &app.app.config, app.clock.now()).await
}

fn codes(found: &[Finding]) -> Vec<&'static str> {
    found.iter().map(Finding::code).collect()
}

fn message(app: &TestApp, created_at: Timestamp) -> Message {
    Message {
        id: MessageId::new(created_at, &app.app.random),
        recipient: "ada@example.com".to_owned(),
        subject: String::new(),
        body_text: String::new(),
        body_html: String::new(),
        created_at,
        expires_at: None,
        due_at: created_at.plus(365 * DAY),
        attempts: 1,
        last_error: None,
        sent_at: None,
        failed_at: None,
    }
}

on_both_databases! {
    async fn a_good_instance_has_nothing_said_of_it_and_a_public_one_more_is_asked_of(database) {
        let app = TestApp::start_with(database, Settings::default().real_time()).await;
        assert_eq!(found(&app).await, [Finding::NoAdministrator]);
        app.user_with("ada", |new| new.instance_role = Some(InstanceRole::Administrator)).await;
        assert_eq!(found(&app).await, []);

        let mut public = app.app.config.clone();
        public.issuer = "https://id.example.com".parse().unwrap();
        let said = look(&app, &public, app.clock.now()).await;
        let mut expected = vec![
            "no_mail_server", "no_trusted_proxy", "one_administrator", "administrators_without_factor", "no_metrics",
        ];
        expected.extend(public.database.sqlite_path().map(|_| "one_node_only"));
        assert_eq!(codes(&said), expected);
        assert!(said.is_sorted_by_key(Finding::severity));

        app.user_with("bob", |new| new.instance_role = Some(InstanceRole::Administrator)).await;
        public.mail.url = Some(Secret::from_text("smtps://mail.example.com"));
        public.server.trusted_proxies = vec!["10.0.0.1".parse().unwrap()];
        public.server.metrics_listen = Some("127.0.0.1:9090".parse().unwrap());
        let said = look(&app, &public, app.clock.now()).await;
        assert_eq!(said[0], Finding::AdministratorsWithoutFactor(2));
        assert!(said.len() == 1 || said[1..] == [Finding::OneNodeOnly]);
    }

    async fn cr_7_a_clock_that_is_off_is_told_of(database) {
        let app = good(database).await;
        let now = app.clock.now();
        for (at, severity) in [
            (now.plus(MINUTE), Severity::Warning),
            (now.minus(MINUTE), Severity::Warning),
            (now.plus(6 * MINUTE), Severity::Problem),
        ] {
            let said = look(&app, &app.app.config, at).await;
            assert_eq!(codes(&said), ["clock_off"]);
            assert_eq!(said[0].severity(), severity);
        }
    }

    async fn mail_that_does_not_leave_is_told_of(database) {
        let app = good(database).await;
        let now = app.clock.now();
        let (failed, waiting) = (message(&app, now.minus(DAY)), message(&app, now.minus(20 * MINUTE)));
        let since = waiting.created_at;
        app.app.db.write(move |db| {
            store::outbox::insert(db, &failed)?;
            store::outbox::mark_failed(db, failed.id, "no such mailbox", now)?;
            store::outbox::insert(db, &waiting)
        }).await.unwrap();
        assert_eq!(found(&app).await, [Finding::MailFailed(1)]);
        let mut with_server = app.app.config.clone();
        with_server.mail.url = Some(Secret::from_text("smtp://localhost"));
        let said = look(&app, &with_server, now).await;
        assert_eq!(said, [Finding::MailFailed(1), Finding::MailWaits { count: 1, since }]);
    }

    async fn ca_2_the_last_secret_of_a_client_is_told_of_before_it_ends(database) {
        let app = good(database).await;
        let client = app.client("calendar").await;
        let (now, client_id) = (app.clock.now(), client.client_id.clone());
        let key = app.read(move |db| store::clients::find_by_client_id(db, &client_id)).await.unwrap().key;
        let at = now.plus(DAY);
        app.app.db.write(move |db| store::clients::expire_secrets(db, key, at)).await.unwrap();
        let ends = |has_ended| Finding::SecretEnds {
            client_id: client.client_id.clone(),
            name: "calendar".to_owned(),
            at,
            has_ended,
        };
        assert_eq!(found(&app).await, [ends(false)]);
        let later = look(&app, &app.app.config, at).await;
        assert!(later.contains(&ends(true)), "{later:?}");
        let secret = ClientSecret {
            id: ClientSecretId::new(now, &app.app.random),
            digest: Secret::generate(&app.app.random).digest(),
            created_at: now,
            expires_at: None,
        };
        app.app.db.write(move |db| store::clients::add_secret(db, key, &secret)).await.unwrap();
        assert_eq!(found(&app).await, []);
    }

    async fn or_8_a_domain_without_its_proof_is_told_of(database) {
        let app = good(database).await;
        let acme = app.organisation("acme").await;
        let now = app.clock.now();
        let domain = store::domains::Domain {
            organisation_id: acme.id,
            domain: "acme.example".to_owned(),
            challenge: "x".to_owned(),
            created_at: now,
            verified_at: Some(now),
            provider_id: None,
            checked_at: Some(now),
            missing_since: Some(now),
        };
        app.app.db.write(move |db| store::domains::insert(db, &domain)).await.unwrap();
        let said = found(&app).await;
        assert!(matches!(&said[..], [Finding::DomainMissing { domain, .. }] if domain == "acme.example"), "{said:?}");
    }

    async fn tk_10_keys_that_end_without_a_successor_are_told_of(database) {
        let app = good(database).await;
        let mut hasty = app.app.config.clone();
        hasty.keys.rotate_every = DAY;
        let algorithms = [SigningAlg::Rs256, SigningAlg::Es256, SigningAlg::EdDsa];
        assert_eq!(look(&app, &hasty, app.clock.now()).await, algorithms.map(Finding::NoSuccessor));
        let now = app.clock.now();
        app.app.db.write(move |db| {
            for key in store::signing_keys::all(db)? {
                store::signing_keys::revoke(db, &key.kid, now)?;
            }
            Ok(())
        }).await.unwrap();
        assert_eq!(found(&app).await, algorithms.map(Finding::NoSigningKey));
    }
}
