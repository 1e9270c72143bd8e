import gc
import signal
import sys
import time
import weakref

import pytest

from hml.training.interrupts import keep_interrupts


class Thing:
    pass


@pytest.fixture(autouse=True)
def interruptible():
    """Raise KeyboardInterrupt at SIGINT, which a shell's background jobs are started to ignore."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def be_interrupted_where_python_ignores_it():
    thing = Thing()
    watcher = weakref.ref(thing, lambda _: signal.raise_signal(signal.SIGINT))
    del thing
    gc.collect()
    assert watcher() is None


def test_a_ctrl_c_that_python_ignores_comes_again_at_once():
    started = time.monotonic()
    with pytest.raises(KeyboardInterrupt), keep_interrupts():  # noqa: PT012
        be_interrupted_where_python_ignores_it()
        for _ in range(600):  # in short sleeps, since one that begins just after the signal isn't woken by it
            time.sleep(0.1)
    assert time.monotonic() - started < 30


def test_it_comes_before_the_block_ends():
    with pytest.raises(KeyboardInterrupt), keep_interrupts():
        be_interrupted_where_python_ignores_it()


def test_other_ignored_errors_are_reported_as_before(monkeypatch):
    reported = []
    monkeypatch.setattr(sys, "unraisablehook", lambda ignored: reported.append(ignored.exc_type))

    class Broken:
        def __del__(self):
            raise OSError

    with keep_interrupts():
        Broken()
        gc.collect()
    assert reported == [OSError]
