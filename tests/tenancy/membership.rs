//! Which membership a request is about (OR-1, OR-2), and what counts in it (TE7).

use countersign::audit::Origin;
use countersign::model::WorkspaceId;
use countersign::tenancy::actor::Actor;
use countersign::tenancy::membership::{self, Selection, Workspaces};
use countersign::tenancy::{members, organisations};

use super::{roles, selected};
use crate::on_both_databases;
use crate::support::TestApp;

on_both_databases! {
    async fn or_1_unknown_malformed_and_foreign_are_refused_alike(database) {
        let app = TestApp::start(database).await;
        let (ada, bob) = (app.user("ada").await, app.user("bob").await);
        let (acme, umbra) = (app.organisation("acme").await, app.organisation("umbra").await);
        app.member(&acme, ada, &["admin"]).await;
        app.member(&umbra, bob, &["member"]).await;
        let foreign = app.workspace(&umbra, "lab").await;
        let (unknown, umbra_id) = (format!("org_{}", "0".repeat(32)), umbra.id.to_string());
        for named in ["umbra", &umbra_id, &unknown, "", " ", "org_x", "acme/..", "usr_1", "*", "acme,umbra"] {
            assert!(selected(&app, ada, Some(named), None).await.is_err(), "{named:?}");
        }
        // A workspace of another organisation is none of this one, whoever else may know it.
        for workspace in ["lab", &foreign.to_string(), "", "wsp_x", &umbra.workspace.to_string()] {
            assert!(selected(&app, ada, Some("acme"), Some(workspace)).await.is_err(), "{workspace:?}");
            assert!(selected(&app, ada, None, Some(workspace)).await.is_err(), "{workspace:?}");
        }
        assert!(selected(&app, bob, Some("umbra"), Some("lab")).await.is_ok());
    }

    async fn ed_3_an_organisation_is_named_by_id_or_by_short_name(database) {
        let app = TestApp::start(database).await;
        let ada = app.user("ada").await;
        let testorg = app.organisation("TestOrg").await;
        app.member(&testorg, ada, &["manager"]).await;
        for named in [testorg.id.to_string().as_str(), "testorg", "TestOrg", " TESTORG "] {
            let found = selected(&app, ada, Some(named), Some("Default")).await.expect(named);
            assert_eq!((found.organisation().id, found.user()), (testorg.id, ada));
            assert_eq!(found.workspace().map(|of| of.id), Some(testorg.workspace));
        }
    }

    async fn or_2_suspended_counts_as_none(database) {
        let app = TestApp::start(database).await;
        let (ada, eve) = (app.user("ada").await, app.user("eve").await);
        let acme = app.organisation("acme").await;
        app.member(&acme, ada, &["admin"]).await;
        app.member(&acme, eve, &["admin"]).await;
        let origin = Origin::command_line();
        assert!(selected(&app, ada, None, None).await.is_ok());
        members::suspend(&app.app, Actor::Operator, acme.id, ada, &origin).await.expect("another is there");
        assert!(selected(&app, ada, Some(&acme.slug), None).await.is_err());
        assert!(selected(&app, ada, None, None).await.is_err());
        assert!(app.read(move |db| membership::of_user(db, ada)).await.is_empty());
        members::resume(&app.app, Actor::Operator, acme.id, ada, &origin).await.expect("it is taken back");
        assert!(selected(&app, ada, Some("acme"), None).await.is_ok());
        organisations::suspend(&app.app, acme.id, &origin).await.expect("it is suspended");
        assert!(selected(&app, ada, Some("acme"), None).await.is_err());
        assert!(app.read(move |db| membership::of_user(db, eve)).await.is_empty());
        organisations::resume(&app.app, acme.id, &origin).await.expect("it is resumed");
        assert_eq!(roles(&selected(&app, ada, Some("acme"), None).await.expect("a member again")), ["admin"]);
    }

    async fn te7_the_highest_role_wins_and_includes_the_lower_ones(database) {
        let app = TestApp::start(database).await;
        let (ada, bob) = (app.user("ada").await, app.user("bob").await);
        let acme = app.organisation("acme").await;
        app.member(&acme, ada, &["member", "manager"]).await;
        app.member(&acme, bob, &["member"]).await;
        let ada = selected(&app, ada, Some("acme"), None).await.expect("a member");
        assert_eq!(roles(&ada), ["manager", "member"]);
        assert!(ada.has_role_at_least("member") && ada.has_role_at_least("manager"));
        assert!(!ada.has_role_at_least("admin") && !ada.has_role_at_least("nonsense"));
        assert!(ada.may("members:read") && ada.may("org:read") && !ada.may("members:write"));
        let bob = selected(&app, bob, Some("acme"), None).await.expect("a member");
        assert!(bob.has_role_at_least("member") && !bob.has_role_at_least("manager"));
    }

    async fn roles_of_a_workspace_count_there_only(database) {
        let app = TestApp::start(database).await;
        let ada = app.user("ada").await;
        let acme = app.organisation("acme").await;
        let lab = app.workspace(&acme, "lab").await;
        app.member_of(&acme, Some(lab), ada, &["admin"]).await;
        let without = selected(&app, ada, Some("acme"), None).await.expect("a member");
        assert!(roles(&without).is_empty() && without.permissions().is_empty());
        let within = selected(&app, ada, Some("acme"), Some("lab")).await.expect("a member there");
        assert!(within.has_role_at_least("admin") && within.may("members:write"));
        assert!(selected(&app, ada, Some("acme"), Some("default")).await.is_err(), "nothing to do there");
        app.member(&acme, ada, &["member"]).await;
        let default = selected(&app, ada, Some("acme"), Some("default")).await.expect("a member everywhere");
        assert_eq!(roles(&default), ["member"]);
        let lab = selected(&app, ada, Some("acme"), Some("lab")).await.expect("a member there");
        assert_eq!(roles(&lab), ["admin", "member"]);
        let all = app.read(move |db| membership::of_user(db, ada)).await;
        let [one] = all.as_slice() else { panic!("{all:?}") };
        assert_eq!(one.highest().map(|role| role.key.as_str()), Some("admin"));
        assert!(!one.permissions.contains("members:write") && one.workspaces[0].permissions.contains("members:write"));
    }

    async fn ja5_in_single_workspace_mode_the_default_one_is_implied_and_ids_still_work(database) {
        let app = TestApp::start(database).await;
        let ada = app.user("ada").await;
        let acme = app.organisation("acme").await;
        app.member_of(&acme, Some(acme.workspace), ada, &["manager"]).await;
        let select = async |workspace: Option<WorkspaceId>, mode| {
            let wanted = Selection { organisation: None, workspace: workspace.map(|id| id.to_string()) };
            app.read(move |db| membership::select(db, ada, &wanted, mode)).await.expect("a member")
        };
        let implied = select(None, Workspaces::Implied).await;
        assert_eq!(implied.workspace().map(|of| of.id), Some(acme.workspace));
        assert_eq!(roles(&implied), ["manager"]);
        assert_eq!(roles(&select(Some(acme.workspace), Workspaces::Implied).await), ["manager"]);
        assert!(select(None, Workspaces::Named).await.workspace().is_none());
    }

    async fn ja4_without_a_choice_the_first_one_joined_is_meant(database) {
        let app = TestApp::start(database).await;
        let ada = app.user("ada").await;
        let (umbra, acme) = (app.organisation("umbra").await, app.organisation("acme").await);
        for organisation in [&acme, &umbra] {
            app.member(organisation, ada, &["member"]).await;
            app.advance(std::time::Duration::from_secs(1));
        }
        assert_eq!(selected(&app, ada, None, None).await.expect("a member").organisation().id, acme.id);
        let all = app.read(move |db| membership::of_user(db, ada)).await;
        assert_eq!(all.iter().map(|one| one.organisation.id).collect::<Vec<_>>(), [acme.id, umbra.id]);
    }

    async fn or_8_a_fresh_organisation_has_its_founder_as_administrator(database) {
        let app = TestApp::start(database).await;
        let (ada, twin) = (app.user("ada").await, app.user("twin").await);
        let scribe = app.app.scribe(&Origin::command_line());
        let made = app.app.db.write(move |db| {
            let (one, _) = organisations::create_for(db, ada, "Ada Lovelace", &scribe)?;
            let (other, _) = organisations::create_for(db, twin, "Ada Lovelace", &scribe)?;
            Ok((one.organisation, other.organisation))
        });
        let (one, other) = made.await.expect("both are made");
        assert!(one.slug.starts_with("ada-lovelace-") && one.slug != other.slug, "{} {}", one.slug, other.slug);
        assert_eq!(one.name, "Ada Lovelace");
        let membership = selected(&app, ada, Some(&one.slug), Some("default")).await.expect("a member");
        assert!(membership.has_role_at_least("admin"));
        assert!(selected(&app, ada, Some(&other.slug), None).await.is_err());
    }
}
