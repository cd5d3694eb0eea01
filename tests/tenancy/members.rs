//! Who may change who belongs to an organisation (OR-3), and that somebody always administers it.

use std::sync::Arc;

use countersign::audit::Origin;
use countersign::model::{UserId, WorkspaceId};
use countersign::tenancy::actor::Actor;
use countersign::tenancy::members::{self, Assignment, MemberError};
use countersign::tenancy::users::{self, End, Needs};
use futures_util::future::join_all;

use super::{roles, selected};
use crate::on_both_databases;
use crate::support::{TestApp, TestOrganisation};

fn given(user: UserId, workspace: Option<WorkspaceId>, roles: &[&str]) -> Assignment {
    Assignment { user, workspace, roles: roles.iter().map(|role| (*role).to_owned()).collect() }
}

async fn add(
    app: &TestApp,
    actor: Actor,
    to: &TestOrganisation,
    assignment: Assignment,
) -> Result<(), MemberError> {
    members::add(&app.app, actor, to.id, assignment, &Origin::command_line()).await.map(|_| ())
}

async fn set(
    app: &TestApp,
    actor: Actor,
    to: &TestOrganisation,
    assignment: Assignment,
) -> Result<(), MemberError> {
    members::set_roles(&app.app, actor, to.id, assignment, &Origin::command_line()).await
}

async fn suspend(
    app: &TestApp,
    actor: Actor,
    of: &TestOrganisation,
    user: UserId,
) -> Result<(), MemberError> {
    members::suspend(&app.app, actor, of.id, user, &Origin::command_line()).await
}

async fn remove(app: &TestApp, actor: Actor, of: &TestOrganisation, user: UserId) -> Result<(), MemberError> {
    members::remove(&app.app, actor, of.id, user, &Origin::command_line()).await
}

macro_rules! refused {
    ($answer:expr, $error:pat) => {
        let answer = $answer;
        assert!(matches!(answer, Err($error)), "{answer:?}");
    };
}

