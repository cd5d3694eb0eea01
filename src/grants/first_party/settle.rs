//! The transactions in which a product's tokens are allowed: everything that they rest on is stored or refused here.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde_json::json;

use crate::app::App;
use crate::audit::{Event, Origin, Scribe};
use crate::clock::Timestamp;
use crate::crypto::{Random, Secret};
use crate::grants::refresh_token::MakeToken;
use crate::grants::{Detail, issue};
use crate::identity::session;
use crate::keys::Keyring;
use crate::model::{AuditAction, GrantId, GrantType, Place, SessionId};
use crate::protocol::acr::acr_for;
use crate::protocol::claims::ClaimsRequest;
use crate::protocol::scope::ScopeSet;
use crate::protocol::tokens::REFRESH_TOKEN_TYP;
use crate::store::grants::{self, Grant, RefreshToken};
use crate::store::organisations::{self, Organisation};
use crate::store::sessions::{self, Session};
use crate::store::users::{self, User};
use crate::store::{self, Conn};
use crate::tenancy::admission::{self, Acting, Admission, Refusal, Rules};
use crate::tenancy::membership::{self, ActiveMembership, Selection, Workspaces};

use super::{Denied, Holder, Product, Refresh, RefreshClaims, Subject, Way};

/// What every transaction needs of the instance.
pub(super) struct Context {
    pub rules: Rules,
    pub workspaces: Workspaces,
    /// Whether programs may send passwords at all.
    pub passwords_taken: bool,
    pub keyring: Arc<Keyring>,
    pub random: Random,
    pub issuer: String,
    /// How long access tokens usually live.
    pub usual: Duration,
    pub scribe: Scribe,
}

impl Context {
    pub(super) fn of(app: &App, origin: &Origin) -> Self {
        Self {
            rules: Rules::of(&app.config),
            workspaces: Workspaces::of(&app.config),
            passwords_taken: app.config.password.json_sign_in,
            keyring: app.signing.keyring(),
            random: app.random.clone(),
            issuer: app.config.issuer.as_str().to_owned(),
            usual: app.config.lifetimes.access,
            scribe: app.scribe(origin),
        }
    }

    /// Whom the grant is of, if they still belong to the organisation that it is for.
    pub(super) fn subject_of_grant(
        &self,
        db: &mut Conn,
        user: &User,
        grant: &Grant,
        detail: &Detail,
    ) -> Result<Option<Subject>, store::Error> {
        let active = match grant.organisation_id {
            None => None,
            Some(organisation) => {
                let wanted = Selection {
                    organisation: Some(organisation.to_string()),
                    workspace: detail.workspace.map(|workspace| workspace.to_string()),
                };
                match membership::select(db, user.id, &wanted, self.workspaces)? {
                    Ok(active) => Some(active),
                    Err(_) => return Ok(None),
                }
            }
        };
        subject(db, user.clone(), active, grant.session_id, self.workspaces).map(Some)
    }

    /// Makes the product's own of a grant that was given at our pages: an organisation, and a refresh token.
    pub(super) fn take_over(
        &self,
        db: &mut Conn,
        product: &Product,
        gid: GrantId,
    ) -> Result<Result<Box<Allowed>, Against>, store::Error> {
        let Some(mut grant) = grants::find(db, gid)? else {
            return Ok(Err(Against::Refused(Refusal::GrantRevoked)));
        };
        if !grants::hold(db, gid)? {
            return Ok(Err(Against::Refused(Refusal::GrantRevoked)));
        }
        let mut detail = Detail::parse(&grant.detail)?;
        if grant.organisation_id.is_none() {
            let found = membership::select(db, grant.user_id, &Selection::default(), self.workspaces)?.ok();
            if found.is_none() && product.needs_organisation {
                grants::revoke(db, grant.id, self.scribe.now)?;
                return Ok(Err(Against::NotAMember));
            }
            grant.organisation_id = found.as_ref().map(|active| active.organisation().id);
            detail.workspace = found.as_ref().and_then(|active| active.workspace()).map(|place| place.id);
            grant.detail = detail.to_json();
            grants::set_place(db, &grant)?;
        }
        let (client, kind, now) = (&product.client, GrantType::RefreshToken, self.scribe.now);
        let admitted = admission::admit_grant(db, client, kind, &grant, &detail.methods, self.rules, now)?;
        let admission = match admitted {
            Ok(admission) => admission,
            Err(refusal) => {
                grants::revoke(db, grant.id, now)?;
                return Ok(Err(Against::Refused(refusal)));
            }
        };
        let Some(subject) = self.subject_of_grant(db, admission.user(), &grant, &detail)? else {
            return Ok(Err(Against::NotAMember));
        };
        // The one that the code was redeemed for was told to nobody.
        grants::remove_refresh_tokens(db, grant.id)?;
        let refresh = self.first_refresh_token(db, product, &grant)?;
        let place = issue::take_place(db, &grant, &product.target(), self.usual, &self.scribe)?;
        Ok(Ok(Box::new(Allowed { admission, place, grant, detail, subject, refresh })))
    }

