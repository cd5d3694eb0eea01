//! Organisations: who belongs where, what they may do there, and that nothing leaks from one into another.

mod api_keys;
mod domains;
mod flows;
mod invitations;
mod isolation;
mod isolation_apis;
mod members;
mod membership;
mod roles;

use countersign::model::UserId;
use countersign::tenancy::membership::{ActiveMembership, NotAMember, Selection, Workspaces, select};

use crate::support::TestApp;

/// What a request that names these is about.
async fn selected(
    app: &TestApp,
    user: UserId,
    organisation: Option<&str>,
    workspace: Option<&str>,
) -> Result<ActiveMembership, NotAMember> {
    let wanted =
        Selection { organisation: organisation.map(str::to_owned), workspace: workspace.map(str::to_owned) };
    app.read(move |db| select(db, user, &wanted, Workspaces::Named)).await
}

/// The keys of the roles that count.
fn roles(membership: &ActiveMembership) -> Vec<&str> {
    membership.roles().iter().map(|role| role.key.as_str()).collect()
}
