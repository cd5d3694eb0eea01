//! People, as whoever runs the instance manages them: making, disabling, removing, a new password.
//!
//! Each act is one transaction with its audit event. Registration uses [`prepare`] and [`insert`], so that a user is
//! made in one way only; what a user may do alone is left to [`crate::identity`].

use std::collections::BTreeMap;

use serde_json::Value;

use crate::app::App;
use crate::audit::{Event, Origin, Scribe};
use crate::crypto::Secret;
use crate::identity::account::deletion::{self, Counts, Needed};
use crate::identity::notice::Notices;
use crate::identity::password::{Busy, Weak};
use crate::identity::session;
use crate::model::{AuditAction, EmailAddress, InstanceRole, Language, SessionId, Status, UserId};
use crate::protocol::claims;
use crate::store::users::User;
use crate::store::{self, Conn, Unique, grants, users};

/// A person to be.
#[derive(Clone, Debug)]
pub struct NewUser {
    pub email: EmailAddress,
    /// Only where somebody vouches for the address: an operator, or a link that was opened (PW-13).
    pub email_verified: bool,
    pub name: String,
    pub username: Option<String>,
    /// Without one, nobody can sign in with a password until one is set (PW-5).
    pub password: Option<Secret>,
    pub instance_role: Option<InstanceRole>,
    /// Standard claims beside name and address, such as `given_name` or `locale`.
    pub claims: BTreeMap<String, String>,
}

