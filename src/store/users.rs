//! People: their addresses, their claims, their passwords.

use diesel::dsl::{exists, not};
use diesel::prelude::*;

use super::schema::{emails, passkeys, password_credentials, totp_credentials, user_claims, users};
use super::{Conn, Error, upsert};
use crate::clock::Timestamp;
use crate::model::{EmailAddress, InstanceRole, Status, UserId};

/// A person.
#[derive(Clone, Debug, PartialEq, Queryable, Selectable, Insertable)]
#[diesel(table_name = users)]
pub struct User {
    pub id: UserId,
    /// Folded to lower case.
    pub username: Option<String>,
    pub name: String,
    pub locale: Option<String>,
    pub zoneinfo: Option<String>,
    pub status: Status,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
    /// `None` until the first sign-in.
    pub last_sign_in_at: Option<Timestamp>,
    /// What they may do with the instance itself.
    pub instance_role: Option<InstanceRole>,
}

impl User {
    /// Whether they change the instance.
    pub fn is_admin(&self) -> bool {
        self.instance_role == Some(InstanceRole::Administrator)
    }
}

/// One of a person's addresses.
#[derive(Clone, PartialEq, Queryable, Selectable, Insertable)]
#[diesel(table_name = emails)]
pub struct Email {
    pub folded: String,
    pub address: String,
    pub user_id: UserId,
    pub is_primary: bool,
    pub verified_at: Option<Timestamp>,
    pub created_at: Timestamp,
}

impl std::fmt::Debug for Email {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Email")
            .field("user_id", &self.user_id)
            .field("verified_at", &self.verified_at)
            .finish()
    }
}

pub fn insert(db: &mut Conn, user: &User) -> Result<(), Error> {
    diesel::insert_into(users::table).values((user, users::search.eq(""))).execute(db)?;
    note_words(db, user.id)
}

/// What the user is found by: name, user name and addresses in small letters. Whatever writes one of these ends here.
fn note_words(db: &mut Conn, user: UserId) -> Result<(), Error> {
    let Some(found) = find(db, user)? else { return Ok(()) };
    let mut words = vec![found.name.to_lowercase()];
    words.extend(found.username);
    words.extend(emails(db, user)?.into_iter().map(|email| email.folded));
    diesel::update(users::table.find(user)).set(users::search.eq(words.join(" "))).execute(db)?;
    Ok(())
}

/// Adds an address; [`Error::Taken`] if anyone has it.
pub fn insert_email(
    db: &mut Conn,
    user: UserId,
    email: &EmailAddress,
    is_primary: bool,
    verified_at: Option<Timestamp>,
    now: Timestamp,
) -> Result<(), Error> {
    diesel::insert_into(emails::table)
        .values(Email {
            folded: email.folded().to_owned(),
            address: email.as_str().to_owned(),
            user_id: user,
            is_primary,
            verified_at,
            created_at: now,
        })
        .execute(db)?;
    note_words(db, user)
}

/// States that the user controls this address. Only the verification flow and an operator call this (PW-13).
pub fn mark_email_verified(
    db: &mut Conn,
    user: UserId,
    email: &EmailAddress,
    now: Timestamp,
) -> Result<bool, Error> {
    let theirs = emails::table.filter(emails::folded.eq(email.folded())).filter(emails::user_id.eq(user));
    Ok(diesel::update(theirs).set(emails::verified_at.eq(now)).execute(db)? == 1)
}

/// Makes a verified address the primary one, instead of the one before. `false` if it is not the user's, or not
/// verified. The caller holds the user's row ([`touch`]): of two at once, the later one is the primary one.
pub fn set_primary_email(db: &mut Conn, user: UserId, folded: &str) -> Result<bool, Error> {
    let verified = emails::table
        .filter(emails::folded.eq(folded))
        .filter(emails::user_id.eq(user))
        .filter(emails::verified_at.is_not_null());
    if diesel::update(verified).set(emails::is_primary.eq(true)).execute(db)? == 0 {
        return Ok(false);
    }
    let others = emails::table.filter(emails::user_id.eq(user)).filter(emails::folded.ne(folded));
    diesel::update(others).set(emails::is_primary.eq(false)).execute(db)?;
    Ok(true)
}

/// Takes an address that is not the primary one from the user. `false` if there is none such.
pub fn remove_other_email(db: &mut Conn, user: UserId, folded: &str) -> Result<bool, Error> {
    let theirs = emails::table
        .filter(emails::folded.eq(folded))
        .filter(emails::user_id.eq(user))
        .filter(emails::is_primary.eq(false));
    let removed = diesel::delete(theirs).execute(db)? == 1;
    note_words(db, user)?;
    Ok(removed)
}

/// Takes an address from the user.
pub fn remove_email(db: &mut Conn, user: UserId, folded: &str) -> Result<bool, Error> {
    let theirs = emails::table.filter(emails::folded.eq(folded)).filter(emails::user_id.eq(user));
    let removed = diesel::delete(theirs).execute(db)? == 1;
    note_words(db, user)?;
    Ok(removed)
}

