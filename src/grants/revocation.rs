//! Making a token dead before its time (RFC 7009, IR-3).

use crate::app::App;
use crate::audit::{Event, Origin};
use crate::crypto::Secret;
use crate::model::{AuditAction, Place, Topic};
use crate::signing::LONGEST_TOKEN_LIFE;
use crate::store::{grants, status};

use super::{Authenticated, Failure, introspection};

/// Revokes the token if it is one of the client's. A refresh token takes its family and their access tokens along.
/// Unknown tokens, and other clients', are no error and are left alone (RFC 7009 §2.2).
pub async fn revoke(
    app: &App,
    client: &Authenticated,
    token: &Secret,
    origin: &Origin,
) -> Result<(), Failure> {
    let scribe = app.scribe(origin);
    let key = client.key;
    if let Some(claims) = introspection::verify(app, token, true) {
        if claims.client_id != client.client_id {
            return Ok(());
        }
        let place = claims.status.as_ref().and_then(|at| Place::of(at, app.config.issuer.as_str()));
        let of_client = claims.gid.is_none() && claims.api_key.is_none();
        app.db
            .write(move |db| {
                grants::revoke_access_token(db, &claims.jti, claims.exp, scribe.now)?;
                if let Some(place) = place {
                    // Other tokens of a client may name the same place; its next ones must not.
                    let last = if of_client { scribe.now.plus(LONGEST_TOKEN_LIFE) } else { claims.exp };
                    status::revoke_place(db, place, last, scribe.now)?;
                }
                if of_client {
                    status::provide_client(db, key, &scribe.random)?;
                }
                let event = Event::success(AuditAction::TokenRevoked).client(key).session(claims.sid);
                scribe.write(db, event.detail("token", "access"))
            })
            .await?;
        if of_client {
            app.registry.forget(Topic::Clients);
        }
        return Ok(());
    }
    let digest = token.digest();
    app.db
        .write(move |db| {
            let Some(refresh) = grants::find_refresh(db, &digest)? else { return Ok(()) };
            let Some(grant) = grants::find(db, refresh.grant_id)?.filter(|grant| grant.client_id == key)
            else {
                return Ok(());
            };
            if grants::revoke(db, grant.id, scribe.now)? {
                let event = Event::success(AuditAction::TokenRevoked).client(key).user(grant.user_id);
                scribe.write(db, event.session(grant.session_id).detail("token", "refresh"))?;
            }
            Ok(())
        })
        .await?;
    Ok(())
}
