//! `authorization_code`: redeeming a code (RFC 6749 §4.1.3, TE-1 to TE-3).

use crate::app::App;
use crate::audit::{Event, Origin, Scribe};
use crate::clock::Timestamp;
use crate::crypto::{Digest, Secret};
use crate::identity::claims;
use crate::model::explanation::{Concerned, Explanation, Rule};
use crate::model::{AuditAction, GrantType, Place};
use crate::protocol::claims::UserClaims;
use crate::protocol::scope;
use crate::protocol::targets::{Target, narrowed_targets};
use crate::protocol::token::{TokenResponse, TokenType};
use crate::protocol::{OAuthError, difference, pkce};
use crate::store::authorization::{self, Code};
use crate::store::grants::{self, Grant, RefreshToken};
use crate::store::{self, Conn};
use crate::tenancy::admission::{self, Admission, Refusal, Rules};

use super::issue::{self, Issuing};
use super::{Authenticated, Detail, Failure, not_admitted, refused};

/// What the client presents.
pub(super) struct Presented {
    pub code: Secret,
    pub redirect_uri: String,
    pub verifier: Option<Secret>,
    pub resources: Vec<String>,
}

/// Redeems the code, if everything that it is bound to agrees. Each condition alone is enough to refuse.
pub(super) async fn redeem(
    app: &App,
    client: &Authenticated,
    presented: Presented,
    origin: &Origin,
) -> Result<TokenResponse, Failure> {
    let known = app.resources().await?;
    let refresh = client.may_use(GrantType::RefreshToken).then(|| Secret::generate(&app.random));
    let redeeming = Redeeming {
        client: client.clone(),
        digest: presented.code.digest(),
        redirect_uri: presented.redirect_uri,
        verifier: presented.verifier,
        refresh: refresh.as_ref().map(Secret::digest),
        refresh_idle: app.config.lifetimes.refresh_idle,
        access: app.config.lifetimes.access,
        scribe: app.scribe(origin),
        resources: presented.resources,
        rules: Rules::of(&app.config),
        issuer: app.config.issuer.as_str().to_owned(),
        known,
    };
    let now = redeeming.scribe.now;
    let redeemed = match app.db.write(move |db| redeeming.settle(db)).await? {
        Redemption::Fresh(redeemed) => redeemed,
        Redemption::Refused(error) => return Err(error.into()),
    };
    let Redeemed { admission, place, grant, detail, target, id_claims } = *redeemed;
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
    let id_token = issue::id_token(app, &issuing, id_claims, &access, detail.nonce.as_deref())?;
    Ok(TokenResponse {
        issued_token_type: None,
        access_token: access.text,
        token_type: TokenType::Bearer,
        expires_in: access.expires_in,
        scope: target.scope.union(&detail.scope.filtered(scope::is_standard)),
        refresh_token: refresh.map(|token| token.expose().to_owned()),
        id_token,
    })
}

struct Redeeming {
    client: Authenticated,
    digest: Digest,
    redirect_uri: String,
    verifier: Option<Secret>,
    refresh: Option<Digest>,
    refresh_idle: std::time::Duration,
    access: std::time::Duration,
    resources: Vec<String>,
    issuer: String,
    known: std::sync::Arc<Vec<crate::model::Resource>>,
    rules: Rules,
    scribe: Scribe,
}

enum Redemption {
    Fresh(Box<Redeemed>),
    /// Committed all the same: a replay has revoked what was issued.
    Refused(OAuthError),
}

struct Redeemed {
    admission: Admission,
    place: Place,
    grant: Grant,
    detail: Detail,
    target: Target,
    id_claims: UserClaims,
}

