"""Ctrl-C that is never lost."""

import signal
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
    main_thread = threading.main_thread().ident
    pending: list[threading.Timer] = []

    def repeat(ignored: "sys.UnraisableHookArgs") -> None:
        if issubclass(ignored.exc_type, KeyboardInterrupt) and main_thread is not None:
            # Not from here, where it would be ignored once more; and as a signal, which wakes whoever waits.
            timer = threading.Timer(_PAUSE, signal.pthread_kill, (main_thread, signal.SIGINT))
            pending.append(timer)
            timer.start()
        else:
            report(ignored)

    sys.unraisablehook = repeat
    try:
        try:
            yield
        finally:
            for timer in pending:
                timer.join()
    finally:
        sys.unraisablehook = report
