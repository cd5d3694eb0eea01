CREATE TABLE clients (
    id BYTEA NOT NULL PRIMARY KEY,
    client_id TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL,
    status TEXT NOT NULL CHECK (status IN ('active', 'disabled')),
    application_type TEXT NOT NULL CHECK (application_type IN ('web', 'native')),
    auth_method TEXT NOT NULL
        CHECK (auth_method IN ('client_secret_basic', 'client_secret_post', 'private_key_jwt', 'none')),
    first_party BOOLEAN NOT NULL,
    pkce_required BOOLEAN NOT NULL,
    require_par BOOLEAN NOT NULL,
    require_auth_time BOOLEAN NOT NULL,
    default_max_age BIGINT CHECK (default_max_age >= 0),
    id_token_alg TEXT NOT NULL,
    userinfo_alg TEXT,
    assertion_alg TEXT,
    assertion_aud_token_endpoint BOOLEAN NOT NULL,
    jwks TEXT,
    jwks_uri TEXT,
    logo_uri TEXT,
    client_uri TEXT,
    policy_uri TEXT,
    tos_uri TEXT,
    initiate_login_uri TEXT,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    CHECK (jwks IS NULL OR jwks_uri IS NULL),
    -- Only a client that proves itself otherwise may do without PKCE (AZ-4).
    CHECK (pkce_required OR auth_method <> 'none')
);

-- A client's lists: one row for each value, in the order registered.
CREATE TABLE client_values (
    client_id BYTEA NOT NULL REFERENCES clients (id) ON DELETE CASCADE,
    kind TEXT NOT NULL CHECK (kind IN (
        'redirect_uri', 'post_logout_redirect_uri', 'grant_type', 'scope', 'contact', 'default_acr_value',
        'audience')),
    value TEXT NOT NULL,
    position BIGINT NOT NULL,
    PRIMARY KEY (client_id, kind, value)
);

-- Two may live at once, so that a secret is exchanged without an outage (CA-2).
CREATE TABLE client_secrets (
    id BYTEA NOT NULL PRIMARY KEY,
    client_id BYTEA NOT NULL REFERENCES clients (id) ON DELETE CASCADE,
    digest BYTEA NOT NULL,
    created_at BIGINT NOT NULL,
    expires_at BIGINT
);
CREATE INDEX client_secrets_by_client ON client_secrets (client_id);

CREATE TABLE resources (
    id BYTEA NOT NULL PRIMARY KEY,
    identifier TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL,
    status TEXT NOT NULL CHECK (status IN ('active', 'disabled')),
    access_ttl BIGINT CHECK (access_ttl > 0),
    created_at BIGINT NOT NULL
);

CREATE TABLE resource_scopes (
    resource_id BYTEA NOT NULL REFERENCES resources (id) ON DELETE CASCADE,
    scope TEXT NOT NULL,
    description TEXT NOT NULL,
    PRIMARY KEY (resource_id, scope)
);
