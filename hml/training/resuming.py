"""Finds the run to resume, and rejects settings that would not continue the same run."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.utilities import rank_zero_info, rank_zero_only
from typing_extensions import override

from hml.errors import FolderInUseError, InputError
from hml.files.strict_json import read_json_object
from hml.notices import notice
from hml.training.checkpoints import find_whole
from hml.training.choices import differences, format_differences
from hml.training.recipe import Recipe
from hml.training.record import RECORD, RunRecord, read_record, write_record
from hml.training.result import RESULT, TRAINING
from hml.training.run_folder import claim_run

Resume = Literal["auto", "must", "never"]

_CONFIG = "config.yaml"
_CHOICES = ("scheme", "seed", "recipe")
_BEFORE_DATA = (*_CHOICES, "code")
_BEFORE_TRAINING = (*_BEFORE_DATA, "data")
"""The fields of a record that are known and compared at each stage."""
_REMEDY = "Start a new run with --resume never, or start from its weights: --ckpt_path <run>/checkpoints/last.ckpt."


@dataclass(frozen=True)
class Unfinished:
    """A run to resume."""

    folder: Path
    checkpoint: Path | None = None  # None if the run has no checkpoint yet
    step: int = 0  # of the checkpoint
    threads: int | None = None  # number that the run must use; None leaves PyTorch's number unchanged


def find_unfinished(
    resume: Resume,
    run_folder: Path | None,
    parent: Path,
    asked: RunRecord,
    threads_are_chosen: bool = False,
) -> Unfinished | None:
    """Find the run to resume.

    Args:
        resume: "never" returns None. "auto" returns a run if there is one. "must" requires one.
        run_folder: The run's folder, if the user set it.
        parent: The folder of the scheme's runs. Without `run_folder`, the newest of this recipe and seed is used.
        asked: The requested run.
        threads_are_chosen: Whether the user set PyTorch's threads. If not, the run keeps its number of threads.

    Raises:
        InputError: the run must exist and doesn't, or it differs from the requested run.
    """
    if resume == "never":
        return None
    folders = [run_folder] if run_folder is not None else _newest_first(parent)
    others = ""
    for folder in folders:
        there = read_record(folder)
        if there is None and (folder / RECORD).exists():
            notice(f"{folder / RECORD} is damaged, or of another version: the run isn't resumed.")
        if there is None or read_json_object(folder / RESULT) is not None:
            continue
        if run_folder is None and (there.compare(asked, *_CHOICES) or _is_in_use(folder)):
            found = there.compare(asked, *_BEFORE_DATA)
            others = others or (f"\n{folder}:{format_differences(found)}" if found else "")
            continue
        _reject_another(folder, there, asked, *_BEFORE_DATA)
        threads = _check_threads(folder, there.threads, threads_are_chosen)
        if (checkpoint := find_whole(folder)) is not None:
            rank_zero_info(f"Resuming {folder} from step {checkpoint[1]}.")
            return Unfinished(folder, *checkpoint, threads)
        if run_folder is not None and resume == "auto":
            return Unfinished(folder, threads=threads)
    if resume == "must":
        place = run_folder or parent
        raise InputError(f"--resume must: there is no unfinished run of this recipe and seed in {place}.{others}")
    return None


def _check_threads(folder: Path, threads: int | None, are_chosen: bool) -> int | None:
    """Return a run's number of threads if it differs from PyTorch's current one. Results on a CPU depend on it."""
    now = torch.get_num_threads()
    if threads is None or threads == now:
        return None
    if are_chosen:
        raise InputError(
            f"{folder / RECORD} is of an unfinished run that differs:"
            f"{format_differences({'threads': (threads, now)})}\n"
            f"Results depend on the number of threads: set --threads {threads}."
        )
    return threads


@contextmanager
def use_threads(number: int | None) -> Iterator[None]:
    """Set PyTorch's number of threads within the block; None leaves it unchanged."""
    before = torch.get_num_threads()
    try:
        if number is not None:
            rank_zero_info(f"Using {number} threads, as this run did before.")
            torch.set_num_threads(number)
        yield
    finally:
        torch.set_num_threads(before)


def _reject_another(folder: Path, there: RunRecord, asked: RunRecord, *parts: str) -> None:
    if found := there.compare(asked, *parts):
        raise InputError(
            f"{folder / RECORD} is of an unfinished run that differs:{format_differences(found)}\n{_REMEDY}"
        )


