//! Lists in pages: after a key, never by number, so that nothing is left out or shown twice while others write.
//!
//! A cursor is opaque and ours: made for one list of one organisation or person, and refused at any other (OR-7).

use std::fmt::Display;
use std::str::FromStr;

use actix_web::HttpRequest;
use actix_web::web::Query;
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::crypto::{MasterKey, constant_time_eq};
use crate::web::fault::{Fault, Refused};

const USUAL: i64 = 50;
const MOST: i64 = 100;
/// Bytes of the tag that a cursor carries.
const TAG: usize = 16;

/// Which list, and whose.
#[derive(Clone)]
pub struct List<'a> {
    pub master: &'a MasterKey,
    pub kind: &'static str,
    /// The organisation or the person.
    pub of: String,
}

/// What part of a list is asked for.
pub struct Page<Id> {
    pub after: Option<Id>,
    pub limit: i64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Asked {
    cursor: Option<String>,
    limit: Option<i64>,
}

fn refuse(why: &str) -> Refused {
    Refused::with_detail(Fault::InvalidRequest, why)
}

/// Of the query, the parameters that these names are of, or that they are not of.
fn part(query: &str, names: &[&str], inside: bool) -> String {
    let pairs = query.split('&').filter(|pair| {
        let name = pair.split('=').next().unwrap_or_default();
        !pair.is_empty() && names.contains(&name) == inside
    });
    pairs.collect::<Vec<_>>().join("&")
}

fn read<T: DeserializeOwned>(query: &str) -> Result<Query<T>, Refused> {
    Query::from_query(query).map_err(|_| refuse("The address has a parameter that cannot be taken."))
}

/// What else the address says beside the page: of these parameters, and no others.
pub fn query_without_page<T: DeserializeOwned>(request: &HttpRequest) -> Result<Query<T>, Refused> {
    read(&part(request.query_string(), &["cursor", "limit"], false))
}

impl List<'_> {
    pub fn page<Id: FromStr>(&self, request: &HttpRequest) -> Result<Page<Id>, Refused> {
        self.page_beside(request, &[])
    }

    /// The same of an address that may have these parameters too.
    pub fn page_beside<Id: FromStr>(
        &self,
        request: &HttpRequest,
        others: &[&str],
    ) -> Result<Page<Id>, Refused> {
        let Query(asked) = read::<Asked>(&part(request.query_string(), others, false))?;
        let limit = asked.limit.unwrap_or(USUAL);
        if !(1..=MOST).contains(&limit) {
            return Err(refuse("`limit` must be 1 to 100."));
        }
        let after = match asked.cursor {
            None => None,
            Some(cursor) => Some(self.read(&cursor).ok_or_else(|| {
                Refused::with_detail(Fault::InvalidValue, "`cursor` is none of this list.")
            })?),
        };
        Ok(Page { after, limit })
    }

    fn read<Id: FromStr>(&self, cursor: &str) -> Option<Id> {
        let bytes = BASE64_URL_SAFE_NO_PAD.decode(cursor).ok()?;
        let (tag, id) = bytes.split_at_checked(TAG)?;
        let id = std::str::from_utf8(id).ok()?;
        constant_time_eq(tag, &self.tag(id)).then(|| id.parse().ok()).flatten()
    }

    fn write(&self, id: &str) -> String {
        let mut bytes = self.tag(id).to_vec();
        bytes.extend_from_slice(id.as_bytes());
        BASE64_URL_SAFE_NO_PAD.encode(bytes)
    }

    fn tag(&self, id: &str) -> [u8; TAG] {
        let message = format!("{} {} {id}", self.kind, self.of);
        let whole = self.master.tag(b"page cursor", message.as_bytes());
        let mut tag = [0; TAG];
        tag.copy_from_slice(&whole[..TAG]);
        tag
    }

    /// Leaves what was asked for of one more than that, with the cursor of what follows if anything does.
    pub fn cut<T, Id: Display>(
        &self,
        mut items: Vec<T>,
        limit: i64,
        id: impl Fn(&T) -> Id,
    ) -> (Vec<T>, Option<String>) {
        let limit = usize::try_from(limit).unwrap_or_default();
        let more = items.len() > limit;
        items.truncate(limit);
        let next = items.last().filter(|_| more).map(|last| self.write(&id(last).to_string()));
        (items, next)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::Random;
    use crate::model::{MembershipId, UserId};

    #[test]
    fn or_7_a_cursor_is_good_for_its_own_list_only() {
        let master = MasterKey::generate(&Random::system());
        let of = |byte: u8| format!("org_{byte}");
        let list = List { master: &master, kind: "members", of: of(7) };
        let id = MembershipId::from_bytes(&[7; 16]).unwrap();
        let cursor = list.write(&id.to_string());
        assert_eq!(list.read::<MembershipId>(&cursor), Some(id));
        assert_eq!(list.read::<UserId>(&cursor), None);
        assert_eq!(List { kind: "api-keys", ..list.clone() }.read::<MembershipId>(&cursor), None);
        assert_eq!(List { of: of(8), ..list.clone() }.read::<MembershipId>(&cursor), None);
        for bad in ["", "AAAA", &id.to_string(), &cursor[1..], &format!("{cursor}A")] {
            assert_eq!(list.read::<MembershipId>(bad), None, "{bad}");
        }
    }
}