    pub(super) fn first_refresh_token(
        &self,
        db: &mut Conn,
        product: &Product,
        grant: &Grant,
    ) -> Result<Option<(Secret, Timestamp)>, store::Error> {
        let now = self.scribe.now;
        let Some((idle, make)) = self.maker(product) else { return Ok(None) };
        let expires_at = now.plus(idle).min(grant.expires_at);
        let token = make(grant, expires_at)?;
        let row = RefreshToken {
            digest: token.digest(),
            grant_id: grant.id,
            created_at: now,
            expires_at,
            consumed_at: None,
            successor_digest: None,
            successor_sealed: None,
        };
        grants::insert_refresh(db, &row)?;
        Ok(Some((token, expires_at)))
    }

    /// How refresh tokens are made, if there are any, and how long one may lie unused.
    pub(super) fn maker(&self, product: &Product) -> Option<(Duration, MakeToken)> {
        let random = self.random.clone();
        match &product.refresh {
            Refresh::None => None,
            Refresh::Opaque(idle) => Some((*idle, Box::new(move |_, _| Ok(Secret::generate(&random))))),
            Refresh::Jwt(idle, claims) => {
                let signer = RefreshSigner {
                    keyring: Arc::clone(&self.keyring),
                    random,
                    issuer: self.issuer.clone(),
                    client_id: product.client.client_id.clone(),
                    claims: Arc::clone(claims),
                    now: self.scribe.now,
                };
                Some((*idle, Box::new(move |grant, expires_at| signer.sign(grant, expires_at))))
            }
        }
    }
}

/// Makes refresh tokens that are JWTs. Their type and their audience, which is only us, keep them from being taken
/// for access tokens (TK-4).
pub(super) struct RefreshSigner {
    keyring: Arc<Keyring>,
    random: Random,
    issuer: String,
    client_id: String,
    claims: RefreshClaims,
    now: Timestamp,
}

impl RefreshSigner {
    fn sign(&self, grant: &Grant, expires_at: Timestamp) -> Result<Secret, store::Error> {
        let holder =
            Holder { user: grant.user_id, organisation: grant.organisation_id, session: grant.session_id };
        let mut claims = (self.claims)(&holder);
        let own = json!({
            "iss": self.issuer,
            "aud": self.issuer,
            "client_id": self.client_id,
            "iat": self.now.seconds(),
            "exp": expires_at.seconds(),
            "jti": BASE64_URL_SAFE_NO_PAD.encode(self.random.bytes::<32>()),
        });
        claims.extend(own.as_object().cloned().unwrap_or_default());
        issue::sign_with(&self.keyring, issue::ACCESS_ALG, REFRESH_TOKEN_TYP, &claims, self.now)
            .map(Secret::from_text)
            .map_err(|error| store::Error::broken("a refresh token", error))
    }
}

pub(super) struct Opening {
    pub product: Product,
    pub session: SessionId,
    pub wanted: Selection,
    pub way: Way,
    pub context: Context,
}

/// What a transaction has allowed: what an access token is then made of.
pub(super) struct Allowed {
    pub admission: Admission,
    pub place: Place,
    pub grant: Grant,
    pub detail: Detail,
    pub subject: Subject,
    pub refresh: Option<(Secret, Timestamp)>,
}

/// A decision against, which is committed.
pub(super) enum Against {
    NotAMember,
    NotThisWay,
    Refused(Refusal),
}

impl From<Against> for Denied {
    fn from(against: Against) -> Self {
        match against {
            Against::NotAMember => Self::NotAMember,
            Against::NotThisWay => Self::NotThisWay,
            Against::Refused(refusal) => refusal.into(),
        }
    }
}

