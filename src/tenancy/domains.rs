//! Mail domains of an organisation: claimed, proven by DNS, and then, if its owner wants that, the way to the
//! organisation's own provider (OR-8).
//!
//! A proof is a TXT record at the domain itself. Until it was seen, a claim means nothing: many may claim one domain.

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;

use crate::app::App;
use crate::audit::{Event, Origin, Scribe};
use crate::model::{AuditAction, EmailAddress, OrganisationId, Permission};
use crate::outbound::DnsError;
use crate::store::domains::{self, Domain};
use crate::store::{self, Conn, organisations};
use crate::tenancy::actor::{Actor, NotPermitted, authority};
use crate::tenancy::{settle, use_case_errors};

/// Why a domain was not claimed, proven or routed.
#[derive(Debug, thiserror::Error)]
pub enum DomainError {
    #[error("this is not a domain such as example.com")]
    BadDomain,
    #[error("the organisation has claimed this domain already: `countersign domain list` shows its record")]
    Claimed,
    #[error("the organisation has not claimed this domain: `countersign domain add` does")]
    NotClaimed,
    #[error("no TXT record at {domain} says `{record}`: add it, wait until it is published, and try again")]
    NotProven { domain: String, record: String },
    #[error("another organisation has proven this domain")]
    ProvenByAnother,
    #[error("the domain is not proven yet: `countersign domain verify` looks at its DNS")]
    NotYetProven,
    #[error("the organisation has no such provider of its own: `countersign provider add --org` makes one")]
    NoSuchProvider,
    #[error("there is no such organisation: `countersign org list` shows them")]
    NoSuchOrganisation,
    #[error(transparent)]
    Dns(#[from] DnsError),
    #[error(transparent)]
    NotPermitted(#[from] NotPermitted),
    #[error(transparent)]
    Store(store::Error),
}

use_case_errors!(DomainError);

/// What the DNS of the domain must say.
pub fn record(domain: &Domain) -> String {
    format!("countersign-verification={}", domain.challenge)
}

/// Claims a domain, and makes the challenge that proves it.
pub async fn claim(
    app: &App,
    actor: Actor,
    organisation: OrganisationId,
    domain: &str,
    origin: &Origin,
) -> Result<Domain, DomainError> {
    let scribe = app.scribe(origin);
    let claimed = Domain {
        organisation_id: organisation,
        domain: fold(domain).ok_or(DomainError::BadDomain)?,
        challenge: BASE64_URL_SAFE_NO_PAD.encode(app.random.bytes::<24>()),
        created_at: scribe.now,
        verified_at: None,
        provider_id: None,
        checked_at: None,
        missing_since: None,
    };
    let outcome = app.db.write(move |db| {
        settle((|| {
            begin(db, actor, organisation, &scribe)?;
            if domains::find(db, organisation, &claimed.domain)?.is_some() {
                return Err(DomainError::Claimed);
            }
            domains::insert(db, &claimed)?;
            scribe.write(db, told(AuditAction::DomainClaimed, actor, &claimed))?;
            Ok(claimed.clone())
        })())
    });
    outcome.await?
}

/// Looks at the domain's DNS. What is there now proves it, or not.
pub async fn verify(
    app: &App,
    actor: Actor,
    organisation: OrganisationId,
    domain: &str,
    origin: &Origin,
) -> Result<Domain, DomainError> {
    let scribe = app.scribe(origin);
    let named = fold(domain).ok_or(DomainError::BadDomain)?;
    let asking = scribe.clone();
    let claimed = app.db.write(move |db| {
        settle((|| {
            begin(db, actor, organisation, &asking)?;
            domains::find(db, organisation, &named)?.ok_or(DomainError::NotClaimed)
        })())
    });
    let claimed = claimed.await??;
    let record = record(&claimed);
    if !app.outbound.texts(&claimed.domain, &app.random).await?.contains(&record) {
        return Err(DomainError::NotProven { domain: claimed.domain, record });
    }
    let outcome = app.db.write(move |db| {
        settle((|| {
            begin(db, actor, organisation, &scribe)?;
            // The claim may have been given up, or made anew, while the DNS was asked.
            if !domains::set_verified(db, organisation, &claimed.domain, &claimed.challenge, scribe.now)? {
                return Err(DomainError::NotClaimed);
            }
            scribe.write(db, told(AuditAction::DomainVerified, actor, &claimed))?;
            Ok(Domain { verified_at: Some(scribe.now), ..claimed.clone() })
        })())
    });
    outcome.await.map_err(|error| match error {
        store::Error::Taken(_) => DomainError::ProvenByAnother,
        other => DomainError::Store(other),
    })?
}

/// Sends the people of a proven domain to one of the organisation's own providers, and lets it speak for them; or
/// ends that.
pub async fn route(
    app: &App,
    actor: Actor,
    organisation: OrganisationId,
    domain: &str,
    provider: Option<String>,
    origin: &Origin,
) -> Result<(), DomainError> {
    let scribe = app.scribe(origin);
    let named = fold(domain).ok_or(DomainError::BadDomain)?;
    let outcome = app.db.write(move |db| {
        settle((|| {
            begin(db, actor, organisation, &scribe)?;
            let found = domains::find(db, organisation, &named)?.ok_or(DomainError::NotClaimed)?;
            if let Some(provider) = &provider
                && !domains::owns_provider(db, organisation, provider)?
            {
                return Err(DomainError::NoSuchProvider);
            }
            if !domains::set_provider(db, organisation, &named, provider.as_deref())? {
                return Err(DomainError::NotYetProven);
            }
            let event = told(AuditAction::DomainRouted, actor, &found);
            scribe.write(db, event.detail("provider", provider.as_deref().unwrap_or("none")))?;
            Ok(())
        })())
    });
    outcome.await?
}

/// Gives a domain up, proven or not.
pub async fn remove(
    app: &App,
    actor: Actor,
    organisation: OrganisationId,
    domain: &str,
    origin: &Origin,
) -> Result<(), DomainError> {
    let scribe = app.scribe(origin);
    let named = fold(domain).ok_or(DomainError::BadDomain)?;
    let outcome = app.db.write(move |db| {
        settle((|| {
            begin(db, actor, organisation, &scribe)?;
            let found = domains::find(db, organisation, &named)?.ok_or(DomainError::NotClaimed)?;
            domains::remove(db, organisation, &named)?;
            scribe.write(db, told(AuditAction::DomainRemoved, actor, &found))?;
            Ok(())
        })())
    });
    outcome.await?
}

/// The provider to which whoever has this address is sent to sign in.
pub fn provider_of(db: &mut Conn, email: &EmailAddress) -> Result<Option<String>, store::Error> {
    Ok(domains::route(db, domain_of(email))?.map(|(_, provider)| provider))
}

/// The same of an address as it was typed; `None` also where it is none.
pub async fn provider_of_typed(app: &App, address: &str) -> Result<Option<String>, store::Error> {
    let Ok(email) = EmailAddress::parse(address) else { return Ok(None) };
    app.db.read(move |db| provider_of(db, &email)).await
}

/// Whether this provider of the organisation may speak for the address: the domain is proven and its people are sent
/// there. Nobody else's word makes a member of anybody (OR-8).
pub fn speaks_for(
    db: &mut Conn,
    organisation: OrganisationId,
    provider: &str,
    email: &EmailAddress,
) -> Result<bool, store::Error> {
    let route = domains::route(db, domain_of(email))?;
    Ok(route.is_some_and(|(owner, routed)| owner == organisation && routed == provider))
}

/// What stands after the last @.
pub(super) fn domain_of(email: &EmailAddress) -> &str {
    email.folded().rsplit('@').next().unwrap_or_default()
}

fn begin(
    db: &mut Conn,
    actor: Actor,
    organisation: OrganisationId,
    scribe: &Scribe,
) -> Result<(), DomainError> {
    if organisations::lock(db, organisation, scribe.now)?.is_none() {
        return Err(DomainError::NoSuchOrganisation);
    }
    authority(db, actor, organisation, None, Permission::OrganisationWrite)??;
    Ok(())
}

fn told(action: AuditAction, actor: Actor, domain: &Domain) -> Event {
    Event::success(action)
        .actor(actor)
        .organisation(domain.organisation_id)
        .detail("domain", domain.domain.as_str())
}

/// As the domain of an address is compared.
fn fold(domain: &str) -> Option<String> {
    let email = EmailAddress::parse(&format!("x@{}", domain.trim().trim_end_matches('.'))).ok()?;
    Some(domain_of(&email).to_owned()).filter(|domain| domain.contains('.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_domain_has_one_spelling() {
        for (typed, stored) in [
            (" Example.COM. ", Some("example.com")),
            ("bücher.example", Some("xn--bcher-kva.example")),
            ("localhost", None),
            ("com", None),
            ("", None),
            ("a@b.example", None),
            ("a b.example", None),
            ("*.example.com", None),
        ] {
            assert_eq!(fold(typed).as_deref(), stored, "{typed:?}");
        }
    }
}
