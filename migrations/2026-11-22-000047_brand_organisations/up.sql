-- How an organisation's pages look: what a browser is shown on the way to signing in for it. The hash is part of the
-- addresses of style sheet and logo, so both may be kept for ever.
CREATE TABLE organisation_branding (
    organisation_id BYTEA NOT NULL PRIMARY KEY REFERENCES organisations (id) ON DELETE CASCADE,
    accent TEXT,
    logo BYTEA,
    logo_type TEXT CHECK (logo_type IN ('image/png', 'image/jpeg', 'image/webp')),
    message TEXT NOT NULL,
    support TEXT NOT NULL,
    hash TEXT NOT NULL
);
