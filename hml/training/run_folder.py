"""A run's folder: its number, and the lock of the process that writes to it."""

import itertools
import re
from contextlib import AbstractContextManager
from pathlib import Path

from hml.errors import StorageError
from hml.files.locks import claim

LOCK = ".lock"
_VERSION = "version_"


def make_folder(parent: Path) -> Path:
    """Create the next `version_<n>`. Concurrent processes each get their own folder.

    Raises:
        StorageError: the folder can't be created.
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
                f"Can't create the folder {folder}: {error.strerror}. Use a --run_folder that you can write to."
            ) from error
        break
    return folder


def claim_run(folder: Path) -> AbstractContextManager[None]:
    """Lock a run's folder for this process.

    Raises:
        FolderInUseError: another process has locked the folder.
    """
    remedy = "wait until it ends, or use another folder (hml fit --run_folder, hml table1 --root)"
    return claim(folder / LOCK, f"Another run writes into {folder}: {remedy}.")
