//! What probes and collectors ask. The answers hold no detail and decide nothing about sign-ins (CR-12).

use std::time::{Duration, Instant};

use actix_web::http::StatusCode;
use actix_web::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use actix_web::{HttpResponse, web};
use tokio::sync::Mutex;

use crate::app::App;
use crate::clock::Timestamp;
use crate::signing::ALGORITHMS;
use crate::store;

use super::lifecycle::Lifecycle;

/// A node whose clock differs more than this from the database's must not judge what has expired (CR-7).
const MAX_SKEW: Duration = Duration::from_secs(5 * 60);
/// However many ask, the database is asked once in this time.
const ASK_EVERY: Duration = Duration::from_secs(1);

/// What was found when the database was asked last. One for a server.
#[derive(Debug, Default)]
pub struct Readiness(Mutex<Option<(Instant, bool)>>);

/// `/livez`, `/healthz`, `/readyz`.
pub fn routes(cfg: &mut web::ServiceConfig) {
    cfg.service(web::resource(["/livez", "/healthz"]).route(web::get().to(live)))
        .service(web::resource("/readyz").route(web::get().to(ready)));
}

/// `/metrics`.
pub fn metrics_routes(cfg: &mut web::ServiceConfig) {
    cfg.service(web::resource("/metrics").route(web::get().to(metrics)));
}

async fn live() -> HttpResponse {
    answer(true)
}

async fn ready(
    app: web::Data<App>,
    lifecycle: web::Data<Lifecycle>,
    readiness: web::Data<Readiness>,
) -> HttpResponse {
    answer(!lifecycle.is_stopping() && readiness.ask(&app).await)
}

fn answer(good: bool) -> HttpResponse {
    let (status, text) = match good {
        true => (StatusCode::OK, "ok\n"),
        false => (StatusCode::SERVICE_UNAVAILABLE, "unavailable\n"),
    };
    HttpResponse::build(status)
        .insert_header((CONTENT_TYPE, "text/plain; charset=utf-8"))
        .insert_header((CACHE_CONTROL, "no-store"))
        .body(text)
}

impl Readiness {
    async fn ask(&self, app: &App) -> bool {
        let mut last = self.0.lock().await;
        if let Some((at, found)) = *last
            && at.elapsed() < ASK_EVERY
        {
            return found;
        }
        let found = match find_obstacle(app).await {
            None => true,
            Some(obstacle) => {
                tracing::warn!(%obstacle, "not ready");
                false
            }
        };
        *last = Some((Instant::now(), found));
        found
    }
}

/// Why this node cannot work, for the log.
async fn find_obstacle(app: &App) -> Option<String> {
    let now = app.clock.now();
    let keyring = app.signing.keyring();
    if let Some(alg) = ALGORITHMS.into_iter().find(|alg| keyring.signer(*alg, now).is_none()) {
        return Some(format!("there is no key that signs with {alg}"));
    }
    let asked =
        app.db.read(|db| Ok((store::migrate::is_current(db)?, store::jobs::database_time(db)?))).await;
    match asked {
        Err(error) => {
            app.metrics.database_error(&error);
            Some(error.to_string())
        }
        Ok((false, _)) => Some("the database lacks migrations of this version".to_owned()),
        Ok((true, theirs)) if skew(app.clock.now(), theirs) > MAX_SKEW => {
            Some("the clock differs from the database's by more than 5 minutes".to_owned())
        }
        Ok((true, _)) => None,
    }
}

fn skew(ours: Timestamp, theirs: Timestamp) -> Duration {
    ours.since(theirs).max(theirs.since(ours))
}

/// `GET /metrics`. An outage of the database leaves its gauges as they were.
async fn metrics(app: web::Data<App>) -> HttpResponse {
    match app.db.read(store::outbox::count_unsent).await {
        Ok(unsent) => app.metrics.set_outbox(unsent.waiting, unsent.failed),
        Err(error) => app.metrics.database_error(&error),
    }
    let jobs = app.passwords.load();
    app.metrics.set_password_jobs(jobs.running, jobs.waiting);
    HttpResponse::Ok()
        .insert_header((CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8"))
        .insert_header((CACHE_CONTROL, "no-store"))
        .body(app.metrics.encode())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cr_7_a_clock_may_be_wrong_in_either_direction() {
        let now = Timestamp::from_seconds(1_000_000);
        let far = Duration::from_secs(301);
        assert!(skew(now, now.plus(far)) > MAX_SKEW && skew(now, now.minus(far)) > MAX_SKEW);
        assert!(skew(now, now.plus(Duration::from_secs(300))) <= MAX_SKEW);
        assert!(skew(Timestamp(i64::MIN), Timestamp(i64::MAX)) > MAX_SKEW);
    }
}
