//! A copy of everything that is stored about a user, for themselves.
//!
//! Facts, never means: no password or digest of one, no secret, no link, no key. The names are those of the tables.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use crate::app::App;
use crate::audit::{Event, Origin};
use crate::clock::Timestamp;
use crate::model::{AuditAction, ClientKey, SessionId, UserId};
use crate::store::users::User;
use crate::store::{self, Conn, factors, federation, passkeys, personal, sessions, users};

/// The copy. `None` if there is no such user any more. That it was made is recorded first, so it tells of itself.
pub async fn export(app: &App, user: UserId, origin: &Origin) -> Result<Option<Value>, store::Error> {
    let scribe = app.scribe(origin);
    app.db
        .write(move |db| match users::find(db, user)? {
            Some(user) => scribe.write(db, Event::success(AuditAction::DataExported).user(user.id)),
            None => Ok(()),
        })
        .await?;
    let (now, issuer) = (app.clock.now(), app.config.issuer.as_str().to_owned());
    app.db
        .read(move |db| {
            let Some(user) = users::find(db, user)? else { return Ok(None) };
            let mut copy =
                Map::from_iter([("issuer".to_owned(), json!(issuer)), ("exported_at".to_owned(), time(now))]);
            copy.extend(person(db, &user)?);
            copy.extend(ways_in(db, user.id)?);
            copy.extend(browsers(db, user.id)?);
            copy.extend(applications(db, user.id)?);
            copy.extend(organisations(db, user.id)?);
            copy.extend(traces(db, user.id)?);
            Ok(Some(Value::Object(copy)))
        })
        .await
}

type Sections = Vec<(String, Value)>;

fn section(name: &str, value: impl Into<Value>) -> (String, Value) {
    (name.to_owned(), value.into())
}

/// One element for each.
fn each<T>(rows: Vec<T>, tell: impl FnMut(T) -> Value) -> Value {
    Value::Array(rows.into_iter().map(tell).collect())
}

fn time(at: Timestamp) -> Value {
    Value::String(at.rfc3339())
}

fn maybe(at: Option<Timestamp>) -> Value {
    at.map_or(Value::Null, time)
}

/// JSON that was stored as text.
fn stored(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|_| Value::String(text.to_owned()))
}

fn person(db: &mut Conn, user: &User) -> Result<Sections, store::Error> {
    let emails = each(users::emails(db, user.id)?, |email| {
        json!({
            "address": email.address,
            "is_primary": email.is_primary,
            "verified_at": maybe(email.verified_at),
            "created_at": time(email.created_at),
        })
    });
    let claims: Map<String, Value> =
        users::claims(db, user.id)?.into_iter().map(|(name, value)| (name, Value::String(value))).collect();
    Ok(vec![
        section(
            "users",
            json!({
                "id": user.id,
                "username": user.username,
                "name": user.name,
                "locale": user.locale,
                "zoneinfo": user.zoneinfo,
                "status": user.status,
                "instance_role": user.instance_role,
                "created_at": time(user.created_at),
                "updated_at": time(user.updated_at),
                "last_sign_in_at": maybe(user.last_sign_in_at),
            }),
        ),
        section("emails", emails),
        section("user_claims", claims),
    ])
}

fn ways_in(db: &mut Conn, user: UserId) -> Result<Sections, store::Error> {
    let password = personal::password_changed_at(db, user)?;
    let totp = factors::totp(db, user)?;
    let passkeys = each(passkeys::of_user(db, user)?, |passkey| {
        json!({
            "id": passkey.id,
            "name": passkey.name,
            "created_at": time(passkey.created_at),
            "last_used_at": maybe(passkey.last_used_at),
        })
    });
    let codes = each(
        personal::recovery_codes(db, user)?,
        |(created_at, used_at)| json!({ "created_at": time(created_at), "used_at": maybe(used_at) }),
    );
    let identities = each(federation::identities_of(db, user)?, |identity| {
        json!({
            "id": identity.id,
            "provider": identity.provider_id,
            "issuer": identity.issuer,
            "subject": identity.subject,
            "label": identity.label,
            "created_at": time(identity.created_at),
            "last_used_at": time(identity.last_used_at),
        })
    });
    let waiting = each(
        personal::pending_links(db, user)?,
        |(provider, label, created_at)| json!({ "provider": provider, "label": label, "created_at": time(created_at) }),
    );
    let upstream = each(
        personal::upstream_logins(db, user)?,
        |(provider, created_at)| json!({ "provider": provider, "created_at": time(created_at) }),
    );
    let demanded = personal::factor_demanded_at(db, user)?;
    Ok(vec![
        section("password_credentials", password.map(|at| json!({ "changed_at": time(at) }))),
        section(
            "totp_credentials",
            totp.map(|totp| {
                json!({ "created_at": time(totp.created_at), "confirmed_at": maybe(totp.confirmed_at) })
            }),
        ),
        section("recovery_codes", codes),
        section("passkeys", passkeys),
        section("federated_identities", identities),
        section("pending_links", waiting),
        section("upstream_logins", upstream),
        section("factor_demands", demanded.map(|at| json!({ "created_at": time(at) }))),
    ])
}

