"""A browser without JavaScript: cookies, redirects and plain HTML forms.

It goes from page to page until it is sent to an address that belongs to the application (the redirect URI), and never
requests that one. Which form is filled with what is told by answers:

    {"form": "login-form", "fields": {"username": "ada", "password": "…"}, "button": "login-submit"}

`form` and `button` are ids or names (a button also its value); an answer without `form` fits any form that has all of
its fields and its button. Each answer is used once, so that a refused password ends in an error that shows the page.
"""

from dataclasses import dataclass, field
from html.parser import HTMLParser
from urllib.parse import parse_qsl, urlencode, urljoin, urlsplit

import requests

REDIRECTS = (301, 302, 303, 307, 308)
MOST_PAGES = 20
HIDDEN = ("head", "script", "style", "template")
VOID = ("input", "br", "img", "link", "meta", "hr", "base", "source", "wbr", "area", "col", "embed", "track")


class PageError(Exception):
    """No way on from a page; `page` says which and what it shows."""

    def __init__(self, message, page=None):
        super().__init__(message)
        self.page = page


@dataclass
class Landing:
    """Where the browser was sent at last: the application's own address."""

    url: str
    method: str
    params: dict


@dataclass
class Control:
    tag: str
    attributes: dict
    form: str | None
    text: str = ""
    options: list = field(default_factory=list)

    @property
    def is_button(self):
        kind = self.attributes.get("type")
        return kind not in ("button", "reset") if self.tag == "button" else kind in ("submit", "image")

    @property
    def value(self):
        if self.tag == "textarea":
            return self.text
        if self.tag == "select":
            chosen = [value for value, selected in self.options if selected] or [value for value, _ in self.options]
            return chosen[0] if chosen else ""
        fallback = "on" if self.attributes.get("type") == "checkbox" else ""
        return self.attributes.get("value", fallback)

    @property
    def is_sent(self):
        if not self.attributes.get("name") or self.is_button:
            return False
        return self.attributes.get("type") not in ("checkbox", "radio") or "checked" in self.attributes


@dataclass
class Form:
    id: str | None
    name: str | None
    action: str
    method: str
    controls: list = field(default_factory=list)

    def button(self, called):
        for control in self.controls:
            if control.is_button and called in (control.attributes.get(key) for key in ("id", "name", "value")):
                return control
        return None

    def fits(self, answer):
        if "form" in answer and answer["form"] not in (self.id, self.name):
            return False
        names = {control.attributes.get("name") for control in self.controls}
        if not names.issuperset(answer.get("fields", {})):
            return False
        return "button" not in answer or self.button(answer["button"]) is not None

    def values(self):
        return [(control.attributes["name"], control.value) for control in self.controls if control.is_sent]

    def submission(self, answer):
        fields = answer.get("fields", {})
        pairs = [pair for pair in self.values() if pair[0] not in fields] + list(fields.items())
        if "button" in answer:
            pressed = self.button(answer["button"])
        else:
            pressed = next((control for control in self.controls if control.is_button), None)
        if pressed and pressed.attributes.get("name"):
            pairs.append((pressed.attributes["name"], pressed.attributes.get("value", "")))
        action = self.action
        if pressed and pressed.attributes.get("formaction"):
            action = urljoin(self.action, pressed.attributes["formaction"])
        return action, pairs


