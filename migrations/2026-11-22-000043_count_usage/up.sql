-- What happened, counted by the hour: for the console's pictures, not for accounting.
CREATE TABLE usage_counts (
    kind TEXT NOT NULL CHECK (kind IN ('sign_in', 'sign_in_failed', 'token', 'keys_fetched')),
    -- When the hour began.
    hour BIGINT NOT NULL,
    label TEXT NOT NULL,
    -- Empty: of no client, or of more clients than are told apart. No foreign key: a count outlives what it tells of.
    client_id BYTEA NOT NULL,
    amount BIGINT NOT NULL,
    PRIMARY KEY (kind, hour, label, client_id)
);
CREATE INDEX usage_counts_by_hour ON usage_counts (hour);
