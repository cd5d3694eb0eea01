"""Authlib signs a person in, as an application would: discovery, PKCE, the pages, the code, and what follows.

stdin and stdout are those of ../node/code_flow.mjs:

stdin   { issuer, client_id, auth: "none" | "basic" | "post" | "private_key_jwt", client_secret?, private_jwk?,
          redirect_uri, scope?, username, password, consent?: "allow" | "deny", answers?: [...],
          par?: bool, response_mode?, resource?, id_token_alg?, parameters?: { prompt, max_age, … },
          steps?: ["userinfo", "refresh", "introspection", "revocation", "again", "logout"],
          again?: { prompt: "none", … }, post_logout_redirect_uri? }
stdout  { ok, callback, tokens, claims, userinfo, refreshed, introspection, after_revocation, again, logout, visited }
        or { ok: false, step, failure: { error, description, status?, page? }, … }; exit status 1
"""

import json
from dataclasses import asdict
from urllib.parse import urlencode

import requests
from authlib.common.security import generate_token
from authlib.oauth2.rfc7636 import create_s256_code_challenge
from authlib.oidc.core import CodeIDToken
from joserfc import jwt
from joserfc.jwk import KeySet

from browser import Browser
from rp import Refused, answer_of, describe, discover, run, session_for

ALGORITHMS = ["RS256", "ES256", "Ed25519", "EdDSA"]


class RelyingParty:
    def __init__(self, job, metadata, browser):
        self.job = job
        self.metadata = metadata
        self.browser = browser
        self.session = session_for(job, metadata)

    def authorize(self, extra, report):
        """One authorization request, up to the tokens that its code was exchanged for and the ID token's claims."""
        verifier, nonce = generate_token(48), generate_token(24)
        parameters = {"nonce": nonce, **self.resource()}
        if "response_mode" in self.job:
            parameters["response_mode"] = self.job["response_mode"]
        parameters.update({name: as_text(value) for name, value in extra.items()})
        if self.job.get("par"):
            report["step"] = "pushed authorization request"
            url, state = self.push(verifier, parameters)
        else:
            report["step"] = "authorization request"
            url, state = self.session.create_authorization_url(
                self.metadata["authorization_endpoint"], code_verifier=verifier, **parameters
            )

        report["step"] = "pages"
        landed = self.browser.journey(url, self.job["redirect_uri"], answers(self.job))
        report["callback"] = asdict(landed)

        report["step"] = "token"
        code = self.code_of(landed.params, state)
        tokens = answered(
            self.session.fetch_token(
                self.metadata["token_endpoint"],
                grant_type="authorization_code",
                code=code,
                redirect_uri=self.job["redirect_uri"],
                code_verifier=verifier,
                **self.resource(),
            )
        )
        claims = None
        if "openid" in self.job.get("scope", "openid").split():
            report["step"] = "id token"
            claims = self.claims_of(tokens, nonce, extra.get("max_age"))
        return tokens, claims

    def push(self, verifier, parameters):
        """RFC 9126, which Authlib's session has no method for: the same parameters, sent by the client itself."""
        state = generate_token(24)
        # For these, Authlib's authentication puts the client's name into the body.
        named = self.session.token_endpoint_auth_method in ("none", "client_secret_post")
        form = {
            **({} if named else {"client_id": self.job["client_id"]}),
            "response_type": "code",
            "redirect_uri": self.job["redirect_uri"],
            "scope": self.job.get("scope", "openid"),
            "state": state,
            "code_challenge": create_s256_code_challenge(verifier),
            "code_challenge_method": "S256",
            **parameters,
        }
        answer = answer_of(self.post(self.metadata["pushed_authorization_request_endpoint"], form))
        query = urlencode({"client_id": self.job["client_id"], "request_uri": answer["request_uri"]})
        return f"{self.metadata['authorization_endpoint']}?{query}", state

    def post(self, url, form):
        auth = self.session.client_auth(self.session.token_endpoint_auth_method)
        body = urlencode(form, doseq=True)
        headers = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"}
        return self.session.post(url, data=body, headers=headers, auth=auth, withhold_token=True, timeout=30)

    def code_of(self, params, state):
        if params.get("state") != state:
            raise Refused("wrong_state", "the callback carries another state")
        expected = self.metadata.get("authorization_response_iss_parameter_supported")
        if (expected or "iss" in params) and params.get("iss") != self.metadata["issuer"]:
            raise Refused("wrong_issuer", "the callback carries another issuer (RFC 9207 §2.4)")
        if "error" in params:
            raise Refused(params["error"], params.get("error_description"))
        return params["code"]

    def claims_of(self, tokens, nonce, max_age=None):
        """The ID token's claims, after signature and claims were checked (OpenID Connect Core §3.1.3.7)."""
        keys = KeySet.import_key_set(requests.get(self.metadata["jwks_uri"], timeout=30).json())
        algorithms = [self.job["id_token_alg"]] if "id_token_alg" in self.job else ALGORITHMS
        decoded = jwt.decode(tokens["id_token"], keys, algorithms=algorithms)
        claims = CodeIDToken(
            decoded.claims,
            decoded.header,
            options={
                "iss": {"essential": True, "value": self.metadata["issuer"]},
                "aud": {"essential": True, "value": self.job["client_id"]},
            },
            params={
                "nonce": nonce,
                "client_id": self.job["client_id"],
                "access_token": tokens["access_token"],
                "max_age": max_age,
            },
        )
        claims.validate(leeway=5)
        return dict(claims)

    def userinfo(self, access_token, subject):
        headers = {"Authorization": f"Bearer {access_token}"}
        answer = answer_of(requests.get(self.metadata["userinfo_endpoint"], headers=headers, timeout=30))
        if subject is not None and answer["sub"] != subject:
            raise Refused("wrong_subject", "userinfo is about somebody else (OpenID Connect Core §5.3.2)")
        return answer

    def refresh(self, refresh_token):
        return answered(
            self.session.refresh_token(self.metadata["token_endpoint"], refresh_token=refresh_token, **self.resource())
        )

    def introspect(self, token):
        return answer_of(
            self.session.introspect_token(self.metadata["introspection_endpoint"], token=token, auth=self.auth())
        )

    def revoke(self, token):
        return answer_of(
            self.session.revoke_token(self.metadata["revocation_endpoint"], token=token, auth=self.auth())
        )

    def auth(self):
        return self.session.client_auth(self.session.token_endpoint_auth_method)

    def logout(self, id_token):
        target, state = self.job.get("post_logout_redirect_uri"), generate_token(24)
        query = {"id_token_hint": id_token, "client_id": self.job["client_id"]}
        if target:
            query.update(post_logout_redirect_uri=target, state=state)
        url = f"{self.metadata['end_session_endpoint']}?{urlencode(query)}"
        pages = [*self.job.get("answers", []), {"form": "logout-form", "button": "logout-confirm"}]
        landed = self.browser.journey(url, target, pages)
        return {"url": url, "landed": asdict(landed), "state_matches": landed.params.get("state") == state}

    def resource(self):
        return {"resource": self.job["resource"]} if "resource" in self.job else {}