def reject_another_optimizer(checkpoint: Path, recipe: Recipe) -> None:
    """Reject another optimiser or schedule than the checkpoint's, whose states would be restored.

    Raises:
        InputError: the optimiser or the schedule differs from that of the checkpoint's run.
    """
    if (there := read_record(run_of(checkpoint))) is None:  # the checkpoint is not in a run's folder
        return
    parts = ("optimizer", "lr_scheduler")
    if found := differences(*({part: made.model.get(part) for part in parts} for made in (there.recipe, recipe))):
        raise InputError(
            f"{checkpoint} restores its own optimiser and schedule, which differ:{format_differences(found)}\n"
            "Use the same ones, or start a new run without --ckpt_path."
        )


def reject_another_name(checkpoint: Path, asked: RunRecord) -> None:
    """Reject a run's weights if their results would be reported under the name of another run.

    Raises:
        InputError: the checkpoint's run has another scheme, seed or strategy. The error names the differences.
    """
    if (there := read_record(run_of(checkpoint))) is None:
        return
    strategies = [{"strategy": run.recipe.data.get("strategy")} for run in (there, asked)]
    if found := there.compare(asked, "scheme", "seed") | differences(*strategies):
        raise InputError(
            f"{checkpoint} is of another run:{format_differences(found)}\n"
            f"Use that run's config: --config {run_of(checkpoint) / _CONFIG}"
        )


def run_of(checkpoint: Path) -> Path:
    """Return the folder of the run that a checkpoint belongs to, if it belongs to one."""
    return Path(os.path.normpath(checkpoint.parent / ".."))  # also for a checkpoint in the working directory


def reject_used_folder(folder: Path) -> None:
    """Reject a folder for a new run that already contains a run.

    Raises:
        FolderInUseError: the folder contains a finished or unfinished run.
    """
    if not (folder / RECORD).exists() and not (folder / _CONFIG).exists():
        return
    done = (folder / RESULT).exists()
    remedy = "" if done else ", or resume it with --resume auto"
    raise FolderInUseError(
        f"{folder} has {'a finished run' if done else 'an unfinished run'}: use another --run_folder{remedy}."
    )


def can_resume(folder: Path, asked: RunRecord) -> bool:
    """Return whether a folder has an unfinished run that equals the requested one, including its data."""
    there = read_record(folder)
    return there is not None and not there.compare(asked, *_BEFORE_TRAINING)


class RecordKeeper(Callback):
    """Writes `run.json`. For a resumed run, checks that its data and threads are the same as before.

    Args:
        asked: The run's record, without its data and threads.
        resumed: The folder of the resumed run, if there is one.
    """

    def __init__(self, asked: RunRecord, resumed: Path | None) -> None:
        self.asked = asked
        self.resumed = resumed

    @override
    def on_load_checkpoint(self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]) -> None:
        # Lightning restores EarlyStopping's counts, but not that it has stopped training.
        if self.resumed is not None and (checkpoint.get(TRAINING) or {}).get("stopped_by"):
            trainer.should_stop = True

    @override
    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        folder = trainer.log_dir  # a broadcast: every rank must take part
        if stage != "fit" or trainer.fast_dev_run or folder is None:  # type: ignore[attr-defined]
            return
        on_cpu = trainer.strategy.root_device.type == "cpu"
        record = replace(
            self.asked,
            data=trainer.datamodule.provenance,  # type: ignore[attr-defined]
            threads=torch.get_num_threads() if on_cpu else None,
        )
        if self.resumed is None:
            if trainer.is_global_zero and read_record(Path(folder)) is None:
                write_record(Path(folder), record)
            return
        if Path(folder).absolute() != self.resumed.absolute():
            raise InputError(f"One process resumes {folder}, another {self.resumed}: set --run_folder.")
        there = read_record(self.resumed)
        assert there is not None, "only runs with a record are resumed, in a folder that this process has locked"
        _reject_another(self.resumed, there, record, *_BEFORE_TRAINING, "threads")


def _newest_first(parent: Path) -> list[Path]:
    records = [(path.stat().st_mtime_ns, path.parent) for path in parent.glob(f"*/{RECORD}")]
    return [folder for _, folder in sorted(records, reverse=True)]


def _is_in_use(folder: Path) -> bool:
    if rank_zero_only.rank != 0:  # type: ignore[attr-defined]  # the first rank has locked this folder
        return False
    try:
        with claim_run(folder):
            return False
    except FolderInUseError:
        return True
