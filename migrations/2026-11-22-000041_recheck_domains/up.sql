-- A proof is looked at again: when that was last done, and since when the DNS does not say it any more.
ALTER TABLE organisation_domains ADD COLUMN checked_at BIGINT;
ALTER TABLE organisation_domains ADD COLUMN missing_since BIGINT;
UPDATE organisation_domains SET checked_at = verified_at;
CREATE INDEX organisation_domains_by_check ON organisation_domains (checked_at);
