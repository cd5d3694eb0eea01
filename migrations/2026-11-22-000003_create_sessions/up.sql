-- A browser signed in as one user. The cookie holds a secret; the row holds its digest, which changes at every
-- authentication (SE-2) while the id, which clients know as `sid`, stays.
CREATE TABLE sessions (
    id BYTEA NOT NULL PRIMARY KEY,
    user_id BYTEA NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    secret_digest BYTEA NOT NULL UNIQUE,
    created_at BIGINT NOT NULL,
    auth_time BIGINT NOT NULL,
    last_seen_at BIGINT NOT NULL,
    -- No use later than this, however busy: the absolute lifetime.
    expires_at BIGINT NOT NULL,
    -- How long it may lie unused, in microseconds: fixed when it began ("remember me" or not).
    idle_limit BIGINT NOT NULL CHECK (idle_limit > 0),
    ended_at BIGINT,
    ip TEXT,
    user_agent TEXT
);
CREATE INDEX sessions_by_user ON sessions (user_id);
CREATE INDEX sessions_by_expiry ON sessions (expires_at);

-- What was proven in this session, and when (RFC 8176 values).
CREATE TABLE session_methods (
    session_id BYTEA NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
    method TEXT NOT NULL,
    proven_at BIGINT NOT NULL,
    PRIMARY KEY (session_id, method)
);

-- Links that are good for one act by whoever holds them: set-up, registration, invitation, and those of mail.
CREATE TABLE one_time_links (
    digest BYTEA NOT NULL PRIMARY KEY,
    purpose TEXT NOT NULL CHECK (purpose IN (
        'setup', 'register', 'invite', 'verify_email', 'magic_link', 'reset_password')),
    user_id BYTEA REFERENCES users (id) ON DELETE CASCADE,
    email TEXT,
    -- What the act needs and the holder may not choose, as JSON.
    detail TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    consumed_at BIGINT
);
CREATE INDEX one_time_links_by_expiry ON one_time_links (expires_at);
CREATE INDEX one_time_links_by_email ON one_time_links (email);
CREATE INDEX one_time_links_by_user ON one_time_links (user_id);
