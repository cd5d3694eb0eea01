//! How long answers take must not tell accounts apart (PW-6).
//!
//! Kinds of address take turns, so that whatever else the machine does falls on all of them, and medians are compared.
//! The bound is wide for busy machines, and much narrower than the work that a naive answer would leave out.

use std::time::{Duration, Instant};

use countersign::audit::Origin;
use countersign::tenancy::users;
use reqwest::Method;

use crate::on_both_databases;
use crate::support::{Browser, Database, PASSWORD, Settings, TestApp};

const ROUNDS: usize = 9;
const KINDS: [&str; 4] = ["known", "unknown", "disabled", "passwordless"];

on_both_databases! {
    async fn pw_6_signing_in_takes_as_long_for_every_address(database) {
        let app = start(database).await;
        let medians = medians(&app, "/login", "login-form", "username", &[("password", "wrong wrong wrong")]).await;
        assert_alike(&medians);
    }

    async fn pw_6_asking_for_a_sign_in_link_takes_as_long_for_every_address(database) {
        let app = start(database).await;
        let medians = medians(&app, "/login", "magic-form", "email", &[]).await;
        assert_alike(&medians);
        assert_paced(&medians);
    }

    async fn pw_6_asking_for_a_new_password_takes_as_long_for_every_address(database) {
        let app = start(database).await;
        let medians = medians(&app, "/recover", "recover-form", "email", &[]).await;
        assert_alike(&medians);
        assert_paced(&medians);
    }

    async fn pw_6_registering_takes_as_long_for_every_address(database) {
        let app = start(database).await;
        let fields = [("name", "Somebody"), ("password", PASSWORD)];
        let medians = medians(&app, "/register", "register-form", "email", &fields).await;
        assert_alike(&medians);
    }
}

async fn start(database: Database) -> TestApp {
    let patient = Settings::with(|config| {
        let limits = &mut config.limits;
        for limit in [
            &mut limits.login_failures,
            &mut limits.login_per_address,
            &mut limits.mail_per_address,
            &mut limits.mail_per_ip,
            &mut limits.registration_per_address,
        ] {
            limit.count = 10_000;
        }
    });
    let app = TestApp::start_with(database, patient).await;
    app.user("known").await;
    app.user_with("passwordless", |user| user.password = None).await;
    let disabled = app.user("disabled").await;
    users::disable(&app.app, disabled, &Origin::command_line()).await.expect("the user is there");
    app
}

/// How long the form's answer takes for each kind of address.
async fn medians(
    app: &TestApp,
    page: &str,
    form: &str,
    field: &str,
    others: &[(&str, &str)],
) -> Vec<Duration> {
    let mut browser = app.browser();
    let mut form = browser.get(page).await.form(form);
    others.iter().for_each(|(name, value)| form.set(name, value));
    let mut samples = vec![Vec::new(); KINDS.len()];
    for round in 0..=ROUNDS {
        for (kind, samples) in KINDS.iter().zip(&mut samples) {
            form.set(field, &format!("{kind}@example.com"));
            let took = time(&mut browser, &form.action, &form.fields).await;
            // The first round fills caches.
            if round > 0 {
                samples.push(took);
            }
        }
    }
    samples
        .into_iter()
        .map(|mut samples| {
            samples.sort_unstable();
            samples[ROUNDS / 2]
        })
        .collect()
}

async fn time(browser: &mut Browser, action: &str, fields: &[(String, String)]) -> Duration {
    let begun = Instant::now();
    let answer = browser.once(Method::POST, action, Some(fields)).await;
    let status = answer.status().as_u16();
    answer.bytes().await.expect("the answer comes whole");
    let took = begun.elapsed();
    assert!(status == 200 || status == 401, "{status}");
    took
}

fn assert_alike(medians: &[Duration]) {
    let (least, most) = (medians.iter().min().expect("some"), medians.iter().max().expect("some"));
    let bound = most.mul_f64(0.4).max(Duration::from_millis(10));
    assert!(*most - *least < bound, "{KINDS:?} took {medians:?}");
}

/// The work itself takes a few milliseconds, more or fewer for this or that address: the pace hides how many.
fn assert_paced(medians: &[Duration]) {
    assert!(medians.iter().all(|median| *median >= Duration::from_millis(100)), "{medians:?}");
}
