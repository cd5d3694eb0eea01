"""What the relying-party scripts share: the job on standard input, the client it describes, the one line of result."""

import json
import os
import sys
import time
from urllib.parse import urlsplit

import requests
from authlib.integrations.requests_client import OAuth2Session
from authlib.oauth2.rfc7523 import PrivateKeyJWT
from joserfc.jwk import JWKRegistry

AUTHENTICATION = {
    "none": "none",
    "basic": "client_secret_basic",
    "post": "client_secret_post",
    "private_key_jwt": "private_key_jwt",
}


class Refused(Exception):
    """An answer of the server that is an OAuth error, or a refusal by this client."""

    def __init__(self, error, description=None, status=None):
        super().__init__(description or error)
        self.error = error
        self.description = description
        self.status = status


class ShortPrivateKeyJWT(PrivateKeyJWT):
    """Authlib's assertions live for an hour, ours may for five minutes; and it would keep one `jti` for all of them
    if the claims were given once."""

    def sign(self, auth, token_endpoint):
        self.claims = {"exp": int(time.time()) + 60}
        return super().sign(auth, token_endpoint)


def run(act):
    """Runs `act(job, report)` and prints `report` as one line of JSON; `report["step"]` names where it failed."""
    report = {"ok": False, "step": "start"}
    try:
        act(json.load(sys.stdin), report)
        report["ok"] = True
        del report["step"]
    except Exception as error:  # Every failure is the caller's result.
        report["failure"] = describe(error)
    print(json.dumps(report))
    sys.exit(0 if report["ok"] else 1)


def describe(error):
    """The protocol's own error code where there is one, else the exception's name."""
    failure = {
        "error": getattr(error, "error", None) or type(error).__name__,
        "description": getattr(error, "description", None) or str(error),
    }
    for name in ("status", "page"):
        if getattr(error, name, None) is not None:
            failure[name] = getattr(error, name)
    return failure


def discover(job):
    """The issuer's metadata, with the check of OpenID Connect Discovery §4.3."""
    answer = requests.get(job["issuer"].rstrip("/") + "/.well-known/openid-configuration", timeout=30)
    answer.raise_for_status()
    metadata = answer.json()
    if metadata["issuer"] != job["issuer"]:
        raise Refused("wrong_issuer", f"discovery names the issuer {metadata['issuer']}")
    return metadata


def session_for(job, metadata):
    """An Authlib session that authenticates its client as the job says, at every endpoint.

    For `basic`, Authlib does not form-encode id and secret first (RFC 6749 §2.3.1): they must not need it.
    """
    method = AUTHENTICATION[job.get("auth", "none")]
    secret = job.get("client_secret")
    if method == "private_key_jwt":
        secret = JWKRegistry.import_key(job["private_jwk"])
    session = OAuth2Session(
        job["client_id"],
        secret,
        token_endpoint_auth_method=method,
        revocation_endpoint_auth_method=method,
        scope=job.get("scope", "openid"),
        redirect_uri=job.get("redirect_uri"),
        code_challenge_method="S256",
    )
    session.trust_env = False
    if method == "private_key_jwt":
        # RFC 7523bis: the audience of an assertion is the issuer, at whichever endpoint it is used.
        key = job["private_jwk"]
        headers = {"kid": key["kid"]} if "kid" in key else None
        session.register_client_auth_method(ShortPrivateKeyJWT(metadata["issuer"], headers=headers, alg=key["alg"]))
    if urlsplit(job["issuer"]).scheme == "http":
        # Authlib insists on https for the addresses that it takes apart itself.
        os.environ["AUTHLIB_INSECURE_TRANSPORT"] = "1"
    return session


def answer_of(response):
    """The JSON of an answer, or its OAuth error as an exception."""
    try:
        body = response.json() if response.content else {}
    except ValueError:
        body = {}
    if response.status_code >= 400 or (isinstance(body, dict) and "error" in body):
        error = body.get("error", f"http_{response.status_code}")
        raise Refused(error, body.get("error_description"), response.status_code)
    return body
