//! How the pages of organisations look.

use diesel::prelude::*;

use super::schema::{organisation_branding as branding, organisations};
use super::{Conn, Error};
use crate::model::{OrganisationId, Standing};

/// What an organisation chose. Without a colour or a logo, ours is shown.
#[derive(Clone, Debug, PartialEq, Queryable, Selectable, Insertable, AsChangeset)]
#[diesel(table_name = branding, treat_none_as_null = true)]
pub struct Branding {
    pub organisation_id: OrganisationId,
    pub accent: Option<String>,
    pub logo: Option<Vec<u8>>,
    pub logo_type: Option<String>,
    /// A short text below the form.
    pub message: String,
    /// An address for help.
    pub support: String,
    /// Of everything above.
    pub hash: String,
}

/// The look, without the picture.
pub type Look = (String, Option<String>, Option<String>, String, String, String);

pub fn find(db: &mut Conn, organisation: OrganisationId) -> Result<Option<Branding>, Error> {
    Ok(branding::table.find(organisation).select(Branding::as_select()).first(db).optional()?)
}

/// Name, colour, type of the logo, text, address and hash of an organisation that is active and chose anything.
pub fn look(db: &mut Conn, organisation: OrganisationId) -> Result<Option<Look>, Error> {
    Ok(branding::table
        .inner_join(organisations::table.on(organisations::id.eq(branding::organisation_id)))
        .filter(branding::organisation_id.eq(organisation))
        .filter(organisations::status.eq(Standing::Active))
        .select((
            organisations::name,
            branding::accent,
            branding::logo_type,
            branding::message,
            branding::support,
            branding::hash,
        ))
        .first(db)
        .optional()?)
}

/// Stores it in the place of what was there. The caller holds the organisation.
pub fn put(db: &mut Conn, row: &Branding) -> Result<(), Error> {
    let there = branding::table.find(row.organisation_id);
    if diesel::update(there).set(row).execute(db)? == 0 {
        diesel::insert_into(branding::table).values(row).execute(db)?;
    }
    Ok(())
}
