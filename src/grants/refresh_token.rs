//! `refresh_token`: one token in, one token out (RFC 6749 §6, TE-4 to TE-7).
//!
//! A token is consumed by its use and its successor is kept beside it, sealed under a key that only the consumed
//! token yields. A client that lost the answer, or a second tab, presents the old token again within the grace time
//! and gets the same successor, as long as that was not used. Any other second use is theft: the family dies.

use std::time::Duration;

use crate::app::App;
use crate::audit::{Event, Origin, Scribe};
use crate::clock::Timestamp;
use crate::crypto::{Random, Secret, seal_with, unseal_with};
use crate::identity::claims;
use crate::identity::notice::Notices;
use crate::mail::message::Happened;
use crate::model::explanation::{Concerned, Explanation, Rule};
use crate::model::{AuditAction, GrantType, Language, Place};
use crate::protocol::scope::ScopeSet;
use crate::protocol::targets::{Registry, Target, narrowed_targets};
use crate::protocol::token::{TokenResponse, TokenType, refreshed_scope};
use crate::protocol::{OAuthError, scope};
use crate::store::grants::{self, Grant, RefreshToken};
use crate::store::{self, Conn, sessions, users};
use crate::tenancy::admission::{self, Admission, Refusal, Rules};

use super::issue::{self, Issuing};
use super::{Authenticated, Detail, Failure, not_admitted, refused};

/// What the receipt is bound to, beside the token that opens it.
const RECEIPT: &[u8] = b"refresh token successor";

/// What the client presents.
pub(super) struct Presented {
    pub token: Secret,
    pub scope: Option<ScopeSet>,
    pub resources: Vec<String>,
}

/// Rotates: one write transaction, then signatures.
pub(super) async fn rotate(
    app: &App,
    client: &Authenticated,
    presented: Presented,
    origin: &Origin,
) -> Result<TokenResponse, Failure> {
    let successor = Secret::generate(&app.random);
    let make: MakeToken = Box::new(move |_, _| Ok(successor.clone()));
    let rotating =
        Rotating::new(app, client, presented.token, make, app.config.lifetimes.refresh_idle, origin);
    let (issuer, known) = (app.config.issuer.as_str().to_owned(), app.resources().await?);
    let (asked_scope, asked_resources) = (presented.scope, presented.resources);
    let rotated = rotating.run(app, move |db, admission, grant| {
        let mut detail = Detail::parse(&grant.detail)?;
        // It counts for this access token only: the next refresh may have the whole again.
        detail.scope = match refreshed_scope(&detail.scope, asked_scope.as_ref()) {
            Ok(scope) => scope,
            Err(error) => return Ok(Err(error)),
        };
        let registry = Registry { issuer: &issuer, resources: &known };
        let target = match narrowed_targets(&detail.scope, &detail.resources, &asked_resources, &registry) {
            Ok(target) => target,
            Err(error) => return Ok(Err(error)),
        };
        let id_claims = claims::for_id_token(db, admission.user(), &detail.claims)?;
        Ok(Ok((target, (detail, id_claims))))
    });
    let Rotated { admission, place, grant, target, successor, now, granted } = rotated.await?;
    let (detail, id_claims) = granted;
    let issuing = Issuing {
        client,
        place,
        admission: &admission,
        grant: &grant,
        detail: &detail,
        target: &target,
        now,
        passed_on: false,
    };
    let access = issue::user_access_token(app, &issuing)?;
    let id_token = issue::id_token(app, &issuing, id_claims, &access, None)?;
    Ok(TokenResponse {
        issued_token_type: None,
        access_token: access.text,
        token_type: TokenType::Bearer,
        expires_in: access.expires_in,
        scope: target.scope.union(&detail.scope.filtered(scope::is_standard)),
        refresh_token: Some(successor.expose().to_owned()),
        id_token,
    })
}

/// Makes a refresh token for a grant that ends at the time given.
pub(super) type MakeToken = Box<dyn Fn(&Grant, Timestamp) -> Result<Secret, store::Error> + Send + Sync>;

/// A refresh token that is being exchanged for its successor.
pub(super) struct Rotating {
    client: Authenticated,
    token: Secret,
    make: MakeToken,
    idle: Duration,
    grace: Duration,
    access: Duration,
    notices: Notices,
    rules: Rules,
    random: Random,
    scribe: Scribe,
}

enum Rotation<T> {
    Done(Box<Rotated<T>>),
    Refused(OAuthError),
    /// Committed all the same: the family is revoked.
    Reused(OAuthError),
}