on_both_databases! {
    async fn or_3_nobody_gives_above_their_own_rank_or_changes_their_own_roles(database) {
        let app = TestApp::start(database).await;
        let (ada, lea, bob) = (app.user("ada").await, app.user("lea").await, app.user("bob").await);
        let acme = app.organisation("acme").await;
        app.member(&acme, ada, &["admin"]).await;
        let lead = super::roles::own_role(&app, &acme, "lead", 20, &["members:write"]).await;
        app.member(&acme, lea, &[&lead]).await;
        let lea_acts = Actor::Member(lea);
        refused!(add(&app, lea_acts, &acme, given(bob, None, &["admin"])).await, MemberError::AboveOwn);
        assert!(selected(&app, bob, Some("acme"), None).await.is_err(), "nothing was stored");
        add(&app, lea_acts, &acme, given(bob, None, &["member"])).await.expect("below her own");
        refused!(set(&app, lea_acts, &acme, given(bob, None, &["admin"])).await, MemberError::AboveOwn);
        refused!(set(&app, lea_acts, &acme, given(lea, None, &["manager"])).await, MemberError::OwnMembership);
        refused!(add(&app, lea_acts, &acme, given(lea, None, &["member"])).await, MemberError::OwnMembership);
        refused!(set(&app, lea_acts, &acme, given(ada, None, &["member"])).await, MemberError::AboveOwn);
        refused!(suspend(&app, lea_acts, &acme, ada).await, MemberError::AboveOwn);
        refused!(remove(&app, lea_acts, &acme, ada).await, MemberError::AboveOwn);
        refused!(remove(&app, lea_acts, &acme, lea).await, MemberError::OwnMembership);
        remove(&app, lea_acts, &acme, bob).await.expect("below her own");
    }

    async fn or_2_a_member_acts_with_the_permissions_of_this_moment(database) {
        let app = TestApp::start(database).await;
        let (ada, eve, bob) = (app.user("ada").await, app.user("eve").await, app.user("bob").await);
        let (acme, umbra) = (app.organisation("acme").await, app.organisation("umbra").await);
        app.member(&acme, ada, &["admin"]).await;
        app.member(&acme, eve, &["manager"]).await;
        app.member(&umbra, bob, &["admin"]).await;
        // Without the permission; an administrator of another organisation; nobody at all: the same.
        for actor in [eve, bob, app.user("none").await] {
            let answer = add(&app, Actor::Member(actor), &acme, given(bob, None, &["member"])).await;
            refused!(answer, MemberError::NotPermitted(_));
            refused!(suspend(&app, Actor::Member(actor), &acme, ada).await, MemberError::NotPermitted(_));
        }
        app.member(&acme, eve, &["admin"]).await;
        suspend(&app, Actor::Operator, &acme, ada).await.expect("another administers");
        refused!(remove(&app, Actor::Member(ada), &acme, eve).await, MemberError::NotPermitted(_));
    }

    async fn or_3_somebody_always_administers_the_organisation(database) {
        let app = TestApp::start(database).await;
        let (ada, bob) = (app.user("ada").await, app.user("bob").await);
        let acme = app.organisation("acme").await;
        app.member(&acme, ada, &["admin"]).await;
        app.member(&acme, bob, &["manager"]).await;
        let all = Actor::Operator;
        let last = async || {
            refused!(set(&app, all, &acme, given(ada, None, &["member"])).await, MemberError::LastAdministrator);
            refused!(suspend(&app, all, &acme, ada).await, MemberError::LastAdministrator);
            refused!(remove(&app, all, &acme, ada).await, MemberError::LastAdministrator);
        };
        last().await;
        // One in a workspace only, a suspended one and a disabled one are nobody.
        app.member_of(&acme, Some(acme.workspace), bob, &["admin"]).await;
        last().await;
        app.member(&acme, bob, &["admin"]).await;
        suspend(&app, all, &acme, bob).await.expect("ada is there");
        last().await;
        members::resume(&app.app, all, acme.id, bob, &Origin::command_line()).await.expect("back");
        users::disable(&app.app, bob, &Origin::command_line()).await.expect("disabled");
        last().await;
        users::enable(&app.app, bob, &Origin::command_line()).await.expect("enabled");
        set(&app, all, &acme, given(ada, None, &["member"])).await.expect("bob administers");
        assert_eq!(roles(&selected(&app, ada, None, None).await.expect("a member")), ["member"]);
        refused!(remove(&app, all, &acme, bob).await, MemberError::LastAdministrator);
    }

    async fn or_3_a_rank_without_power_administers_nothing(database) {
        let app = TestApp::start(database).await;
        let (ada, bob, cem) = (app.user("ada").await, app.user("bob").await, app.user("cem").await);
        let acme = app.organisation("acme").await;
        app.own_role(&acme, "chief", 45, &[]).await;
        app.own_role(&acme, "steward", 35, &["members:write"]).await;
        app.member(&acme, ada, &["admin"]).await;
        app.member(&acme, bob, &["chief"]).await;
        let all = Actor::Operator;
        refused!(remove(&app, all, &acme, ada).await, MemberError::LastAdministrator);
        refused!(suspend(&app, all, &acme, ada).await, MemberError::LastAdministrator);
        refused!(set(&app, all, &acme, given(ada, None, &["chief"])).await, MemberError::LastAdministrator);
        app.member(&acme, cem, &["steward"]).await;
        remove(&app, all, &acme, ada).await.expect("cem may say who belongs here");
        refused!(remove(&app, all, &acme, cem).await, MemberError::LastAdministrator);
        remove(&app, all, &acme, bob).await.expect("bob administers nothing");
    }

    async fn or_3_an_account_that_an_organisation_needs_is_not_ended_without_a_word(database) {
        let app = TestApp::start(database).await;
        let (ada, bob) = (app.user("ada").await, app.user("bob").await);
        let acme = app.organisation("acme").await;
        app.member(&acme, ada, &["admin"]).await;
        app.member(&acme, bob, &["member"]).await;
        let origin = Origin::command_line();
        for how in [End::Disabled, End::Removed] {
            let refused = users::end(&app.app, ada, how, Needs::Respected, &origin).await;
            let text = refused.expect_err("acme needs her").to_string();
            assert!(text.contains("acme & Söhne") && text.contains("member add"), "{text}");
        }
        assert!(selected(&app, ada, Some("acme"), None).await.is_ok());
        app.member(&acme, bob, &["admin"]).await;
        users::end(&app.app, ada, End::Removed, Needs::Respected, &origin).await.expect("bob is there");
        users::end(&app.app, bob, End::Disabled, Needs::Respected, &origin).await.expect_err("and now he is alone");
        users::end(&app.app, bob, End::Disabled, Needs::Ignored, &origin).await.expect("by force");
    }

    async fn ar_1_administrators_who_remove_each_other_leave_one(database) {
        let app = Arc::new(TestApp::start(database).await);
        let acme = app.organisation("acme").await;
        let mut users = Vec::new();
        for number in 0..8 {
            let user = app.user(&format!("user{number}")).await;
            app.member(&acme, user, &["admin"]).await;
            users.push(user);
        }
        let tasks = users.clone().into_iter().map(|user| {
            let (app, acme) = (Arc::clone(&app), acme.clone());
            tokio::spawn(async move { remove(&app, Actor::Operator, &acme, user).await })
        });
        let answers = join_all(tasks).await;
        let removed = answers.iter().filter(|answer| matches!(answer, Ok(Ok(())))).count();
        assert_eq!(removed, 7, "{answers:?}");
        let organisation = acme.id;
        let left = app.read(move |db| members::list(db, organisation, None, 100)).await;
        assert_eq!(left.len(), 1);
    }

    async fn te7_three_roles_in_one_place_and_no_more(database) {
        let app = TestApp::start(database).await;
        let ada = app.user("ada").await;
        let acme = app.organisation("acme").await;
        let own = super::roles::own_role(&app, &acme, "auditor", 5, &["audit:read"]).await;
        let all = Actor::Operator;
        let four = ["admin", "manager", "member", own.as_str()];
        refused!(add(&app, all, &acme, given(ada, None, &four)).await, MemberError::TooManyRoles);
        refused!(add(&app, all, &acme, given(ada, None, &[])).await, MemberError::NoRoles);
        refused!(add(&app, all, &acme, given(ada, None, &["nonsense"])).await, MemberError::NoSuchRole(_));
        add(&app, all, &acme, given(ada, None, &["admin", "member", "Admin"])).await.expect("two");
        add(&app, all, &acme, given(ada, None, &["member", own.as_str()])).await.expect("three");
        refused!(add(&app, all, &acme, given(ada, None, &["manager"])).await, MemberError::TooManyRoles);
        add(&app, all, &acme, given(ada, Some(acme.workspace), &["manager"])).await.expect("another place");
        let held = selected(&app, ada, None, Some("default")).await.expect("a member");
        assert_eq!(roles(&held), ["admin", "manager", "member", "auditor"]);
        assert!(held.may("audit:read"));
    }

    async fn ar_5_a_role_or_workspace_of_another_organisation_cannot_be_given(database) {
        let app = TestApp::start(database).await;
        let ada = app.user("ada").await;
        let (acme, umbra) = (app.organisation("acme").await, app.organisation("umbra").await);
        let theirs = super::roles::own_role(&app, &umbra, "warden", 5, &[]).await;
        let all = Actor::Operator;
        refused!(add(&app, all, &acme, given(ada, None, &[&theirs])).await, MemberError::NoSuchRole(_));
        let foreign = given(ada, Some(umbra.workspace), &["member"]);
        refused!(add(&app, all, &acme, foreign).await, MemberError::NoSuchWorkspace);
        refused!(remove(&app, all, &acme, ada).await, MemberError::NotAMember);
        assert!(app.read(move |db| countersign::tenancy::membership::of_user(db, ada)).await.is_empty());
    }
}
