"""Which run is resumed, and what is rejected because it would not continue the same run."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.utilities import rank_zero_info, rank_zero_only, rank_zero_warn
from typing_extensions import override

from hml.errors import FolderInUseError, InputError
from hml.files.strict_json import read_json_object
from hml.training.checkpoints import find_whole
from hml.training.choices import differences, tell
from hml.training.recipe import Recipe
from hml.training.record import RECORD, RunRecord, read_record, write_record
from hml.training.result import RESULT, TRAINING
from hml.training.run_folder import claim_run

Resume = Literal["auto", "must", "never"]

_CONFIG = "config.yaml"
_CHOICES = ("scheme", "seed", "recipe")
_BEFORE_DATA = (*_CHOICES, "code")
_BEFORE_TRAINING = (*_BEFORE_DATA, "data")
"""The fields of a record that are known, and compared, at each stage."""
_REMEDY = "Start anew with --resume never, or go on from it all the same: --ckpt_path <run>/checkpoints/last.ckpt."


@dataclass(frozen=True)
class Unfinished:
    """A run to resume."""

    folder: Path
    checkpoint: Path | None = None  # None if it was stopped before its first
    step: int = 0  # of the checkpoint
    threads: int | None = None  # that it must use; None leaves PyTorch's number as it is


def find_unfinished(
    resume: Resume,
    run_folder: Path | None,
    parent: Path,
    asked: RunRecord,
    threads_are_chosen: bool = False,
) -> Unfinished | None:
    """Find the run to resume.

    Args:
        resume: "never"; "auto", if there is one; or "must".
        run_folder: Its folder, where the user named one.
        parent: Otherwise, the folder with the scheme's runs, of which the newest of this recipe and seed is used.
        asked: The run asked for.
        threads_are_chosen: Whether the user has chosen PyTorch's threads: else the run keeps the number that it had.

    Raises:
        InputError: there must be a run and there is none, or the run that it would be differs.
    """
    if resume == "never":
        return None
    folders = [run_folder] if run_folder is not None else _newest_first(parent)
    others = ""
    for folder in folders:
        there = read_record(folder)
        if there is None and (folder / RECORD).exists():
            rank_zero_warn(f"{folder / RECORD} is damaged, or another version's: that run isn't resumed.")
        if there is None or read_json_object(folder / RESULT) is not None:
            continue
        if run_folder is None and (there.compare(asked, *_CHOICES) or _is_in_use(folder)):
            found = there.compare(asked, *_BEFORE_DATA)
            others = others or (f"\n{folder}:{tell(found)}" if found else "")
            continue
        _reject_another(folder, there, asked, *_BEFORE_DATA)
        threads = _check_threads(folder, there.threads, threads_are_chosen)
        if (checkpoint := find_whole(folder)) is not None:
            rank_zero_info(f"Goes on with {folder} from step {checkpoint[1]}.")
            return Unfinished(folder, *checkpoint, threads)
        if run_folder is not None and resume == "auto":
            return Unfinished(folder, threads=threads)
    if resume == "must":
        place = run_folder or parent
        raise InputError(f"--resume must: no unfinished run of this recipe and seed in {place}.{others}")
    return None


def _check_threads(folder: Path, threads: int | None, are_chosen: bool) -> int | None:
    """Return how many threads a run had, if that isn't PyTorch's number now: results on a CPU depend on it."""
    now = torch.get_num_threads()
    if threads is None or threads == now:
        return None
    if are_chosen:
        raise InputError(
            f"{folder / RECORD} is of an unfinished run that differs:{tell({'threads': (threads, now)})}\n"
            f"Results depend on the number of threads: give --threads {threads}."
        )
    return threads


@contextmanager
def use_threads(number: int | None) -> Iterator[None]:
    """Let operators on the CPU use so many threads within the block; None changes nothing."""
    before = torch.get_num_threads()
    try:
        if number is not None:
            rank_zero_info(f"Uses {number} threads, as this run did before.")
            torch.set_num_threads(number)
        yield
    finally:
        torch.set_num_threads(before)


def _reject_another(folder: Path, there: RunRecord, asked: RunRecord, *parts: str) -> None:
    if found := there.compare(asked, *parts):
        raise InputError(f"{folder / RECORD} is of an unfinished run that differs:{tell(found)}\n{_REMEDY}")


def reject_another_optimizer(checkpoint: Path, recipe: Recipe) -> None:
    """Reject a run's checkpoint for another optimiser or schedule: theirs are restored as they were.

    Raises:
        InputError: they differ from those of the run beside the checkpoint; names the differences.
    """
    if (there := read_record(run_of(checkpoint))) is None:  # the checkpoint has no run beside it
        return
    parts = ("optimizer", "lr_scheduler")
    if found := differences(*({part: made.model.get(part) for part in parts} for made in (there.recipe, recipe))):
        raise InputError(
            f"{checkpoint} goes on with its own optimiser and schedule, which differ:{tell(found)}\n"
            "Ask for the same, or start anew."
        )


def reject_another_name(checkpoint: Path, asked: RunRecord) -> None:
    """Reject a run's weights where their results would be reported as those of another run.

    Raises:
        InputError: the run beside the checkpoint has another scheme, seed or strategy; says which.
    """
    if (there := read_record(run_of(checkpoint))) is None:
        return
    strategies = [{"strategy": run.recipe.data.get("strategy")} for run in (there, asked)]
    if found := there.compare(asked, "scheme", "seed") | differences(*strategies):
        raise InputError(
            f"{checkpoint} is of another run:{tell(found)}\n"
            f"Use that run's own config: --config {run_of(checkpoint) / _CONFIG}"
        )


def run_of(checkpoint: Path) -> Path:
    """Return the folder of the run whose checkpoint it is, if it is a run's."""
    return Path(os.path.normpath(checkpoint.parent / ".."))  # also of a checkpoint in the working directory


