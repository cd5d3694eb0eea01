//! The management API as a resource: what its tokens may be for, and in whose name whoever holds one acts.
//!
//! A client of its own (`client_credentials`) acts as itself, within the scopes that it was given; an administrator's
//! application acts for that administrator, within both, while they are signed in. No API key does: it is of one organisation, this is the instance.

use std::collections::BTreeMap;

use super::actor::Actor;
use super::admission::{self, Rules};
use crate::app::App;
use crate::config::Issuer;
use crate::model::{InstanceRole, Resource, ResourceId, Status};
use crate::protocol::tokens::AccessClaims;
use crate::store::grants::Grant;
use crate::store::users::User;
use crate::store::{self, sessions};

/// Where it is, below the issuer.
pub const PATH: &str = "/api/v1/admin";

macro_rules! scopes {
    ($($(#[$doc:meta])* $variant:ident = $text:literal, $about:literal;)+) => {
        /// What a token of the management API may be good for: an area, to read or to write.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Scope { $($(#[$doc])* $variant,)+ }

        impl Scope {
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text,)+ }
            }

            /// For the consent page.
            const fn about(self) -> &'static str {
                match self { $(Self::$variant => $about,)+ }
            }
        }
    };
}

scopes! {
    UsersRead = "admin.users:read", "See everybody's account here";
    UsersWrite = "admin.users:write", "Make, change and end accounts here";
    OrganizationsRead = "admin.organizations:read", "See all organizations and their members";
    OrganizationsWrite = "admin.organizations:write", "Make and change organizations and their members";
    ApiKeysRead = "admin.api_keys:read", "See the API keys of all organizations";
    ApiKeysWrite = "admin.api_keys:write", "Make, replace and revoke API keys of all organizations";
    ClientsRead = "admin.clients:read", "See the applications and APIs that are registered";
    ClientsWrite = "admin.clients:write", "Register, change and remove applications and APIs";
    ProvidersRead = "admin.providers:read", "See the identity providers that people sign in with";
    ProvidersWrite = "admin.providers:write", "Set up, change and remove identity providers";
    SessionsRead = "admin.sessions:read", "See who is signed in and what applications hold";
    SessionsWrite = "admin.sessions:write", "End sign-ins, and take back what applications hold";
    KeysRead = "admin.keys:read", "See the signing keys";
    KeysWrite = "admin.keys:write", "Rotate and revoke signing keys";
    MailRead = "admin.mail:read", "See which mail waits or failed";
    MailWrite = "admin.mail:write", "Send mail again, and test mail";
    AuditRead = "admin.audit:read", "Read the audit log and why sign-ins were refused";
    SettingsRead = "admin.settings:read", "See how this service is set up";
    OverviewRead = "admin.overview:read", "See how this service does, and what is wrong with it";
}

impl Scope {
    /// Whether it lets nothing be changed.
    pub fn is_read(self) -> bool {
        self.as_str().ends_with(":read")
    }
}

/// Whether a scope of this name is ours, and no other API's.
pub fn is_own_scope(scope: &str) -> bool {
    scope.starts_with("admin.")
}

/// The API as something that tokens are for (RFC 8707 §2). It stands in no table.
pub fn resource(issuer: &Issuer) -> Resource {
    let mut id = [0; 16];
    // A UUID of version 7 from the beginning of time, which no other resource can get.
    (id[6], id[8], id[15]) = (0x70, 0x80, 1);
    let scopes: BTreeMap<String, String> =
        Scope::ALL.iter().map(|scope| (scope.as_str().to_owned(), scope.about().to_owned())).collect();
    Resource {
        id: ResourceId::from_bytes(&id).expect("sixteen bytes are an id"),
        identifier: issuer.at(PATH),
        name: "Management API".to_owned(),
        status: Status::Active,
        access_ttl: None,
        scopes,
    }
}