def answers(job):
    if "answers" in job:
        return job["answers"]
    fields = {"username": job["username"], "password": job["password"]}
    return [
        {"form": "login-form", "fields": fields, "button": "login-submit"},
        {"form": "consent-form", "button": "consent-deny" if job.get("consent") == "deny" else "consent-allow"},
    ]


def as_text(value):
    return json.dumps(value) if isinstance(value, (dict, list)) else str(value)


def answered(token):
    """Authlib hands over an error of the refresh grant as if it were a token in some versions; here it is an error."""
    if "error" in token:
        raise Refused(token["error"], token.get("error_description"))
    return dict(token)


def act(job, report):
    browser = Browser()
    report["visited"] = browser.visited
    wanted = set(job.get("steps", ["userinfo"]))

    report["step"] = "discovery"
    party = RelyingParty(job, discover(job), browser)

    tokens, claims = party.authorize(job.get("parameters", {}), report)
    report["tokens"], report["claims"] = tokens, claims

    if "userinfo" in wanted:
        report["step"] = "userinfo"
        report["userinfo"] = party.userinfo(tokens["access_token"], claims and claims["sub"])
    current = tokens
    if "refresh" in wanted:
        report["step"] = "refresh"
        current = party.refresh(tokens["refresh_token"])
        report["refreshed"] = current
    if "introspection" in wanted:
        report["step"] = "introspection"
        report["introspection"] = party.introspect(current["access_token"])
    if "revocation" in wanted:
        report["step"] = "revocation"
        party.revoke(current["refresh_token"])
        report["after_revocation"] = refused(lambda: party.refresh(current["refresh_token"]))
    if "again" in wanted:
        # The same browser comes once more, for example with prompt=none; a refusal is a result here.
        second = report["again"] = {}
        try:
            second["tokens"], second["claims"] = party.authorize(job.get("again", {"prompt": "none"}), second)
            del second["step"]
        except Exception as error:
            second["failure"] = describe(error)
    if "logout" in wanted:
        report["step"] = "logout"
        report["logout"] = party.logout(current.get("id_token") or tokens["id_token"])


def refused(attempt):
    try:
        attempt()
        return {"error": None}
    except Exception as error:
        return describe(error)


run(act)