class Page(HTMLParser):
    """The forms of a page, and its visible text."""

    def __init__(self, url, response):
        super().__init__()
        self.url = url
        self.status = response.status_code
        self.referrer_policy = response.headers.get("Referrer-Policy")
        self.forms = []
        self.controls = []
        self.words = []
        self.open = []
        self.form = None
        self.gathering = None
        self.feed(response.text)
        self.close()
        for control in self.controls:
            for form in self.forms:
                if form is control.form or (isinstance(control.form, str) and form.id == control.form):
                    form.controls.append(control)

    def handle_starttag(self, tag, attrs):
        attributes = {name: value or "" for name, value in attrs}
        if tag == "form":
            action = urljoin(self.url, attributes.get("action") or self.url)
            method = attributes.get("method", "get").upper()
            self.form = Form(attributes.get("id"), attributes.get("name"), action, method)
            self.forms.append(self.form)
        elif tag in ("input", "button", "select", "textarea") and "disabled" not in attributes:
            control = Control(tag, attributes, attributes.get("form", self.form))
            self.controls.append(control)
            if tag in ("select", "textarea"):
                self.gathering = control
        elif tag == "option" and self.gathering:
            self.gathering.options.append((attributes.get("value", ""), "selected" in attributes))
        if tag not in VOID:
            self.open.append((tag, tag in HIDDEN or "hidden" in attributes))

    def handle_endtag(self, tag):
        if tag == "form":
            self.form = None
        if tag in ("select", "textarea"):
            self.gathering = None
        while any(opened == tag for opened, _ in self.open):
            if self.open.pop()[0] == tag:
                break

    def handle_data(self, data):
        if self.gathering and self.gathering.tag == "textarea":
            self.gathering.text += data
        elif not any(hidden for _, hidden in self.open):
            self.words.extend(data.split())

    def summary(self):
        forms = [form.id or form.name or urlsplit(form.action).path for form in self.forms]
        return {"url": self.url, "status": self.status, "forms": forms, "text": " ".join(self.words)[:2000]}


class Browser:
    def __init__(self):
        self.session = requests.Session()
        self.session.trust_env = False
        self.session.headers.update(
            {
                "Accept": "text/html,application/xhtml+xml;q=0.9,*/*;q=0.8",
                "Accept-Language": "en",
                "User-Agent": "countersign-tests (a browser without JavaScript)",
                "Sec-Fetch-Dest": "document",
                "Sec-Fetch-Mode": "navigate",
                "Sec-Fetch-User": "?1",
            }
        )
        self.visited = []

    def journey(self, url, landing, answers):
        """Goes to `url` and answers forms until the browser is sent to `landing`."""
        answers = list(answers)
        method, pairs, page = "GET", None, None
        for _ in range(MOST_PAGES):
            page = self.load(url, method, pairs, page, landing)
            if isinstance(page, Landing):
                return page
            automatic = next((form for form in page.forms if is_at(form.action, landing)), None)
            if automatic:
                # response_mode=form_post: a browser with JavaScript would submit this by itself.
                return Landing(automatic.action, "POST", dict(automatic.values()))
            form, answer = self.choose(page, answers)
            url, pairs = form.submission(answer)
            method = form.method
            if method == "GET":
                url, pairs = url.split("?")[0] + "?" + urlencode(pairs), None
        raise PageError(f"no end after {MOST_PAGES} pages")

    def choose(self, page, answers):
        for form in page.forms:
            for answer in answers:
                if form.fits(answer):
                    answers.remove(answer)
                    return form, answer
        raise PageError(f"no answer fits this page (status {page.status})", page.summary())

    def load(self, url, method, pairs, page, landing):
        for _ in range(MOST_PAGES):
            if is_at(url, landing):
                return Landing(url, "GET", dict(parse_qsl(urlsplit(url).query, keep_blank_values=True)))
            headers = {"Sec-Fetch-Site": "same-origin" if page and origin(page.url) == origin(url) else "cross-site"}
            if method == "POST":
                # Fetch, "append a request Origin header": a page that sends no referrer posts with the origin null.
                silent = page is None or page.referrer_policy == "no-referrer"
                headers["Origin"] = "null" if silent else origin(page.url)
            response = self.session.request(
                method, url, data=pairs, headers=headers, allow_redirects=False, timeout=30
            )
            self.visited.append(f"{method} {response.status_code} {urlsplit(url).path}")
            if response.status_code not in REDIRECTS or "Location" not in response.headers:
                response.encoding = "utf-8"
                return Page(url, response)
            url = urljoin(url, response.headers["Location"])
            if response.status_code not in (307, 308):
                method, pairs = "GET", None
        raise PageError(f"more than {MOST_PAGES} redirects", {"url": url})


def origin(url):
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def is_at(url, landing):
    """Whether `url` is the landing address, whatever query it carries."""
    return landing is not None and origin(url) == origin(landing) and urlsplit(url).path == urlsplit(landing).path
