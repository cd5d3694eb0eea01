//! Looks at database and configuration. One read transaction; nothing is changed and nobody else is asked.

use std::time::Duration;

use super::Finding;
use crate::clock::Timestamp;
use crate::config::Config;
use crate::keys::{rotation_due, signing_key};
use crate::signing::{self, ALGORITHMS};
use crate::store::{self, Conn, Db, Error};

/// Milliseconds. A clock that differs by more from the database's is told of, and by more than the other stops a node
/// (CR-7).
const CLOCK_TOLD: u64 = 30_000;
pub(super) const CLOCK_STOPS: u64 = 5 * 60_000;
/// A successor that is due for longer than this is not being made: each node looks once an hour.
const MAKING: Duration = Duration::from_secs(2 * 60 * 60);
/// Mail that waits longer than this does not just wait its turn.
const PATIENCE: Duration = Duration::from_secs(15 * 60);
/// How long before its end a secret is told of.
const NOTICE: Duration = Duration::from_secs(14 * 24 * 60 * 60);
/// Of one kind. The worst come first.
const MOST: i64 = 20;

/// Everything that is to be said of the instance, the worst first.
///
/// # Errors
/// If the database does not answer.
pub async fn look(db: &Db, config: &Config, now: Timestamp) -> Result<Vec<Finding>, Error> {
    let mut found = of_configuration(config);
    let config = config.clone();
    found.extend(db.read(move |db| of_database(db, &config, now)).await?);
    found.sort_by_key(Finding::severity);
    Ok(found)
}

fn of_configuration(config: &Config) -> Vec<Finding> {
    let is_public = !config.issuer.is_loopback();
    let is_behind_proxy = is_public && config.server.tls.is_none();
    let all = [
        (config.mail.url.is_none() && !config.has_dev_pages(), Finding::NoMailServer),
        (is_behind_proxy && config.server.trusted_proxies.is_empty(), Finding::NoTrustedProxy),
        (is_public && config.server.metrics_listen.is_none(), Finding::NoMetrics),
        (is_public && config.database.sqlite_path().is_some(), Finding::OneNodeOnly),
    ];
    all.into_iter().filter_map(|(is_so, finding)| is_so.then_some(finding)).collect()
}

fn of_database(db: &mut Conn, config: &Config, now: Timestamp) -> Result<Vec<Finding>, Error> {
    let mut found = Vec::new();
    if !store::migrate::is_current(db)? {
        found.push(Finding::SchemaBehind);
    }
    let ahead = now.micros().saturating_sub(store::jobs::database_time(db)?.micros()) / 1_000;
    if ahead.unsigned_abs() > CLOCK_TOLD {
        found.push(Finding::ClockOff(ahead));
    }
    found.extend(of_keys(db, config, now)?);
    found.extend(of_administrators(db, config)?);
    found.extend(of_mail(db, config, now)?);
    for (client_id, name, at) in store::clients::ending_secrets(db, now.plus(NOTICE), MOST)? {
        found.push(Finding::SecretEnds { client_id, name, at, has_ended: at <= now });
    }
    for (organisation, domain, since) in store::domains::missing(db, MOST)? {
        found.push(Finding::DomainMissing { organisation, domain, since });
    }
    Ok(found)
}

fn of_keys(db: &mut Conn, config: &Config, now: Timestamp) -> Result<Vec<Finding>, Error> {
    let (rows, policy) = (store::signing_keys::all(db)?, signing::policy(config));
    let of_alg = |alg| {
        let times = signing::times_of(&rows, alg);
        match signing_key(&times, now) {
            None => Some(Finding::NoSigningKey(alg)),
            Some(_)
                if rotation_due(now, &policy, &times) && rotation_due(now.minus(MAKING), &policy, &times) =>
            {
                Some(Finding::NoSuccessor(alg))
            }
            Some(_) => None,
        }
    };
    Ok(ALGORITHMS.into_iter().filter_map(of_alg).collect())
}

fn of_administrators(db: &mut Conn, config: &Config) -> Result<Vec<Finding>, Error> {
    let is_public = !config.issuer.is_loopback();
    let (all, without_factor) = store::users::count_admins(db)?;
    Ok(match all {
        0 => vec![Finding::NoAdministrator],
        _ if !is_public => Vec::new(),
        _ => {
            let one = (all == 1).then_some(Finding::OneAdministrator);
            let bare = (without_factor > 0).then_some(Finding::AdministratorsWithoutFactor(without_factor));
            one.into_iter().chain(bare).collect()
        }
    })
}

fn of_mail(db: &mut Conn, config: &Config, now: Timestamp) -> Result<Vec<Finding>, Error> {
    let unsent = store::outbox::count_unsent(db)?;
    let failed = (unsent.failed > 0).then_some(Finding::MailFailed(unsent.failed));
    // Without a mail server it is no wonder.
    let since = store::outbox::waits_since(db)?.filter(|_| config.mail.url.is_some());
    let waits = since
        .filter(|since| now.since(*since) > PATIENCE)
        .map(|since| Finding::MailWaits { count: unsent.waiting, since });
    Ok(failed.into_iter().chain(waits).collect())
}
