//! Who acts, in a dialect's words: what its templates are filled from.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::model::{Dialect, RoleNames};
use super::template::{Template, fill_table};
use crate::clock::Timestamp;
use crate::grants::first_party::{Fresh, Issued, Machine, Subject};
use crate::store::organisations::{Organisation, Workspace};
use crate::store::roles::Role;
use crate::tenancy::membership::Membership;

/// Everything that may be told of the subject. What is not there is null.
pub fn scope(dialect: &Dialect, subject: &Subject, issuer: &str) -> Map<String, Value> {
    let roles = &dialect.roles;
    let active = subject.active.as_ref();
    // Who belongs nowhere has no role, and no word for one.
    let words = active.map(|active| roles.of(ranked(active.roles()), active.ranks())).unwrap_or_default();
    let permissions = active.map(|active| active.permissions().clone()).unwrap_or_default();
    let memberships: Vec<Value> = subject
        .memberships
        .iter()
        .flat_map(|membership| membership_places(membership, subject, roles))
        .collect();
    let scope = json!({
        "user": user(subject),
        "org": active.map(|active| organisation(active.organisation())),
        "workspace": active.and_then(|active| active.workspace()).map(workspace),
        "role": words.first(),
        "roles": words,
        "permissions": permissions,
        "memberships": memberships,
        "session": { "id": subject.session.map(|session| session.to_string()) },
        "issuer": issuer,
    });
    match scope {
        Value::Object(scope) => scope,
        _ => Map::new(),
    }
}

/// The same of a machine: it has no roles, and what is of a person is null.
pub fn machine(machine: &Machine, issuer: &str) -> Map<String, Value> {
    let (key, place) = (machine.admitted().key(), machine.admitted().organisation());
    let scopes: Vec<&str> = machine.scope().iter().collect();
    let told = json!({
        "machine": { "id": key.machine_id.to_string(), "name": key.name },
        "org": organisation(place),
        "workspace": { "id": key.workspace_id.map(|id| id.to_string()) },
        "scopes": scopes,
        "roles": [],
        "permissions": [],
        "memberships": [],
        "issuer": issuer,
    });
    match told {
        Value::Object(told) => told,
        _ => Map::new(),
    }
}

/// The claims that the dialect adds; what has no value is left out.
pub fn claims(templates: &[(String, Template)], scope: &Value) -> Map<String, Value> {
    fill_table(templates, scope).into_iter().filter(|(_, value)| !value.is_null()).collect()
}

/// What may be told of tokens.
pub fn tokens(issued: &Issued) -> Value {
    json!({
        "access": issued.access.expose(),
        "expires_at": issued.expires_at.rfc3339(),
        "expires_at_unix": issued.expires_at.seconds(),
        "expires_in": seconds(issued.issued_at, issued.expires_at),
        "refresh": issued.refresh.as_ref().map(|(token, _)| token.expose()),
        "refresh_expires_in": issued.refresh.as_ref().map(|(_, ends)| seconds(issued.issued_at, *ends)),
    })
}

/// What may be told of a token that is passed on.
pub fn fresh(fresh: &Fresh) -> Value {
    json!({
        "access": fresh.token.expose(),
        "expires_at": fresh.expires_at.rfc3339(),
        "expires_at_unix": fresh.expires_at.seconds(),
        "expires_in": seconds(fresh.issued_at, fresh.expires_at),
    })
}

fn seconds(from: Timestamp, to: Timestamp) -> i64 {
    (to.seconds() - from.seconds()).max(0)
}

fn user(subject: &Subject) -> Value {
    let user = &subject.user;
    let email = subject.email.as_ref();
    let address = email.map(|email| email.address.as_str());
    json!({
        "id": user.id.to_string(),
        "name": user.name,
        "email": address,
        "email_verified": email.map(|email| email.verified_at.is_some()),
        "username": user.username.as_deref().or(address),
        "locale": user.locale,
        "picture": subject.picture,
        "created_at": user.created_at.rfc3339(),
    })
}

fn organisation(organisation: &Organisation) -> Value {
    json!({ "id": organisation.id.to_string(), "slug": organisation.slug, "name": organisation.name })
}

fn workspace(workspace: &Workspace) -> Value {
    json!({ "id": workspace.id.to_string(), "slug": workspace.slug, "name": workspace.name })
}

fn ranked<'r>(roles: impl IntoIterator<Item = &'r Role>) -> impl Iterator<Item = (&'r str, i64)> {
    roles.into_iter().map(|role| (role.key.as_str(), role.rank))
}

/// An organisation once for the roles that hold in all of it, and once for each workspace with roles of its own.
fn membership_places(membership: &Membership, subject: &Subject, names: &RoleNames) -> Vec<Value> {
    let active =
        subject.active.as_ref().filter(|active| active.organisation().id == membership.organisation.id);
    let active_workspace = active.and_then(|active| active.workspace());
    let entry = |place: Option<&Workspace>, roles: Vec<&Role>, is_active: bool| {
        let words = names.of(ranked(roles), &membership.ranks);
        json!({
            "org": organisation(&membership.organisation),
            "workspace": place.map(workspace),
            "role": words.first(),
            "roles": words,
            "active": is_active,
        })
    };
    let mut entries = Vec::new();
    let in_part = |place: &Workspace| active_workspace.is_some_and(|active| active.id == place.id);
    if !membership.roles.is_empty() || membership.workspaces.is_empty() {
        // The workspace that is implied stands with the roles that hold in it, too.
        let own: BTreeSet<_> = membership.workspaces.iter().map(|part| part.workspace.id).collect();
        let implied = subject.implied.get(&membership.organisation.id);
        let shown = active_workspace.or(implied).filter(|shown| !own.contains(&shown.id));
        let is_active = active.is_some() && active_workspace.is_none_or(|active| !own.contains(&active.id));
        entries.push(entry(shown, membership.roles.iter().collect(), is_active));
    }
    for part in &membership.workspaces {
        let mut roles: Vec<&Role> = membership.roles.iter().chain(&part.roles).collect();
        roles.sort_by_key(|role| std::cmp::Reverse(role.rank));
        entries.push(entry(Some(&part.workspace), roles, in_part(&part.workspace)));
    }
    entries
}
