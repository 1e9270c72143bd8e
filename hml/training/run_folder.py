"""A run's folder: its number, and a Trainer that keeps to it whatever loggers it has."""

import itertools
import re
from pathlib import Path

from lightning.pytorch import Trainer
from typing_extensions import override

_VERSION = "version_"


class RunTrainer(Trainer):
    """Lightning's Trainer with a folder for the run's own files, which doesn't depend on its loggers.

    `folder` is set once the run has a folder, in the first process only; `parent` is the folder of its scheme.
    """

    folder: Path | None = None
    parent: Path | None = None

    @property
    @override
    def log_dir(self) -> str | None:
        """The run's folder, the same on every rank; None for a run that leaves nothing. Every rank must ask."""
        folder = self.strategy.broadcast(self.folder)
        return None if folder is None else str(folder)

    @property
    @override
    def default_root_dir(self) -> str:
        """Where callbacks and loggers write that were given no folder: the run's own.

        Under SLURM Lightning loads `hpc_ckpt_*.ckpt` from here in every stage, so it can't be the working directory.
        """
        folder = self.folder or self.parent
        return super().default_root_dir if folder is None else str(folder)


def make_folder(parent: Path) -> Path:
    """Make the next `version_<n>`; of processes that ask at the same time, each gets its own."""
    taken = [re.fullmatch(rf"{_VERSION}(\d+)", path.name) for path in parent.glob(f"{_VERSION}*")]
    for number in itertools.count(1 + max((int(match[1]) for match in taken if match), default=-1)):
        folder = parent / f"{_VERSION}{number}"
        try:
            folder.mkdir(parents=True)
        except FileExistsError:
            continue
        break
    return folder
