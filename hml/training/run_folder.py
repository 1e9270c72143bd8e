"""A run's folder: its number, and which process may write into it."""

import itertools
import re
from contextlib import AbstractContextManager
from pathlib import Path

from hml.errors import StorageError
from hml.files.locks import claim

LOCK = ".lock"
_VERSION = "version_"


def make_folder(parent: Path) -> Path:
    """Make the next `version_<n>`; of processes that ask at the same time, each gets its own.

    Raises:
        StorageError: it can't be made.
    """
    taken = [re.fullmatch(rf"{_VERSION}(\d+)", path.name) for path in parent.glob(f"{_VERSION}*")]
    for number in itertools.count(1 + max((int(match[1]) for match in taken if match), default=-1)):
        folder = parent / f"{_VERSION}{number}"
        try:
            folder.mkdir(parents=True)
        except FileExistsError:
            continue
        except OSError as error:
            raise StorageError(
                f"Can't make the folder {folder}: {error.strerror}. Name one that you may write to: --run_folder."
            ) from error
        break
    return folder


def claim_run(folder: Path) -> AbstractContextManager[None]:
    """Keep a run's folder for this process.

    Raises:
        FolderInUseError: another process has it.
    """
    remedy = "let it end, or name another folder: hml fit's --run_folder, hml table1's --root"
    return claim(folder / LOCK, f"Another run writes into {folder}: {remedy}.")