impl Opening {
    pub(super) fn settle(&self, db: &mut Conn) -> Result<Result<Box<Allowed>, Against>, store::Error> {
        // Held, so that who ends it at this moment waits and then knows of the grant that is made here.
        let held = sessions::hold(db, self.session)?;
        let Some(session) = sessions::find(db, self.session)?.filter(|_| held) else {
            return Ok(Err(Against::Refused(Refusal::SessionEnded)));
        };
        match self.admit(db, &session)? {
            Ok((admission, subject)) => self.give(db, &session, admission, subject),
            Err(against) => {
                // Whoever stays in the organisation they were in stays signed in.
                if !matches!(self.way, Way::From(_)) {
                    session::end(db, session.id, session.user_id, &self.context.scribe)?;
                }
                Ok(Err(against))
            }
        }
    }

    fn admit(
        &self,
        db: &mut Conn,
        session: &Session,
    ) -> Result<Result<(Admission, Subject), Against>, store::Error> {
        let (product, now) = (&self.product, self.context.scribe.now);
        let proven = sessions::methods(db, session.id)?;
        let active = match membership::select(db, session.user_id, &self.wanted, self.context.workspaces)? {
            Ok(active) => Some(active),
            Err(_) if self.wanted == Selection::default() && !product.needs_organisation => None,
            Err(_) => return Ok(Err(Against::NotAMember)),
        };
        let organisation = active.as_ref().map(ActiveMembership::organisation);
        let forbids = |found: &Organisation| !found.password_login_allowed;
        if self.way == Way::Password && (!self.context.passwords_taken || organisation.is_some_and(forbids)) {
            return Ok(Err(Against::NotThisWay));
        }
        let acting = Acting {
            client: &product.client,
            proven: &proven,
            organisation: organisation.map(|found| found.id),
            rules: self.context.rules,
        };
        let admission = match admission::admit_product(db, session, acting, now)? {
            Ok(admission) => admission,
            Err(refusal) => return Ok(Err(Against::Refused(refusal))),
        };
        let mode = self.context.workspaces;
        let subject = subject(db, admission.user().clone(), active, Some(session.id), mode)?;
        Ok(Ok((admission, subject)))
    }

    fn give(
        &self,
        db: &mut Conn,
        session: &Session,
        admission: Admission,
        subject: Subject,
    ) -> Result<Result<Box<Allowed>, Against>, store::Error> {
        let (scribe, client) = (&self.context.scribe, &self.product.client);
        let methods = sessions::methods(db, session.id)?;
        let detail = Detail {
            scope: ScopeSet::default(),
            resources: Vec::new(),
            claims: ClaimsRequest::default(),
            nonce: None,
            acr: acr_for(&methods).as_str().to_owned(),
            methods,
            workspace: subject.active.as_ref().and_then(|active| active.workspace()).map(|found| found.id),
        };
        let grant = Grant {
            id: GrantId::new(scribe.now, &scribe.random),
            user_id: session.user_id,
            client_id: client.key,
            session_id: Some(session.id),
            organisation_id: subject.active.as_ref().map(|active| active.organisation().id),
            offline: false,
            detail: detail.to_json(),
            auth_time: session.auth_time,
            created_at: scribe.now,
            expires_at: session.expires_at,
            revoked_at: None,
        };
        grants::insert(db, &grant)?;
        if !grants::hold(db, grant.id)? {
            return Ok(Err(Against::Refused(Refusal::ClientDisabled)));
        }
        if let Way::From(former) = self.way {
            grants::revoke(db, former, scribe.now)?;
        }
        let refresh = self.context.first_refresh_token(db, &self.product, &grant)?;
        let event = Event::success(AuditAction::TokenIssued).user(grant.user_id).client(client.key);
        scribe.write(db, event.session(session.id).detail("grant_type", "first_party"))?;
        let (target, usual) = (self.product.target(), self.context.usual);
        let place = issue::take_place(db, &grant, &target, usual, scribe)?;
        Ok(Ok(Box::new(Allowed { admission, place, grant, detail, subject, refresh })))
    }
}

/// Everything that is told of a person.
pub(super) fn subject(
    db: &mut Conn,
    user: User,
    active: Option<ActiveMembership>,
    session: Option<SessionId>,
    mode: Workspaces,
) -> Result<Subject, store::Error> {
    let picture = users::claims(db, user.id)?.into_iter().find(|(name, _)| name == "picture");
    let memberships = membership::of_user(db, user.id)?;
    let mut implied = BTreeMap::new();
    if mode == Workspaces::Implied {
        for membership in &memberships {
            let organisation = membership.organisation.id;
            implied.extend(
                organisations::default_workspace(db, organisation)?.map(|found| (organisation, found)),
            );
        }
    }
    Ok(Subject {
        email: users::primary_email(db, user.id)?,
        picture: picture.map(|(_, value)| value),
        memberships,
        implied,
        active,
        session,
        user,
    })
}
