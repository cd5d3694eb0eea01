"""PyJWT verifies tokens offline, from the JWKS alone.

One process lives as long as its standard input, as an API would, so that keys can be rotated between two lines:

a line in    { issuer, jwks_uri?, token, audience?, typ?, algorithms?, cooldown_ms? }
a line out   { ok: true, header, claims, fetches } or { ok: false, error, description, fetches }

Without `jwks_uri` it is read from the issuer's discovery document, once. `fetches` counts the JWKS requests so far.
`cooldown_ms` (PyJWT's own default is 30 s, here 0) of the first line for a JWKS holds for all of its lines.
"""

import json
import sys

import jwt
import requests

ALGORITHMS = ["RS256", "ES256", "EdDSA"]
clients = {}


class CountingClient(jwt.PyJWKClient):
    fetches = 0

    def fetch_data(self):
        self.fetches += 1
        return super().fetch_data()


def client_of(question):
    key = question.get("jwks_uri") or question["issuer"]
    if key not in clients:
        uri = question.get("jwks_uri") or discover(question["issuer"])["jwks_uri"]
        clients[key] = CountingClient(uri, cooldown_duration=question.get("cooldown_ms", 0) / 1000)
    return clients[key]


def discover(issuer):
    answer = requests.get(issuer.rstrip("/") + "/.well-known/openid-configuration", timeout=30)
    answer.raise_for_status()
    metadata = answer.json()
    if metadata["issuer"] != issuer:
        raise ValueError(f"discovery names the issuer {metadata['issuer']}")
    return metadata


def verify(line):
    client = None
    try:
        question = json.loads(line)
        client = client_of(question)
        token = question["token"]
        decoded = jwt.decode_complete(
            token,
            client.get_signing_key_from_jwt(token),
            algorithms=question.get("algorithms", ALGORITHMS),
            issuer=question["issuer"],
            audience=question.get("audience"),
            options={"require": ["exp", "iat", "sub"], "verify_aud": "audience" in question},
        )
        typ = decoded["header"].get("typ", "")
        if "typ" in question and typ.lower().removeprefix("application/") != question["typ"].lower():
            raise jwt.InvalidTokenError(f"typ is {typ!r}")
        return {"ok": True, "header": decoded["header"], "claims": decoded["payload"], "fetches": client.fetches}
    except Exception as error:  # Every failure is the caller's result.
        fetches = client.fetches if client else 0
        return {"ok": False, "error": type(error).__name__, "description": str(error), "fetches": fetches}


for line in sys.stdin:
    if line.strip():
        print(json.dumps(verify(line)), flush=True)
