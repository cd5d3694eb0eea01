"""Runs the settings that the console shows for Django with Authlib, as they are, in a Django without a project.

    stdin   { snippet, secret, redirect_uri, username, password }
    stdout  { ok, claims } or { ok: false, step, failure }; exit status 1
"""

import django
from django.conf import settings
from django.contrib.sessions.backends.signed_cookies import SessionStore
from django.test import RequestFactory

from browser import Browser
from rp import run


def act(job, report):
    report["step"] = "snippet"
    settings.configure(
        SECRET_KEY="of this run alone",
        OIDC_CLIENT_SECRET=job["secret"],
        ALLOWED_HOSTS=["*"],
        SESSION_ENGINE="django.contrib.sessions.backends.signed_cookies",
    )
    django.setup()
    views = {}
    # What the snippet returns to the application is the page; whom it found is read from its callback.
    found = "    user = oauth.countersign.userinfo(token=token)\n"
    text = job["snippet"].replace(found, found + "    return user\n")
    if text == job["snippet"]:
        raise ValueError("another text than expected")
    exec(compile(text, "the snippet", "exec"), views)

    report["step"] = "login"
    session = SessionStore()
    answer = views["login"](asked(session, "/login"))
    report["step"] = "pages"
    answers = [
        {
            "form": "login-form",
            "fields": {"username": job["username"], "password": job["password"]},
            "button": "login-submit",
        },
        {"form": "consent-form", "button": "consent-allow"},
    ]
    landed = Browser().journey(answer["Location"], job["redirect_uri"], answers)
    report["step"] = "callback"
    report["claims"] = dict(views["callback"](asked(session, landed.url)))


def asked(session, url):
    request = RequestFactory().get(url)
    request.session = session
    return request


if __name__ == "__main__":
    run(act)
