//! What becomes of somebody whom a provider vouches for: one decision, in one transaction.
//!
//! Who is known by issuer and subject is signed in. An address never signs anybody in by itself (FE-1): where an
//! account has it, its owner has to sign in to that account first (FE-7). The one exception is an account whose
//! address nobody has ever proven. Whoever made it may have laid it out for the owner of the address to fall into,
//! so all that it came with is void before the owner gets it (FE-8).

use super::providers::Upstream;
use super::token::Person;
use super::{FederationError, begin_session};
use crate::audit::{Event, Scribe};
use crate::clock::Timestamp;
use crate::crypto::Digest;
use crate::identity::session::{self, Arrival, Begun, Terms};
use crate::model::{AuditAction, EmailAddress, FederatedIdentityId, FirstSignIn, OrganisationId, UserId};
use crate::store::federation::{self as rows, Identity, PendingLink};
use crate::store::{self, Conn, grants, users};
use crate::tenancy::users::{Vouched, insert_vouched};
use crate::tenancy::{admission, domains, members, organisations};

/// How long a browser may take to sign in to the account that is to be linked.
const LINK_WITHIN: std::time::Duration = std::time::Duration::from_secs(10 * 60);

/// Somebody vouched for, with all that the decision needs.
pub(super) struct Settlement {
    pub upstream: Upstream,
    pub policy: FirstSignIn,
    pub person: Person,
    /// The browser, if there is one that could sign in to an account that is to be linked.
    pub browser: Option<Digest>,
    pub arrival: Arrival,
    pub terms: Terms,
    pub scribe: Scribe,
}

/// What was decided. Committed in any case.
pub(super) enum Settled {
    SignedIn { begun: Begun, is_new: bool },
    MustLink,
    Refused(Refused),
}

/// Why somebody whose identity is proven is not signed in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Refused {
    NoSuchProvider,
    NoAccount,
    NotInvited,
    AccountExists,
    NotAdmitted(String),
}

impl From<Refused> for FederationError {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::NoSuchProvider => Self::NoSuchProvider,
            Refused::NoAccount => Self::NoAccount,
            Refused::NotInvited => Self::NotInvited,
            Refused::AccountExists => Self::AccountExists,
            Refused::NotAdmitted(why) => Self::Refused(why),
        }
    }
}

/// Whose account has the address.
enum Owner {
    Nobody,
    /// To be signed in to before it is linked.
    Account(UserId),
    /// An account whose address nobody has proven, and which is no administrator's.
    Unproven(UserId),
}

impl Settlement {
    pub(super) fn settle(&self, db: &mut Conn) -> Result<Settled, store::Error> {
        if !self.upstream.is_still_active(db)? {
            return Ok(Settled::Refused(Refused::NoSuchProvider));
        }
        let (provider, person) = (&self.upstream.settings.id, &self.person);
        if let Some(organisation) = self.upstream.organisation
            && !self.speaks_for_them(db, organisation)?
        {
            let why = "the organisation's provider does not speak for this address";
            return Ok(Settled::Refused(Refused::NotAdmitted(why.to_owned())));
        }
        if let Some(known) = rows::find_identity(db, provider, &person.issuer, &person.subject)? {
            rows::note_identity_used(db, known.id, &person.label(), self.scribe.now)?;
            return self.sign_in(db, known.user_id, false);
        }
        match self.owner(db)? {
            Owner::Nobody => self.first_sign_in(db),
            Owner::Account(user) => self.ask_to_link(db, user),
            Owner::Unproven(user) => {
                self.reclaim(db, user)?;
                self.link(db, user)?;
                self.sign_in(db, user, false)
            }
        }
    }

    /// An organisation's own provider could otherwise claim to vouch for anybody.
    fn speaks_for_them(&self, db: &mut Conn, organisation: OrganisationId) -> Result<bool, store::Error> {
        let (provider, email) = (&self.upstream.settings.id, self.person.email.as_ref());
        email.map_or(Ok(false), |email| domains::speaks_for(db, organisation, provider, email))
    }

    /// Whether the address counts as theirs. Of a domain that the organisation has proven, its provider knows.
    fn is_email_verified(&self) -> bool {
        self.person.email_verified || self.upstream.organisation.is_some()
    }

    fn sign_in(&self, db: &mut Conn, user: UserId, is_new: bool) -> Result<Settled, store::Error> {
        Ok(match admission::admit_user(db, user)? {
            Ok(admission) => {
                let provider = &self.upstream.settings.id;
                let begun = begin_session(
                    db,
                    &admission,
                    provider,
                    self.person.authenticated_at,
                    &self.arrival,
                    self.terms,
                    &self.scribe,
                )?;
                Settled::SignedIn { begun, is_new }
            }
            Err(refusal) => Settled::Refused(Refused::NotAdmitted(refusal.to_string())),
        })
    }

