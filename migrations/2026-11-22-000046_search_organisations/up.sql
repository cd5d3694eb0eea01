-- What an organisation is looked for by: name and short name in small letters. Kept by every write of one of them.
ALTER TABLE organisations ADD COLUMN search TEXT NOT NULL DEFAULT '';
UPDATE organisations SET search = lower(name) || ' ' || slug;

-- The same of an API key: its name and how it begins. Neither ever changes.
ALTER TABLE api_keys ADD COLUMN search TEXT NOT NULL DEFAULT '';
UPDATE api_keys SET search = lower(name) || ' ' || lower(hint);