/// A rotation that took place, with what the caller found that it grants.
pub(super) struct Rotated<T> {
    pub admission: Admission,
    pub place: Place,
    pub grant: Grant,
    pub target: Target,
    pub successor: Secret,
    pub now: Timestamp,
    pub granted: T,
}

/// What the grant is good for now, or why it is not.
type Judged<T> = Result<Result<(Target, T), OAuthError>, store::Error>;

/// What a presented token turned out to be.
enum Presentation {
    /// Consumed just now, in favour of this one.
    Rotated(Secret),
    /// Consumed before, and its receipt is still good: the successor of then.
    Repeated(Secret),
    /// Consumed before, and that is not to be explained by a lost answer.
    Reused,
}

impl Rotating {
    /// `idle` is how long the successor may lie unused.
    pub fn new(
        app: &App,
        client: &Authenticated,
        token: Secret,
        make: MakeToken,
        idle: Duration,
        origin: &Origin,
    ) -> Self {
        Self {
            client: client.clone(),
            token,
            make,
            idle,
            grace: app.config.lifetimes.refresh_grace,
            access: app.config.lifetimes.access,
            notices: Notices::of(app, Language::default()),
            rules: Rules::of(&app.config),
            random: app.random.clone(),
            scribe: app.scribe(origin),
        }
    }

