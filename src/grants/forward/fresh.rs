//! A token for what stands behind a proxy: short, for it alone, and gone with the credential that it was made for.

use crate::app::App;
use crate::audit::Origin;
use crate::clock::Timestamp;
use crate::crypto::Secret;
use crate::grants::issue::{self, FRESH, Issuing};
use crate::grants::{Detail, registry, token_exchange};
use crate::identity::session::SignedIn;
use crate::model::{Client, ClientKey, GrantId, GrantType, OrganisationId, Place};
use crate::protocol::acr::acr_for;
use crate::protocol::claims::ClaimsRequest;
use crate::protocol::demands::Demands;
use crate::protocol::scope::{self, ScopeSet};
use crate::protocol::targets::Target;
use crate::protocol::tokens::AccessClaims;
use crate::store::grants::{self, Grant};
use crate::store::{self, Conn, sessions};
use crate::tenancy::admission::{self, Acting, Admission, Rules};

use super::Denied;
use super::caller::{Caller, Ground};

/// A token for the audience, for as much of the scopes as concerns it.
pub(super) async fn token(
    app: &App,
    caller: &Caller,
    audience: &str,
    demands: &Demands,
    origin: &Origin,
) -> Result<Secret, Denied> {
    let known = app.resources().await?;
    let registry = registry(app, &known);
    let resource = registry.find(audience);
    let now = app.clock.now();
    let left = caller.ground.claims().map_or(FRESH, |claims| claims.exp.since(now));
    let usual = resource.and_then(|resource| resource.access_ttl).unwrap_or(FRESH);
    let concerns = |scope: &str| match resource {
        Some(resource) => resource.scopes.contains_key(scope),
        None => audience == app.config.issuer.as_str() && scope::is_standard(scope),
    };
    let target = Target {
        audience: vec![audience.to_owned()],
        scope: caller.identity.scope.filtered(concerns),
        access_ttl: Some(FRESH.min(usual).min(left)),
    };
    let (text, client) = match &caller.ground {
        Ground::Grant(held) => {
            let text = of_grant(app, &held.0, held.1.clone(), target, origin).await?;
            (text, Some(held.1.client_id))
        }
        Ground::Client(claims) => {
            let client = app.client(&claims.client_id).await?.ok_or(Denied::Invalid)?;
            let admitted = admission::admit_client(&client)?;
            (issue::client_access_token(app, &client, admitted, &target, now)?.text, Some(client.key))
        }
        Ground::Machine(machine) => {
            let permissions = token_exchange::permissions(&caller.identity.scope, &registry);
            let target = Target { scope: target.scope.union(&permissions), ..target };
            let made = token_exchange::token_of_key(app, machine.admitted(), &target, origin).await?;
            (made.ok_or(Denied::Invalid)?.token.expose().to_owned(), None)
        }
        Ground::Session(_) if resource.is_none() => {
            return Err(Denied::Demands("audience is no API that is registered"));
        }
        Ground::Session(signed_in) => {
            let place = caller.identity.organisation;
            let named = demands.client.as_deref();
            let (text, client) = of_session(app, signed_in, place, named, target, origin).await?;
            (text, Some(client))
        }
    };
    app.count_token(GrantType::TokenExchange, client);
    Ok(Secret::from_text(text))
}

/// What a transaction has allowed.
type Allowed = (Admission, Grant, Detail, Place);

async fn of_grant(
    app: &App,
    claims: &AccessClaims,
    grant: Grant,
    target: Target,
    origin: &Origin,
) -> Result<String, Denied> {
    let client = app.client(&claims.client_id).await?.ok_or(Denied::Invalid)?;
    let (rules, usual, scribe) = (Rules::of(&app.config), app.config.lifetimes.access, app.scribe(origin));
    let (now, meant) = (scribe.now, target.clone());
    let allowed = app.db.write(move |db| {
        if !grants::hold(db, grant.id)? {
            return Ok(None);
        }
        let Ok(admission) = admission::admit_holder(db, &grant, rules, now)? else { return Ok(None) };
        let place = issue::take_place(db, &grant, &meant, usual, &scribe)?;
        let detail = Detail::parse(&grant.detail)?;
        Ok(Some((admission, grant.clone(), detail, place)))
    });
    sign(app, &client, &allowed.await?.ok_or(Denied::Invalid)?, &target, now)
}

