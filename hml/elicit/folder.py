"""A study's folder: opened for one study alone, and looked over for its researchers."""

import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from hml.elicit.answers import read_answers
from hml.elicit.database import DATABASE, KEY, PAYMENTS, SCHEMA, connect, storage_errors, transaction
from hml.elicit.history import record
from hml.elicit.identities import Key
from hml.elicit.overview import Agreement, Coverage, Pace, Quality, agreement, coverage, pace, quality
from hml.elicit.payments import Payments
from hml.elicit.study import Study
from hml.elicit.tasks import TASKS
from hml.errors import FolderInUseError, InputError
from hml.judgements import Stimulus


class StudyFolder:
    """A study's folder: `study.sqlite3`, `secret.key` and `payments.sqlite3`. Safe to call from several threads.

    Args:
        folder: Where it is; made if missing.
        study: What is asked.
        stimuli: The images, in their order.
        canonical_pixels: Whether they are made of CIFAR-10's own pixels, to the bit.

    Raises:
        FolderInUseError: the folder has people of another study, of a demo's or of other images.
        InputError: a consent text changed without a new version.
        StorageError: the folder can't be written.
        DataError: what is there is damaged, or its key is missing.
    """

    def __init__(self, folder: Path, study: Study, stimuli: Sequence[Stimulus], canonical_pixels: bool = False) -> None:
        self.folder, self.study = folder, study
        self.task = TASKS[study.task]
        self._stimuli = {stimulus.filename: stimulus for stimulus in stimuli}
        self._lock = threading.Lock()
        # The key first: a folder that has a database and no key has lost it.
        self.key = Key(folder / KEY, create=not (folder / DATABASE).exists())
        self._database = connect(folder / DATABASE, SCHEMA)
        self.payments = Payments(folder / PAYMENTS)
        try:
            self._check_study(canonical_pixels)
        except BaseException:
            self.close()
            raise

    def derive_key(self, purpose: str) -> bytes:
        """Make a key, to sign sessions with say, that stays the same for this folder."""
        return self.key.derive(purpose)

    def close(self) -> None:
        """Close the database."""
        with self._lock:
            self._database.close()

    def coverage(self) -> Coverage:
        """Say who has judged what."""
        with self._looking() as database:
            return coverage(database, read_answers(database), self._stimuli.values(), self.study.people_per_image)

    def pace(self) -> Pace:
        """Say how fast it goes."""
        left = self.coverage().left
        with self._looking() as database:
            return pace(database, read_answers(database), left)

    def quality(self) -> list[Quality]:
        """Look at each person's answers."""
        with self._looking() as database:
            return quality(database, read_answers(database), self.task)

    def agreement(self) -> Agreement:
        """Compare people with each other, and with themselves."""
        with self._looking() as database:
            return agreement(read_answers(database), self.task)

    def comments(self) -> list[str]:
        """List what people wrote at the end, in no order that tells who."""
        with self._reading() as database:
            return [row["text"] for row in database.execute("SELECT text FROM comment WHERE text <> '' ORDER BY text")]

    def _check_study(self, canonical_pixels: bool) -> None:
        """Make the folder this study's, or refuse where somebody takes part in another there; note how it is asked."""
        study, consent = self.study, self.study.consent
        with self._writing() as database:
            if database.execute("SELECT 1 FROM person").fetchone() is None:
                for table in ("study", "image", "consent_text", "history"):  # of a study that nobody has taken part in
                    database.execute(f"DELETE FROM {table}")
                database.execute("INSERT INTO study VALUES (?, ?, ?, 1)", (study.name, study.task, study.is_demo))
                database.executemany(
                    "INSERT INTO image VALUES (?, ?)", ((name, place) for place, name in enumerate(self._stimuli))
                )
            found = database.execute("SELECT name, task, is_demo FROM study").fetchone()
            if (found["name"], found["task"]) != (study.name, study.task):
                raise FolderInUseError(
                    f"{self.folder} holds the study {found['name']!r} ({found['task']}), not {study.name!r} "
                    f"({study.task}): choose another --folder."
                )
            if found["is_demo"] != study.is_demo:
                whose, what = ("a demo's", "no demo") if found["is_demo"] else ("a real study's", "a demo")
                raise FolderInUseError(
                    f"{self.folder} holds {whose} answers, and {study.name!r} is {what}: choose another --folder."
                )
            images = [row[0] for row in database.execute("SELECT filename FROM image ORDER BY place")]
            if images != list(self._stimuli):
                raise FolderInUseError(
                    f"{self.folder} holds answers to other images: the seed, cohort, per_class_pair or lambdas under "
                    "stimuli have changed. Put them back, or choose another --folder."
                )
            database.execute("INSERT OR IGNORE INTO consent_text VALUES (?, ?)", (consent.version, consent.text))
            (text,) = database.execute("SELECT text FROM consent_text WHERE version = ?", (consent.version,)).fetchone()
            if text != consent.text:
                raise InputError(f"consent.text has changed, consent.version={consent.version!r} hasn't: raise it.")
            record(database, study, canonical_pixels)

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        with self._lock, storage_errors():
            yield self._database

    @contextmanager
    def _looking(self) -> Iterator[sqlite3.Connection]:
        """Read beside those who answer: statistics take a while, and nobody is to wait for them."""
        database = connect(self.folder / DATABASE)
        try:
            with storage_errors():
                yield database
        finally:
            database.close()

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        with self._lock, transaction(self._database) as database:
            yield database
