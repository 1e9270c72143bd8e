"""Somebody without a browser: speaks to the app as a page's form or script would."""

import re

import httpx
from starlette.requests import Request

from hml.elicit.web.quiz import make_quiz
from hml.judgements import CIFAR10
from tests.elicit.people import ANSWERS


def find_token(page):
    return re.search(r'(?:name="csrf" value|data-csrf)="([0-9a-f]+)"', page)[1]


def find_trial(page):
    return re.search(r'data-trial="([^"]+)"', page)[1]


class Client(httpx.Client):
    """A browser's cookies, and the token that its pages carry."""

    def __init__(self, served, host=None, **options):
        super().__init__(
            base_url=served.base,
            limits=httpx.Limits(max_keepalive_connections=0),
            timeout=20,
            trust_env=False,
            verify=False,  # nothing is encrypted, and reading certificates takes most of making a client
            **options,
        )
        self._token = None
        self._sessions = served.app.state.site.sessions
        host = host or served.base.removeprefix("http://")
        self.headers.update({"host": host, "origin": f"http://{host}"})

    def token(self, path="/"):
        if self._token is None:
            self._token = find_token(self.get(path, follow_redirects=True).text)
        return self._token

    def forget_token(self):
        self._token = None

    def code(self):
        """Read the person's code out of the session's cookie."""
        name = self._sessions.person_cookie
        cookie = f"{name}={self.cookies[name]}".encode()
        return self._sessions.read(Request({"type": "http", "headers": [(b"cookie", cookie)]})).code

    def submit(self, path, **fields):
        return self.post(path, data={"csrf": self.token(), **fields})

    def agree(self, version="demo-2", token_of="/", **fields):
        self.token(token_of)
        return self.submit("/", version=version, agree="yes", **fields)

    def start(self, task="rate_mixture", **fields):
        """Go on to the first trial."""
        assert self.agree(**fields).headers["location"] == "/instructions"
        assert self.submit("/instructions").headers["location"] == "/quiz"
        answers = {question.id: question.right for question in make_quiz(task, CIFAR10)}
        assert self.submit("/quiz", **answers).headers["location"] == "/trial"

    def trial(self):
        return find_trial(self.get("/trial").text)

    def answer(self, trial, client_id="client-1", answer=ANSWERS["rate_mixture"], reaction_ms=1200, **headers):
        content = {"trial_id": trial, "client_id": client_id, "answer": answer, "reaction_ms": reaction_ms}
        headers = {"x-csrf-token": self.token(), **headers}
        return self.post("/answer", json=content, headers=headers)