def reject_used_folder(folder: Path) -> None:
    """Reject a folder for a new run that has a run already.

    Raises:
        FolderInUseError: it has one, whether that is done or not.
    """
    if not (folder / RECORD).exists() and not (folder / _CONFIG).exists():
        return
    done = (folder / RESULT).exists()
    remedy = "" if done else ", or if nothing has changed since, --resume auto"
    raise FolderInUseError(
        f"{folder} has {'a run that is done' if done else 'an unfinished run'}: give another --run_folder{remedy}."
    )


def can_resume(folder: Path, asked: RunRecord) -> bool:
    """Return whether a folder has an unfinished run that is the one asked for, with the same data."""
    there = read_record(folder)
    return there is not None and not there.compare(asked, *_BEFORE_TRAINING)


class RecordKeeper(Callback):
    """Writes `run.json`, or checks that a run is resumed with the data and threads that it began with.

    Args:
        asked: The run's record, without its data and threads.
        resumed: The folder of the run that is resumed, if one is.
    """

    def __init__(self, asked: RunRecord, resumed: Path | None) -> None:
        self.asked = asked
        self.resumed = resumed

    @override
    def on_load_checkpoint(self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]) -> None:
        # Lightning restores what EarlyStopping has counted, but not that it has stopped training.
        if self.resumed is not None and (checkpoint.get(TRAINING) or {}).get("stopped_by"):
            trainer.should_stop = True

    @override
    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        folder = trainer.log_dir  # every rank must ask, since the first one tells the others
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
            raise InputError(f"One process goes on with {folder}, another with {self.resumed}: name a --run_folder.")
        there = read_record(self.resumed)
        assert there is not None, "only a run with a record is resumed, in a folder that is this process's own"
        _reject_another(self.resumed, there, record, *_BEFORE_TRAINING, "threads")


def _newest_first(parent: Path) -> list[Path]:
    records = [(path.stat().st_mtime_ns, path.parent) for path in parent.glob(f"*/{RECORD}")]
    return [folder for _, folder in sorted(records, reverse=True)]


def _is_in_use(folder: Path) -> bool:
    if rank_zero_only.rank != 0:  # type: ignore[attr-defined]  # the first rank has taken the very folder
        return False
    try:
        with claim_run(folder):
            return False
    except FolderInUseError:
        return True