/// Why a token that is good is not good for this.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    #[error("the token is for another API")]
    OtherAudience,
    #[error("the token has no scope {0}")]
    ScopeMissing(&'static str),
    #[error("the user does not run this instance")]
    NoRole,
    #[error("support looks and changes nothing")]
    LooksOnly,
    #[error("the user is not signed in any more, or has not shown enough to run the instance")]
    NotSignedIn,
    #[error(transparent)]
    Store(#[from] store::Error),
}

/// What the scopes of a token reach. Nobody gives to others what they do not hold themselves: else one area would open all
/// of them.
#[derive(Clone, Debug)]
pub struct Reach(Vec<Scope>);

impl Reach {
    fn of(claims: &AccessClaims) -> Self {
        Self(Scope::ALL.iter().copied().filter(|scope| claims.scope.contains(scope.as_str())).collect())
    }

    /// Whether an application with these scopes can do no more here: else with the first scope beyond.
    pub fn covers<'s>(&self, scopes: impl IntoIterator<Item = &'s str>) -> Result<(), &'s str> {
        let held = |scope: &str| self.0.iter().any(|held| held.as_str() == scope);
        scopes.into_iter().find(|scope| is_own_scope(scope) && !held(scope)).map_or(Ok(()), Err)
    }

    /// Whether somebody of this role can do no more here.
    pub fn covers_role(&self, role: InstanceRole) -> Result<(), &'static str> {
        let all = Scope::ALL.iter().filter(|scope| match role {
            InstanceRole::Administrator => true,
            InstanceRole::Support => scope.is_read(),
        });
        self.covers(all.map(|scope| scope.as_str()))
    }
}

/// Who was let in, and how far.
#[derive(Clone, Debug)]
pub struct Admitted {
    pub actor: Actor,
    pub reach: Reach,
}

/// A token that is good now, as it was presented.
#[derive(Clone, Copy, Debug)]
pub struct Presented<'a> {
    pub claims: &'a AccessClaims,
    /// Whose it is, and what was granted; `None` for a client's own token.
    pub of_user: Option<&'a (User, Grant)>,
    /// Whether an API key was exchanged for it.
    pub is_of_key: bool,
}

/// In whose name the holder of this token does what the scope is for.
pub async fn admit(app: &App, presented: Presented<'_>, scope: Scope) -> Result<Admitted, Refusal> {
    let Presented { claims, of_user, is_of_key } = presented;
    if is_of_key || claims.passed_on || !claims.aud.contains(&app.config.issuer.at(PATH)) {
        return Err(Refusal::OtherAudience);
    }
    if !claims.scope.contains(scope.as_str()) {
        return Err(Refusal::ScopeMissing(scope.as_str()));
    }
    let Some((user, grant)) = of_user else {
        let client = app.client(&claims.client_id).await?.ok_or(Refusal::OtherAudience)?;
        return Ok(Admitted { actor: Actor::Service(client.key), reach: Reach::of(claims) });
    };
    let actor = match user.instance_role {
        Some(InstanceRole::Administrator) => Actor::Administrator(user.id),
        Some(InstanceRole::Support) if scope.is_read() => Actor::Administrator(user.id),
        Some(InstanceRole::Support) => return Err(Refusal::LooksOnly),
        None => return Err(Refusal::NoRole),
    };
    // What runs the instance ends with the sign-in: a grant for later use outlives what was proven.
    let session = grant.session_id.filter(|_| !grant.offline).ok_or(Refusal::NotSignedIn)?;
    let (user, rules, now) = (user.clone(), Rules::of(&app.config), app.clock.now());
    let admitted = app.db.read(move |db| {
        let proven = sessions::methods(db, session)?;
        admission::admit_instance(db, session, &proven, &user, rules, now)
    });
    admitted.await?.map_err(|_| Refusal::NotSignedIn)?;
    Ok(Admitted { actor, reach: Reach::of(claims) })
}
