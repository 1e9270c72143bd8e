import random
import re

import pytest

from hml.elicit.research.overview import overview
from hml.elicit.store.answers import read_answers
from hml.elicit.web.images import ImageNames
from hml.errors import StorageError
from hml.judgements import CIFAR10
from tests.elicit.people import ANSWERS
from tests.elicit.web.client import Client, find_trial
from tests.elicit.web.serving import make_study


@pytest.fixture
def client(served):
    client = Client(served)
    client.start()
    return client


def test_the_same_trial_is_shown_until_it_is_answered(client):
    trial = client.trial()
    assert client.trial() == trial
    client.answer(trial)
    assert client.trial() != trial


def test_an_answer_by_the_pages_own_words_is_kept_by_meaning(serve_study):
    served = serve_study(trials=20)
    client, rng = Client(served), random.Random(0)
    client.start()
    meant = []
    while (page := client.get("/trial")).status_code == 200:
        left, right = re.findall(r'data-(?:left|right)="(\w+)"', page.text)
        assert re.search(f"<strong>{left}</strong> and <strong>{right}</strong>", page.text)
        share = rng.randrange(101)  # of the class that A to Z has first
        meant.append({"mixingcoeff": 100 - share, "confidence": 7})
        slider = 100 - share if left < right else share
        said = {"mixingcoeff": slider, "confidence": 7, "moved": ["mixingcoeff", "confidence"]}
        number = len(meant)
        receipt = client.answer(find_trial(page.text), f"client-{number}", said)
        assert client.answer(find_trial(page.text), f"client-{number}", said).json() == receipt.json()  # sent again
    kept = read_answers(served.store.folder)
    assert [answer.answer for answer in kept] == meant
    assert {answer.swapped for answer in kept} == {True, False}


def test_the_two_worked_examples_show_both_orders(serve_study):
    for task in ("rate_mixture", "categorical", "construct", "select"):
        client = Client(serve_study(task=task, stimuli=make_study(task).stimuli))
        client.agree()
        page = client.get("/instructions").text
        orders = re.findall(r'alt="(\w+)" [^>]*><figcaption>\1</figcaption>', page)
        assert [orders[0] < orders[1], orders[2] < orders[3]] == [True, False]
        assert ("changes from image to image" in page) is (task in ("rate_mixture", "construct"))


def test_the_classes_of_the_list_are_shown_both_ways(serve_study):
    served, orders = serve_study(task="categorical"), set()
    for _ in range(8):
        client = Client(served)
        client.start("categorical")
        orders.add(tuple(re.findall(r'value="mostProb(\w+)"', client.get("/trial").text)))
    assert orders == {CIFAR10.names, CIFAR10.names[::-1]}


def test_sending_again_returns_the_first_receipt_and_rejects_other_answers(client, served):
    trial, before = client.trial(), overview(served.store).pace.answers
    first = client.answer(trial)
    assert first.json() == {"client_id": "client-1", "trial_id": trial, "count": 1}
    assert client.answer(trial).json() == first.json()
    other = ANSWERS["rate_mixture"] | {"mixingcoeff": 38}
    assert client.answer(trial, answer=other).status_code == 409
    assert client.answer(trial, "client-2").status_code == 409
    assert overview(served.store).pace.answers == before + 1


@pytest.mark.parametrize(
    "changes",
    [
        {"answer": {"mixingcoeff": 50, "confidence": 50, "moved": []}},
        {"answer": {"mixingcoeff": 101, "confidence": 50, "moved": ["mixingcoeff", "confidence"]}},
        {"answer": []},
        {"answer": {}},
        {"client_id": "<script>"},
        {"client_id": 7},
        {"reaction_ms": "7"},
        {"reaction_ms": -1},
        {"reaction_ms": 1e20},
        {"reaction_ms": 10**300},
        {"reaction_ms": None},
    ],
)
def test_an_invalid_answer_is_rejected_and_the_trial_stays(client, changes):
    trial = client.trial()
    assert client.answer(trial, **changes).status_code == 422
    assert client.trial() == trial


def test_a_body_that_is_not_json_is_rejected(client):
    for content in (b"", b"{", b'{"reaction_ms": NaN}', b"[" * 5_000, b"\xff", b'{"trial_id": "\\ud800"}'):
        headers = {"x-csrf-token": client.token(), "content-type": "application/json"}
        refused = client.post("/answer", content=content, headers=headers)
        assert refused.status_code == 422
        assert "message" in refused.json()


def test_anothers_trial_cant_be_answered(client, served):
    other = Client(served)
    other.start()
    assert client.answer(other.trial()).status_code == 409
    assert client.answer("999999").status_code == 409


def test_an_answer_needs_the_pages_token_and_a_person(client, served):
    trial = client.trial()
    assert client.answer(trial, **{"x-csrf-token": "0"}).status_code == 403
    nobody = Client(served)
    assert nobody.answer(trial).status_code == 401


def test_when_the_disk_fails_the_browser_is_asked_to_keep_the_answer(client, served, monkeypatch):
    trial = client.trial()

    def fail(*args):
        raise StorageError("disk full")

    monkeypatch.setattr(served.store.trials, "answer", fail)
    refused = client.answer(trial)
    assert refused.status_code == 503
    assert refused.headers["retry-after"] == "5"
    assert "disk" not in refused.json()["message"]
    monkeypatch.undo()
    assert client.answer(trial).status_code == 200


def test_no_page_of_a_trial_reveals_the_weight_that_is_asked_for(client, served):
    site = served.app.state.site
    page = client.get("/trial").text
    stimulus = site.store.trials.next(client.code()).stimulus
    assert stimulus.filename not in page
    assert f"{stimulus.lambda_f}" not in page
    (address,) = re.findall(r'src="(/image/[0-9a-f]{32}\.png)"', page)
    sent = client.get(address)
    assert sent.content == site.stimuli.png(stimulus)
    assert sent.headers["content-type"] == "image/png"
    assert client.get("/image/" + "0" * 32 + ".png").status_code == 404


def test_images_that_no_trial_shows_have_no_address(served):
    stimulus = served.app.state.site.stimuli.all[0]
    names = ImageNames(b"key", [stimulus], [])
    assert names.address(stimulus) != ImageNames(b"other", [stimulus], []).address(stimulus)
    with pytest.raises(KeyError, match="not among the images"):
        names.address(stimulus, 0.3)
    assert names.find(ImageNames(b"key", [stimulus], [0.3]).address(stimulus, 0.3).split("/")[-1][:-4]) is None
