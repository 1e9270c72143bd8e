"""Ctrl-C that is never lost."""

import _thread
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

_PAUSE = 0.01  # seconds: longer than what ignored the interrupt takes to return


@contextmanager
def keep_interrupts() -> Iterator[None]:
    """Raise KeyboardInterrupt again, within the block, wherever Python would ignore it.

    Python ignores what is raised in a finaliser or a weak reference's callback, of which `torch.compile` runs
    thousands: a Ctrl-C at such a moment would be written to stderr, and training would go on.
    """
    report = sys.unraisablehook

    def repeat(ignored: "sys.UnraisableHookArgs") -> None:
        if issubclass(ignored.exc_type, KeyboardInterrupt):
            # Not from here, where it would be ignored once more.
            threading.Timer(_PAUSE, _thread.interrupt_main).start()
        else:
            report(ignored)

    sys.unraisablehook = repeat
    try:
        yield
    finally:
        sys.unraisablehook = report
