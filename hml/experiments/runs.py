"""One run of a study and its outcome on disk: a result, a failure, or nothing yet."""

import json
import shutil
from dataclasses import dataclass
from pathlib import Path

from hml.errors import InputError, TimeLimitError
from hml.files.atomic import write_atomically
from hml.files.locks import holder_file
from hml.files.strict_json import read_json_object
from hml.notices import notice
from hml.training.result import RESULT, RunResult, read_result
from hml.training.run_folder import LOCK, claim_run

_FAILURE = "failed.json"


@dataclass(frozen=True)
class Run:
    """A scheme at a seed."""

    scheme: str
    seed: int
    folder: Path
    args: tuple[str, ...] = ()  # of `hml`; empty if the run is only read
    devices: int = 1  # with several, the run has its own process
    on_gpu: bool = False
    resumes: bool = False  # whether it resumes an interrupted run

    def __str__(self) -> str:
        """Return a readable name."""
        return f"{self.scheme}, seed {self.seed}"


@dataclass(frozen=True)
class Failure:
    """The error and the exit code of a run that ended without a result."""

    scheme: str
    seed: int
    error: str
    exit_code: int

    def __str__(self) -> str:
        """Return the error in one line, and whether the run can be resumed."""
        kind = "unfinished" if self.exit_code == TimeLimitError.exit_code else "failed"
        return f"{kind}: {' '.join(self.error.split())}"


Ended = tuple[Run, Failure | None]
"""A run that has ended, and its failure if that is not in the run's folder, because another process has the folder."""


def read_outcome(folder: Path, scheme: str, seed: int) -> RunResult | Failure | None:
    """Read the outcome of a run from its folder.

    Returns:
        The result or the failure. None if the run has not ended or its result is damaged; the latter prints a notice.

    Raises:
        InputError: the `metrics.json` is intact but belongs to another run or another version of hml.
    """
    if (result := read_result(folder)) is not None:
        if (result.scheme, result.seed) != (scheme, seed):
            raise InputError(
                f"{folder / RESULT} is of {result.scheme!r:.100}, seed {result.seed!r:.100}, "
                f"not of {scheme}, seed {seed}: it was copied or renamed. Move it away."
            )
        if result.training is None:
            raise InputError(f"{folder / RESULT} is of weights that hml did not train. Move it away.")
        return result
    if (folder / RESULT).exists():
        notice(f"{folder / RESULT} is damaged: {scheme}, seed {seed} counts as not finished.")
    if (content := read_json_object(folder / _FAILURE)) is not None:
        code = content.get("exit_code")
        return Failure(scheme, seed, str(content.get("error")), code if isinstance(code, int) and 0 < code < 256 else 1)
    return None


def write_failure(run: Run, error: str, exit_code: int) -> Failure:
    """Write the failure of a run into its folder."""
    write_atomically(run.folder / _FAILURE, json.dumps({"error": error, "exit_code": exit_code}, indent=2) + "\n")
    return Failure(run.scheme, run.seed, error, exit_code)


def clear(run: Run) -> None:
    """Make the run's folder and remove the files of an earlier run, except those that a resumed run needs.

    Raises:
        FolderInUseError: the earlier run is still running.
    """
    locks = (LOCK, holder_file(Path(LOCK)).name)
    with claim_run(run.folder):
        for path in run.folder.iterdir():
            if run.resumes and path.name not in (RESULT, _FAILURE):
                continue
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            elif path.name not in locks:
                path.unlink()