fn browsers(db: &mut Conn, user: UserId) -> Result<Sections, store::Error> {
    let rows = personal::sessions(db, user)?;
    let ids: Vec<SessionId> = rows.iter().map(|session| session.id).collect();
    let methods = sessions::methods_of(db, &ids)?;
    let providers: BTreeMap<_, _> = personal::session_providers(db, &ids)?.into_iter().collect();
    let sessions = each(rows, |session| {
        let theirs = methods.iter().filter(|(id, _)| *id == session.id);
        json!({
            "id": session.id,
            "created_at": time(session.created_at),
            "signed_in_at": time(session.auth_time),
            "last_seen_at": time(session.last_seen_at),
            "expires_at": time(session.expires_at),
            "ended_at": maybe(session.ended_at),
            "ip": session.ip,
            "user_agent": session.user_agent,
            "methods": theirs.map(|(_, method)| method.as_str()).collect::<Vec<_>>(),
            "provider": providers.get(&session.id),
        })
    });
    let waiting = each(personal::pending_sign_ins(db, user)?, |row| {
        json!({
            "id": row.id,
            "methods": stored(&row.proven),
            "created_at": time(row.created_at),
            "expires_at": time(row.expires_at),
        })
    });
    let ceremonies = each(
        personal::ceremonies(db, user)?,
        |(purpose, expires_at)| json!({ "purpose": purpose, "expires_at": time(expires_at) }),
    );
    Ok(vec![
        section("sessions", sessions),
        section("pending_sign_ins", waiting),
        section("ceremonies", ceremonies),
    ])
}

fn applications(db: &mut Conn, user: UserId) -> Result<Sections, store::Error> {
    let (consents, grants) = (personal::consents(db, user)?, personal::grants(db, user)?);
    let mut keys: Vec<ClientKey> = consents.iter().map(|(client, ..)| *client).collect();
    keys.extend(grants.iter().map(|grant| grant.client_id));
    keys.sort_unstable();
    keys.dedup();
    let clients = personal::clients(db, &keys)?;
    let named = |key: ClientKey| {
        let found = clients.iter().find(|(known, ..)| *known == key);
        found.map_or(Value::Null, |(_, id, name)| json!({ "client_id": id, "name": name }))
    };
    let consents = each(
        consents,
        |(client, item, granted_at)| json!({ "client": named(client), "item": item, "granted_at": time(granted_at) }),
    );
    let grants = each(grants, |grant| {
        json!({
            "id": grant.id,
            "client": named(grant.client_id),
            "scope": stored(&grant.detail)["scope"],
            "offline": grant.offline,
            "session": grant.session_id,
            "created_at": time(grant.created_at),
            "expires_at": time(grant.expires_at),
            "revoked_at": maybe(grant.revoked_at),
        })
    });
    Ok(vec![section("consents", consents), section("grants", grants)])
}

fn organisations(db: &mut Conn, user: UserId) -> Result<Sections, store::Error> {
    let held = store::memberships::roles_of_user(db, user)?;
    let memberships = each(personal::memberships(db, user)?, |(member, organisation)| {
        let theirs = held.iter().filter(|held| held.membership == member.id);
        let roles = theirs.map(|held| {
            let workspace = held.workspace.as_ref().map(|workspace| &workspace.name);
            json!({ "role": held.role.key, "workspace": workspace })
        });
        json!({
            "organisation": { "id": organisation.id, "name": organisation.name },
            "status": member.status,
            "roles": roles.collect::<Vec<_>>(),
            "created_at": time(member.created_at),
            "updated_at": time(member.updated_at),
        })
    });
    let invitations = each(personal::invitations(db, user)?, |invitation| {
        json!({
            "organisation": invitation.organisation_id,
            "address": invitation.address,
            "created_at": time(invitation.created_at),
            "accepted_at": maybe(invitation.accepted_at),
        })
    });
    let mut keys = Vec::new();
    for (key, organisation) in store::api_keys::of_creator(db, user)? {
        keys.push(json!({
            "id": key.id,
            "name": key.name,
            "organisation": { "id": key.organisation_id, "name": organisation },
            "scopes": store::api_keys::scopes(db, key.id)?,
            "created_at": time(key.created_at),
            "expires_at": maybe(key.expires_at),
            "last_used_at": maybe(key.last_used_at),
            "revoked_at": maybe(key.revoked_at),
        }));
    }
    Ok(vec![
        section("memberships", memberships),
        section("invitations", invitations),
        section("api_keys", keys),
    ])
}

fn traces(db: &mut Conn, user: UserId) -> Result<Sections, store::Error> {
    let addresses: Vec<String> = users::emails(db, user)?.into_iter().map(|email| email.address).collect();
    let links = each(personal::links(db, user)?, |link| {
        json!({
            "purpose": link.purpose,
            "email": link.email,
            "created_at": time(link.created_at),
            "expires_at": time(link.expires_at),
            "consumed_at": maybe(link.consumed_at),
        })
    });
    let mails = each(personal::mails(db, &addresses)?, |mail| {
        json!({
            "recipient": mail.recipient,
            "subject": mail.subject,
            "created_at": time(mail.created_at),
            "sent_at": maybe(mail.sent_at),
        })
    });
    let events = each(personal::events(db, user)?, |event| {
        json!({
            "at": time(event.at),
            "action": event.action,
            "outcome": event.outcome,
            "session": event.session_id,
            "ip": event.ip,
            "detail": stored(&event.detail),
        })
    });
    let refusals = each(
        personal::refused(db, user)?,
        |refusal| json!({ "at": time(refusal.at), "reference": refusal.reference, "kind": refusal.kind, "rule": refusal.rule }),
    );
    Ok(vec![
        section("one_time_links", links),
        section("outbox", mails),
        section("audit_events", events),
        section("refusals", refusals),
    ])
}
