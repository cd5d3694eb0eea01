//! Organisations and their members, as an operator makes them.

use countersign::audit::Origin;
use countersign::model::{OrganisationId, UserId, WorkspaceId};
use countersign::tenancy::actor::Actor;
use countersign::tenancy::members::{self, Assignment};
use countersign::tenancy::{organisations, roles, workspaces};

use super::app::TestApp;

/// An organisation with its default workspace.
#[derive(Clone, Debug)]
pub struct TestOrganisation {
    pub id: OrganisationId,
    pub slug: String,
    pub workspace: WorkspaceId,
}

impl TestApp {
    /// An organisation with this short name and nobody in it.
    pub async fn organisation(&self, slug: &str) -> TestOrganisation {
        let name = format!("{slug} & Söhne");
        let made = organisations::create(&self.app, slug, &name, &Origin::command_line()).await;
        let made = made.expect("the organisation is made");
        TestOrganisation { id: made.organisation.id, slug: slug.to_owned(), workspace: made.workspace.id }
    }

    /// A workspace beside the default one.
    pub async fn workspace(&self, organisation: &TestOrganisation, slug: &str) -> WorkspaceId {
        let origin = Origin::command_line();
        let made = workspaces::create(&self.app, Actor::Operator, organisation.id, slug, slug, &origin).await;
        made.expect("the workspace is made").id
    }

    /// A role of the organisation's own; gives its key back.
    pub async fn own_role(
        &self,
        organisation: &TestOrganisation,
        key: &str,
        rank: i64,
        permissions: &[&str],
    ) -> String {
        let description = roles::Description {
            name: "Some role".to_owned(),
            rank,
            permissions: permissions.iter().map(|one| (*one).to_owned()).collect(),
            require_mfa: false,
        };
        let origin = Origin::command_line();
        let defined =
            roles::define(&self.app, Actor::Operator, organisation.id, key, description, &origin).await;
        defined.expect("it is defined");
        key.to_owned()
    }

    /// Makes the user a member with these roles in the whole organisation.
    pub async fn member(&self, organisation: &TestOrganisation, user: UserId, roles: &[&str]) {
        self.member_of(organisation, None, user, roles).await;
    }

    /// The same, in one workspace.
    pub async fn member_of(
        &self,
        organisation: &TestOrganisation,
        workspace: Option<WorkspaceId>,
        user: UserId,
        roles: &[&str],
    ) {
        let roles = roles.iter().map(|role| (*role).to_owned()).collect();
        let assignment = Assignment { user, workspace, roles };
        members::add(&self.app, Actor::Operator, organisation.id, assignment, &Origin::command_line())
            .await
            .expect("the member is made");
    }

    /// Replaces the member's roles in the whole organisation.
    pub async fn set_roles(&self, organisation: &TestOrganisation, user: UserId, roles: &[&str]) {
        let roles = roles.iter().map(|role| (*role).to_owned()).collect();
        let assignment = Assignment { user, workspace: None, roles };
        members::set_roles(&self.app, Actor::Operator, organisation.id, assignment, &Origin::command_line())
            .await
            .expect("the roles are set");
    }

    pub async fn suspend_member(&self, organisation: OrganisationId, user: UserId) {
        members::suspend(&self.app, Actor::Operator, organisation, user, &Origin::command_line())
            .await
            .expect("the member is suspended");
    }

    /// How many sessions this user has.
    pub async fn live_sessions(&self, name: &str) -> usize {
        let (login, now) = (format!("{name}@example.com"), self.clock.now());
        let live = self.read(move |db| {
            let user = countersign::tenancy::users::find(db, &login)?.expect("the user is there");
            countersign::store::sessions::list_for_user(db, user.id, now)
        });
        live.await.len()
    }
}
