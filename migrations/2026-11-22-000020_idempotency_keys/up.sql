-- Calls that carry an `Idempotency-Key`: what was asked, who is at it, and what was answered.
CREATE TABLE idempotency_keys (
    -- Of the caller and the key: neither stands here.
    digest BYTEA NOT NULL PRIMARY KEY,
    -- Of the request: the same key with another request is a mistake.
    fingerprint BYTEA NOT NULL,
    -- The call that holds the key; another may take it over after `held_until`, unless something was made.
    holder BYTEA NOT NULL,
    held_until BIGINT NOT NULL,
    -- Set in the transaction that makes the thing, so that nothing is made twice whatever dies when (AR-1).
    made_at BIGINT,
    -- The answer, sealed; without the text of an API key, which is shown once.
    answer BYTEA,
    expires_at BIGINT NOT NULL
);
CREATE INDEX idempotency_keys_by_expiry ON idempotency_keys (expires_at);
