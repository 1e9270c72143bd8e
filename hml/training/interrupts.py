"""Signal handling: Ctrl-C is never lost, and SIGUSR1 terminates a run like SIGTERM."""

import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import CodeType

_PAUSE = 0.01  # seconds: longer than the code that ignored the interrupt takes to return after the hook


@contextmanager
def keep_interrupts() -> Iterator[None]:
    """Raise KeyboardInterrupt again, within the block, if Python has ignored it.

    Python ignores exceptions in finalisers and in callbacks of weak references, of which `torch.compile` runs
    thousands. A Ctrl-C during one would be written to stderr, and training would continue.
    """
    report = sys.unraisablehook
    main_thread = threading.main_thread().ident
    pending: list[threading.Thread] = []

    def repeat(ignored: "sys.UnraisableHookArgs") -> None:
        if issubclass(ignored.exc_type, KeyboardInterrupt) and main_thread is not None:
            # From another thread, since Python would ignore it here; as a signal, which also ends blocking calls.
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


@contextmanager
def terminate_at_usr1() -> Iterator[None]:
    """Treat SIGUSR1 as SIGTERM within the block, unless the process has its own handler.

    SLURM can send SIGUSR1 before a job's time limit: `#SBATCH --signal=USR1@90`.
    """
    can_handle = os.name == "posix" and threading.current_thread() is threading.main_thread()
    if not can_handle or signal.getsignal(signal.SIGUSR1) is not signal.SIG_DFL:
        yield
        return
    signal.signal(signal.SIGUSR1, lambda number, frame: signal.raise_signal(signal.SIGTERM))
    try:
        yield
    finally:
        signal.signal(signal.SIGUSR1, signal.SIG_DFL)


def _interrupt(main_thread: int, hook: CodeType) -> None:
    """Interrupt the main thread once it has left the hook, which may take long on a busy machine."""
    is_in_hook = True
    while is_in_hook:
        time.sleep(_PAUSE)
        frame = sys._current_frames().get(main_thread)
        while frame is not None and frame.f_code is not hook:
            frame = frame.f_back
        is_in_hook = frame is not None
    signal.pthread_kill(main_thread, signal.SIGINT)
