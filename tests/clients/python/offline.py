"""Verifies access tokens offline, from the provider's keys and its status lists."""

import base64
import time
import zlib

import jwt
import requests


class Verifier:
    def __init__(self, issuer, audience):
        self.issuer, self.audience = issuer, audience
        self.keys = jwt.PyJWKClient(f"{issuer}/.well-known/jwks.json")
        self.lists = {}  # by address: what is known, and when to ask again

    def verify(self, token):
        claims = self._decode(token, "at+jwt", audience=self.audience)
        place = claims["status"]["status_list"]
        index, bits = place["idx"], self._list(place["uri"])["bits"]
        if bits[index >> 3] >> (index & 7) & 1:
            raise jwt.InvalidTokenError("the token was revoked")
        return claims  # sub, client_id, scope, …

    def _decode(self, token, typ, **expected):
        key = self.keys.get_signing_key_from_jwt(token)
        decoded = jwt.decode_complete(token, key, algorithms=["ES256"], issuer=self.issuer, **expected)
        if decoded["header"].get("typ") != typ:
            raise jwt.InvalidTokenError(f"not of the type {typ}")
        return decoded["payload"]

    def _list(self, uri):
        known = self.lists.get(uri)
        if known and time.time() < known["ask_again"]:
            return known
        try:
            self.lists[uri] = self._ask(uri, known)
        except requests.RequestException:
            # The provider is away: what is known is still good.
            if not known or time.time() >= known["expires"]:
                raise
        return self.lists[uri]

    def _ask(self, uri, known):
        if not uri.startswith(f"{self.issuer}/revocations"):
            raise jwt.InvalidTokenError("not a list of this issuer")
        answer = requests.get(uri, headers={"If-None-Match": known["etag"]} if known else {}, timeout=10)
        answer.raise_for_status()
        if answer.status_code == 304:
            return {**known, "ask_again": time.time() + known["ttl"]}
        claims = self._decode(answer.text, "statuslist+jwt", subject=uri)
        packed = claims["status_list"]["lst"]
        packed = base64.urlsafe_b64decode(packed + "=" * (-len(packed) % 4))
        return {
            "bits": zlib.decompressobj().decompress(packed, 1 << 23),
            "etag": answer.headers["ETag"],
            "ttl": claims["ttl"],
            "ask_again": time.time() + claims["ttl"],
            "expires": claims["exp"],
        }
