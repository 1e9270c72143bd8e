"""A small study: six images of cats and dogs, four trials per person."""

import sqlite3
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from hml.elicit.store.store import Store
from hml.elicit.study import Consent, StimulusChoice, Study
from hml.judgements import CIFAR10, Endpoint, name_stimulus

STUDY = Study(
    name="cats",
    title="Cats and dogs",
    task="rate_mixture",
    images="demo",
    stimuli=StimulusChoice(seed=3),
    people_per_image=3,
    trials=4,
    repeats=2,
    consent=Consent("1", "I agree."),
    instructions="Look.",
)
LAMBDAS = (0.1, 0.9, 0.1, 0.9, 0.1, 0.9)


def make_images(number=6):
    """Make images of a cat and a dog each, which start the construct task at .1 or .9."""
    images = []
    for i, lambda_f in zip(range(number), LAMBDAS * number, strict=False):
        images.append(name_stimulus(CIFAR10, lambda_f, Endpoint(2 * i, 3), Endpoint(2 * i + 1, 5)))
    return images


@pytest.fixture(autouse=True)
def every_connection_is_closed(monkeypatch):
    """Fail where a test leaves a connection open: Python 3.13 warns of it at some later moment, older ones don't."""
    opened, connect = [], sqlite3.connect

    def remember(*args, **options):
        opened.append(connect(*args, **options))
        return opened[-1]

    monkeypatch.setattr(sqlite3, "connect", remember)
    yield
    for connection in opened:
        with pytest.raises(sqlite3.ProgrammingError, match="closed"):
            connection.execute("SELECT 1")


class Clock:
    """A clock that tests put forward."""

    def __init__(self):
        self.ahead = timedelta()

    def __call__(self):
        return datetime.now(UTC) + self.ahead

    def forward(self, **time):
        self.ahead += timedelta(**time)


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def open_store(tmp_path, clock):
    """Open a store of the small study, with changes to it, in a folder of its own; closed at the end."""
    stores = []

    def open_(folder="study", number=6, **changes):
        stores.append(Store(tmp_path / folder, replace(STUDY, **changes), make_images(number), CIFAR10, clock=clock))
        return stores[-1]

    yield open_
    for store in stores:
        store.close()


@pytest.fixture
def store(open_store):
    return open_store()
