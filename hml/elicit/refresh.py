"""Adds images to a running study: a relabeller, fitted to the answers so far, proposes them.

Fitting and proposing run in separate processes, at low priority. Even if they fail, answers are kept and
images are shown as before.
"""

import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from hml.data import ImageBank
from hml.elicit.research.export import export_answers, history_path
from hml.elicit.stimuli import read_proposals
from hml.elicit.store.answers import count_answers
from hml.elicit.store.database import make_folder
from hml.elicit.store.folder import StudyFolder
from hml.elicit.store.history import add_images, read_batches
from hml.elicit.store.store import Store
from hml.elicit.study import Study, source_arguments
from hml.errors import HmlError

ANSWERS, RELABELLER, PROPOSED, LOG = "answers.csv", "relabeller.pt", "proposed.csv", "log.txt"
"""Files of the study's folder `refresh`: the processes' inputs and outputs, and what they print."""

_LOG = logging.getLogger("uvicorn.error")
_POLL_SECONDS = 2.0
_NICENESS = 10

Commands = Callable[[Path, int], Sequence[Sequence[str]]]
"""Returns the commands that write `PROPOSED` from `ANSWERS`, given their folder and the batch's number, from 1."""


class RefreshError(HmlError):
    """A process that proposes images failed, or exceeded its time limit."""


@dataclass(frozen=True)
class Failure:
    """A failed attempt to add images."""

    at: str  # when, in UTC
    reason: str
    next_at: int  # number of answers at the next attempt


class Refresher:
    """Adds a batch of images after every `refresh_every` answers.

    After a failure, the next attempt is `refresh_every` answers later. Batches are recorded in the study's folder, so
    a restarted server continues the count.

    Args:
        store: The study.
        bank: Its original images, to check proposals.
        commands: Returns the commands to run; see `relabel_commands`.
        folder: The commands' working directory.
    """

    def __init__(self, store: Store, bank: ImageBank, commands: Commands, folder: Path = Path()) -> None:
        self.failure: Failure | None = None
        self._store = store
        self._choice = store.study.stimuli
        self._bank = bank
        self._commands = commands
        self._folder = folder
        self._work = store.folder.path.absolute() / "refresh"
        self._tried_at = 0  # number of answers at the last attempt
        self._stopping = threading.Event()

    def run(self) -> None:
        """Add images whenever they are due, until `stop` is called in another thread."""
        while self._choice.refresh_every is not None and not self._stopping.wait(_POLL_SECONDS):
            self.refresh()

    def stop(self) -> None:
        """Stop `run`, and kill a process that is fitting or proposing."""
        self._stopping.set()

    def refresh(self) -> int:
        """Add a batch of images if one is due; return how many images were added.

        A failure is logged and kept in `failure`.
        """
        if (every := self._choice.refresh_every) is None:
            return 0
        try:
            # A separate connection, so that people who answer don't wait for it.
            with closing(StudyFolder(self._store.folder.path, clock=self._store.folder.clock)) as folder:
                count = count_answers(folder.database)
                with folder.database.reading() as rows:
                    batches = read_batches(rows)
                since = max([self._tried_at, *(batch["answers"] for batch in batches)])
                if count - since < every or len(batches) >= self._choice.refresh_times:
                    return 0
                self._tried_at = count
                added = self._add_batch(folder, len(batches) + 1, count)
        except (HmlError, OSError) as error:
            if not self._stopping.is_set():
                _LOG.error("No images were added: %s", error)
                self.failure = Failure(self._store.folder.now(), str(error), self._tried_at + every)
            return 0
        self.failure = None
        return added

    def _add_batch(self, folder: StudyFolder, number: int, count: int) -> int:
        """Fit, propose and add images. Always delete files with answers, or fitted to answers."""
        make_folder(self._work)
        (self._work / LOG).write_bytes(b"")
        answers = self._work / ANSWERS
        deadline = time.monotonic() + 60 * self._choice.refresh_minutes
        try:
            export_answers(folder, answers, "plain")
            for command in self._commands(self._work, number):
                self._run(command, deadline)
            proposals = read_proposals(self._work / PROPOSED, self._bank)
        finally:
            for path in (answers, history_path(answers), self._work / RELABELLER, self._work / PROPOSED):
                path.unlink(missing_ok=True)
        source = {"number": number, "answers": count, "acquisition": self._choice.acquisition}
        if not (added := add_images(folder, proposals, source)):
            raise RefreshError("The study already has all proposed images.")
        return added

    def _run(self, command: Sequence[str], deadline: float) -> None:
        """Run a command; raise a RefreshError if it fails or exceeds the deadline."""
        # The user's own image source may be a module in the folder where the server was started.
        path = os.pathsep.join(filter(None, (str(Path.cwd()), os.environ.get("PYTHONPATH"))))
        with (self._work / LOG).open("ab") as log:
            process = subprocess.Popen(
                command,
                cwd=self._folder,
                env=os.environ | {"PYTHONPATH": path, "OMP_NUM_THREADS": "1"},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # so that its child processes are killed with it
            )
        os.setpriority(os.PRIO_PROCESS, process.pid, _NICENESS)
        while process.poll() is None:
            if self._stopping.wait(0.1) or time.monotonic() > deadline:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
                raise RefreshError(f"It took more than refresh_minutes={self._choice.refresh_minutes:g}: increase it.")
        if process.returncode:
            printed = (self._work / LOG).read_text(encoding="utf-8", errors="replace").strip()
            last = printed.rpartition("\n")[2].removeprefix("hml: ")
            ended = f"was killed by signal {-process.returncode}" if process.returncode < 0 else "failed"
            raise RefreshError(f"The process {ended}: {last or 'it printed nothing'} (more in {self._work / LOG})")


def relabel_commands(study: Study, data_dir: Path) -> Commands:
    """Fit a relabeller to a study's answers, and propose new images: `hml relabel fit` and `propose`."""
    choice = study.stimuli

    def commands(work: Path, number: int) -> list[list[str]]:
        relabel = [sys.executable, "-m", "hml", "relabel"]
        data = ["--judgements", str(work / ANSWERS), "--data_dir", str(data_dir)]
        for name, value in source_arguments(study.images):
            data += [f"--source{name}", value]
        proposing = ["--relabeller", str(work / RELABELLER), "--count", str(choice.refresh_images), "--per-image", "1"]
        if choice.acquisition is not None:
            proposing += ["--acquisition", choice.acquisition]
        return [
            [*relabel, "fit", *data, "--seed", str(choice.seed), "--out", str(work)],
            [
                *relabel,
                "propose",
                *data,
                *proposing,
                "--seed",
                str(choice.seed + number),
                "--out",
                str(work / PROPOSED),
            ],
        ]

    return commands
