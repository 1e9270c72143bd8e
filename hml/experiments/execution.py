"""Carrying runs out: in this process, on several devices of this machine, or on a cluster."""

import contextlib
import functools
import logging
import multiprocessing
import multiprocessing.connection
import os
import queue
import subprocess
import sys
import threading
import traceback
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Any, TextIO

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from typing_extensions import override

from hml import training
from hml.data import ImageBank
from hml.errors import HmlError, InputError
from hml.experiments.runs import Run, clear, read_outcome, write_failure

_OUTPUT = "output.txt"
_LINES_OF_AN_ERROR = 20
_MINUTES_A_JOB = 720  # submitit's own default is 5


class Worker:
    """Carries out runs one after the other in one process, and pays once for what they share."""

    def __init__(self) -> None:
        self._images: tuple[object, ImageBank] | None = None

    def prepare(self, args: Sequence[str]) -> training.HmlCLI:
        """Put a run together, up to its data."""
        cli = training.prepare(args)
        source = (cli.settings.data.images, cli.datamodule.data_dir)
        if self._images is not None and self._images[0] == source:
            cli.datamodule.reuse_images(self._images[1])
        cli.datamodule.prepare_data()
        cli.datamodule.setup("fit")
        self._images = (source, cli.datamodule.bank)
        return cli

    def carry_out(self, run: Run, watcher: Callback | None = None) -> None:
        """Train and test. What comes of it, a result or a failure, is in the run's folder afterwards."""
        if not run.goes_on:
            clear(run)
        try:
            with (
                (run.folder / _OUTPUT).open("a", encoding="utf-8") as output,
                contextlib.redirect_stdout(output),
                contextlib.redirect_stderr(output),
            ):
                if run.devices > 1:
                    _carry_out_apart(run, output)
                    return
                cli = self.prepare(run.args)
                if watcher is not None:
                    cli.trainer.callbacks.append(watcher)  # type: ignore[attr-defined]
                cli.carry_out()
        except HmlError as error:
            write_failure(run, str(error), error.exit_code)
        except Exception as error:  # one run's bug doesn't stop a study
            with (run.folder / _OUTPUT).open("a", encoding="utf-8") as output:
                traceback.print_exc(file=output)
            write_failure(run, f"{type(error).__name__}: {error} (see {run.folder / _OUTPUT})", 1)


def _carry_out_apart(run: Run, output: TextIO) -> None:
    """Run `hml` itself: to use several devices, Lightning starts its process's command line again on each."""
    command = [sys.executable, "-m", "hml", *run.args]
    done = subprocess.run(command, stdout=output, stderr=subprocess.STDOUT, check=False)
    if done.returncode != 0:
        told = (run.folder / _OUTPUT).read_text(encoding="utf-8", errors="replace").splitlines()[-_LINES_OF_AN_ERROR:]
        # A process that a signal ended has the negative of its number.
        write_failure(run, "\n".join(told), done.returncode if done.returncode > 0 else 128 - done.returncode)


def quieten_lightning() -> None:
    """Keep back what Lightning tells of each run, which would bury a table."""
    for name in ("lightning.pytorch", "lightning.fabric"):
        logging.getLogger(name).setLevel(logging.WARNING)


@functools.cache
def _workers_own() -> Worker:
    """One `Worker` a process."""
    return Worker()


def carry_out_all(runs: Sequence[Run]) -> None:
    """Carry runs out one after the other in this process; what a process or a job of its own is given to do."""
    for run in runs:
        _workers_own().carry_out(run)


class _EpochWatcher(Callback):
    def __init__(self, advance: Callable[[float], None]) -> None:
        self._advance = advance

    @override
    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._advance((trainer.current_epoch + 1) / max(trainer.max_epochs or 0, trainer.current_epoch + 1))


def carry_out_here(runs: Sequence[Run], worker: Worker, advance: Callable[[float], None]) -> Iterator[Run]:
    """Carry runs out in this process.

    Args:
        runs: What to carry out.
        worker: Whose data they share.
        advance: Told, after each epoch, how much of the current run is done.

    Yields:
        Each run when it is done.
    """
    for run in runs:
        worker.carry_out(run, _EpochWatcher(advance))
        yield run


