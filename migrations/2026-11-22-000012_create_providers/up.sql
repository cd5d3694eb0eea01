-- Identity providers that may vouch for people, besides those of the configuration.
CREATE TABLE providers (
    id TEXT NOT NULL PRIMARY KEY,
    kind TEXT NOT NULL CHECK (kind IN ('google', 'microsoft', 'oidc')),
    name TEXT,
    client_id TEXT NOT NULL,
    -- Under the master key: it is sent to the provider, so it must be readable.
    secret_sealed BYTEA,
    issuer TEXT,
    first_sign_in TEXT CHECK (first_sign_in IN ('create_organisation', 'invited_only', 'refuse')),
    allow_private_network BOOLEAN NOT NULL,
    status TEXT NOT NULL CHECK (status IN ('active', 'disabled')),
    created_at BIGINT NOT NULL
);

-- A provider's lists: one row for each value.
CREATE TABLE provider_values (
    provider_id TEXT NOT NULL REFERENCES providers (id) ON DELETE CASCADE,
    kind TEXT NOT NULL CHECK (kind IN ('tenant', 'email_domain', 'scope')),
    value TEXT NOT NULL,
    PRIMARY KEY (provider_id, kind, value)
);

-- Who a user is elsewhere. Never found by an address (FE-1). A provider may be one of the configuration, so it is
-- named without a foreign key.
CREATE TABLE federated_identities (
    id BYTEA NOT NULL PRIMARY KEY,
    user_id BYTEA NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    provider_id TEXT NOT NULL,
    -- With the tenant, where a provider has tenants.
    issuer TEXT NOT NULL,
    subject TEXT NOT NULL,
    -- What the provider called this person last. For showing only.
    label TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    last_used_at BIGINT NOT NULL,
    UNIQUE (provider_id, issuer, subject)
);
CREATE INDEX federated_identities_by_user ON federated_identities (user_id);

-- A sign-in on its way to a provider and back, in one browser (FE-2).
CREATE TABLE upstream_logins (
    state_digest BYTEA NOT NULL PRIMARY KEY,
    provider_id TEXT NOT NULL,
    browser_digest BYTEA NOT NULL,
    nonce_digest BYTEA NOT NULL,
    -- The PKCE verifier, under the master key.
    verifier_sealed BYTEA NOT NULL,
    -- The authorization request that goes on afterwards.
    request_id BYTEA REFERENCES authorization_requests (id) ON DELETE SET NULL,
    -- Without a request: the page of ours that goes on.
    page TEXT,
    -- The account that is to be linked, where that was asked for; else it is a sign-in.
    link_to BYTEA REFERENCES users (id) ON DELETE CASCADE,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    consumed_at BIGINT
);
CREATE INDEX upstream_logins_by_expiry ON upstream_logins (expires_at);
CREATE INDEX upstream_logins_by_request ON upstream_logins (request_id);
CREATE INDEX upstream_logins_by_user ON upstream_logins (link_to);

-- A person whom a provider vouched for, and whose address belongs to an account: linked once this browser has signed
-- in to that account (FE-7). The newest of a browser takes the place of the one before.
CREATE TABLE pending_links (
    browser_digest BYTEA NOT NULL PRIMARY KEY,
    user_id BYTEA NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    provider_id TEXT NOT NULL,
    issuer TEXT NOT NULL,
    subject TEXT NOT NULL,
    label TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL
);
CREATE INDEX pending_links_by_user ON pending_links (user_id);
CREATE INDEX pending_links_by_expiry ON pending_links (expires_at);

-- Who vouched in a session: when a provider is disabled, what rests on its word ends (FE-10). Without a foreign key:
-- the session may still wait for its second factor.
CREATE TABLE session_providers (
    session_id BYTEA NOT NULL PRIMARY KEY,
    provider_id TEXT NOT NULL,
    expires_at BIGINT NOT NULL
);
CREATE INDEX session_providers_by_expiry ON session_providers (expires_at);
CREATE INDEX session_providers_by_provider ON session_providers (provider_id);