fn sign(
    app: &App,
    client: &Client,
    allowed: &Allowed,
    target: &Target,
    now: Timestamp,
) -> Result<String, Denied> {
    let (admission, grant, detail, place) = allowed;
    let issuing = Issuing { client, place: *place, admission, grant, detail, target, now, passed_on: true };
    Ok(issue::user_access_token(app, &issuing)?.text)
}

/// A browser's session holds no grant. It gets one of the client that the proxy's configuration names, for as long as the
/// session lasts, which its later requests find again.
async fn of_session(
    app: &App,
    signed_in: &SignedIn,
    organisation: Option<OrganisationId>,
    client: Option<&str>,
    target: Target,
    origin: &Origin,
) -> Result<(String, ClientKey), Denied> {
    let Some(named) = client else {
        return Err(Denied::Demands("for a browser's session token needs client: whom it is made for"));
    };
    let client = app.client(named).await?.filter(|client| client.first_party);
    let client =
        client.ok_or(Denied::Demands("client names no application of whoever runs this instance"))?;
    let (rules, usual, scribe) = (Rules::of(&app.config), app.config.lifetimes.access, app.scribe(origin));
    let (id, acts, meant, now) = (signed_in.session.id, client.clone(), target.clone(), scribe.now);
    let allowed = app.db.write(move |db| {
        // Held, so that who ends it at this moment waits and then knows of the grant.
        let held = sessions::hold(db, id)?;
        let Some(session) = sessions::find(db, id)?.filter(|_| held) else {
            return Ok(Err(admission::Refusal::SessionEnded));
        };
        let proven = sessions::methods(db, id)?;
        let acting = Acting { client: &acts, proven: &proven, organisation, rules };
        let admission = match admission::admit_authorization(db, &session, acting, now)? {
            Ok(admission) => admission,
            Err(refusal) => return Ok(Err(refusal)),
        };
        let detail = Detail {
            scope: ScopeSet::default(),
            resources: meant.audience.clone(),
            claims: ClaimsRequest::default(),
            nonce: None,
            acr: acr_for(&proven).as_str().to_owned(),
            methods: proven,
            workspace: None,
        };
        let wanted = Grant {
            id: GrantId::new(now, &scribe.random),
            user_id: session.user_id,
            client_id: acts.key,
            session_id: Some(id),
            organisation_id: organisation,
            offline: false,
            detail: detail.to_json(),
            auth_time: session.auth_time,
            created_at: now,
            expires_at: session.expires_at,
            revoked_at: None,
        };
        let grant = found_or_made(db, wanted, now)?;
        if !grants::hold(db, grant.id)? {
            return Ok(Err(admission::Refusal::GrantRevoked));
        }
        let place = issue::take_place(db, &grant, &meant, usual, &scribe)?;
        Ok(Ok((admission, grant, detail, place)))
    });
    Ok((sign(app, &client, &allowed.await??, &target, now)?, client.key))
}

/// The grant that says the same already, if there is one.
fn found_or_made(db: &mut Conn, wanted: Grant, now: Timestamp) -> Result<Grant, store::Error> {
    let is_same = |grant: &Grant| {
        grant.client_id == wanted.client_id
            && grant.session_id == wanted.session_id
            && grant.organisation_id == wanted.organisation_id
            && grant.auth_time == wanted.auth_time
            && grant.expires_at == wanted.expires_at
            && grant.detail == wanted.detail
    };
    let live = grants::live_of_user(db, wanted.user_id, now)?;
    match live.into_iter().find(is_same) {
        Some(grant) => Ok(grant),
        None => {
            grants::insert(db, &wanted)?;
            Ok(wanted)
        }
    }
}
