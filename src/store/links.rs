//! One-time links: good for one act, once, by whoever holds them.

use diesel::prelude::*;

use super::schema::{mail_codes, one_time_links};
use super::{Conn, Error};
use crate::clock::Timestamp;
use crate::crypto::Digest;
use crate::model::{LinkPurpose, UserId};

/// A link that was handed out.
#[derive(Clone, Debug, PartialEq, Queryable, Selectable, Insertable)]
#[diesel(table_name = one_time_links)]
pub struct Link {
    pub digest: Digest,
    pub purpose: LinkPurpose,
    pub user_id: Option<UserId>,
    /// Folded.
    pub email: Option<String>,
    /// JSON that the flow itself wrote.
    pub detail: String,
    pub created_at: Timestamp,
    pub expires_at: Timestamp,
    pub consumed_at: Option<Timestamp>,
}

/// Stores a link and voids those of the same purpose for the same user, or while there is none, for the same address
/// (PW-8: the newest counts).
pub fn insert(db: &mut Conn, link: &Link) -> Result<(), Error> {
    let same = one_time_links::table
        .filter(one_time_links::purpose.eq(link.purpose))
        .filter(one_time_links::consumed_at.is_null());
    if let Some(user) = link.user_id {
        diesel::update(same.filter(one_time_links::user_id.eq(user)))
            .set(one_time_links::consumed_at.eq(link.created_at))
            .execute(db)?;
    } else if let Some(email) = &link.email {
        diesel::update(same.filter(one_time_links::email.eq(email)))
            .set(one_time_links::consumed_at.eq(link.created_at))
            .execute(db)?;
    } else {
        diesel::update(same).set(one_time_links::consumed_at.eq(link.created_at)).execute(db)?;
    }
    diesel::insert_into(one_time_links::table).values(link).execute(db)?;
    Ok(())
}

/// Voids every link of the user, whatever it is for: password or address have changed (PW-8).
pub fn void_of_user(db: &mut Conn, user: UserId, now: Timestamp) -> Result<(), Error> {
    let open = one_time_links::table
        .filter(one_time_links::user_id.eq(user))
        .filter(one_time_links::consumed_at.is_null());
    diesel::update(open).set(one_time_links::consumed_at.eq(now)).execute(db)?;
    Ok(())
}

/// The link, whatever it is worth.
pub fn find(db: &mut Conn, digest: &Digest) -> Result<Option<Link>, Error> {
    Ok(one_time_links::table.find(digest).select(Link::as_select()).first(db).optional()?)
}

/// Looks without consuming: what a GET may do (PW-7).
pub fn peek(
    db: &mut Conn,
    digest: &Digest,
    purpose: LinkPurpose,
    now: Timestamp,
) -> Result<Option<Link>, Error> {
    Ok(one_time_links::table
        .filter(one_time_links::digest.eq(digest))
        .filter(one_time_links::purpose.eq(purpose))
        .filter(one_time_links::consumed_at.is_null())
        .filter(one_time_links::expires_at.gt(now))
        .select(Link::as_select())
        .first(db)
        .optional()?)
}

/// Spends the link, if nobody has and it is still good (AR-1).
pub fn consume(
    db: &mut Conn,
    digest: &Digest,
    purpose: LinkPurpose,
    now: Timestamp,
) -> Result<Option<Link>, Error> {
    let good = one_time_links::table
        .filter(one_time_links::digest.eq(digest))
        .filter(one_time_links::purpose.eq(purpose))
        .filter(one_time_links::consumed_at.is_null())
        .filter(one_time_links::expires_at.gt(now));
    Ok(diesel::update(good)
        .set(one_time_links::consumed_at.eq(now))
        .returning(one_time_links::all_columns)
        .get_result(db)
        .optional()?)
}

/// The digits that were mailed beside a sign-in link.
#[derive(Clone, Debug, PartialEq, Queryable, Selectable, Insertable)]
#[diesel(table_name = mail_codes)]
pub struct MailCode {
    pub link_digest: Digest,
    /// Of the pre-login secret of the browser that asked, the only one that may type them.
    pub browser_digest: Digest,
    /// Keyed, since so few digits could be found from a plain digest.
    pub tag: Vec<u8>,
    pub tries: i64,
    pub created_at: Timestamp,
}

pub fn insert_code(db: &mut Conn, code: &MailCode) -> Result<(), Error> {
    diesel::insert_into(mail_codes::table).values(code).execute(db)?;
    Ok(())
}

/// The digits that belong to this link.
pub fn code_of(db: &mut Conn, link: &Digest) -> Result<Option<MailCode>, Error> {
    Ok(mail_codes::table.find(link).select(MailCode::as_select()).first(db).optional()?)
}

/// The digits that this browser asked for last, if their link is still good.
pub fn open_code(db: &mut Conn, browser: &Digest, now: Timestamp) -> Result<Option<MailCode>, Error> {
    Ok(mail_codes::table
        .inner_join(one_time_links::table.on(one_time_links::digest.eq(mail_codes::link_digest)))
        .filter(mail_codes::browser_digest.eq(browser))
        .filter(one_time_links::consumed_at.is_null())
        .filter(one_time_links::expires_at.gt(now))
        .order((mail_codes::created_at.desc(), mail_codes::link_digest.asc()))
        .select(MailCode::as_select())
        .first(db)
        .optional()?)
}

/// Counts a try with digits before it is made. `false` if there were `most` before: then it must not be made (RL-2).
pub fn count_code_try(db: &mut Conn, link: &Digest, most: i64) -> Result<bool, Error> {
    let open = mail_codes::table.filter(mail_codes::link_digest.eq(link)).filter(mail_codes::tries.lt(most));
    Ok(diesel::update(open).set(mail_codes::tries.eq(mail_codes::tries + 1)).execute(db)? == 1)
}
