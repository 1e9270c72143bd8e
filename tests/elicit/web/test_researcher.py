import re
from dataclasses import replace
from types import SimpleNamespace

import pytest
from starlette.requests import Request

from hml.elicit.refresh import Failure
from hml.elicit.store.history import add_images
from hml.elicit.web.sessions import Sessions
from hml.judgements import Endpoint, name_stimulus
from hml.judgements.stimuli_file import Proposal
from tests.elicit.web.client import Client
from tests.elicit.web.serving import TOKEN


def test_only_the_token_opens_the_page(served):
    client = Client(served)
    assert client.get("/researcher").status_code == 403
    assert client.get("/researcher?token=wrong").status_code == 403
    assert client.get("/researcher?token=é").status_code == 403
    assert client.post("/researcher", data={"token": "wrong"}).status_code == 403
    assert client.get("/researcher").status_code == 403
    admitted = client.get(f"/researcher?token={TOKEN}")
    assert admitted.headers["location"] == "/researcher"
    assert "Path=/researcher" in admitted.headers["set-cookie"]
    assert "Progress of the study" in client.get("/researcher").text
    by_form = Client(served)
    assert by_form.post("/researcher", data={"token": f" {TOKEN} "}).status_code == 303
    assert by_form.get("/researcher").status_code == 200


def test_a_person_isnt_a_researcher(served):
    client = Client(served)
    client.start()
    sessions = served.app.state.site.sessions
    stolen = {sessions.researcher_cookie: client.cookies[sessions.person_cookie]}
    assert Client(served, cookies=stolen).get("/researcher").status_code == 403


def test_another_token_ends_the_session(served, serve_study):
    client = Client(served)
    client.get(f"/researcher?token={TOKEN}")
    site = served.app.state.site
    cookies = {site.sessions.researcher_cookie: client.cookies[site.sessions.researcher_cookie]}
    assert Client(served, cookies=cookies).get("/researcher").status_code == 200
    (cookie,) = (f"{name}={value}".encode() for name, value in cookies.items())
    request = Request({"type": "http", "headers": [(b"cookie", cookie)]})
    key = served.store.folder.key.derive("session")
    assert [Sessions(key, False, token).is_researcher(request) for token in (TOKEN, "another")] == [True, False]


def test_comments_are_shown_escaped(served):
    client = Client(served)
    client.start()
    for number in range(5):
        client.answer(client.trial(), f"client-{number}")
    client.submit("/comment", claimed="5", comment="<b>bold</b>")
    client.get(f"/researcher?token={TOKEN}")
    page = client.get("/researcher").text
    assert "&lt;b&gt;bold&lt;/b&gt;" in page
    assert "<b>bold" not in page


@pytest.fixture
def added(served):
    """An image that joined the study after its server was started."""
    first, second = (Endpoint(image, image % 10) for image in (100, 101))
    stimulus = name_stimulus(served.store.classes, 0.35, first, second)
    source = {"number": 1, "answers": 1200, "acquisition": "my.Choice"}
    assert add_images(served.store.folder, [Proposal(stimulus)], source) == 1
    return stimulus


def test_an_image_that_joins_while_the_server_runs_is_shown(served, added):
    client = Client(served)
    client.start()
    client.trial()
    with served.store.folder.database.writing() as rows:
        rows.execute("UPDATE trial SET filename = ?", (added.filename,))
    (address,) = re.findall(r'src="(/image/[0-9a-f]{32}\.png)"', client.get("/trial").text)
    assert client.get(address).content == served.app.state.site.stimuli.png(added)


def test_added_images_and_a_failure_to_add_more_are_shown_to_researchers(served, added):
    failing = SimpleNamespace(failure=Failure("2026-01-02", "It was <killed>.", 1400))
    served.app.state.site = replace(served.app.state.site, refresher=failing)
    client = Client(served)
    client.get(f"/researcher?token={TOKEN}")
    page = client.get("/researcher").text
    assert "1 image was added after 1,200 answers, chosen by <code>my.Choice</code>" in page
    assert "No images were added</strong> at 2026-01-02: It was &lt;killed&gt;." in page
    assert "after 1,400 answers" in page
