-- Why requests were refused, for those who are asked about it; kept for days. What was sent is not here.
CREATE TABLE refusals (
    -- What the visitor was shown, and the log has.
    reference TEXT NOT NULL PRIMARY KEY,
    at BIGINT NOT NULL,
    kind TEXT NOT NULL CHECK (kind IN ('sign_in', 'authorize', 'token', 'client', 'api')),
    -- No list of words: a newer node may know more of them.
    rule TEXT NOT NULL,
    -- No foreign keys: it is written after the fact, when the one it is about may be gone.
    client_id BYTEA,
    user_id BYTEA,
    organisation_id BYTEA,
    -- Names and values, in order, as JSON.
    detail TEXT NOT NULL,
    expires_at BIGINT NOT NULL
);
CREATE INDEX refusals_by_time ON refusals (at, reference);
CREATE INDEX refusals_by_kind ON refusals (kind, at, reference);
CREATE INDEX refusals_by_client ON refusals (client_id, at, reference);
CREATE INDEX refusals_by_user ON refusals (user_id, at, reference);
CREATE INDEX refusals_by_organisation ON refusals (organisation_id, at, reference);
CREATE INDEX refusals_by_expiry ON refusals (expires_at);

CREATE INDEX audit_events_by_request ON audit_events (request_id);
CREATE INDEX audit_events_by_action ON audit_events (action, at);
