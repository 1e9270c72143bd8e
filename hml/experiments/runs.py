"""One run of a study, and what it left on disk: a result, a failure, or nothing yet."""

import json
import shutil
from dataclasses import dataclass
from pathlib import Path

from lightning.pytorch.utilities import rank_zero_warn

from hml.errors import InputError, TimeLimitError
from hml.files.atomic import write_atomically
from hml.files.locks import holder_file
from hml.files.strict_json import read_json_object
from hml.training.result import RESULT, RunResult, read_result
from hml.training.run_folder import LOCK, claim_run

_FAILURE = "failed.json"


@dataclass(frozen=True)
class Run:
    """A scheme at a seed."""

    scheme: str
    seed: int
    folder: Path
    args: tuple[str, ...] = ()  # of `hml`; none where the run is only read
    devices: int = 1  # several need a process of their own
    on_gpu: bool = False
    resumes: bool = False  # whether it continues an interrupted attempt

    def __str__(self) -> str:
        """Name it for people."""
        return f"{self.scheme}, seed {self.seed}"


@dataclass(frozen=True)
class Failure:
    """A run that ended without a result: why, and with which exit code."""

    scheme: str
    seed: int
    error: str
    exit_code: int

    def __str__(self) -> str:
        """Return it in one line, with whether the run can be resumed."""
        kind = "unfinished" if self.exit_code == TimeLimitError.exit_code else "failed"
        return f"{kind}: {' '.join(self.error.split())}"


Ended = tuple[Run, Failure | None]
"""A run that has ended, and the failure that its folder doesn't tell, since another process has that."""


def read_outcome(folder: Path, scheme: str, seed: int) -> RunResult | Failure | None:
    """Read what a run left in its folder; None where it hasn't ended, or what it left isn't whole, which is said.

    Raises:
        InputError: there is a whole `metrics.json`, but not one of this version's.
    """
    if (result := read_result(folder)) is not None:
        if (result.scheme, result.seed) != (scheme, seed):
            raise InputError(
                f"{folder / RESULT} is of {result.scheme!r:.100}, seed {result.seed!r:.100}, "
                f"not of {scheme}, seed {seed}: it was copied, or renamed. Move it away."
            )
        if result.training is None:
            raise InputError(f"{folder / RESULT} is of weights that hml didn't train. Move it away.")
        return result
    if (folder / RESULT).exists():
        rank_zero_warn(f"{folder / RESULT} is damaged, since hml writes it whole: {scheme}, seed {seed} isn't done.")
    if (content := read_json_object(folder / _FAILURE)) is not None:
        code = content.get("exit_code")
        return Failure(scheme, seed, str(content.get("error")), code if isinstance(code, int) and 0 < code < 256 else 1)
    return None


def write_failure(run: Run, error: str, exit_code: int) -> Failure:
    """Write into the run's folder why it failed."""
    write_atomically(run.folder / _FAILURE, json.dumps({"error": error, "exit_code": exit_code}, indent=2) + "\n")
    return Failure(run.scheme, run.seed, error, exit_code)


def clear(run: Run) -> None:
    """Make the run's folder, and remove what an earlier attempt left, except what a resumed run continues from.

    Raises:
        FolderInUseError: that attempt is still running.
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
