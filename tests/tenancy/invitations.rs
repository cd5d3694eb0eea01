//! Invitations by mail: whom they are for, who may accept them, and when they are over (OR-5).

use std::time::Duration;

use countersign::audit::Origin;
use countersign::config::RegistrationMode;
use countersign::model::{EmailAddress, InvitationId, Language, OrganisationId, UserId};
use countersign::store::outbox::Message;
use countersign::tenancy::actor::Actor;
use countersign::tenancy::invitations::{self, Guest, InvitationError};
use countersign::tenancy::members::{self, MemberError};
use countersign::tenancy::organisations;

use super::{roles, selected};
use crate::on_both_databases;
use crate::support::{Browser, PASSWORD, Page, Settings, TestApp, TestOrganisation};

fn guest(email: &str, roles: &[&str]) -> Guest {
    Guest {
        email: EmailAddress::parse(email).expect("an address"),
        workspace: None,
        roles: roles.iter().map(|role| (*role).to_owned()).collect(),
        language: Language::default(),
        lifetime: Duration::from_secs(3_600),
    }
}

async fn send(
    app: &TestApp,
    actor: Actor,
    to: OrganisationId,
    guest: Guest,
) -> Result<InvitationId, InvitationError> {
    invitations::send(&app.app, actor, to, guest, &Origin::command_line()).await.map(|sent| sent.id)
}

/// Invites, and gives the id and the path of the mailed link.
async fn invite(app: &TestApp, to: &TestOrganisation, email: &str, roles: &[&str]) -> (InvitationId, String) {
    let id = send(app, Actor::Operator, to.id, guest(email, roles)).await.expect("it is sent");
    app.advance(Duration::from_secs(1));
    (id, link(app, &newest_mail(app).await))
}

async fn newest_mail(app: &TestApp) -> Message {
    app.read(|db| countersign::store::outbox::newest(db, 1)).await.remove(0)
}

fn link(app: &TestApp, mail: &Message) -> String {
    let line = mail.body_text.lines().find(|line| line.starts_with(&app.issuer)).expect("a link");
    line[app.issuer.len()..].to_owned()
}

async fn accept(browser: &mut Browser, page: &Page) -> Page {
    browser.submit(page, "invitation-form", &[], Some(("action", "accept"))).await
}

async fn join(browser: &mut Browser, page: &Page, name: &str) -> Page {
    let typed = [("name", name), ("password", PASSWORD)];
    browser.submit(page, "invitation-join-form", &typed, Some(("action", "join"))).await
}

async fn is_member(app: &TestApp, user: UserId) -> bool {
    selected(app, user, Some("acme"), None).await.is_ok()
}

