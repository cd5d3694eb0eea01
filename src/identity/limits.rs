//! How often something may be tried, counted in the database for all nodes (RL-2).
//!
//! A try is counted before it is made and given back when it succeeds, so that fifty at once do not slip through
//! together. What is counted by is a digest: no address stands in the table.

use std::net::IpAddr;
use std::time::Duration;

use crate::clock::Timestamp;
use crate::config::Limit;
use crate::crypto::Digest;
use crate::model::explanation::{Explanation, Rule, Slip};
use crate::store::{self, Conn, limits};

/// Too many tries: 429 with this as Retry-After.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Throttled {
    pub retry_after: Duration,
}

/// What tries are counted by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bucket {
    /// Which limit.
    kind: &'static str,
    digest: Digest,
}

impl Bucket {
    /// `kind` says which limit, `parts` whose.
    pub fn new(kind: &'static str, parts: &[&[u8]]) -> Self {
        let all: Vec<&[u8]> = std::iter::once(kind.as_bytes()).chain(parts.iter().copied()).collect();
        Self { kind, digest: Digest::of_parts(&all) }
    }
}

/// The part of a client's address that is counted: an IPv6 host owns a whole /64 (RL-1).
pub fn address_key(ip: Option<IpAddr>) -> Vec<u8> {
    match ip {
        Some(IpAddr::V4(v4)) => v4.octets().to_vec(),
        Some(IpAddr::V6(v6)) => match v6.to_ipv4_mapped() {
            Some(v4) => v4.octets().to_vec(),
            None => v6.octets()[..8].to_vec(),
        },
        None => Vec::new(),
    }
}

/// Counts one try in each bucket, up to one that is full: then the try must not be made, and the slip is told why. The
/// narrowest comes first, so that whoever is refused by it does not fill those that others are counted by as well (RL-4).
pub fn reserve(
    db: &mut Conn,
    tries: &[(Bucket, Limit)],
    now: Timestamp,
    slip: &Slip,
) -> Result<Result<(), Throttled>, store::Error> {
    for (bucket, limit) in tries {
        let count = limits::count(db, &bucket.digest, now, now.plus(limit.per))?;
        if count.tries > i64::from(limit.count) {
            let retry_after = count.resets_at.since(now).max(Duration::from_secs(1));
            slip.refuse(
                Explanation::of(Rule::Throttled)
                    .with("counted by", bucket.kind)
                    .with("allowed", format!("{} in {} seconds", limit.count, limit.per.as_secs()))
                    .with("seconds to wait", retry_after.as_secs()),
            );
            return Ok(Err(Throttled { retry_after }));
        }
    }
    Ok(Ok(()))
}

/// Gives counted tries back: they succeeded.
pub fn refund(db: &mut Conn, buckets: &[Bucket]) -> Result<(), store::Error> {
    buckets.iter().try_for_each(|bucket| limits::refund(db, &bucket.digest))
}

/// Forgets what was counted: whoever it was has proven to be the owner.
pub fn clear(db: &mut Conn, buckets: &[Bucket]) -> Result<(), store::Error> {
    buckets.iter().try_for_each(|bucket| limits::clear(db, &bucket.digest))
}

/// How long the window of this bucket still runs, if one does.
pub fn running(db: &mut Conn, bucket: Bucket, now: Timestamp) -> Result<Option<Duration>, store::Error> {
    let count = limits::look(db, &bucket.digest)?;
    Ok(count.filter(|count| count.resets_at > now).map(|count| count.resets_at.since(now)))
}

/// The tries counted in this bucket.
pub fn tries(db: &mut Conn, bucket: Bucket) -> Result<i64, store::Error> {
    Ok(limits::look(db, &bucket.digest)?.map_or(0, |count| count.tries))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rl_1_an_ipv6_host_is_its_64_and_a_mapped_ipv4_is_that_ipv4() {
        let key = |text: &str| address_key(Some(text.parse().unwrap()));
        assert_eq!(key("2001:db8:1:2:3:4:5:6"), key("2001:db8:1:2::1"));
        assert_ne!(key("2001:db8:1:2::1"), key("2001:db8:1:3::1"));
        assert_eq!(key("::ffff:192.0.2.1"), key("192.0.2.1"));
    }
}
