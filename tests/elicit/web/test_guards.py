import asyncio
import socket
import threading
import time
from contextlib import ExitStack
from urllib.parse import quote

import pytest

from hml.elicit.web.app import MAX_BODY
from hml.elicit.web.guards import BodyLimit
from tests.elicit.web.client import Client


def test_every_page_forbids_scripts_and_styles_that_arent_the_servers_own(served):
    for path in ("/", "/researcher", "/nothing", "/image/x.png"):
        headers = Client(served).get(path).headers
        policy = dict(part.strip().split(" ", 1) for part in headers["content-security-policy"].split(";"))
        assert policy.pop("default-src") == "'none'"
        assert policy.pop("base-uri") == policy.pop("frame-ancestors") == "'none'"
        assert set(policy.values()) == {"'self'"}
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "same-origin"
        assert headers["cache-control"] == "no-store"


def test_pages_hold_no_inline_script_or_style_and_no_foreign_address(served):
    client = Client(served)
    client.start()
    pages = [client.get(path).text for path in ("/trial", "/withdraw", "/researcher")] + [Client(served).get("/").text]
    for page in pages:
        assert "<style" not in page
        assert ' style="' not in page
        assert " onclick" not in page
        assert "http" not in page.replace('http-equiv="', "")
        assert page.count("<script") == page.count('<script type="module" src="/static/')


@pytest.mark.parametrize(
    "host", ["study.example.org", "127.0.0.1.example.org:8000", "localhost.evil:8000", "[", "localhost:x"]
)
def test_only_loopback_names_are_answered_without_a_public_address(served, host):
    assert Client(served).get("/", headers={"host": host}).status_code == 421


@pytest.mark.parametrize("host", ["localhost:8000", "[::1]:8000", "127.0.0.1"])
def test_loopback_is_answered_under_each_of_its_names(served, host):
    assert Client(served, host).agree().headers["location"] == "/instructions"


def test_a_public_address_is_the_only_one_answered_and_its_cookies_are_secure(serve_study):
    served = serve_study("https://study.example.org")
    client = Client(served, "study.example.org")
    client.headers["origin"] = "https://study.example.org"
    page = client.get("/")
    assert page.status_code == 200
    assert "; Secure" in page.headers["set-cookie"]
    assert client.post("/").status_code == 403  # its form is looked at, and lacks a token
    assert "no longer valid" in client.post("/").text
    assert "own pages" in client.post("/", headers={"origin": "http://study.example.org"}).text
    assert Client(served).get("/").status_code == 421


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "https://127.0.0.1:8000", "http://127.0.0.1:9", ""])
def test_requests_from_other_sites_are_rejected(served, origin):
    client = Client(served)
    assert client.post("/", data={"csrf": client.token()}, headers={"origin": origin}).status_code == 403
    client.start()
    assert client.answer(client.trial(), origin=origin).status_code == 403


def test_large_requests_are_rejected_with_or_without_a_length(served):
    client = Client(served)
    assert client.post("/", content=b"x" * (MAX_BODY + 1)).status_code == 413
    chunks = (b"x" * 1024 for _ in range(MAX_BODY // 1024 + 1))
    assert client.post("/", content=chunks).status_code == 413
    assert client.post("/", content=b"x" * MAX_BODY).status_code == 403  # read, and no form of ours


def test_requests_that_are_sent_by_half_keep_nobody_out(serve_study):
    served = serve_study(max_waiting=2)
    host, _, port = served.base.removeprefix("http://").partition(":")
    head = f"POST / HTTP/1.1\r\nHost: {host}:{port}\r\nOrigin: {served.base}\r\nContent-Length: 9\r\n\r\nhalf"
    with ExitStack() as halves:
        for _ in range(3):
            halves.enter_context(socket.create_connection((host, int(port)))).sendall(head.encode())
        time.sleep(0.3)
        assert Client(served).get("/").status_code == 200


def test_a_body_that_does_not_arrive_is_waited_for_no_longer_than_that(run_coroutine):
    sent = []

    async def receive():
        await asyncio.sleep(60)

    async def send(message):
        sent.append(message)

    guard = BodyLimit(lambda *_: pytest.fail("the app was asked"), max_bytes=9, max_seconds=0.05)
    run_coroutine(guard({"type": "http", "headers": [], "method": "POST", "path": "/"}, receive, send))
    assert sent[0]["status"] == 408


def test_a_comment_of_the_greatest_length_fits_in_any_script():
    assert len(quote("你" * 4_000)) + 1_000 < MAX_BODY


def test_people_are_asked_to_retry_while_too_many_wait(serve_study):
    served = serve_study(max_waiting=1)
    people = served.store.people
    holds, goes_on = threading.Event(), threading.Event()
    find = people.find

    def wait(code):
        holds.set()
        goes_on.wait(10)
        return find(code)

    client = Client(served)
    client.start()
    trial = client.trial()
    token = client.token()
    people.find = wait
    thread = threading.Thread(target=Client(served, cookies=client.cookies).get, args=("/trial",))
    thread.start()
    assert holds.wait(10)
    busy = client.post("/answer", json={}, headers={"x-csrf-token": token})
    form = client.post("/withdraw", data={"csrf": token})
    page = client.get("/trial")
    image = client.get("/image/" + "0" * 32 + ".png")
    asset = client.get(f"/static/{served.app.state.site.templates.globals['version']}/style.css")
    goes_on.set()
    thread.join(10)
    people.find = find
    assert (busy.status_code, busy.headers["retry-after"]) == (429, "1")
    assert "Many people" in busy.json()["message"]
    assert (page.status_code, page.headers["refresh"]) == (429, "2")
    assert (form.status_code, form.headers["content-type"]) == (429, "text/html; charset=utf-8")
    assert "refresh" not in form.headers  # which would fetch the page, without what was entered
    assert 'name="viewport"' in page.text
    assert 'name="viewport"' in form.text
    assert (asset.status_code, image.status_code) == (200, 404)  # these are never refused for load
    assert client.answer(trial).status_code == 200  # nothing was lost, and places are given back
