"""Ctrl-C that is never lost."""

import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import CodeType

_PAUSE = 0.01  # seconds: longer than what ignored the interrupt takes to return, once the hook has


@contextmanager
def keep_interrupts() -> Iterator[None]:
    """Raise KeyboardInterrupt again, within the block, wherever Python would ignore it.

    Python ignores what is raised in a finaliser or a weak reference's callback, of which `torch.compile` runs
    thousands: a Ctrl-C at such a moment would be written to stderr, and training would go on.
    """
    report = sys.unraisablehook
    main_thread = threading.main_thread().ident
    pending: list[threading.Thread] = []

    def repeat(ignored: "sys.UnraisableHookArgs") -> None:
        if issubclass(ignored.exc_type, KeyboardInterrupt) and main_thread is not None:
            # Not from here, where it would be ignored once more; and as a signal, which wakes whoever waits.
            pending.append(threading.Thread(target=_interrupt, args=(main_thread, repeat.__code__)))
            pending[-1].start()
        else:
            report(ignored)

    sys.unraisablehook = repeat
    try:
        try:
            yield
        finally:
            for thread in pending:
                thread.join()
    finally:
        sys.unraisablehook = report


def _interrupt(main_thread: int, hook: CodeType) -> None:
    """Interrupt the main thread once it has left the hook, which a busy machine may take long to."""
    is_in_hook = True
    while is_in_hook:
        time.sleep(_PAUSE)
        frame = sys._current_frames().get(main_thread)
        while frame is not None and frame.f_code is not hook:
            frame = frame.f_back
        is_in_hook = frame is not None
    signal.pthread_kill(main_thread, signal.SIGINT)
