import gc
import signal
import sys
import time
import weakref

import pytest

from hml.interrupts import keep_interrupts


class Thing:
    pass


def interrupt(_):
    signal.raise_signal(signal.SIGINT)


def test_a_ctrl_c_that_python_ignores_comes_again():
    with keep_interrupts(), pytest.raises(KeyboardInterrupt):  # noqa: PT012
        thing = Thing()
        watcher = weakref.ref(thing, interrupt)
        del thing
        gc.collect()
        assert watcher() is None
        time.sleep(10)


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
