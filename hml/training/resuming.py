"""Which run goes on: what a run is stands in its folder's `run.json` from the start, and only the same one goes on."""

import functools
import hashlib
import json
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import lightning
import numpy
import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.utilities import rank_zero_info, rank_zero_only, rank_zero_warn
from typing_extensions import override

import hml
from hml.errors import FolderInUseError, InputError
from hml.files.atomic import write_atomically
from hml.files.locks import claim
from hml.files.strict_json import read_json_object
from hml.training.checkpoints import find_whole
from hml.training.choices import differences, tell
from hml.training.result import RESULT, TRAINING

Resume = Literal["auto", "must", "never"]

RECORD = "run.json"
CONFIG = "config.yaml"
LOCK = ".lock"
_REMEDY = "Start anew with --resume never, or go on from it all the same: --ckpt_path <run>/checkpoints/last.ckpt."


@dataclass(frozen=True)
class Unfinished:
    """A run to go on with.

    Args:
        folder: Its folder.
        checkpoint: Where it goes on from; None if it was stopped before its first.
        step: The step that it goes on from.
        threads: How many threads it has used until now; None if it is not on a CPU.
    """

    folder: Path
    checkpoint: Path | None = None
    step: int = 0
    threads: int | None = None


def find_unfinished(
    resume: Resume,
    run_folder: Path | None,
    parent: Path,
    asked: Mapping[str, Any],
    threads_are_chosen: bool = False,
) -> Unfinished | None:
    """Find the run to go on with.

    Args:
        resume: "never"; "auto", if there is one; or "must".
        run_folder: The only one that it may be, where one is named.
        parent: Else, the folder with the scheme's runs, of which the newest of this recipe and seed is taken.
        asked: What is asked for: scheme, seed, recipe and code.
        threads_are_chosen: Whether the user has chosen PyTorch's threads: else the run keeps the number that it had.

    Raises:
        InputError: there must be a run and there is none, or the run that it would be differs.
    """
    if resume == "never":
        return None
    folders = [run_folder] if run_folder is not None else _newest_first(parent)
    others = ""
    for folder in folders:
        there = read_json_object(folder / RECORD)
        if there is None and (folder / RECORD).exists():
            rank_zero_warn(f"{folder / RECORD} is damaged, since hml writes it whole: that run doesn't go on.")
        if there is None or read_json_object(folder / RESULT) is not None:
            continue
        is_other = bool(differences(_identity(there), _identity(asked)))
        if run_folder is None and (is_other or _is_in_use(folder)):
            others = others or (tell(_compare(there, asked)) and f"\n{folder}:{tell(_compare(there, asked))}")
            continue
        refuse_another(folder, there, asked)
        threads = _check_threads(folder, there, threads_are_chosen)
        if (found := find_whole(folder)) is not None:
            rank_zero_info(f"Goes on with {folder} from step {found[1]}.")
            return Unfinished(folder, *found, threads)
        if run_folder is not None and resume == "auto":
            return Unfinished(folder, threads=threads)
    if resume == "must":
        place = run_folder or parent
        raise InputError(f"--resume must: no unfinished run of this recipe and seed in {place}.{others}")
    return None


def _check_threads(folder: Path, there: Mapping[str, Any], are_chosen: bool) -> int | None:
    """Return how many threads a run had, if that isn't PyTorch's number now: results on a CPU depend on it.

    Raises:
        InputError: the user has chosen another number.
    """
    threads, now = there.get("threads"), torch.get_num_threads()
    if not isinstance(threads, int) or threads == now:
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


def refuse_another(folder: Path, there: Mapping[str, Any], asked: Mapping[str, Any]) -> None:
    """Refuse to go on with a run that isn't the one asked for.

    Raises:
        InputError: they differ; says in what.
    """
    if found := _compare(there, asked):
        raise InputError(f"{folder / RECORD} is of an unfinished run that differs:{tell(found)}\n{_REMEDY}")


def refuse_another_optimizer(checkpoint: Path, recipe: Mapping[str, Any]) -> None:
    """Refuse to go on from a run's checkpoint with another optimiser or schedule: theirs are restored as they were.

    Raises:
        InputError: they differ from what the run beside the checkpoint was begun with; says in what.
    """
    there = (read_json_object(checkpoint.parent.parent / RECORD) or {}).get("recipe", {}).get("model", {})
    asked = json.loads(json.dumps(recipe["model"]))
    parts = ("optimizer", "lr_scheduler")
    found = differences(*({part: model.get(part) for part in parts} for model in (there, asked))) if there else {}
    if found:
        raise InputError(
            f"{checkpoint} goes on with its own optimiser and schedule, which differ:{tell(found)}\n"
            "Ask for the same, or start anew."
        )


