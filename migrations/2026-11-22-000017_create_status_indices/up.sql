-- Places in the status lists that tell offline verifiers what was revoked. A place belongs to one access token of a
-- user or an API key, or for good to a client, whose own tokens share a few. The key decides that no place is given
-- twice; it is free again when its row is swept, long after the last token that names it.
CREATE TABLE status_indices (
    place BIGINT NOT NULL PRIMARY KEY,
    -- A grant, client or API key. No foreign key: what was issued must stay revoked when its cause is removed.
    owner BYTEA NOT NULL,
    -- When the last token that names this place has expired.
    expires_at BIGINT NOT NULL,
    revoked_at BIGINT
);
CREATE INDEX status_indices_by_owner ON status_indices (owner);
CREATE INDEX status_indices_by_expiry ON status_indices (expires_at);
CREATE INDEX status_indices_by_revocation ON status_indices (revoked_at);
