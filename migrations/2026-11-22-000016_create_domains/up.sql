-- A provider of one organisation: it speaks for the people of the domains that the organisation has proven, and for
-- nobody else.
ALTER TABLE providers ADD COLUMN organisation_id BYTEA REFERENCES organisations (id) ON DELETE CASCADE;
CREATE INDEX providers_by_organisation ON providers (organisation_id);

CREATE TABLE organisation_domains (
    organisation_id BYTEA NOT NULL REFERENCES organisations (id) ON DELETE CASCADE,
    -- In IDNA and lower case.
    domain TEXT NOT NULL,
    -- What the domain's DNS must say.
    challenge TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    verified_at BIGINT,
    -- Where its people are sent to sign in, if the owner wants that.
    provider_id TEXT REFERENCES providers (id) ON DELETE SET NULL,
    PRIMARY KEY (organisation_id, domain)
);
-- Many may claim a domain, one has proven it.
CREATE UNIQUE INDEX organisation_domains_verified ON organisation_domains (domain) WHERE verified_at IS NOT NULL;
CREATE INDEX organisation_domains_by_provider ON organisation_domains (provider_id);
