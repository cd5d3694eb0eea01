-- Somebody who has shown one factor and owes another (SE-3). It is no session: no session is looked up here, and
-- this row lives in a cookie of its own. Once paid it becomes the session with this id.
CREATE TABLE pending_sign_ins (
    id BYTEA NOT NULL PRIMARY KEY,
    user_id BYTEA NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    secret_digest BYTEA NOT NULL UNIQUE,
    -- What was proven, as JSON; it never changes.
    proven TEXT NOT NULL,
    -- "Keep me signed in", as it was chosen.
    remember BOOLEAN NOT NULL,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL
);
CREATE INDEX pending_sign_ins_by_user ON pending_sign_ins (user_id);
CREATE INDEX pending_sign_ins_by_expiry ON pending_sign_ins (expires_at);

CREATE TABLE totp_credentials (
    user_id BYTEA NOT NULL PRIMARY KEY REFERENCES users (id) ON DELETE CASCADE,
    sealed BYTEA NOT NULL,
    -- The last time step that was accepted: none is accepted twice (RFC 6238 5.2).
    last_step BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    -- Until a first code proved that the application has the secret, it counts for nothing.
    confirmed_at BIGINT
);

-- The digest is made of the user and the code.
CREATE TABLE recovery_codes (
    digest BYTEA NOT NULL PRIMARY KEY,
    user_id BYTEA NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    created_at BIGINT NOT NULL,
    used_at BIGINT
);
CREATE INDEX recovery_codes_by_user ON recovery_codes (user_id);

CREATE TABLE passkeys (
    id BYTEA NOT NULL PRIMARY KEY,
    user_id BYTEA NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    credential_id BYTEA NOT NULL UNIQUE,
    -- Public key and facts of the registration, as JSON.
    credential TEXT NOT NULL,
    counter BIGINT NOT NULL,
    name TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    last_used_at BIGINT
);
CREATE INDEX passkeys_by_user ON passkeys (user_id);

-- A challenge that was given to a browser and not answered yet.
CREATE TABLE ceremonies (
    digest BYTEA NOT NULL PRIMARY KEY,
    purpose TEXT NOT NULL CHECK (purpose IN ('register', 'sign_in', 'second_factor')),
    browser_digest BYTEA NOT NULL,
    -- Nobody yet when somebody signs in with nothing but a passkey.
    user_id BYTEA REFERENCES users (id) ON DELETE CASCADE,
    state TEXT NOT NULL,
    expires_at BIGINT NOT NULL
);
CREATE INDEX ceremonies_by_user ON ceremonies (user_id);
CREATE INDEX ceremonies_by_expiry ON ceremonies (expires_at);

-- An account that must have a second factor whoever it belongs to: an administrator reset the ones it had.
CREATE TABLE factor_demands (
    user_id BYTEA NOT NULL PRIMARY KEY REFERENCES users (id) ON DELETE CASCADE,
    created_at BIGINT NOT NULL
);

ALTER TABLE clients ADD COLUMN require_mfa BOOLEAN NOT NULL DEFAULT FALSE;
