//! Proven domains are looked at again: a domain that was sold, or an organisation that left, must not speak for its
//! people for ever (OR-8).
//!
//! When the DNS answers and the proof is not there, whoever administers the organisation is told, and has a time to put
//! it back. After that the domain counts as claimed only: nobody is sent to the organisation's provider by it, and the
//! provider speaks for nobody. A name server that does not answer proves nothing, neither way.

use std::time::Duration;

use crate::app::App;
use crate::audit::{Event, Origin, Scribe};
use crate::clock::Timestamp;
use crate::identity::notice::Notices;
use crate::mail::message::Happened;
use crate::model::{AuditAction, Language, Zone};
use crate::store::domains::{self, Domain};
use crate::store::{self, Conn, memberships, organisations};
use crate::tenancy::domains::record;

/// Domains of one turn, so that it ends.
const BATCH: i64 = 50;
/// When a name server that did not answer is asked again.
const SOON: Duration = Duration::from_secs(60 * 60);

/// Looks at every domain that was not looked at for a while. Nodes share the work: each domain is one node's.
pub async fn look_again(app: &App) -> Result<(), store::Error> {
    let every = app.config.organizations.domain_check;
    let before = app.clock.now().minus(every);
    for domain in app.db.read(move |db| domains::due(db, before, BATCH)).await? {
        let (ours, now) = (domain.clone(), app.clock.now());
        if app.db.write(move |db| domains::begin_check(db, &ours, before, now)).await? {
            look_at(app, domain, every).await?;
        }
    }
    Ok(())
}

async fn look_at(app: &App, domain: Domain, every: Duration) -> Result<(), store::Error> {
    let found = match app.outbound.texts(&domain.domain, &app.random).await {
        Ok(texts) => texts.contains(&record(&domain)),
        Err(error) => {
            tracing::warn!(domain = domain.domain, %error, "the proof of a domain could not be looked at");
            app.metrics.domain_checked("unanswered");
            let again = app.clock.now().minus(every).plus(SOON.min(every));
            return app.db.write(move |db| domains::postpone(db, &domain, again)).await;
        }
    };
    let watch = Watch {
        grace: app.config.organizations.domain_grace,
        notices: Notices::of(app, Language::English),
        scribe: app.scribe(&Origin::system()),
    };
    let outcome = app.db.write(move |db| watch.settle(db, &domain, found)).await?;
    app.metrics.domain_checked(outcome);
    app.mail_notify.notify_one();
    Ok(())
}

struct Watch {
    grace: Duration,
    notices: Notices,
    scribe: Scribe,
}

impl Watch {
    /// What was found, in one word.
    fn settle(&self, db: &mut Conn, domain: &Domain, found: bool) -> Result<&'static str, store::Error> {
        let now = self.scribe.now;
        match (found, domain.missing_since) {
            (true, None) => Ok("proven"),
            (true, Some(_)) => {
                if domains::set_missing(db, domain, None)? {
                    self.scribe.write(db, event(AuditAction::DomainVerified, domain))?;
                }
                Ok("proven")
            }
            (false, None) => {
                if domains::set_missing(db, domain, Some(now))? {
                    self.scribe.write(db, event(AuditAction::DomainMissing, domain))?;
                    self.tell(db, domain, Some(now.plus(self.grace)))?;
                }
                Ok("missing")
            }
            (false, Some(since)) if now.since(since) < self.grace => Ok("missing"),
            (false, Some(_)) => {
                if domains::lapse(db, domain)? {
                    self.scribe.write(db, event(AuditAction::DomainLapsed, domain))?;
                    self.tell(db, domain, None)?;
                }
                Ok("lapsed")
            }
        }
    }

    /// Tells whoever administers the organisation: that the proof has to be back by then, or that it is too late.
    fn tell(&self, db: &mut Conn, domain: &Domain, until: Option<Timestamp>) -> Result<(), store::Error> {
        let Some(organisation) = organisations::find(db, domain.organisation_id)? else { return Ok(()) };
        let (name, organisation) = (domain.domain.as_str(), organisation.name.as_str());
        for user in memberships::administrators(db, domain.organisation_id)? {
            let zone = user.zoneinfo.as_deref().and_then(Zone::parse);
            let until = until.map(|until| self.notices.language_of(&user).date_in(until, zone.as_ref()));
            let what = match &until {
                Some(until) => Happened::DomainMissing { domain: name, organisation, until },
                None => Happened::DomainLapsed { domain: name, organisation },
            };
            self.notices.tell(db, &user, what, &self.scribe)?;
        }
        Ok(())
    }
}

fn event(action: AuditAction, domain: &Domain) -> Event {
    Event::success(action).organisation(domain.organisation_id).detail("domain", domain.domain.as_str())
}