/// Notes that something about the user has changed (`updated_at`).
pub fn touch(db: &mut Conn, user: UserId, now: Timestamp) -> Result<(), Error> {
    diesel::update(users::table.find(user)).set(users::updated_at.eq(now)).execute(db)?;
    Ok(())
}

pub fn find(db: &mut Conn, id: UserId) -> Result<Option<User>, Error> {
    Ok(users::table.find(id).select(User::as_select()).first(db).optional()?)
}

/// These users, in any order.
pub fn named(db: &mut Conn, ids: &[UserId]) -> Result<Vec<User>, Error> {
    Ok(users::table.filter(users::id.eq_any(ids)).select(User::as_select()).load(db)?)
}

/// By user name or by any address, whichever the text is.
pub fn find_by_login(db: &mut Conn, login: &str) -> Result<Option<User>, Error> {
    if let Ok(email) = EmailAddress::parse(login)
        && let Some(user) = find_by_email(db, &email)?
    {
        return Ok(Some(user));
    }
    Ok(users::table
        .filter(users::username.eq(fold_username(login)))
        .select(User::as_select())
        .first(db)
        .optional()?)
}

pub fn find_by_email(db: &mut Conn, email: &EmailAddress) -> Result<Option<User>, Error> {
    Ok(emails::table
        .inner_join(users::table.on(users::id.eq(emails::user_id)))
        .filter(emails::folded.eq(email.folded()))
        .select(User::as_select())
        .first(db)
        .optional()?)
}

/// The form in which user names are stored and compared.
pub fn fold_username(text: &str) -> String {
    text.trim().to_lowercase()
}

/// The addresses, the primary one first.
pub fn emails(db: &mut Conn, user: UserId) -> Result<Vec<Email>, Error> {
    Ok(emails::table
        .filter(emails::user_id.eq(user))
        .order((emails::is_primary.desc(), emails::created_at.asc(), emails::folded.asc()))
        .select(Email::as_select())
        .load(db)?)
}

pub fn primary_email(db: &mut Conn, user: UserId) -> Result<Option<Email>, Error> {
    Ok(emails(db, user)?.into_iter().next())
}

/// The rarer standard claims, by name.
pub fn claims(db: &mut Conn, user: UserId) -> Result<Vec<(String, String)>, Error> {
    Ok(user_claims::table
        .filter(user_claims::user_id.eq(user))
        .order(user_claims::name.asc())
        .select((user_claims::name, user_claims::value))
        .load(db)?)
}

pub fn set_claim(db: &mut Conn, user: UserId, name: &str, value: &str) -> Result<(), Error> {
    upsert::set_user_claim(db, user, name, value)?;
    Ok(())
}

/// `false` if there was no such claim.
pub fn remove_claim(db: &mut Conn, user: UserId, name: &str) -> Result<bool, Error> {
    Ok(diesel::delete(user_claims::table.find((user, name))).execute(db)? == 1)
}

/// What a person says about themselves, as far as it stands in columns.
pub fn set_profile(
    db: &mut Conn,
    user: UserId,
    name: &str,
    locale: Option<&str>,
    zoneinfo: Option<&str>,
    now: Timestamp,
) -> Result<(), Error> {
    diesel::update(users::table.find(user))
        .set((
            users::name.eq(name),
            users::locale.eq(locale),
            users::zoneinfo.eq(zoneinfo),
            users::updated_at.eq(now),
        ))
        .execute(db)?;
    note_words(db, user)
}

/// The password's hash (PHC string), if the user has a password (PW-5).
pub fn password(db: &mut Conn, user: UserId) -> Result<Option<String>, Error> {
    Ok(password_credentials::table.find(user).select(password_credentials::phc).first(db).optional()?)
}

pub fn set_password(db: &mut Conn, user: UserId, phc: &str, now: Timestamp) -> Result<(), Error> {
    upsert::set_password(db, user, phc, now)?;
    Ok(())
}

/// Replaces a hash made with weaker parameters, unless the password was changed meanwhile (PW-1).
pub fn upgrade_password(db: &mut Conn, user: UserId, old_phc: &str, new_phc: &str) -> Result<(), Error> {
    let same = password_credentials::table
        .filter(password_credentials::user_id.eq(user))
        .filter(password_credentials::phc.eq(old_phc));
    diesel::update(same).set(password_credentials::phc.eq(new_phc)).execute(db)?;
    Ok(())
}

pub fn set_status(db: &mut Conn, user: UserId, status: Status, now: Timestamp) -> Result<bool, Error> {
    let changed = diesel::update(users::table.find(user))
        .set((users::status.eq(status), users::updated_at.eq(now)))
        .execute(db)?;
    Ok(changed == 1)
}

