"""Serves made-up studies for tests, in a thread."""

import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

from hml.elicit.stimuli import load_stimuli
from hml.elicit.store.store import Store
from hml.elicit.study import StimulusChoice, demo_study
from hml.elicit.web.app import create_app
from hml.elicit.web.server import listen, make_server
from tests.elicit.conftest import Clock
from tests.processes import OUTPUT, start

TOKEN = "the-researchers-token"
LAMBDAS = {"construct": (0.1, 0.9), "select": (0.1, 0.9)}
read_demo = cache(demo_study)


def make_study(task="rate_mixture", **changes):
    """Make a study of few trials, of textures."""
    choice = StimulusChoice(per_class_pair=1, lambdas=LAMBDAS.get(task, (0.25, 0.5, 0.75)), seed=0)
    few = {
        "images": "tests.elicit.sources.Textures",
        "stimuli": choice,
        "trials": 3,
        "repeats": 2,
        "people_per_image": 3,
        "return_url": None,
    }
    return replace(read_demo(), name=f"test-{task}".replace("_", "-"), task=task, **few | changes)


@cache
def load(study):
    return load_stimuli(study, Path("unused"))


@dataclass
class Served:
    """A study being served, and what it is made of."""

    base: str
    store: Store
    app: object


@contextmanager
def serve_by_command(folder, *flags):
    """Run `hml elicit serve` in a process of its own; the process, and what it prints when it is open."""
    process, output = start(folder, "elicit", "serve", "--no-browser", "--port", "0", *flags), folder / OUTPUT
    for _ in range(1200):
        printed = output.read_text() if output.exists() else ""
        if "Ctrl-C" in printed or not process.is_alive():
            break
        time.sleep(0.05)
    assert "Ctrl-C" in printed, printed
    try:
        yield process, printed
    finally:
        process.kill()
        process.join()


@contextmanager
def serve(folder, study, **options):
    """Serve a study in a thread of this process, at any free port."""
    stimuli = load(study)
    store = Store(folder, study, stimuli.all, stimuli.classes, clock=Clock())
    app = create_app(store, stimuli, token=TOKEN, **options)
    listener = listen("127.0.0.1", 0)
    server = make_server(app)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    try:
        yield Served(f"http://127.0.0.1:{listener.getsockname()[1]}", store, app)
    finally:
        server.should_exit = True
        thread.join(20)
        store.close()
