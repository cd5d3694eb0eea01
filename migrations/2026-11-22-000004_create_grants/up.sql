-- What a user allowed a client, remembered. An item is a scope, or `claim:NAME` for a claim asked for by name.
CREATE TABLE consents (
    user_id BYTEA NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    client_id BYTEA NOT NULL REFERENCES clients (id) ON DELETE CASCADE,
    item TEXT NOT NULL,
    granted_at BIGINT NOT NULL,
    PRIMARY KEY (user_id, client_id, item)
);
CREATE INDEX consents_by_client ON consents (client_id);

-- A pushed authorization request (RFC 9126), validated when it was pushed.
CREATE TABLE pushed_requests (
    digest BYTEA NOT NULL PRIMARY KEY,
    client_id BYTEA NOT NULL REFERENCES clients (id) ON DELETE CASCADE,
    request TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    consumed_at BIGINT
);
CREATE INDEX pushed_requests_by_expiry ON pushed_requests (expires_at);
CREATE INDEX pushed_requests_by_client ON pushed_requests (client_id);

-- A validated authorization request on its way through one browser (AR-6). `request` never changes (AZ-8).
CREATE TABLE authorization_requests (
    id BYTEA NOT NULL PRIMARY KEY,
    client_id BYTEA NOT NULL REFERENCES clients (id) ON DELETE CASCADE,
    browser_digest BYTEA NOT NULL,
    request TEXT NOT NULL,
    pushed_digest BYTEA,
    -- Progress: the account chosen for this request, and whether consent was asked for and given within it.
    session_id BYTEA REFERENCES sessions (id) ON DELETE SET NULL,
    consented_at BIGINT,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    completed_at BIGINT
);
CREATE INDEX authorization_requests_by_expiry ON authorization_requests (expires_at);
CREATE INDEX authorization_requests_by_client ON authorization_requests (client_id);
CREATE INDEX authorization_requests_by_session ON authorization_requests (session_id);

-- One authorization that was given. Every token issued from it names it and dies with it.
CREATE TABLE grants (
    id BYTEA NOT NULL PRIMARY KEY,
    user_id BYTEA NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    client_id BYTEA NOT NULL REFERENCES clients (id) ON DELETE CASCADE,
    session_id BYTEA REFERENCES sessions (id) ON DELETE SET NULL,
    -- Whether it outlives the session it began in (`offline_access`).
    offline BOOLEAN NOT NULL,
    -- Scopes, resources, claims, nonce, acr: what was granted, as JSON; it never changes.
    detail TEXT NOT NULL,
    auth_time BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    -- No token of it is valid or renewed later than this.
    expires_at BIGINT NOT NULL,
    revoked_at BIGINT
);
CREATE INDEX grants_by_user ON grants (user_id);
CREATE INDEX grants_by_client ON grants (client_id);
CREATE INDEX grants_by_session ON grants (session_id);
CREATE INDEX grants_by_expiry ON grants (expires_at);

CREATE TABLE codes (
    digest BYTEA NOT NULL PRIMARY KEY,
    grant_id BYTEA NOT NULL REFERENCES grants (id) ON DELETE CASCADE,
    redirect_uri TEXT NOT NULL,
    code_challenge TEXT,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    redeemed_at BIGINT
);
CREATE INDEX codes_by_grant ON codes (grant_id);
CREATE INDEX codes_by_expiry ON codes (expires_at);

-- A family is the rows of one grant; at most one of them is not consumed (TE-4). A consumed row keeps its successor
-- sealed under a key that only the consumed token yields, so that a lost answer can be given again (TE-5).
CREATE TABLE refresh_tokens (
    digest BYTEA NOT NULL PRIMARY KEY,
    grant_id BYTEA NOT NULL REFERENCES grants (id) ON DELETE CASCADE,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    consumed_at BIGINT,
    successor_digest BYTEA,
    successor_sealed BYTEA
);
CREATE INDEX refresh_tokens_by_grant ON refresh_tokens (grant_id);
CREATE INDEX refresh_tokens_by_expiry ON refresh_tokens (expires_at);

-- Access tokens that died before their time, by `jti`, until they would have expired anyway.
CREATE TABLE revocations (
    jti TEXT NOT NULL PRIMARY KEY,
    revoked_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL
);
CREATE INDEX revocations_by_expiry ON revocations (expires_at);

-- What may be presented once only (a client assertion's `jti`), until it would be refused as expired.
CREATE TABLE replays (
    digest BYTEA NOT NULL PRIMARY KEY,
    expires_at BIGINT NOT NULL
);
CREATE INDEX replays_by_expiry ON replays (expires_at);