def refuse_another_name(checkpoint: Path, asked: Mapping[str, Any]) -> None:
    """Refuse to report a run's weights as those of another.

    Args:
        checkpoint: The weights.
        asked: What they would be called: scheme, seed and recipe.

    Raises:
        InputError: the run beside the checkpoint has another scheme, seed or strategy; says which.
    """
    if (there := read_json_object(checkpoint.parent.parent / RECORD)) is None:  # the checkpoint stands alone
        return
    names = [
        {
            "scheme": run.get("scheme"),
            "seed": run.get("seed"),
            "strategy": run.get("recipe", {}).get("data", {}).get("strategy"),
        }
        for run in (there, json.loads(json.dumps(asked)))
    ]
    if found := differences(*names):
        raise InputError(
            f"{checkpoint} is of another run:{tell(found)}\n"
            f"Use that run's own config: --config {checkpoint.parent.parent / 'config.yaml'}"
        )


def refuse_used(folder: Path) -> None:
    """Refuse to train in a folder that has a run already.

    Raises:
        FolderInUseError: it has one, whether that is done or not.
    """
    if not (folder / RECORD).exists() and not (folder / CONFIG).exists():
        return
    done = (folder / RESULT).exists()
    remedy = "" if done else ", or if nothing has changed since, --resume auto"
    raise FolderInUseError(
        f"{folder} has {'a run that is done' if done else 'an unfinished run'}: give another --run_folder{remedy}."
    )


def can_go_on(folder: Path, asked: Mapping[str, Any]) -> bool:
    """Tell whether a folder has an unfinished run, and all that is asked for is as it was there."""
    there = read_json_object(folder / RECORD)
    return there is not None and not _compare(there, asked)


@functools.cache
def hash_code() -> dict[str, str]:
    """Say what code runs: hml's own, hashed, and the packages whose arithmetic it is."""
    root = Path(hml.__file__).parent
    digest = hashlib.sha256()
    for path in sorted([*root.rglob("*.py"), *root.rglob("*.yaml")]):
        digest.update(f"{path.relative_to(root)}\0".encode() + path.read_bytes())
    versions = {"torch": torch.__version__, "lightning": lightning.__version__, "numpy": numpy.__version__}
    return {"hml": digest.hexdigest()} | versions


def claim_run(folder: Path) -> AbstractContextManager[None]:
    """Keep a run's folder for this process.

    Raises:
        FolderInUseError: another process has it.
    """
    remedy = "let it end, or name another folder: hml fit's --run_folder, hml table1's --root"
    return claim(folder / LOCK, f"Another run writes into {folder}: {remedy}.")


class RunRecord(Callback):
    """Writes `run.json`, or sees to it that the data of a run that goes on are those it began with.

    Args:
        asked: What the run is: scheme, seed, recipe and code.
        resumed: The folder of the run that goes on, if one does.
    """

    def __init__(self, asked: Mapping[str, Any], resumed: Path | None) -> None:
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
        record = {
            **self.asked,
            "data": trainer.datamodule.provenance,  # type: ignore[attr-defined]
            "threads": torch.get_num_threads() if on_cpu else None,
        }
        there = read_json_object(Path(folder) / RECORD)
        if self.resumed is not None:
            if Path(folder).absolute() != self.resumed.absolute():
                raise InputError(
                    f"One process goes on with {folder}, another with {self.resumed}: name a --run_folder."
                )
            refuse_another(self.resumed, there or {}, record)
        elif trainer.is_global_zero and there is None:
            write_atomically(Path(folder) / RECORD, json.dumps(record, indent=2, allow_nan=False) + "\n")


def _newest_first(parent: Path) -> list[Path]:
    records = [(path.stat().st_mtime_ns, path.parent) for path in parent.glob(f"*/{RECORD}")]
    return [folder for _, folder in sorted(records, reverse=True)]


def _identity(what: Mapping[str, Any]) -> dict[str, Any]:
    return {key: json.loads(json.dumps(what.get(key))) for key in ("scheme", "seed", "recipe")}


def _compare(there: Mapping[str, Any], asked: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
    wanted = json.loads(json.dumps(asked))
    return differences({key: there.get(key) for key in wanted}, wanted)


def _is_in_use(folder: Path) -> bool:
    if rank_zero_only.rank != 0:  # type: ignore[attr-defined]  # the first rank has taken the very folder
        return False
    try:
        with claim_run(folder):
            return False
    except FolderInUseError:
        return True