    /// Rotates in one transaction. If `judge` refuses, nothing is consumed.
    pub async fn run<T: Send + 'static>(
        self,
        app: &App,
        judge: impl Fn(&mut Conn, &Admission, &Grant) -> Judged<T> + Send + 'static,
    ) -> Result<Rotated<T>, Failure> {
        match app.db.write(move |db| self.settle(db, &judge)).await? {
            Rotation::Done(rotated) => Ok(*rotated),
            Rotation::Refused(error) => Err(error.into()),
            Rotation::Reused(error) => {
                app.metrics.refresh_reused();
                Err(error.into())
            }
        }
    }

    fn settle<T>(
        &self,
        db: &mut Conn,
        judge: &impl Fn(&mut Conn, &Admission, &Grant) -> Judged<T>,
    ) -> Result<Rotation<T>, store::Error> {
        let now = self.scribe.now;
        let digest = self.token.digest();
        let unknown = |hint: &str, rule: Rule| {
            OAuthError::invalid_grant("the refresh token is not valid").with_hint(hint).because(rule)
        };
        let Some(token) = grants::find_refresh(db, &digest)? else {
            return self.refuse(db, unknown("unknown", Rule::RefreshUnknown));
        };
        // Bound to its client, also to a public one (TE-7). A wrong client's try costs the right one nothing.
        let Some(grant) =
            grants::find(db, token.grant_id)?.filter(|grant| grant.client_id == self.client.key)
        else {
            return self.refuse(db, unknown("another client's", Rule::RefreshClient));
        };
        let (user, organisation) = (Some(grant.user_id), grant.organisation_id);
        self.scribe.origin.slip.concerns(Concerned { client: Some(self.client.key), user, organisation });
        if token.expires_at <= now {
            let told = Explanation::of(Rule::RefreshExpired)
                .with("expired seconds ago", now.since(token.expires_at).as_secs());
            let error = OAuthError::invalid_grant("the refresh token has expired");
            return self.refuse(db, error.because(told));
        }
        // Before anything is asked about it: what ends it meanwhile waits, and then knows of the token made here.
        if !grants::hold(db, grant.id)? {
            return self.refuse(db, not_admitted(Refusal::GrantRevoked));
        }
        // A stolen token presented for a family that is dead already has nothing left to revoke.
        let detail = Detail::parse(&grant.detail)?;
        let (kind, proven) = (GrantType::RefreshToken, &detail.methods);
        let admitted = admission::admit_grant(db, &self.client, kind, &grant, proven, self.rules, now)?;
        let admission = match admitted {
            Ok(admission) => admission,
            Err(refusal) => return self.refuse(db, not_admitted(refusal)),
        };
        let (target, granted) = match judge(db, &admission, &grant)? {
            Ok(granted) => granted,
            Err(error) => return self.refuse(db, error),
        };
        let successor = match self.present(db, &token, &grant)? {
            Presentation::Rotated(successor) | Presentation::Repeated(successor) => successor,
            Presentation::Reused => return self.reused(db, &token, &grant),
        };
        if let (false, Some(session)) = (grant.offline, grant.session_id) {
            // An application in use keeps its session alive.
            sessions::touch(db, session, now.minus(Duration::from_secs(60)), now)?;
        }
        let place = issue::take_place(db, &grant, &target, self.access, &self.scribe)?;
        let event = Event::success(AuditAction::TokenRefreshed).user(grant.user_id).client(self.client.key);
        self.scribe.write(db, event.session(grant.session_id))?;
        let rotated = Rotated { admission, place, grant, target, successor, now, granted };
        Ok(Rotation::Done(Box::new(rotated)))
    }

    /// Consumes the token, or finds that it was consumed and what that means.
    fn present(
        &self,
        db: &mut Conn,
        token: &RefreshToken,
        grant: &Grant,
    ) -> Result<Presentation, store::Error> {
        let now = self.scribe.now;
        if token.consumed_at.is_none() {
            let expires_at = now.plus(self.idle).min(grant.expires_at);
            let made = (self.make)(grant, expires_at)?;
            let successor = made.digest();
            let sealed =
                seal_with(self.token.expose().as_bytes(), &self.random, RECEIPT, made.expose().as_bytes());
            // The condition in the statement decides between two that arrive together (AR-1).
            if grants::consume_refresh(db, &token.digest, &successor, &sealed, now)? {
                grants::insert_refresh(
                    db,
                    &RefreshToken {
                        digest: successor,
                        grant_id: grant.id,
                        created_at: now,
                        expires_at,
                        consumed_at: None,
                        successor_digest: None,
                        successor_sealed: None,
                    },
                )?;
                return Ok(Presentation::Rotated(made));
            }
        }
        let Some(consumed) = grants::find_refresh(db, &token.digest)? else {
            return Ok(Presentation::Reused);
        };
        Ok(match self.receipt(db, &consumed)? {
            Some(successor) => Presentation::Repeated(successor),
            None => Presentation::Reused,
        })
    }

    /// The successor given before, if it may be given again (TE-5).
    fn receipt(&self, db: &mut Conn, consumed: &RefreshToken) -> Result<Option<Secret>, store::Error> {
        let (Some(at), Some(successor), Some(sealed)) =
            (consumed.consumed_at, consumed.successor_digest, &consumed.successor_sealed)
        else {
            return Ok(None);
        };
        // Zero means strict: not even in the same instant.
        if self.scribe.now >= at.plus(self.grace) {
            return Ok(None);
        }
        let unused = grants::find_refresh(db, &successor)?.is_some_and(|token| token.consumed_at.is_none());
        if !unused {
            return Ok(None);
        }
        let opened = unseal_with(self.token.expose().as_bytes(), RECEIPT, sealed)
            .map_err(|error| store::Error::broken("a refresh token's receipt", error))?;
        let text = String::from_utf8(opened.to_vec())
            .map_err(|_| store::Error::Broken("a refresh token's receipt is not text".to_owned()))?;
        let secret = Secret::from_text(text);
        Ok((secret.digest() == successor).then_some(secret))
    }

    /// Whoever used the token first, one of the two is a thief: nobody keeps anything (RFC 9700 §4.14.2).
    fn reused<T>(
        &self,
        db: &mut Conn,
        token: &RefreshToken,
        grant: &Grant,
    ) -> Result<Rotation<T>, store::Error> {
        if grants::revoke(db, grant.id, self.scribe.now)? {
            tracing::warn!(grant = %grant.id, client = %self.client.client_id, "a refresh token was used twice");
            let event = Event::denied(AuditAction::RefreshReused).user(grant.user_id).client(self.client.key);
            self.scribe.write(db, event.session(grant.session_id))?;
            if let Some(user) = users::find(db, grant.user_id)? {
                let what = Happened::RefreshReused { client: &self.client.name };
                self.notices.tell(db, &user, what, &self.scribe)?;
            }
        }
        let first = grants::find_refresh(db, &token.digest)?.and_then(|token| token.consumed_at);
        let told = first.into_iter().fold(Explanation::of(Rule::RefreshReused), |told, at| {
            told.with("used seconds ago", self.scribe.now.since(at).as_secs())
        });
        let told = told.with("repeated within seconds", self.grace.as_secs());
        let error = OAuthError::invalid_grant("the refresh token was used before").with_hint("reuse");
        Ok(Rotation::Reused(error.because(told)))
    }

    fn refuse<T>(&self, db: &mut Conn, error: OAuthError) -> Result<Rotation<T>, store::Error> {
        self.scribe.write(db, refused(&self.client, "refresh_token", &error))?;
        Ok(Rotation::Refused(error))
    }
}
