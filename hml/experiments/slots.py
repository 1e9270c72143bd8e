"""Carries out several runs at a time on one machine: one process per GPU, or per share of the CPU cores."""

import functools
import multiprocessing
import multiprocessing.connection
import os
import queue
import sys
import threading
from collections.abc import Callable, Iterator, MutableSequence, Sequence
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool

import torch

from hml.experiments.runs import Ended, Run, write_failure
from hml.experiments.worker import Worker, quieten_lightning
from hml.memory import available_memory
from hml.training.hardware import machine_threads

_SECONDS_BETWEEN_LOOKS = 1.0
_BYTES_A_RUN = 2 * 2**30  # of PreAct ResNet-18 at full width, on a CPU
_worker = Worker()
_advance: Callable[[float], None] | None = None
"""In the process of a slot: its worker, and the function that stores the progress of the current run."""


def carry_out_on_slots(runs: Sequence[Run], slots: int, advance: Callable[[float], None]) -> Iterator[Ended]:
    """Carry out several runs at a time on this machine. Yield each when it is done.

    Each slot is one process for many runs, so compilation happens once per slot. On CPUs under Linux, imports happen
    once for all slots. If a process dies, only its current run fails.

    Args:
        runs: The runs.
        slots: Number of runs at a time.
        advance: Called about once per second with the sum of the current runs' progress, each from 0 to 1.
    """
    pool = _Slots(runs, slots)
    with ThreadPoolExecutor(slots) as threads:
        futures = [threads.submit(pool.occupy, slot) for slot in range(slots)]
        try:
            yield from pool.wait(advance)
        finally:
            pool.stopped.set()
    for future in futures:
        future.result()


class _Slots:
    """Processes that carry out the waiting runs. Each carries out one run at a time."""

    def __init__(self, runs: Sequence[Run], number: int) -> None:
        self._number = number
        self._waiting: queue.SimpleQueue[Run] = queue.SimpleQueue()
        for run in runs:
            self._waiting.put(run)
        self._done: queue.SimpleQueue[Ended | None] = queue.SimpleQueue()
        self.stopped = threading.Event()  # no slot starts a run after this is set
        self._gpus = visible_gpus() if any(run.on_gpu for run in runs) else []
        self._threads_each = max(1, machine_threads() // number)
        # On CPUs, processes are forked from one that has imported this module. With CUDA or on macOS, that isn't safe.
        is_safe = sys.platform == "linux" and not self._gpus
        self._context = multiprocessing.get_context("forkserver" if is_safe else "spawn")
        self._context.set_forkserver_preload([__name__])
        # The progress of each slot's run. It has no lock, since a process could die while holding it.
        self._shares = self._context.RawArray("d", number)

    def wait(self, advance: Callable[[float], None]) -> Iterator[Ended]:
        """Yield runs as they end, until no slot is occupied."""
        occupied = self._number
        while occupied:
            try:
                ended = self._done.get(timeout=_SECONDS_BETWEEN_LOOKS)
            except queue.Empty:
                advance(sum(self._shares))
                continue
            if ended is None:
                occupied -= 1
            else:
                yield ended

    def occupy(self, slot: int) -> None:
        """Carry out waiting runs in this slot's process. Replace the process if it dies."""
        pool = self._start_process(slot)
        try:
            while not self.stopped.is_set():
                run = self._waiting.get_nowait()
                ended: Ended = run, None
                try:
                    ended = pool.submit(_carry_out, run).result()
                except (BrokenProcessPool, SystemExit) as error:
                    if not self.stopped.is_set():
                        write_failure(run, f"Its process was killed, perhaps because memory ran out ({error}).", 1)
                    pool.shutdown()
                    pool = self._start_process(slot)
                self._shares[slot] = 0.0
                self._done.put(ended)
        except queue.Empty:
            pass
        finally:
            pool.shutdown()
            self._done.put(None)

    def _start_process(self, slot: int) -> ProcessPoolExecutor:
        gpu = self._gpus[slot % len(self._gpus)] if self._gpus else None
        own = (gpu, self._threads_each, self._shares, slot)
        return ProcessPoolExecutor(1, mp_context=self._context, initializer=_take_slot, initargs=own)


def _take_slot(gpu: str | None, threads: int, shares: MutableSequence[float], slot: int) -> None:
    """Set up a slot's process before it uses a GPU."""
    global _advance
    _advance = functools.partial(shares.__setitem__, slot)
    if gpu is None:
        torch.set_num_threads(threads)
    else:
        os.environ["CUDA_VISIBLE_DEVICES"] = gpu
    quieten_lightning()
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _carry_out(run: Run) -> Ended:
    return run, _worker.carry_out(run, _advance)


def _end_with_parent() -> None:
    """End this process when the study's process ends, for any reason."""
    parent = multiprocessing.parent_process()
    assert parent is not None, "a slot's process is started by the study's"
    multiprocessing.connection.wait([parent.sentinel])
    os._exit(1)


def count_slots(runs: Sequence[Run], threads: int) -> int:
    """Return the default number of runs at a time: one per GPU, or one per CPU core as memory allows."""
    if any(run.devices > 1 for run in runs):
        return 1
    if any(run.on_gpu for run in runs):
        return max(1, len(visible_gpus()))
    memory = available_memory()
    room = len(runs) if memory is None else memory // _BYTES_A_RUN
    return max(1, min(machine_threads() // threads, room, len(runs)))


def visible_gpus() -> list[str]:
    """List the GPUs that this process may use, as CUDA_VISIBLE_DEVICES names them, without initialising CUDA."""
    named = os.environ.get("CUDA_VISIBLE_DEVICES")
    if named is not None:
        return [name for name in named.split(",") if name]
    return [str(index) for index in range(torch.cuda.device_count())]
