"""A client of Eden's API in the way its document shows: `requests`, Basic once, then a bearer token that is refreshed
five minutes before its end, and an API behind it that verifies by the JWKS alone.

The job: { base_url, issuer, audience, org, username, password }. The report tells what happened.
"""

import base64
import json
import sys
from datetime import datetime, timedelta, timezone

import jwt
import requests


class EdenClient:
    def __init__(self, base_url, org_id):
        self.base_url = base_url
        self.org_id = org_id
        self.token = None
        self.expires = None

    def login(self, username, password):
        encoded = base64.b64encode(f"{username}:{password}".encode()).decode()
        headers = {"Authorization": f"Basic {encoded}", "X-Org-Id": self.org_id}
        return self._keep(requests.post(f"{self.base_url}/auth/login", headers=headers, timeout=30))

    def refresh(self):
        return self._keep(requests.get(f"{self.base_url}/auth/refresh", headers=self._bearer(), timeout=30))

    def is_due(self, now):
        return self.expires - timedelta(minutes=5) <= now

    def call(self, path):
        return requests.get(f"{self.base_url}{path}", headers=self._bearer(), timeout=30).status_code

    def logout(self):
        return requests.post(f"{self.base_url}/auth/logout", headers=self._bearer(), timeout=30).status_code

    def _bearer(self):
        return {"Authorization": f"Bearer {self.token}"}

    def _keep(self, response):
        if response.status_code != 200:
            return False
        data = response.json()
        self.token = data["token"]
        self.expires = datetime.fromisoformat(data["expires"].replace("Z", "+00:00"))
        return True


def verify(job, token):
    keys = jwt.PyJWKClient(f"{job['issuer']}/.well-known/jwks.json")
    return jwt.decode(
        token,
        keys.get_signing_key_from_jwt(token),
        algorithms=["ES256"],
        issuer=job["issuer"],
        audience=job["audience"],
    )


def run(job):
    client = EdenClient(job["base_url"], job["org"])
    report = {"wrong": client.login(job["username"], "wrong password")}
    report["foreign"] = EdenClient(job["base_url"], "nowhere").login(job["username"], job["password"])
    report["login"] = client.login(job["username"], job["password"])
    first = client.token
    report["claims"] = verify(job, first)
    now = datetime.now(timezone.utc)
    report["due_now"], report["due_at_end"] = client.is_due(now), client.is_due(client.expires)
    report["refresh"] = client.refresh()
    report["refreshed"] = client.token != first
    report["after_refresh"] = client.call("/auth/check")
    report["logout"] = client.logout()
    report["after_logout"] = client.call("/auth/check")
    report["refresh_after_logout"] = client.refresh()
    return report


print(json.dumps(run(json.load(sys.stdin))))
