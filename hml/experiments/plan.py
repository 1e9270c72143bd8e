"""Plans a study: finds its runs and the finished ones among them, and carries out the rest."""

import contextlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from hml.errors import FolderInUseError, InputError
from hml.experiments.progress import Progress
from hml.experiments.runs import Ended, Failure, Run, clear, read_outcome, write_failure
from hml.experiments.worker import Worker
from hml.training.choices import differences, format_differences
from hml.training.record import RunRecord
from hml.training.result import RunResult
from hml.training.resuming import can_resume
from hml.training.run import PreparedRun

_OWN_FLAGS = ("--seed", "--seed_everything", "--run_folder", "--scheme", "--eval_after_fit", "--ckpt_path", "--resume")
_DEFAULTS = ("--trainer.enable_progress_bar", "false")  # the study has its own progress bar
_RUN_FOLDER = "seed_"

Executor = Callable[[Sequence[Run], Progress], Iterator[Ended]]


def plan(
    configs: Iterable[Path],
    seeds: Sequence[int],
    flags: Sequence[str],
    root: Path,
    worker: Worker,
    rerun: bool,
    threads: int | None = None,
) -> tuple[list[Run], list[Run]]:
    """Set up every scheme once before the first run, and return all runs and the unfinished ones.

    Args:
        configs: One config per scheme.
        seeds: The seeds of each scheme.
        flags: More flags of `hml fit`, for all runs.
        root: The folder that contains the runs' folders.
        worker: Reads the data, which runs in this process share.
        rerun: Whether to replace finished runs that have a different recipe.
        threads: Number of threads per run on a CPU. None uses the run's default.

    Raises:
        HmlError: a config, a flag or the data are wrong, or an existing run has a different recipe.
    """
    for flag in flags:
        if flag.partition("=")[0] in _OWN_FLAGS:
            raise InputError(f"{flag} is set by hml table1: use --schemes, --seeds and --root instead.")
    configs_of: dict[str, Path] = {}
    runs: list[Run] = []
    todo: list[Run] = []
    for config in configs:
        args = ("fit", *_DEFAULTS, "--config", str(config), *flags)
        prepared = worker.prepare(args)
        scheme = prepared.record.scheme
        if (other := configs_of.setdefault(scheme, config)) is not config:
            raise InputError(f"{other} and {config} both name the scheme {scheme}: rename one.")
        for seed in seeds:
            asked = replace(prepared.record, seed=seed, data=prepared.datamodule.provenance)
            run = _plan_run(prepared, asked, folder_of(root, scheme, seed), args, threads)
            runs.append(run)
            if not _is_done(run, asked, rerun):
                todo.append(run)
    # All schemes at the first seed, then at the next: an interrupted study has complete pairs to compare.
    todo.sort(key=lambda run: seeds.index(run.seed))
    return runs, todo


def _plan_run(prepared: PreparedRun, asked: RunRecord, folder: Path, args: Sequence[str], threads: int | None) -> Run:
    """Plan one run of a scheme that was set up."""
    settings, trainer = prepared.settings, prepared.trainer
    if not settings.eval_after_fit or settings.ckpt_path is not None:
        raise InputError("Runs of a table train from scratch, then test: leave out eval_after_fit and ckpt_path.")
    devices = trainer.num_devices * trainer.num_nodes
    on_gpu = trainer.strategy.root_device.type == "cuda"
    chosen = ("--threads", str(threads)) if threads and not on_gpu and settings.threads is None else ()
    own = ("--seed", str(asked.seed), "--run_folder", str(folder), "--resume", "auto")
    return Run(
        asked.scheme, asked.seed, folder, (*args, *chosen, *own), devices, on_gpu, resumes=can_resume(folder, asked)
    )


def _is_done(run: Run, asked: RunRecord, rerun: bool) -> bool:
    outcome = read_outcome(run.folder, run.scheme, run.seed)
    if not isinstance(outcome, RunResult):
        return False
    found = outcome.recipe.compare(asked.recipe) | differences(outcome.data, asked.data)
    if found and not rerun:
        raise InputError(
            f"{run.folder} has a run with another recipe:{format_differences(found)}\n"
            "Give another --root to keep it, or --rerun to replace it."
        )
    return not found


def carry_out(runs: Sequence[Run], execute: Executor) -> dict[Run, Failure]:
    """Carry out runs and show their progress. A run that leaves no result counts as failed.

    Returns:
        The failures of runs whose folders another process has. They are not recorded in those folders.
    """
    in_use: dict[Run, Failure] = {}
    ready = []
    with contextlib.closing(Progress(len(runs))) as progress:
        for run in runs:
            try:
                clear(run)
                ready.append(run)
            except FolderInUseError as error:
                in_use[run] = Failure(run.scheme, run.seed, str(error), error.exit_code)
                progress.end(run, in_use[run])
        for run, failure in execute(ready, progress) if ready else ():
            if failure is not None:
                in_use[run] = failure
            outcome = failure or read_outcome(run.folder, run.scheme, run.seed)
            progress.end(run, outcome or write_failure(run, f"It left no metrics.json: see {run.folder}.", 1))
    return in_use


def folder_of(root: Path, scheme: str, seed: int) -> Path:
    """Return the folder of a run."""
    return root / scheme / f"{_RUN_FOLDER}{seed}"


def find_runs(root: Path) -> list[tuple[str, int]]:
    """Find the scheme and seed of each run in a folder."""
    found = [
        (folder.parent.name, folder.name.removeprefix(_RUN_FOLDER)) for folder in sorted(root.glob(f"*/{_RUN_FOLDER}*"))
    ]
    return [(scheme, int(seed)) for scheme, seed in found if seed.isdecimal()]