/// Why a user was not made or changed. The texts are for the person who asked.
#[derive(Debug, thiserror::Error)]
pub enum UserError {
    #[error("{}", weakness(*.0))]
    Weak(Weak),
    #[error("the name must have 1 to {MAX_NAME} characters, none of them control characters")]
    BadName,
    #[error("the user name must have 1 to 64 letters, digits or any of . _ - and must not begin with `usr_`")]
    BadUsername,
    #[error("{0} cannot be set as a claim: it is not a standard claim, or has a value of its own elsewhere")]
    UnknownClaim(String),
    #[error("the value of the claim {0} must be {1}")]
    BadClaim(String, &'static str),
    #[error("another user has this e-mail address")]
    EmailTaken,
    #[error("another user has this user name")]
    UsernameTaken,
    #[error("there is no such user")]
    NoSuchUser,
    #[error("this is not an address of the user")]
    NoSuchEmail,
    #[error("{}", without(.0))]
    Needed(Needed),
    #[error(transparent)]
    Busy(#[from] Busy),
    #[error(transparent)]
    Store(store::Error),
}

impl From<store::Error> for UserError {
    fn from(error: store::Error) -> Self {
        match error {
            store::Error::Taken(Unique::Email) => Self::EmailTaken,
            store::Error::Taken(Unique::Username) => Self::UsernameTaken,
            other => Self::Store(other),
        }
    }
}

/// The longest name of a person, in characters.
pub const MAX_NAME: usize = 200;
const MAX_CLAIM: usize = 2_000;

/// Claims that stand in columns, follow from them, or are set with the address.
const OWN_PLACE: [&str; 5] = ["name", "preferred_username", "updated_at", "email", "email_verified"];

/// A user that has passed every check, with the password hashed.
pub struct Prepared {
    /// Set where an authenticator knows the user already.
    id: Option<UserId>,
    new: NewUser,
    username: Option<String>,
    phc: Option<String>,
}

impl Prepared {
    /// A user to be whose name and password were checked and hashed before, maybe a day ago.
    pub fn with_hash(
        email: EmailAddress,
        name: String,
        phc: String,
        instance_role: Option<InstanceRole>,
    ) -> Self {
        // Whoever comes this far has opened the link that was sent there, or set the instance up.
        Self::checked(email, true, name, instance_role).hashed(phc)
    }

    /// The same for somebody who signs in with a passkey, which knows them by this identifier.
    pub fn with_passkey(
        id: UserId,
        email: EmailAddress,
        name: String,
        instance_role: Option<InstanceRole>,
    ) -> Self {
        Self { id: Some(id), ..Self::checked(email, true, name, instance_role) }
    }

    /// The same for somebody who has not shown yet that the address is theirs.
    pub fn unproven(email: EmailAddress, name: String, phc: String) -> Self {
        Self::checked(email, false, name, None).hashed(phc)
    }

    fn checked(
        email: EmailAddress,
        email_verified: bool,
        name: String,
        instance_role: Option<InstanceRole>,
    ) -> Self {
        let new = NewUser {
            email,
            email_verified,
            name,
            username: None,
            password: None,
            instance_role,
            claims: BTreeMap::new(),
        };
        Self { id: None, new, username: None, phc: None }
    }

    fn hashed(self, phc: String) -> Self {
        Self { phc: Some(phc), ..self }
    }

    pub fn email(&self) -> &EmailAddress {
        &self.new.email
    }
}

/// Checks a user to be and hashes the password: what is slow, before the transaction.
pub async fn prepare(app: &App, mut new: NewUser) -> Result<Prepared, UserError> {
    new.name = check_name(&new.name)?;
    let username = new.username.as_deref().map(check_username).transpose()?;
    for (name, value) in &mut new.claims {
        *value = check_claim(name, value)?;
    }
    let phc = match &new.password {
        Some(password) => {
            check_password(app, password, &new.name, username.as_deref(), Some(new.email.as_str()))
                .map_err(UserError::Weak)?;
            Some(app.passwords.hash(password).await?)
        }
        None => None,
    };
    // The password is not carried into the transaction: its hash is.
    new.password = None;
    Ok(Prepared { id: None, new, username, phc })
}

/// Stores the user in the caller's transaction.
pub fn insert(db: &mut Conn, prepared: &Prepared, scribe: &Scribe) -> Result<UserId, store::Error> {
    let (new, now) = (&prepared.new, scribe.now);
    let id = prepared.id.unwrap_or_else(|| UserId::new(now, &scribe.random));
    let user = User {
        id,
        username: prepared.username.clone(),
        name: new.name.clone(),
        locale: new.claims.get("locale").cloned(),
        zoneinfo: new.claims.get("zoneinfo").cloned(),
        status: Status::Active,
        created_at: now,
        updated_at: now,
        last_sign_in_at: None,
        instance_role: new.instance_role,
    };
    users::insert(db, &user)?;
    users::insert_email(db, id, &new.email, true, new.email_verified.then_some(now), now)?;
    for (name, value) in new.claims.iter().filter(|(name, _)| !is_column(name)) {
        users::set_claim(db, id, name, value)?;
    }
    if let Some(phc) = &prepared.phc {
        users::set_password(db, id, phc, now)?;
    }
    let event = Event::success(AuditAction::UserCreated)
        .user(id)
        .detail("admin", new.instance_role == Some(InstanceRole::Administrator))
        .detail("email_verified", new.email_verified)
        .detail("password", prepared.phc.is_some());
    scribe.write(db, event)?;
    Ok(id)
}

/// A person whom an identity provider vouched for.
pub struct Vouched {
    pub name: String,
    /// Only an address that is theirs for certain: it counts as verified.
    pub email: Option<EmailAddress>,
    /// Standard claims; what does not fit is left out.
    pub claims: Vec<(&'static str, String)>,
}

/// Stores the user in the caller's transaction. They have no password (PW-5).
pub fn insert_vouched(db: &mut Conn, vouched: &Vouched, scribe: &Scribe) -> Result<UserId, store::Error> {
    let now = scribe.now;
    let id = UserId::new(now, &scribe.random);
    let locale = vouched.claims.iter().find(|(name, _)| *name == "locale").map(|(_, value)| value.clone());
    let user = User {
        id,
        username: None,
        name: vouched.name.chars().take(MAX_NAME).collect(),
        locale,
        zoneinfo: None,
        status: Status::Active,
        created_at: now,
        updated_at: now,
        last_sign_in_at: None,
        instance_role: None,
    };
    users::insert(db, &user)?;
    if let Some(email) = &vouched.email {
        users::insert_email(db, id, email, true, Some(now), now)?;
    }
    for (name, value) in vouched.claims.iter().filter(|(name, _)| !is_column(name)) {
        if let Ok(value) = check_claim(name, value) {
            users::set_claim(db, id, name, &value)?;
        }
    }
    let event = Event::success(AuditAction::UserCreated)
        .user(id)
        .detail("admin", false)
        .detail("email_verified", vouched.email.is_some())
        .detail("password", false);
    scribe.write(db, event)?;
    Ok(id)
}

/// Makes a user.
pub async fn create(app: &App, new: NewUser, origin: &Origin) -> Result<UserId, UserError> {
    let prepared = prepare(app, new).await?;
    let scribe = app.scribe(origin);
    Ok(app.db.write(move |db| insert(db, &prepared, &scribe)).await?)
}

/// The user with this id, address or user name.
pub fn find(db: &mut Conn, who: &str) -> Result<Option<User>, store::Error> {
    match who.parse::<UserId>() {
        Ok(id) => users::find(db, id),
        Err(_) => users::find_by_login(db, who),
    }
}

/// Disables the user: nothing is issued any more, and every session and grant ends now (SE-5).
pub async fn disable(app: &App, user: UserId, origin: &Origin) -> Result<(), UserError> {
    end(app, user, End::Disabled, Needs::Ignored, origin).await
}

/// How an account ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    Disabled,
    Removed,
}

/// Whether it matters that the instance, or an organisation, would be left without an administrator (OR-3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Needs {
    Respected,
    Ignored,
}

/// Disables the user, or removes them.
pub async fn end(app: &App, user: UserId, how: End, needs: Needs, origin: &Origin) -> Result<(), UserError> {
    let (scribe, notices) = (app.scribe(origin), Notices::of(app, Language::default()));
    let ended = app.db.write(move |db| {
        let Some(found) = users::find(db, user)? else { return Ok(Err(UserError::NoSuchUser)) };
        if needs == Needs::Respected
            && let Some(needed) = deletion::needed_now(db, &found, Counts::All, scribe.now)?
        {
            return Ok(Err(UserError::Needed(needed)));
        }
        let done = match how {
            End::Disabled => disable_stored(db, user, &scribe)?,
            End::Removed => deletion::erase(db, &found, &notices, &scribe)?,
        };
        Ok(if done { Ok(()) } else { Err(UserError::NoSuchUser) })
    });
    ended.await?
}

fn disable_stored(db: &mut Conn, user: UserId, scribe: &Scribe) -> Result<bool, store::Error> {
    let found = users::set_status(db, user, Status::Disabled, scribe.now)?;
    if found {
        end_everything(db, user, scribe)?;
        store::api_keys::revoke_tokens_of_creator(db, user, scribe.now)?;
        scribe.write(db, Event::success(AuditAction::UserDisabled).user(user))?;
    }
    Ok(found)
}

/// Lets a disabled user sign in again. What ended stays ended.
pub async fn enable(app: &App, user: UserId, origin: &Origin) -> Result<(), UserError> {
    let scribe = app.scribe(origin);
    let enabled = app.db.write(move |db| {
        let found = users::set_status(db, user, Status::Active, scribe.now)?;
        if found {
            scribe.write(db, Event::success(AuditAction::UserEnabled).user(user))?;
        }
        Ok(found)
    });
    if enabled.await? { Ok(()) } else { Err(UserError::NoSuchUser) }
}

/// Removes the user with everything that is theirs, and tells them; the audit keeps the id.
pub async fn remove(app: &App, user: UserId, origin: &Origin) -> Result<(), UserError> {
    end(app, user, End::Removed, Needs::Ignored, origin).await
}

/// Gives the user a new password and ends every session and grant: whoever knew the old one is out (SE-5).
pub async fn set_password(
    app: &App,
    user: UserId,
    password: &Secret,
    origin: &Origin,
) -> Result<(), UserError> {
    let known =
        app.db.read(move |db| Ok(users::find(db, user)?.zip(users::primary_email(db, user)?))).await?;
    let Some((found, email)) = known else { return Err(UserError::NoSuchUser) };
    check_password(app, password, &found.name, found.username.as_deref(), Some(&email.address))
        .map_err(UserError::Weak)?;
    let phc = app.passwords.hash(password).await?;
    let scribe = app.scribe(origin);
    let set = app.db.write(move |db| {
        // Removed while the password was hashed?
        if users::find(db, user)?.is_none() {
            return Ok(false);
        }
        users::set_password(db, user, &phc, scribe.now)?;
        end_everything(db, user, &scribe)?;
        scribe.write(db, Event::success(AuditAction::PasswordChanged).user(user))?;
        Ok(true)
    });
    if set.await? { Ok(()) } else { Err(UserError::NoSuchUser) }
}

/// States that the user controls the address, or the primary one if none is named: an operator vouches (PW-13).
pub async fn verify_email(
    app: &App,
    user: UserId,
    email: Option<EmailAddress>,
    origin: &Origin,
) -> Result<(), UserError> {
    let scribe = app.scribe(origin);
    let verified = app.db.write(move |db| {
        let email = match &email {
            Some(email) => Some(email.clone()),
            None => users::primary_email(db, user)?
                .map(|email| EmailAddress::parse(&email.address))
                .transpose()
                .map_err(|error| store::Error::broken("a user's address", error))?,
        };
        let Some(email) = email else { return Ok(false) };
        let theirs = users::mark_email_verified(db, user, &email, scribe.now)?;
        if theirs {
            scribe.write(db, Event::success(AuditAction::EmailVerified).user(user))?;
        }
        Ok(theirs)
    });
    if verified.await? { Ok(()) } else { Err(UserError::NoSuchEmail) }
}

/// Ends one session with the grants that end with it. `false` if there is none or it had ended before.
pub async fn end_session(app: &App, session: SessionId, origin: &Origin) -> Result<bool, store::Error> {
    let scribe = app.scribe(origin);
    app.db
        .write(move |db| match store::sessions::find(db, session)? {
            Some(found) => session::end(db, session, found.user_id, &scribe),
            None => Ok(false),
        })
        .await
}

/// Ends every session and grant of the user, offline ones too (SE-5). Says how many sessions ended.
pub async fn end_sessions(app: &App, user: UserId, origin: &Origin) -> Result<usize, store::Error> {
    let scribe = app.scribe(origin);
    app.db.write(move |db| end_everything(db, user, &scribe)).await
}

/// Ends every session and grant of the user, offline ones too, in the caller's transaction (SE-5).
pub fn end_everything(db: &mut Conn, user: UserId, scribe: &Scribe) -> Result<usize, store::Error> {
    let ended = session::end_all(db, user, None, scribe)?;
    grants::revoke_of_user(db, user, scribe.now)?;
    Ok(ended)
}

/// Says what the user may do with the instance itself (AD-3). One administrator must remain.
pub async fn set_instance_role(
    app: &App,
    user: UserId,
    role: Option<InstanceRole>,
    origin: &Origin,
) -> Result<(), UserError> {
    let scribe = app.scribe(origin);
    let set = app.db.write(move |db| {
        // Of two administrators who give it up at once, the second sees that the first has.
        users::hold_admins(db)?;
        let Some(found) = users::find(db, user)? else { return Ok(Err(UserError::NoSuchUser)) };
        if found.instance_role == role {
            return Ok(Ok(()));
        }
        if found.is_admin() && !users::has_other_admin(db, user)? {
            return Ok(Err(UserError::Needed(Needed::ByInstance)));
        }
        users::set_instance_role(db, user, role, scribe.now)?;
        let event = Event::success(AuditAction::InstanceRoleSet).user(user);
        scribe.write(db, event.detail("role", role.map(InstanceRole::as_str)))?;
        Ok(Ok(()))
    });
    set.await?
}

fn check_name(name: &str) -> Result<String, UserError> {
    let name = name.trim();
    let length = name.chars().count();
    if length == 0 || length > MAX_NAME || name.chars().any(char::is_control) {
        return Err(UserError::BadName);
    }
    Ok(name.to_owned())
}

/// A user name can be neither an address nor an id, so what somebody types means one account only.
fn check_username(text: &str) -> Result<String, UserError> {
    let name = users::fold_username(text);
    let length = name.chars().count();
    let allowed = |c: char| c.is_alphanumeric() || matches!(c, '.' | '_' | '-');
    if length == 0 || length > 64 || !name.chars().all(allowed) || name.starts_with("usr_") {
        return Err(UserError::BadUsername);
    }
    Ok(name)
}

/// Whether the password may be used by whoever is called this (PW-2, PW-3).
pub fn check_password(
    app: &App,
    password: &Secret,
    name: &str,
    username: Option<&str>,
    email: Option<&str>,
) -> Result<(), Weak> {
    let mut words = vec![name, app.config.branding.product_name.as_str()];
    words.extend(name.split_whitespace());
    words.extend(username);
    words.extend(email);
    words.extend(email.and_then(|email| email.split('@').next()));
    let joined: String = name.split_whitespace().collect();
    words.push(&joined);
    app.passwords.check_new(password, &words)
}

/// The value as it is stored: `address` as a JSON object, a flag as `true` or `false`, the rest as text.
fn check_claim(name: &str, value: &str) -> Result<String, UserError> {
    if OWN_PLACE.contains(&name) || !claims::user_claims().any(|known| known == name) {
        return Err(UserError::UnknownClaim(name.to_owned()));
    }
    let bad = |expected| UserError::BadClaim(name.to_owned(), expected);
    let value = value.trim();
    if value.is_empty() || value.chars().count() > MAX_CLAIM {
        return Err(bad("1 to 2000 characters long"));
    }
    match name {
        "phone_number_verified" if value != "true" && value != "false" => Err(bad("true or false")),
        "address" => match serde_json::from_str::<Value>(value) {
            Ok(Value::Object(members)) => Ok(Value::Object(members).to_string()),
            _ => Ok(serde_json::json!({ "formatted": value }).to_string()),
        },
        _ if value.chars().any(char::is_control) => Err(bad("free of control characters")),
        _ => Ok(value.to_owned()),
    }
}

fn is_column(claim: &str) -> bool {
    matches!(claim, "locale" | "zoneinfo")
}

fn without(needed: &Needed) -> String {
    match needed {
        Needed::ByInstance => {
            "this is the only administrator of the instance: make another one first".to_owned()
        }
        Needed::ByOrganisation(name) => format!(
            "nobody else administers the organisation `{name}`: make another member administrator first \
             (`countersign member add --role admin`)"
        ),
    }
}

fn weakness(weak: Weak) -> String {
    match weak {
        Weak::TooShort { min } => format!("the password is too short: use {min} characters or more"),
        Weak::TooLong { max } => format!("the password is too long: use {max} characters or fewer"),
        Weak::Guessable => {
            "the password is too easy to guess: it is a common one, or made of the user's own words"
                .to_owned()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_name_is_neither_an_address_nor_an_id() {
        for (typed, stored) in [("Ada", "ada"), (" ada.l-1_x ", "ada.l-1_x"), ("Jürgen", "jürgen")] {
            assert_eq!(check_username(typed).unwrap(), stored);
        }
        for bad in ["", " ", "ada@example.com", "a b", "usr_1", "USR_1", "a\nb", "a/b", &"a".repeat(65)] {
            assert!(check_username(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn tk_7_only_standard_claims_without_a_place_of_their_own_can_be_set() {
        let good = [
            ("given_name", "Ada", "Ada"),
            ("locale", "de-AT", "de-AT"),
            ("phone_number_verified", "true", "true"),
            ("address", "1 Main St", r#"{"formatted":"1 Main St"}"#),
            ("address", r#"{"country": "AT"}"#, r#"{"country":"AT"}"#),
        ];
        for (name, value, stored) in good {
            assert_eq!(check_claim(name, value).unwrap(), stored, "{name}");
        }
        for name in ["sub", "email_verified", "email", "name", "iss", "roles", "colour", ""] {
            assert!(matches!(check_claim(name, "x"), Err(UserError::UnknownClaim(_))), "{name}");
        }
        for (name, value) in [("phone_number_verified", "yes"), ("nickname", ""), ("nickname", "a\u{7}")] {
            assert!(matches!(check_claim(name, value), Err(UserError::BadClaim(..))), "{name} {value:?}");
        }
    }
}
