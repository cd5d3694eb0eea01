//! What is counted, for Prometheus.
//!
//! Every label takes its values from a fixed set: a route's pattern, a word of an enum. Nothing that a stranger
//! writes becomes a label, so the number of series has a bound and no secret gets into one (LO-2).

use std::time::Duration;

use prometheus::{
    HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry,
    TextEncoder,
};

use crate::model::{AuthMethod, GrantType, Outcome};
use crate::protocol::ErrorCode;
use crate::store;

/// The counters of one process.
pub struct Metrics {
    registry: Registry,
    requests: IntCounterVec,
    durations: HistogramVec,
    panics: IntCounter,
    sign_ins: IntCounterVec,
    tokens: IntCounterVec,
    refusals: IntCounterVec,
    refresh_reuse: IntCounter,
    forwarded: IntCounterVec,
    domain_checks: IntCounterVec,
    explanations_dropped: IntCounter,
    database_errors: IntCounterVec,
    password_jobs: IntGaugeVec,
    outbox: IntGaugeVec,
    clock_skew: IntGauge,
    revoked_tokens: IntGauge,
}

impl Default for Metrics {
    fn default() -> Self {
        let registry = Registry::new();
        let counters = |name: &str, help: &str, labels: &[&str]| {
            let vector = IntCounterVec::new(Opts::new(name, help), labels).expect("the names are good");
            registry.register(Box::new(vector.clone())).expect("each name is registered once");
            vector
        };
        let counter = |name: &str, help: &str| {
            let counter = IntCounter::new(name, help).expect("the names are good");
            registry.register(Box::new(counter.clone())).expect("each name is registered once");
            counter
        };
        let gauges = |name: &str, help: &str, labels: &[&str]| {
            let vector = IntGaugeVec::new(Opts::new(name, help), labels).expect("the names are good");
            registry.register(Box::new(vector.clone())).expect("each name is registered once");
            vector
        };
        let durations = HistogramVec::new(
            HistogramOpts::new("countersign_http_request_duration_seconds", "Time until the answer is ready")
                .buckets(vec![0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0]),
            &["route"],
        )
        .expect("the names are good");
        registry.register(Box::new(durations.clone())).expect("each name is registered once");
        let clock_skew = IntGauge::new(
            "countersign_clock_skew_milliseconds",
            "How far this node's clock is ahead of the database's",
        )
        .expect("the names are good");
        registry.register(Box::new(clock_skew.clone())).expect("each name is registered once");
        let revoked_tokens =
            IntGauge::new("countersign_revoked_tokens", "Places that are marked in this node's status lists")
                .expect("the names are good");
        registry.register(Box::new(revoked_tokens.clone())).expect("each name is registered once");
        gauges("countersign_build_info", "Always 1; the label says which version runs", &["version"])
            .with_label_values(&[env!("CARGO_PKG_VERSION")])
            .set(1);
        Self {
            requests: counters(
                "countersign_http_requests_total",
                "Requests by route, method and class of status",
                &["route", "method", "status"],
            ),
            durations,
            panics: counter("countersign_panics_total", "Requests that ended in a panic"),
            sign_ins: counters(
                "countersign_sign_ins_total",
                "Sign-ins by method and outcome",
                &["method", "outcome"],
            ),
            tokens: counters(
                "countersign_tokens_issued_total",
                "Successful answers of the token endpoint",
                &["grant_type"],
            ),
            refusals: counters(
                "countersign_token_refusals_total",
                "Errors of the token endpoint",
                &["error"],
            ),
            refresh_reuse: counter(
                "countersign_refresh_reuse_total",
                "Refresh tokens presented again after they were spent",
            ),
            forwarded: counters(
                "countersign_forward_auth_total",
                "Requests that a proxy asked about, by what they brought and what they were told",
                &["credential", "outcome"],
            ),
            domain_checks: counters(
                "countersign_domain_checks_total",
                "Looks at the DNS of proven domains, by what was found",
                &["outcome"],
            ),
            explanations_dropped: counter(
                "countersign_explanations_dropped_total",
                "Refusals whose reasons were not kept, because there were too many at once",
            ),
            database_errors: counters(
                "countersign_database_errors_total",
                "Failed database work that a request or a job saw",
                &["kind"],
            ),
            password_jobs: gauges(
                "countersign_password_jobs",
                "Argon2 jobs that run and that wait",
                &["state"],
            ),
            outbox: gauges("countersign_outbox_messages", "Mail that waits and that failed", &["state"]),
            clock_skew,
            revoked_tokens,
            registry,
        }
    }
}

impl Metrics {
    /// A request was answered. `route` is the pattern, never the path.
    pub fn request(&self, route: &str, method: &'static str, status: u16, took: Duration) {
        self.requests.with_label_values(&[route, method, class(status)]).inc();
        self.durations.with_label_values(&[route]).observe(took.as_secs_f64());
    }