def carry_out_on_slots(runs: Sequence[Run], slots: int) -> Iterator[Run]:
    """Carry out several runs at a time on this machine, each on a GPU or on its share of the CPU's cores.

    Each slot is a process that outlives its runs, so imports and compilation are paid once a slot. A process that dies
    takes only its run with it.

    Yields:
        Each run when it is done.
    """
    waiting: queue.SimpleQueue[Run] = queue.SimpleQueue()
    for run in runs:
        waiting.put(run)
    done: queue.SimpleQueue[Run | None] = queue.SimpleQueue()
    stopped = threading.Event()

    gpus = visible_gpus() if any(run.on_gpu for run in runs) else []
    threads_each = max(1, torch.get_num_threads() // slots)

    def start_process(slot: int) -> ProcessPoolExecutor:
        gpu = gpus[slot % len(gpus)] if gpus else None
        spawn = multiprocessing.get_context("spawn")  # CUDA can't be used in a forked process
        return ProcessPoolExecutor(1, mp_context=spawn, initializer=_take_slot, initargs=(gpu, threads_each))

    def occupy(slot: int) -> None:
        pool = start_process(slot)
        try:
            while not stopped.is_set():
                run = waiting.get_nowait()
                try:
                    pool.submit(carry_out_all, [run]).result()
                except (BrokenProcessPool, SystemExit) as error:
                    if not stopped.is_set():
                        write_failure(run, f"Its process was killed, perhaps for want of memory ({error}).", 1)
                    pool.shutdown()
                    pool = start_process(slot)
                done.put(run)
        except queue.Empty:
            pass
        finally:
            pool.shutdown()
            done.put(None)

    with ThreadPoolExecutor(slots) as threads:
        futures = [threads.submit(occupy, slot) for slot in range(slots)]
        try:
            for _ in range(slots):
                yield from iter(done.get, None)
        finally:
            stopped.set()
    for future in futures:
        future.result()


def _take_slot(gpu: str | None, threads: int) -> None:
    """Set a slot's process up, before anything in it touches a GPU."""
    if gpu is None:
        torch.set_num_threads(threads)
    else:
        os.environ["CUDA_VISIBLE_DEVICES"] = gpu
    quieten_lightning()
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """End this process when the study's ends, however that was: else it would go on, with nobody to tell."""
    parent = multiprocessing.parent_process()
    assert parent is not None, "a slot's process is started by the study's"
    multiprocessing.connection.wait([parent.sentinel])
    os._exit(1)


def visible_gpus() -> list[str]:
    """List the GPUs that this process may use, as CUDA_VISIBLE_DEVICES names them, without touching any."""
    named = os.environ.get("CUDA_VISIBLE_DEVICES")
    if named is not None:
        return [name for name in named.split(",") if name]
    return [str(index) for index in range(torch.cuda.device_count())]


def carry_out_on_cluster(
    runs: Sequence[Run], cluster: str, chunk: int, folder: Path, parameters: dict[str, Any]
) -> Iterator[Run]:
    """Carry runs out as jobs of submitit, which knows SLURM.

    Args:
        runs: What to carry out.
        cluster: "slurm", or "local" for processes of this machine.
        chunk: Runs a job.
        folder: Where submitit keeps jobs and their logs; every machine must see it.
        parameters: submitit's, such as `timeout_min` or `slurm_partition`.

    Yields:
        Each run when its job is done.

    Raises:
        InputError: submitit isn't installed, or refuses the cluster or a parameter.
    """
    try:
        import submitit
    except ImportError as error:
        raise InputError("Jobs on a cluster need submitit: pip install submitit.") from error
    chunks = [runs[start : start + chunk] for start in range(0, len(runs), chunk)]
    try:
        executor = submitit.AutoExecutor(folder=folder, cluster=cluster)
        executor.update_parameters(**({"timeout_min": _MINUTES_A_JOB} | parameters))
        jobs = dict(zip(executor.map_array(carry_out_all, chunks), chunks, strict=True))
    except (NameError, RuntimeError, TypeError, ValueError) as error:
        raise InputError(f"submitit refuses --cluster {cluster} with {parameters}: {error}") from error
    try:
        for job in submitit.helpers.as_completed(list(jobs)):
            broke = job.exception() is not None
            for run in jobs[job]:
                if broke and read_outcome(run.folder, run.scheme, run.seed) is None:
                    write_failure(run, f"Job {job.job_id} ended early (see {job.paths.stderr}).", 1)
                yield run
    finally:
        for job in jobs:
            if not job.done():
                job.cancel(check=False)