/// Notes that the user signed in.
pub fn note_sign_in(db: &mut Conn, user: UserId, now: Timestamp) -> Result<(), Error> {
    diesel::update(users::table.find(user)).set(users::last_sign_in_at.eq(now)).execute(db)?;
    Ok(())
}

pub fn remove(db: &mut Conn, user: UserId) -> Result<bool, Error> {
    Ok(diesel::delete(users::table.find(user)).execute(db)? == 1)
}

/// Whether somebody else administers this instance and may sign in.
pub fn has_other_admin(db: &mut Conn, user: UserId) -> Result<bool, Error> {
    let others = users::table
        .filter(users::instance_role.eq(InstanceRole::Administrator))
        .filter(users::status.eq(Status::Active))
        .filter(users::id.ne(user));
    Ok(others.select(users::id).first::<UserId>(db).optional()?.is_some())
}

/// Keeps who administers this instance as it is until the transaction ends: of two who leave at once, the second sees
/// that the first has left.
pub fn hold_admins(db: &mut Conn) -> Result<(), Error> {
    let admins = users::table.filter(users::instance_role.eq(InstanceRole::Administrator));
    diesel::update(admins).set(users::instance_role.eq(InstanceRole::Administrator)).execute(db)?;
    Ok(())
}

/// Whether anyone administers this instance: until then the set-up link exists (AD-1).
pub fn any_admin(db: &mut Conn) -> Result<bool, Error> {
    let admins = users::table.filter(users::instance_role.eq(InstanceRole::Administrator)).select(users::id);
    Ok(admins.first::<UserId>(db).optional()?.is_some())
}

/// Which users are looked for. What is left out does not matter.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sought {
    /// Each word is in their name, user name or an address.
    pub words: Vec<String>,
    pub status: Option<Status>,
    pub instance_role: Option<InstanceRole>,
}

impl Sought {
    /// Of what somebody typed; beyond eight words nothing is looked at.
    pub fn words_of(typed: &str) -> Vec<String> {
        typed.split_whitespace().take(8).map(str::to_lowercase).collect()
    }
}

/// Up to `limit` users with their primary addresses, the newest first, before the one named.
pub fn search(
    db: &mut Conn,
    sought: &Sought,
    before: Option<UserId>,
    limit: i64,
) -> Result<Vec<(User, Option<Email>)>, Error> {
    // One index has all that is sought: only those that are shown are read whole.
    let mut query = users::table.select(users::id).into_boxed();
    for word in &sought.words {
        query = query.filter(users::search.like(contains(word)).escape('\\'));
    }
    if let Some(status) = sought.status {
        query = query.filter(users::status.eq(status));
    }
    if let Some(role) = sought.instance_role {
        query = query.filter(users::instance_role.eq(role));
    }
    if let Some(before) = before {
        query = query.filter(users::id.lt(before));
    }
    let found: Vec<UserId> = query.order(users::id.desc()).limit(limit).load(db)?;
    let primary = emails::table.on(emails::user_id.eq(users::id).and(emails::is_primary.eq(true)));
    Ok(users::table
        .left_join(primary)
        .filter(users::id.eq_any(found))
        .order(users::id.desc())
        .select((User::as_select(), Option::<Email>::as_select()))
        .load(db)?)
}

/// The pattern of texts that have this one in them.
pub(super) fn contains(text: &str) -> String {
    let literal = text.replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_");
    format!("%{literal}%")
}

/// `false` if there is no such user.
pub fn set_instance_role(
    db: &mut Conn,
    user: UserId,
    role: Option<InstanceRole>,
    now: Timestamp,
) -> Result<bool, Error> {
    let set = (users::instance_role.eq(role), users::updated_at.eq(now));
    Ok(diesel::update(users::table.find(user)).set(set).execute(db)? == 1)
}

/// How many administer this instance and may sign in, and how many of them have no second factor.
pub fn count_admins(db: &mut Conn) -> Result<(i64, i64), Error> {
    let admins = || {
        users::table
            .filter(users::instance_role.eq(InstanceRole::Administrator))
            .filter(users::status.eq(Status::Active))
    };
    let codes = totp_credentials::table
        .filter(totp_credentials::user_id.eq(users::id))
        .filter(totp_credentials::confirmed_at.is_not_null());
    let keys = passkeys::table.filter(passkeys::user_id.eq(users::id));
    let bare = admins().filter(not(exists(codes))).filter(not(exists(keys)));
    Ok((admins().count().get_result(db)?, bare.count().get_result(db)?))
}

/// Up to `limit` users in order of creation, after the one named.
pub fn list(db: &mut Conn, after: Option<UserId>, limit: i64) -> Result<Vec<User>, Error> {
    let mut query = users::table.select(User::as_select()).into_boxed();
    if let Some(after) = after {
        query = query.filter(users::id.gt(after));
    }
    Ok(query.order(users::id.asc()).limit(limit).load(db)?)
}