    /// The DNS of a proven domain was asked again.
    pub fn domain_checked(&self, outcome: &'static str) {
        self.domain_checks.with_label_values(&[outcome]).inc();
    }

    /// The reason of a refusal was not kept.
    pub fn explanation_dropped(&self) {
        self.explanations_dropped.inc();
    }

    pub fn panic(&self) {
        self.panics.inc();
    }

    pub fn sign_in(&self, method: AuthMethod, outcome: Outcome) {
        self.sign_ins.with_label_values(&[method.as_str(), outcome.as_str()]).inc();
    }

    pub fn token_issued(&self, grant: GrantType) {
        self.tokens.with_label_values(&[grant.as_str()]).inc();
    }

    pub fn token_refused(&self, code: ErrorCode) {
        self.refusals.with_label_values(&[code.as_str()]).inc();
    }

    pub fn refresh_reused(&self) {
        self.refresh_reuse.inc();
    }

    /// A proxy asked. Both words are of a fixed set.
    pub fn forwarded(&self, credential: &'static str, outcome: &'static str) {
        self.forwarded.with_label_values(&[credential, outcome]).inc();
    }

    pub fn database_error(&self, error: &store::Error) {
        let kind = match error {
            store::Error::Unavailable(_) => "unavailable",
            store::Error::Taken(_) => "taken",
            store::Error::Broken(_) => "broken",
        };
        self.database_errors.with_label_values(&[kind]).inc();
    }

    /// As they are now.
    pub fn set_password_jobs(&self, running: usize, waiting: usize) {
        self.password_jobs.with_label_values(&["running"]).set(gauge(running));
        self.password_jobs.with_label_values(&["waiting"]).set(gauge(waiting));
    }

    /// As they are now.
    pub fn set_outbox(&self, waiting: i64, failed: i64) {
        self.outbox.with_label_values(&["waiting"]).set(waiting);
        self.outbox.with_label_values(&["failed"]).set(failed);
    }

    /// As measured last.
    pub fn set_clock_skew(&self, milliseconds: i64) {
        self.clock_skew.set(milliseconds);
    }

    /// As they are now.
    pub fn set_revoked_tokens(&self, marked: usize) {
        self.revoked_tokens.set(gauge(marked));
    }

    /// In the text format of Prometheus.
    pub fn encode(&self) -> String {
        TextEncoder::new()
            .encode_to_string(&self.registry.gather())
            .expect("what was registered can be written as text")
    }
}

fn class(status: u16) -> &'static str {
    match status {
        100..200 => "1xx",
        200..300 => "2xx",
        300..400 => "3xx",
        400..500 => "4xx",
        _ => "5xx",
    }
}

fn gauge(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_happened_is_in_the_text() {
        let metrics = Metrics::default();
        metrics.request("/oauth2/token", "POST", 200, Duration::from_millis(3));
        metrics.request("/oauth2/token", "POST", 503, Duration::from_millis(3));
        metrics.sign_in(AuthMethod::Password, Outcome::Failure);
        metrics.token_issued(GrantType::RefreshToken);
        metrics.token_refused(ErrorCode::InvalidGrant);
        metrics.refresh_reused();
        metrics.forwarded("session", "passed");
        metrics.database_error(&store::Error::Unavailable("postgres://user:secret@db".to_owned()));
        metrics.set_password_jobs(2, 5);
        metrics.set_outbox(1, 0);
        metrics.set_clock_skew(-40);
        metrics.set_revoked_tokens(3);
        let text = metrics.encode();
        for line in [
            r#"countersign_http_requests_total{method="POST",route="/oauth2/token",status="2xx"} 1"#,
            r#"countersign_http_requests_total{method="POST",route="/oauth2/token",status="5xx"} 1"#,
            r#"countersign_http_request_duration_seconds_bucket{route="/oauth2/token",le="0.005"} 2"#,
            r#"countersign_sign_ins_total{method="pwd",outcome="failure"} 1"#,
            r#"countersign_tokens_issued_total{grant_type="refresh_token"} 1"#,
            r#"countersign_token_refusals_total{error="invalid_grant"} 1"#,
            "countersign_refresh_reuse_total 1",
            r#"countersign_forward_auth_total{credential="session",outcome="passed"} 1"#,
            r#"countersign_database_errors_total{kind="unavailable"} 1"#,
            r#"countersign_password_jobs{state="waiting"} 5"#,
            r#"countersign_outbox_messages{state="waiting"} 1"#,
            "countersign_clock_skew_milliseconds -40",
            "countersign_revoked_tokens 3",
            "countersign_build_info{version=",
        ] {
            assert!(text.contains(line), "{line} is not in\n{text}");
        }
        assert!(!text.contains("secret"), "LO-2");
    }
}
