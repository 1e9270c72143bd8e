"""Carrying out several runs at a time on one machine: a process a GPU, or a share of the CPU's cores."""

import functools
import multiprocessing
import multiprocessing.connection
import os
import queue
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
_tell: Callable[[float], None] | None = None
"""In a slot's process: what carries out its runs, and what notes how much of the current one is done."""


def carry_out_on_slots(runs: Sequence[Run], slots: int, advance: Callable[[float], None]) -> Iterator[Ended]:
    """Carry out several runs at a time on this machine, and yield each when it is done.

    Each slot is a process that outlives its runs, so imports and compilation are paid once a slot. A process that dies
    takes only its run with it.

    Args:
        runs: The runs.
        slots: How many at a time.
        advance: Called now and then with the sum of the shares of the current runs that are done.
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
    """Processes that carry out the waiting runs, each one at a time."""

    def __init__(self, runs: Sequence[Run], number: int) -> None:
        self._number = number
        self._waiting: queue.SimpleQueue[Run] = queue.SimpleQueue()
        for run in runs:
            self._waiting.put(run)
        self._done: queue.SimpleQueue[Ended | None] = queue.SimpleQueue()
        self.stopped = threading.Event()  # no slot starts a run after this is set
        self._gpus = visible_gpus() if any(run.on_gpu for run in runs) else []
        self._threads_each = max(1, machine_threads() // number)
        self._spawn = multiprocessing.get_context("spawn")  # CUDA can't be used in a forked process
        # How much of its run each slot has done. There is no lock that a process could die with.
        self._shares = self._spawn.RawArray("d", number)

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
        """Carry out waiting runs in this slot's process, and replace a process that dies."""
        pool = self._start_process(slot)
        try:
            while not self.stopped.is_set():
                run = self._waiting.get_nowait()
                ended: Ended = run, None
                try:
                    ended = pool.submit(_carry_out, run).result()
                except (BrokenProcessPool, SystemExit) as error:
                    if not self.stopped.is_set():
                        write_failure(run, f"Its process was killed, perhaps for want of memory ({error}).", 1)
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
        return ProcessPoolExecutor(1, mp_context=self._spawn, initializer=_take_slot, initargs=own)


def _take_slot(gpu: str | None, threads: int, shares: MutableSequence[float], slot: int) -> None:
    """Set a slot's process up, before anything in it touches a GPU."""
    global _tell
    _tell = functools.partial(shares.__setitem__, slot)
    if gpu is None:
        torch.set_num_threads(threads)
    else:
        os.environ["CUDA_VISIBLE_DEVICES"] = gpu
    quieten_lightning()
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _carry_out(run: Run) -> Ended:
    return run, _worker.carry_out(run, _tell)


def _end_with_parent() -> None:
    """End this process when the study's process ends, for whatever reason."""
    parent = multiprocessing.parent_process()
    assert parent is not None, "a slot's process is started by the study's"
    multiprocessing.connection.wait([parent.sentinel])
    os._exit(1)


def count_slots(runs: Sequence[Run], threads: int) -> int:
    """Count how many runs this machine carries out best at a time: one a GPU, or one a core as memory allows."""
    if any(run.devices > 1 for run in runs):
        return 1
    if any(run.on_gpu for run in runs):
        return max(1, len(visible_gpus()))
    memory = available_memory()
    room = len(runs) if memory is None else memory // _BYTES_A_RUN
    return max(1, min(machine_threads() // threads, room, len(runs)))


def visible_gpus() -> list[str]:
    """List the GPUs that this process may use, as CUDA_VISIBLE_DEVICES names them, without touching any."""
    named = os.environ.get("CUDA_VISIBLE_DEVICES")
    if named is not None:
        return [name for name in named.split(",") if name]
    return [str(index) for index in range(torch.cuda.device_count())]
