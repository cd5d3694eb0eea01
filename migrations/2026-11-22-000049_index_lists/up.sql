-- Lists of the console and the management API: each page is read by an index, in its order, however much else there is.

-- What is over stays for a while, and is not to be walked past.
CREATE INDEX sessions_unended ON sessions (id) WHERE ended_at IS NULL;
CREATE INDEX grants_unrevoked ON grants (id) WHERE revoked_at IS NULL;
CREATE INDEX outbox_unsent ON outbox (id) WHERE sent_at IS NULL AND failed_at IS NULL;
CREATE INDEX outbox_failed ON outbox (id) WHERE failed_at IS NOT NULL;

-- Whatever users are sought by.
CREATE INDEX users_sought ON users (id, search, status, instance_role);
CREATE INDEX memberships_in_order ON memberships (organisation_id, id, user_id);

CREATE INDEX audit_events_by_outcome ON audit_events (outcome, at);