impl Redeeming {
    fn settle(&self, db: &mut Conn) -> Result<Redemption, store::Error> {
        let now = self.scribe.now;
        let Some(code) = authorization::find_code(db, &self.digest)? else {
            let told = OAuthError::invalid_grant("the code is not valid").with_hint("unknown");
            return self.refuse(db, told.because(Rule::CodeUnknown));
        };
        let Some(grant) = grants::find(db, code.grant_id)?.filter(|grant| grant.client_id == self.client.key)
        else {
            // The right client can still redeem it, and this one learns nothing (TE-1).
            return self.refuse(
                db,
                OAuthError::invalid_grant("the code is not valid")
                    .with_hint("another client's")
                    .because(Explanation::of(Rule::CodeClient).with("presented by", &self.client.client_id)),
            );
        };
        let (user, organisation) = (Some(grant.user_id), grant.organisation_id);
        self.scribe.origin.slip.concerns(Concerned { client: Some(self.client.key), user, organisation });
        if code.redeemed_at.is_some() {
            return self.replayed(db, &grant, code.redeemed_at);
        }
        if let Err(error) = self.check_bindings(&code, now) {
            return self.refuse(db, error);
        }
        let detail = Detail::parse(&grant.detail)?;
        let registry = crate::protocol::targets::Registry { issuer: &self.issuer, resources: &self.known };
        let target = match narrowed_targets(&detail.scope, &detail.resources, &self.resources, &registry) {
            Ok(target) => target,
            Err(error) => return self.refuse(db, error),
        };
        // Before anything is asked about it: what ends it meanwhile waits, and then knows of the token made here.
        if !grants::hold(db, grant.id)? {
            return self.refuse(db, not_admitted(Refusal::GrantRevoked));
        }
        let (kind, proven) = (GrantType::AuthorizationCode, &detail.methods);
        let admitted = admission::admit_grant(db, &self.client, kind, &grant, proven, self.rules, now)?;
        let admission = match admitted {
            Ok(admission) => admission,
            Err(refusal) => return self.refuse(db, not_admitted(refusal)),
        };
        if !authorization::redeem_code(db, &self.digest, now)? {
            return self.replayed(db, &grant, Some(now));
        }
        if let Some(digest) = self.refresh {
            let expires_at = now.plus(self.refresh_idle).min(grant.expires_at);
            let (grant_id, created_at) = (grant.id, now);
            let (consumed_at, successor_digest, successor_sealed) = (None, None, None);
            grants::insert_refresh(
                db,
                &RefreshToken {
                    digest,
                    grant_id,
                    created_at,
                    expires_at,
                    consumed_at,
                    successor_digest,
                    successor_sealed,
                },
            )?;
        }
        let place = issue::take_place(db, &grant, &target, self.access, &self.scribe)?;
        let id_claims = claims::for_id_token(db, admission.user(), &detail.claims)?;
        let event = Event::success(AuditAction::TokenIssued).user(grant.user_id).client(self.client.key);
        self.scribe.write(db, event.session(grant.session_id).detail("grant_type", "authorization_code"))?;
        Ok(Redemption::Fresh(Box::new(Redeemed { admission, place, grant, detail, target, id_claims })))
    }

    fn check_bindings(&self, code: &Code, now: Timestamp) -> Result<(), OAuthError> {
        if code.expires_at <= now {
            let told = Explanation::of(Rule::CodeExpired)
                .with("expired seconds ago", now.since(code.expires_at).as_secs())
                .with("lasts seconds", code.expires_at.since(code.created_at).as_secs());
            return Err(OAuthError::invalid_grant("the code has expired").because(told));
        }
        if code.redirect_uri != self.redirect_uri {
            let before = std::slice::from_ref(&code.redirect_uri);
            return Err(OAuthError::invalid_grant(
                "redirect_uri is not the one of the authorization request",
            )
            .because(difference::explain(&self.redirect_uri, before)));
        }
        pkce::verify(code.code_challenge.as_deref(), self.verifier.as_ref().map(Secret::expose))
    }

    /// A second use ends all that the first one gave (RFC 6749 §4.1.2, TE-3).
    fn replayed(
        &self,
        db: &mut Conn,
        grant: &Grant,
        spent: Option<Timestamp>,
    ) -> Result<Redemption, store::Error> {
        let revoked = grants::revoke(db, grant.id, self.scribe.now)?;
        if revoked {
            let event = Event::denied(AuditAction::CodeReplayed).user(grant.user_id).client(self.client.key);
            self.scribe.write(db, event.session(grant.session_id))?;
        }
        let told = spent.into_iter().fold(Explanation::of(Rule::CodeSpent), |told, at| {
            told.with("spent seconds ago", self.scribe.now.since(at).as_secs())
        });
        let told =
            told.with("ended by this", if revoked { "all that was issued for it" } else { "nothing more" });
        let error = OAuthError::invalid_grant("the code was used before").with_hint("replay");
        Ok(Redemption::Refused(error.because(told)))
    }

    fn refuse(&self, db: &mut Conn, error: OAuthError) -> Result<Redemption, store::Error> {
        self.scribe.write(db, refused(&self.client, "authorization_code", &error))?;
        Ok(Redemption::Refused(error))
    }
}
