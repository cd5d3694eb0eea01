-- Portable rules for every migration (SQLite and PostgreSQL run the same text): ids and digests BYTEA, times BIGINT
-- (UTC microseconds), flags BOOLEAN, words TEXT with a CHECK, immutable documents as JSON in TEXT.

CREATE TABLE users (
    id BYTEA NOT NULL PRIMARY KEY,
    -- A name to sign in with besides the addresses, folded to lower case.
    username TEXT UNIQUE,
    name TEXT NOT NULL,
    locale TEXT,
    zoneinfo TEXT,
    status TEXT NOT NULL CHECK (status IN ('active', 'disabled')),
    is_admin BOOLEAN NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL
);

-- One row for each folded address: uniqueness holds for what is compared, sending uses what was typed.
CREATE TABLE emails (
    folded TEXT NOT NULL PRIMARY KEY,
    address TEXT NOT NULL,
    user_id BYTEA NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    is_primary BOOLEAN NOT NULL,
    verified_at BIGINT,
    created_at BIGINT NOT NULL
);
CREATE INDEX emails_by_user ON emails (user_id);

-- The rarer standard claims (OpenID Connect Core 5.1), one row each: most users have none.
CREATE TABLE user_claims (
    user_id BYTEA NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    name TEXT NOT NULL,
    value TEXT NOT NULL,
    PRIMARY KEY (user_id, name)
);

CREATE TABLE password_credentials (
    user_id BYTEA NOT NULL PRIMARY KEY REFERENCES users (id) ON DELETE CASCADE,
    phc TEXT NOT NULL,
    changed_at BIGINT NOT NULL
);