on_both_databases! {
    async fn ar_4_invitations_that_are_long_over_are_swept_and_no_others(database) {
        const MONTH: Duration = Duration::from_secs(30 * 86_400);
        let app = TestApp::start(database).await;
        let acme = app.organisation("acme").await;
        let (old, _) = invite(&app, &acme, "old@example.com", &["manager"]).await;
        app.advance(Duration::from_secs(2 * 3_600));
        let (over, _) = invite(&app, &acme, "over@example.com", &["member"]).await;
        app.advance(MONTH - Duration::from_secs(1_800));
        let (open, path) = invite(&app, &acme, "open@example.com", &["member"]).await;
        let now = app.clock.now();
        let swept = app.app.db.write(move |db| countersign::store::jobs::sweep_expired(db, now, now.minus(MONTH)));
        swept.await.expect("it is swept");
        let listed = app.read(move |db| invitations::list(db, acme.id, None, 10)).await;
        let ids: Vec<_> = listed.iter().map(|one| one.invitation.id).collect();
        assert_eq!(ids, [over, open], "who asks what happened still finds the one of this month: {old}");
        assert!(app.browser().get(&path).await.has_id("invitation-join-form"));
    }

    async fn or_5_somebody_with_an_account_signs_in_and_joins(database) {
        let app = TestApp::start(database).await;
        let ada = app.user("ada").await;
        let acme = app.organisation("acme").await;
        let (_, path) = invite(&app, &acme, "Ada@Example.com", &["manager"]).await;
        let mail = newest_mail(&app).await;
        assert_eq!(mail.recipient, "Ada@Example.com");
        assert!(mail.body_text.contains("acme & Söhne"), "{}", mail.body_text);
        let mut browser = app.browser();
        // Looking, as scanners do, changes nothing (PW-7).
        for _ in 0..20 {
            assert_eq!(browser.get(&path).await.status, 200);
        }
        let page = browser.get(&path).await;
        assert_eq!(page.header("referrer-policy"), "no-referrer", "CH-3");
        let sign_in = page.links().into_iter().find(|link| link.contains("/login?next=/invitation/inv_")).expect("a way to sign in");
        assert!(!sign_in.contains(path.rsplit('/').next().unwrap()), "the reference is not passed on");
        let page = browser.get(&sign_in).await;
        let page = browser.answer_login(&page, "ada", PASSWORD).await;
        assert!(page.has_id("invitation-form") && page.text().contains("acme & Söhne"), "{}: {}", page.url, page.text());
        assert!(!is_member(&app, ada).await, "nothing happens by looking");
        accept(&mut browser, &page).await;
        assert_eq!(roles(&selected(&app, ada, Some("acme"), None).await.expect("a member")), ["manager"]);
        assert_eq!(browser.get(&path).await.status, 410, "it works once");
        assert!(app.audit().await.contains(&"invitation.accepted success".to_owned()));
    }

    async fn or_5_only_the_owner_of_the_address_accepts(database) {
        let app = TestApp::start(database).await;
        let (eve, ada) = (app.user("eve").await, app.user_with("ada", |new| new.email_verified = false).await);
        let acme = app.organisation("acme").await;
        let (id, path) = invite(&app, &acme, "ada@example.com", &["admin"]).await;
        // Somebody else with the link; the owner with an address that is not proven.
        for (name, user) in [("eve", eve), ("ada", ada)] {
            let mut browser = app.signed_in(name).await;
            let page = browser.get(&path).await;
            assert!(!page.has_id("invitation-form"), "{name}");
            let form = page.form("invitation-join-form");
            let mut fields = form.fields.clone();
            fields.push(("action".to_owned(), "accept".to_owned()));
            browser.post(&form.action, &fields).await;
            assert!(!is_member(&app, user).await, "{name}");
            assert_eq!(browser.get(&format!("/invitation/{id}")).await.status, 410, "the id alone proves nothing");
        }
        // An account with the address exists: another cannot be made, and the page does not say why.
        let mut browser = app.browser();
        let page = browser.get(&path).await;
        let page = join(&mut browser, &page, "Mallory").await;
        assert_eq!(page.status, 410);
        assert!(app.browser().get(&path).await.status == 200, "it is still open for its owner");
    }

    async fn or_5_somebody_new_makes_an_account_with_the_invited_address(database) {
        let app = TestApp::start_with(database, Settings::with(|config| {
            config.registration.mode = Some(RegistrationMode::Invited);
        })).await;
        let acme = app.organisation("acme").await;
        let (_, path) = invite(&app, &acme, "New@Example.com", &["member"]).await;
        let mut browser = app.browser();
        let page = browser.get(&path).await;
        let weak = browser.submit(&page, "invitation-join-form", &[("name", "New"), ("password", "short")], Some(("action", "join"))).await;
        assert_eq!(weak.status, 422);
        let page = join(&mut browser, &weak, "New Person").await;
        assert_eq!(page.status, 200, "{}", page.text());
        let account = browser.get("/account").await;
        assert!(account.text().contains("New@Example.com"), "{}", account.text());
        let user = app.read(|db| {
            let email = EmailAddress::parse("new@example.com").expect("an address");
            countersign::store::users::find_by_email(db, &email)
        }).await.expect("the account is there");
        assert!(is_member(&app, user.id).await);
        let emails = app.read(move |db| countersign::store::users::emails(db, user.id)).await;
        assert!(emails[0].verified_at.is_some(), "the link proved the address");
        let page = app.browser().get(&path).await;
        assert_eq!(page.status, 410);
    }

    async fn or_5_where_nobody_may_join_an_invitation_makes_no_account(database) {
        let app = TestApp::start_with(database, Settings::with(|config| {
            config.registration.mode = Some(RegistrationMode::Closed);
        })).await;
        let acme = app.organisation("acme").await;
        let (_, path) = invite(&app, &acme, "new@example.com", &["member"]).await;
        let page = app.browser().get(&path).await;
        assert!(page.has_id("invitation-sign-in") && !page.has_id("invitation-join-form"));
    }

    async fn or_5_revoked_replaced_expired_and_suspended_are_over(database) {
        let app = TestApp::start(database).await;
        let ada = app.user("ada").await;
        let acme = app.organisation("acme").await;
        let mut browser = app.signed_in("ada").await;
        let (_, replaced) = invite(&app, &acme, "ada@example.com", &["admin"]).await;
        let (id, revoked) = invite(&app, &acme, "ada@example.com", &["member"]).await;
        let shown = browser.get(&revoked).await;
        let origin = Origin::command_line();
        invitations::revoke(&app.app, Actor::Operator, acme.id, id, &origin).await.expect("revoked");
        assert_eq!(accept(&mut browser, &shown).await.status, 410, "the form was shown before");
        let again = invitations::revoke(&app.app, Actor::Operator, acme.id, id, &origin).await;
        assert!(matches!(again, Err(InvitationError::NoSuchInvitation)), "{again:?}");
        let (_, suspended) = invite(&app, &acme, "ada@example.com", &["member"]).await;
        organisations::suspend(&app.app, acme.id, &origin).await.expect("suspended");
        for path in [&replaced, &revoked, &suspended] {
            assert_eq!(browser.get(path).await.status, 410);
        }
        organisations::resume(&app.app, acme.id, &origin).await.expect("resumed");
        assert_eq!(browser.get(&suspended).await.status, 200);
        app.advance(Duration::from_secs(3_600));
        assert_eq!(browser.get(&suspended).await.status, 410);
        assert!(!is_member(&app, ada).await);
    }

    async fn or_3_nobody_invites_above_their_own_rank(database) {
        let app = TestApp::start(database).await;
        let (lea, bob) = (app.user("lea").await, app.user("bob").await);
        let (acme, umbra) = (app.organisation("acme").await, app.organisation("umbra").await);
        let lead = super::roles::own_role(&app, &acme, "lead", 20, &["members:write"]).await;
        app.member(&acme, lea, &[&lead]).await;
        app.member(&umbra, bob, &["admin"]).await;
        let (lea, bob) = (Actor::Member(lea), Actor::Member(bob));
        let above = send(&app, lea, acme.id, guest("new@example.com", &["admin"])).await;
        assert!(matches!(above, Err(InvitationError::Member(MemberError::AboveOwn))), "{above:?}");
        let id = send(&app, lea, acme.id, guest("new@example.com", &["member"])).await.expect("below");
        let foreign = send(&app, bob, acme.id, guest("new@example.com", &["member"])).await;
        assert!(matches!(foreign, Err(InvitationError::Member(MemberError::NotPermitted(_)))), "{foreign:?}");
        let origin = Origin::command_line();
        // By its id, from another organisation, it is as if it were not there.
        let revoked = invitations::revoke(&app.app, bob, umbra.id, id, &origin).await;
        assert!(matches!(revoked, Err(InvitationError::NoSuchInvitation)), "{revoked:?}");
        let (here, there) = (acme.id, umbra.id);
        assert_eq!(app.read(move |db| invitations::list(db, here, None, 9)).await.len(), 1);
        assert!(app.read(move |db| invitations::list(db, there, None, 9)).await.is_empty());
    }

    async fn ar_1_an_invitation_is_accepted_once(database) {
        let app = TestApp::start(database).await;
        let ada = app.user("ada").await;
        let acme = app.organisation("acme").await;
        let (id, path) = invite(&app, &acme, "ada@example.com", &["member"]).await;
        let mut browsers = Vec::new();
        for _ in 0..8 {
            let mut browser = app.signed_in("ada").await;
            let page = browser.get(&path).await;
            browsers.push((browser, page));
        }
        let tries = browsers.iter_mut().map(|(browser, page)| accept(browser, page));
        let answers = futures_util::future::join_all(tries).await;
        let joined = answers.iter().filter(|page| page.status == 200).count();
        assert_eq!(joined, 1);
        assert!(is_member(&app, ada).await);
        let events = app.audit().await;
        assert_eq!(events.iter().filter(|event| *event == "invitation.accepted success").count(), 1);
        // Removed, and it does not come back by the old invitation.
        members::remove(&app.app, Actor::Operator, acme.id, ada, &Origin::command_line()).await.expect("removed");
        assert_eq!(app.signed_in("ada").await.get(&format!("/invitation/{id}")).await.status, 410);
    }
}
