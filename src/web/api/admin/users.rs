//! People, by the management API.

use std::collections::BTreeMap;
use std::time::Duration;

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::web::Query;
use serde::Deserialize;
use serde_json::{Value, json};

use super::manager::Manager;
use crate::identity::account::export;
use crate::identity::account::profile::{self, Profile};
use crate::identity::factor::manage;
use crate::identity::link::AskError;
use crate::identity::recovery;
use crate::model::{EmailAddress, InstanceRole, Language, Status, UserId};
use crate::store::users::{Email, Sought, User};
use crate::tenancy::directory;
use crate::tenancy::links::{self, InviteError};
use crate::tenancy::users::{self, End, Needs, NewUser, UserError};
use crate::web::api::account::Accepted;
use crate::web::api::ask::Sent;
use crate::web::api::once::Made;
use crate::web::api::organizations::ok;
use crate::web::api::page::query_without_page;
use crate::web::api::refuse::value;
use crate::web::api::session::done;
use crate::web::api::tell::Belongs;
use crate::web::api::typed::{Integer, asked, told};
use crate::web::fault::{Fault, Refused};
use crate::web::respond;

asked! {
    /// `POST /users`.
    NewUserAsked {
        email: String where { "format": "email", "maxLength": 254 },
        name: String where { "minLength": 1, "maxLength": 200 },
        username: Option<String> where { "minLength": 1, "maxLength": 64 },
        /// You vouch for the address.
        email_verified: Option<bool>,
        /// Mail a link to choose a password.
        send_link: Option<bool>,
    }
    /// `PATCH /users/{user}`.
    UserChange {
        name: Option<String>,
        given_name: Option<String>,
        family_name: Option<String>,
        nickname: Option<String>,
        locale: Option<String>,
        zoneinfo: Option<String>,
    }
    /// `PUT …/instance-role`.
    InstanceRoleAsked {
        instance_role: Option<String> where { "enum": ["administrator", "support"] },
    }
    /// `POST …/verify-email`.
    AddressAsked {
        email: String where { "format": "email", "maxLength": 254 },
    }
    /// `POST /invitations`.
    InvitationAsked {
        email: String where { "format": "email", "maxLength": 254 },
        /// Seconds; 7 days if left out.
        expires_in: Option<Integer> where { "minimum": 60, "maximum": 2592000 },
    }
}

told! {
    Users {
        items: Vec<UserTold>,
        next: Option<String>,
    }
    UserTold {
        id: String,
        name: String,
        username: Option<String>,
        email: Option<String>,
        email_verified: bool,
        status: String,
        instance_role: Option<String>,
        locale: Option<String>,
        zoneinfo: Option<String>,
        created_at: String,
        last_sign_in_at: Option<String>,
    }
    UserMade {
        user: UserTold,
        /// Whether the link was asked for and sent: an address gets so many mails and no more.
        link_sent: bool,
    }
    UserDetails {
        user: UserTold,
        emails: Vec<AddressTold>,
        has_password: bool,
        authenticator_app: bool,
        passkeys: u64,
        recovery_codes: u64,
        identities: Vec<IdentityTold>,
        memberships: Vec<Belongs>,
    }
    AddressTold {
        email: String,
        primary: bool,
        verified: bool,
    }
    IdentityTold {
        provider: String,
        issuer: String,
        subject: String,
        label: String,
    }
    /// The link is shown this once: when the same is asked for again with an idempotency key, it is null.
    InvitationMade {
        link: Option<String>,
        email: String,
        expires_in: u64,
    }
}

impl Made for UserMade {}

impl Made for InvitationMade {
    fn again(&self) -> Value {
        json!({ "link": null, "email": self.email, "expires_in": self.expires_in })
    }
}

fn told(user: &User, email: Option<&Email>) -> UserTold {
    UserTold {
        id: user.id.to_string(),
        name: user.name.clone(),
        username: user.username.clone(),
        email: email.map(|email| email.address.clone()),
        email_verified: email.is_some_and(|email| email.verified_at.is_some()),
        status: user.status.to_string(),
        instance_role: user.instance_role.map(|role| role.to_string()),
        locale: user.locale.clone(),
        zoneinfo: user.zoneinfo.clone(),
        created_at: user.created_at.rfc3339(),
        last_sign_in_at: user.last_sign_in_at.map(|at| at.rfc3339()),
    }
}

