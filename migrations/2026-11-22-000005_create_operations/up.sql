CREATE TABLE signing_keys (
    kid TEXT NOT NULL PRIMARY KEY,
    alg TEXT NOT NULL CHECK (alg IN ('RS256', 'ES256', 'EdDSA')),
    public_jwk TEXT NOT NULL,
    sealed BYTEA NOT NULL,
    master_key_id TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    published_at BIGINT NOT NULL,
    active_from BIGINT NOT NULL,
    retired_at BIGINT,
    revoked_at BIGINT
);

-- Each cache has a row; who changes what it caches adds one, and every node sees that its copy is stale.
CREATE TABLE versions (
    topic TEXT NOT NULL PRIMARY KEY,
    value BIGINT NOT NULL
);

CREATE TABLE rate_limits (
    bucket BYTEA NOT NULL PRIMARY KEY,
    tries BIGINT NOT NULL,
    resets_at BIGINT NOT NULL
);
CREATE INDEX rate_limits_by_reset ON rate_limits (resets_at);

-- Mail is written with its cause in one transaction and sent afterwards (AR-8).
CREATE TABLE outbox (
    id BYTEA NOT NULL PRIMARY KEY,
    recipient TEXT NOT NULL,
    subject TEXT NOT NULL,
    body_text TEXT NOT NULL,
    body_html TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    -- A message whose link has expired is not sent.
    expires_at BIGINT,
    due_at BIGINT NOT NULL,
    attempts BIGINT NOT NULL,
    last_error TEXT,
    sent_at BIGINT,
    failed_at BIGINT
);
CREATE INDEX outbox_by_due ON outbox (due_at);
CREATE INDEX outbox_by_creation ON outbox (created_at);

CREATE TABLE audit_events (
    id BYTEA NOT NULL PRIMARY KEY,
    at BIGINT NOT NULL,
    action TEXT NOT NULL,
    outcome TEXT NOT NULL CHECK (outcome IN ('success', 'failure', 'denied')),
    -- No foreign keys: an event outlives what it tells of.
    user_id BYTEA,
    actor_id BYTEA,
    client_id BYTEA,
    session_id BYTEA,
    ip TEXT,
    request_id TEXT,
    detail TEXT NOT NULL
);
CREATE INDEX audit_events_by_time ON audit_events (at);
CREATE INDEX audit_events_by_user ON audit_events (user_id, at);
CREATE INDEX audit_events_by_client ON audit_events (client_id, at);

-- Who runs a periodic job now (CR-8).
CREATE TABLE leases (
    name TEXT NOT NULL PRIMARY KEY,
    holder TEXT NOT NULL,
    expires_at BIGINT NOT NULL
);
