//! Roles that an organisation defines for itself.

use countersign::audit::Origin;
use countersign::model::OrganisationId;
use countersign::tenancy::actor::Actor;
use countersign::tenancy::roles::{self, Description, RoleError};

use super::selected;
use crate::on_both_databases;
use crate::support::{TestApp, TestOrganisation};

fn description(rank: i64, permissions: &[&str]) -> Description {
    Description {
        name: "Some role".to_owned(),
        rank,
        permissions: permissions.iter().map(|one| (*one).to_owned()).collect(),
        require_mfa: false,
    }
}

/// A role of the organisation's own; gives its key back.
pub async fn own_role(
    app: &TestApp,
    of: &TestOrganisation,
    key: &str,
    rank: i64,
    permissions: &[&str],
) -> String {
    define(app, Actor::Operator, of.id, key, description(rank, permissions)).await.expect("it is defined");
    key.to_owned()
}

async fn define(
    app: &TestApp,
    actor: Actor,
    of: OrganisationId,
    key: &str,
    description: Description,
) -> Result<(), RoleError> {
    roles::define(&app.app, actor, of, key, description, &Origin::command_line()).await.map(|_| ())
}

async fn change(
    app: &TestApp,
    of: &TestOrganisation,
    key: &str,
    description: Description,
) -> Result<(), RoleError> {
    roles::change(&app.app, Actor::Operator, of.id, key, description, &Origin::command_line()).await
}

async fn remove(app: &TestApp, of: &TestOrganisation, key: &str) -> Result<(), RoleError> {
    roles::remove(&app.app, Actor::Operator, of.id, key, &Origin::command_line()).await
}

macro_rules! refused {
    ($answer:expr, $error:pat) => {
        let answer = $answer;
        assert!(matches!(answer, Err($error)), "{answer:?}");
    };
}

on_both_databases! {
    async fn an_organisation_has_roles_of_its_own(database) {
        let app = TestApp::start(database).await;
        let ada = app.user("ada").await;
        let (acme, umbra) = (app.organisation("acme").await, app.organisation("umbra").await);
        own_role(&app, &acme, "Technician", 5, &["tasks:read"]).await;
        app.member(&acme, ada, &["technician"]).await;
        let held = selected(&app, ada, None, None).await.expect("a member");
        assert!(held.has_role_at_least("technician") && !held.has_role_at_least("member") && held.may("tasks:read"));
        // From the next request on.
        change(&app, &acme, "technician", description(15, &["tasks:write"])).await.expect("it is changed");
        let held = selected(&app, ada, None, None).await.expect("a member");
        assert!(held.has_role_at_least("member") && held.may("tasks:write") && !held.may("tasks:read"));
        let keys = async |of: &TestOrganisation| -> Vec<String> {
            let id = of.id;
            let all = app.read(move |db| roles::list(db, id)).await;
            all.into_iter().map(|one| one.role.key).collect()
        };
        assert_eq!(keys(&acme).await, ["admin", "manager", "technician", "member"]);
        assert_eq!(keys(&umbra).await, ["admin", "manager", "member"]);
        refused!(remove(&app, &acme, "technician").await, RoleError::Held(_));
        refused!(remove(&app, &umbra, "technician").await, RoleError::NoSuchRole(_));
        refused!(change(&app, &umbra, "technician", description(1, &[])).await, RoleError::NoSuchRole(_));
    }

    async fn or_3_a_role_is_bounded_like_a_grant(database) {
        let app = TestApp::start(database).await;
        let (ada, lea) = (app.user("ada").await, app.user("lea").await);
        let acme = app.organisation("acme").await;
        app.member(&acme, ada, &["admin"]).await;
        own_role(&app, &acme, "lead", 20, &["roles:write", "org:read"]).await;
        app.member(&acme, lea, &["lead"]).await;
        let lea = Actor::Member(lea);
        refused!(define(&app, lea, acme.id, "boss", description(21, &[])).await, RoleError::AboveOwn);
        refused!(define(&app, lea, acme.id, "spy", description(1, &["members:write"])).await, RoleError::AboveOwn);
        define(&app, lea, acme.id, "aide", description(20, &["org:read", "own:thing"])).await.expect("within her own");
        refused!(define(&app, Actor::Operator, acme.id, "aide", description(1, &[])).await, RoleError::KeyTaken);
        refused!(define(&app, Actor::Operator, acme.id, "admin", description(1, &[])).await, RoleError::Shipped(_));
        for rank in [0, -1, 1_001, i64::MAX] {
            refused!(define(&app, Actor::Operator, acme.id, "odd", description(rank, &[])).await, RoleError::BadRank);
        }
        for permission in ["", "a b", "<x>", "é"] {
            let answer = define(&app, Actor::Operator, acme.id, "odd", description(1, &[permission])).await;
            refused!(answer, RoleError::BadPermission(_));
        }
        let many: Vec<String> = (0..51).map(|number| format!("p{number}")).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        refused!(define(&app, Actor::Operator, acme.id, "odd", description(1, &many)).await, RoleError::TooManyPermissions);
    }

    async fn or_3_an_administrators_role_is_not_lowered_under_its_holders(database) {
        let app = TestApp::start(database).await;
        let ada = app.user("ada").await;
        let acme = app.organisation("acme").await;
        own_role(&app, &acme, "owner", 40, &["members:write"]).await;
        app.member(&acme, ada, &["owner"]).await;
        refused!(change(&app, &acme, "owner", description(29, &[])).await, RoleError::Held(_));
        refused!(change(&app, &acme, "owner", description(40, &[])).await, RoleError::Held(_));
        change(&app, &acme, "owner", description(30, &["members:write"])).await.expect("still an administrator");
    }
}
