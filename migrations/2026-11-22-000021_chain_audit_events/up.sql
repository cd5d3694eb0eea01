-- Events stand in one order, and each holds the digest of itself and all before it, so that a change shows. They get
-- their place a moment after they were written: events of parallel transactions do not wait for one another.
ALTER TABLE audit_events ADD COLUMN seq BIGINT;
-- The digest of the address with a salt: both can be forgotten with the person without breaking the chain.
ALTER TABLE audit_events ADD COLUMN salt BYTEA;
ALTER TABLE audit_events ADD COLUMN ip_digest BYTEA;
ALTER TABLE audit_events ADD COLUMN chain BYTEA;
CREATE UNIQUE INDEX audit_events_by_seq ON audit_events (seq);
CREATE INDEX audit_events_without_place ON audit_events (at, id) WHERE seq IS NULL;

-- What the chain was at a moment, signed with a published key.
CREATE TABLE audit_checkpoints (
    seq BIGINT NOT NULL PRIMARY KEY,
    at BIGINT NOT NULL,
    token TEXT NOT NULL
);