impl From<UserError> for Refused {
    fn from(error: UserError) -> Self {
        let text = crate::web::api::refuse::sentence(&error);
        match error {
            UserError::Weak(_)
            | UserError::BadName
            | UserError::BadUsername
            | UserError::UnknownClaim(_)
            | UserError::BadClaim(..) => Self::with_detail(Fault::InvalidValue, text),
            UserError::EmailTaken | UserError::UsernameTaken => Self::with_detail(Fault::Conflict, text),
            UserError::Needed(_) => {
                let why = "They are the only administrator of the instance or of an organization: make another one first.";
                Self::with_detail(Fault::Conflict, why)
            }
            UserError::NoSuchUser | UserError::NoSuchEmail => Fault::NotFound.into(),
            UserError::Busy(_) => Self::busy(),
            UserError::Store(error) => error.into(),
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Looked {
    q: Option<String>,
    status: Option<String>,
    role: Option<String>,
}

/// A word of a closed set in the address.
pub fn word<T: std::str::FromStr<Err = String>>(
    name: &str,
    text: Option<&str>,
) -> Result<Option<T>, Refused> {
    let read = |text: &str| {
        text.parse()
            .map_err(|why: String| Refused::with_detail(Fault::InvalidValue, format!("`{name}`: {why}.")))
    };
    text.map(read).transpose()
}

pub async fn list(manager: Manager) -> Result<HttpResponse, Refused> {
    let list = manager.list("users");
    let page = list.page_beside::<UserId>(manager.request(), &["q", "status", "role"])?;
    let Query(looked) = query_without_page::<Looked>(manager.request())?;
    let sought = Sought {
        words: Sought::words_of(looked.q.as_deref().unwrap_or_default()),
        status: word::<Status>("status", looked.status.as_deref())?,
        instance_role: word::<InstanceRole>("role", looked.role.as_deref())?,
    };
    let found = directory::search(manager.app(), sought, page.after, page.limit + 1).await?;
    let (found, next) = list.cut(found, page.limit, |entry| entry.user.id);
    let items = found.iter().map(|entry| told(&entry.user, entry.email.as_ref()));
    Ok(ok(&Users { items: items.collect(), next }))
}

pub(super) fn email_of(text: &str) -> Result<EmailAddress, Refused> {
    let why = "`email` must be an e-mail address.";
    EmailAddress::parse(text).map_err(|_| Refused::with_detail(Fault::InvalidValue, why))
}

/// A mail with a link to choose a password.
fn link_to(email: &str, language: Language) -> recovery::Asked {
    recovery::Asked { email: email.to_owned(), language, device: None, request: None, return_to: None }
}

pub async fn create(
    Sent { by: manager, asked, once }: Sent<Manager, NewUserAsked>,
) -> Result<HttpResponse, Refused> {
    let (app, language) = (manager.call.app.clone(), manager.call.language);
    let make = async move |origin| {
        let email = email_of(&asked.email)?;
        let new = NewUser {
            email: email.clone(),
            email_verified: asked.email_verified.unwrap_or_default(),
            name: asked.name,
            username: asked.username,
            password: None,
            instance_role: None,
            claims: BTreeMap::new(),
        };
        let id = users::create(&app, new, &origin).await?;
        let link_sent = asked.send_link.unwrap_or_default()
            && match recovery::request(&app, link_to(email.as_str(), language), &origin).await {
                Ok(()) => true,
                Err(AskError::Throttled(_)) => false,
                Err(other) => return Err(value(other)),
            };
        let dossier = directory::dossier(&app, id).await?.ok_or(Fault::NotFound)?;
        Ok(UserMade { user: told(&dossier.user, dossier.emails.first()), link_sent })
    };
    once.make(&manager.call, &manager.identity(), make).await
}

pub async fn show(manager: Manager) -> Result<HttpResponse, Refused> {
    let user = manager.named("user")?;
    let found = directory::dossier(manager.app(), user).await?.ok_or(Fault::NotFound)?;
    let count = |number: usize| u64::try_from(number).unwrap_or_default();
    let emails = found.emails.iter().map(|email| AddressTold {
        email: email.address.clone(),
        primary: email.is_primary,
        verified: email.verified_at.is_some(),
    });
    let identities = found.identities.iter().map(|identity| IdentityTold {
        provider: identity.provider_id.clone(),
        issuer: identity.issuer.clone(),
        subject: identity.subject.clone(),
        label: identity.label.clone(),
    });
    Ok(ok(&UserDetails {
        user: told(&found.user, found.emails.first()),
        emails: emails.collect(),
        has_password: found.has_password,
        authenticator_app: found.factors.totp_since.is_some(),
        passkeys: count(found.factors.passkeys.len()),
        recovery_codes: u64::try_from(found.factors.recovery_codes).unwrap_or_default(),
        identities: identities.collect(),
        memberships: found.memberships.iter().map(Belongs::from).collect(),
    }))
}

pub async fn change(
    Sent { by: manager, asked, .. }: Sent<Manager, UserChange>,
) -> Result<HttpResponse, Refused> {
    let user: UserId = manager.named("user")?;
    directory::dossier(manager.app(), user).await?.ok_or(Fault::NotFound)?;
    let say = move |said: &mut Profile| {
        let set = |field: &mut String, value: &Option<String>| {
            if let Some(value) = value {
                value.clone_into(field);
            }
        };
        set(&mut said.name, &asked.name);
        set(&mut said.given_name, &asked.given_name);
        set(&mut said.family_name, &asked.family_name);
        set(&mut said.nickname, &asked.nickname);
        set(&mut said.locale, &asked.locale);
        set(&mut said.zoneinfo, &asked.zoneinfo);
    };
    profile::change(manager.app(), user, say, manager.origin()).await.map_err(value)?;
    let found = directory::dossier(manager.app(), user).await?.ok_or(Fault::NotFound)?;
    Ok(ok(&told(&found.user, found.emails.first())))
}

async fn end(manager: &Manager, how: End) -> Result<HttpResponse, Refused> {
    let user = manager.named("user")?;
    users::end(manager.app(), user, how, Needs::Respected, manager.origin()).await?;
    Ok(done())
}

pub async fn remove(manager: Manager) -> Result<HttpResponse, Refused> {
    end(&manager, End::Removed).await
}

pub async fn disable(manager: Manager) -> Result<HttpResponse, Refused> {
    end(&manager, End::Disabled).await
}

pub async fn enable(manager: Manager) -> Result<HttpResponse, Refused> {
    users::enable(manager.app(), manager.named("user")?, manager.origin()).await?;
    Ok(done())
}

pub async fn set_role(
    Sent { by: manager, asked, .. }: Sent<Manager, InstanceRoleAsked>,
) -> Result<HttpResponse, Refused> {
    let role = word::<InstanceRole>("instance_role", asked.instance_role.as_deref())?;
    let id = manager.named("user")?;
    let dossier = directory::dossier(manager.app(), id).await?.ok_or(Fault::NotFound)?;
    manager.may_give_role(role)?;
    manager.may_give_role(dossier.user.instance_role)?;
    users::set_instance_role(manager.app(), id, role, manager.origin()).await?;
    Ok(done())
}

pub async fn verify_email(
    Sent { by: manager, asked, .. }: Sent<Manager, AddressAsked>,
) -> Result<HttpResponse, Refused> {
    let email = email_of(&asked.email)?;
    users::verify_email(manager.app(), manager.named("user")?, Some(email), manager.origin()).await?;
    Ok(done())
}

pub async fn send_reset(manager: Manager) -> Result<HttpResponse, Refused> {
    let found = directory::dossier(manager.app(), manager.named("user")?).await?.ok_or(Fault::NotFound)?;
    let why = "The user has no address that anything could be mailed to.";
    let email = found.emails.first().ok_or_else(|| Refused::with_detail(Fault::InvalidValue, why))?;
    let asked = link_to(&email.address, manager.call.language);
    recovery::request(manager.app(), asked, manager.origin()).await.map_err(value)?;
    Ok(respond::json_no_store(StatusCode::ACCEPTED, &Accepted { status: "accepted".to_owned() }))
}

pub async fn reset_factors(manager: Manager) -> Result<HttpResponse, Refused> {
    let found = directory::dossier(manager.app(), manager.named("user")?).await?.ok_or(Fault::NotFound)?;
    manage::reset(manager.app(), &found.user, manager.origin()).await?;
    Ok(done())
}

pub async fn invite(
    Sent { by: manager, asked, once }: Sent<Manager, InvitationAsked>,
) -> Result<HttpResponse, Refused> {
    const WEEK: Duration = Duration::from_secs(7 * 86_400);
    const LONGEST: Duration = Duration::from_secs(30 * 86_400);
    let app = manager.call.app.clone();
    let make = async move |origin| {
        let email = email_of(&asked.email)?;
        let lasts = asked.expires_in.map_or(WEEK, Integer::seconds);
        if lasts < Duration::from_secs(60) || lasts > LONGEST {
            let why = "`expires_in` must be 60 seconds to 30 days.";
            return Err(Refused::with_detail(Fault::InvalidValue, why));
        }
        let secret = links::invite(&app, &email, lasts, &origin).await.map_err(|error| match error {
            InviteError::EmailTaken => {
                Refused::with_detail(Fault::Conflict, "Somebody has this address already.")
            }
            InviteError::Closed => Fault::RegistrationClosed.into(),
            InviteError::Store(error) => error.into(),
        })?;
        Ok(InvitationMade {
            link: Some(app.config.issuer.at(&format!("/register/{}", secret.expose()))),
            email: email.as_str().to_owned(),
            expires_in: lasts.as_secs(),
        })
    };
    once.make(&manager.call, &manager.identity(), make).await
}

/// Everything that is stored about the user, as they get it themselves.
pub async fn export(manager: Manager) -> Result<HttpResponse, Refused> {
    let copy = export::export(manager.app(), manager.named("user")?, manager.origin()).await?;
    Ok(ok(&copy.ok_or(Fault::NotFound)?))
}