    fn owner(&self, db: &mut Conn) -> Result<Owner, store::Error> {
        // An address that the provider does not vouch for says nothing, not even whether it has an account.
        let vouched = self.person.email.as_ref().filter(|_| self.is_email_verified());
        let Some(email) = vouched else { return Ok(Owner::Nobody) };
        let Some(user) = users::find_by_email(db, email)? else { return Ok(Owner::Nobody) };
        let is_unproven = users::emails(db, user.id)?.iter().all(|email| email.verified_at.is_none());
        Ok(match is_unproven && !user.is_admin() {
            true => Owner::Unproven(user.id),
            false => Owner::Account(user.id),
        })
    }

    fn ask_to_link(&self, db: &mut Conn, user: UserId) -> Result<Settled, store::Error> {
        let Some(browser) = self.browser else { return Ok(Settled::Refused(Refused::AccountExists)) };
        let now = self.scribe.now;
        let pending = PendingLink {
            browser_digest: browser,
            user_id: user,
            provider_id: self.upstream.settings.id.clone(),
            issuer: self.person.issuer.clone(),
            subject: self.person.subject.clone(),
            label: self.person.label(),
            created_at: now,
            expires_at: now.plus(LINK_WITHIN),
        };
        rows::put_pending(db, &pending)?;
        Ok(Settled::MustLink)
    }

    /// Takes an account from whoever made it without proving its address (FE-8).
    fn reclaim(&self, db: &mut Conn, user: UserId) -> Result<(), store::Error> {
        let Some(email) = &self.person.email else { return Ok(()) };
        session::end_all(db, user, None, &self.scribe)?;
        grants::revoke_of_user(db, user, self.scribe.now)?;
        rows::void_links_of(db, user)?;
        rows::void_credentials(db, user, email, self.scribe.now)?;
        store::api_keys::revoke_of_creator(db, user, self.scribe.now)?;
        users::mark_email_verified(db, user, email, self.scribe.now)?;
        let event = Event::success(AuditAction::AccountReclaimed).user(user);
        self.scribe.write(db, event.detail("provider", self.upstream.settings.id.as_str()))
    }

    fn first_sign_in(&self, db: &mut Conn) -> Result<Settled, store::Error> {
        let proven = self.person.email.as_ref().filter(|_| self.is_email_verified());
        let refusal = match self.policy {
            FirstSignIn::Refuse => Some(Refused::NoAccount),
            FirstSignIn::InvitedOnly if !self.is_invited(db, proven)? => Some(Refused::NotInvited),
            FirstSignIn::InvitedOnly | FirstSignIn::CreateOrganisation => None,
        };
        if let Some(refusal) = refusal {
            return Ok(Settled::Refused(refusal));
        }
        let vouched = Vouched {
            name: self.name(),
            // An address that is not proven would be kept from its owner.
            email: proven.cloned(),
            claims: self.person.claims.clone(),
        };
        let user = insert_vouched(db, &vouched, &self.scribe)?;
        self.link(db, user)?;
        match self.upstream.organisation {
            // Its domain is proven, and its owner sends the people of it here (OR-8).
            Some(organisation) => {
                members::join_by_domain(db, organisation, user, &self.scribe)?;
            }
            None if self.policy == FirstSignIn::CreateOrganisation => {
                organisations::create_for(db, user, &vouched.name, &self.scribe)?;
            }
            None => {}
        }
        self.sign_in(db, user, true)
    }

    fn is_invited(&self, db: &mut Conn, proven: Option<&EmailAddress>) -> Result<bool, store::Error> {
        let Some(email) = proven else { return Ok(false) };
        // An invitation to an organisation is accepted by hand, and stays open until then.
        Ok(store::invitations::any_open_for(db, email.folded(), self.scribe.now)?
            || rows::consume_invitation(db, email, self.scribe.now)?)
    }

    /// What the person is called, or a word for somebody of whom nothing is known.
    fn name(&self) -> String {
        let local = |email: &EmailAddress| email.as_str().split('@').next().map(str::to_owned);
        let name = self.person.name.clone().or_else(|| self.person.email.as_ref().and_then(local));
        name.unwrap_or_else(|| self.upstream.settings.label())
    }

    fn link(&self, db: &mut Conn, user: UserId) -> Result<(), store::Error> {
        let (issuer, subject) = (self.person.issuer.clone(), self.person.subject.clone());
        let provider = self.upstream.settings.id.clone();
        insert_link(db, user, provider, issuer, subject, self.person.label(), &self.scribe)
    }
}

/// Links an identity, with its event.
pub(super) fn insert_link(
    db: &mut Conn,
    user: UserId,
    provider_id: String,
    issuer: String,
    subject: String,
    label: String,
    scribe: &Scribe,
) -> Result<(), store::Error> {
    let now: Timestamp = scribe.now;
    let event =
        Event::success(AuditAction::IdentityLinked).user(user).detail("provider", provider_id.as_str());
    let identity = Identity {
        id: FederatedIdentityId::new(now, &scribe.random),
        user_id: user,
        provider_id,
        issuer,
        subject,
        label,
        created_at: now,
        last_used_at: now,
    };
    rows::insert_identity(db, &identity)?;
    scribe.write(db, event)
}
