"""`hml elicit`: looks after what people said; what needs images is in `hml.elicit.serving`."""

import csv
import io
import shlex
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from hml.elicit.answers import correct
from hml.elicit.backup import back_up
from hml.elicit.command import Backup, Correct, Export, OfStudy, PaymentList, Serve, Simulate, Withdraw
from hml.elicit.conflicts import UnknownPersonError
from hml.elicit.database import DATABASE, KEY, PAYMENTS, connect
from hml.elicit.export import export_answers, history_path
from hml.elicit.history import read_history
from hml.elicit.identities import Key
from hml.elicit.payments import Payment, Payments
from hml.elicit.tasks import TASKS
from hml.elicit.withdrawal import find_code, withdraw
from hml.errors import InputError
from hml.files.atomic import write_atomically
from hml.files.spreadsheets import defuse
from hml.files.strict_json import parse_json

STUDIES = Path("studies")
"""Where studies' folders are, unless --folder says otherwise."""


def run(options: OfStudy) -> int:
    """Run one of the verbs.

    Args:
        options: As `hml.elicit.command.parse` returns them.

    Returns:
        The exit code, 0.

    Raises:
        HmlError: a flag, a file or a folder is wrong.
    """
    if isinstance(options, Serve | Simulate):
        from hml.elicit import serving  # which loads the images, and torch with them

        return serving.main(options)
    folder = options.folder or _only_folder()
    with _database(folder) as database:
        match options:
            case Export():
                _check_csv(options.file)
                count = export_answers(database, options.file)
                print(
                    f"{count:,} answers are in {options.file}; how they were asked for, {history_path(options.file)}."
                )
                print("\n".join(_next_commands(database, options.file)))
            case Backup():
                count = back_up(folder, database, options.file)
                print(f"{count:,} answers are copied to {options.file}. {folder / KEY} isn't: keep a copy elsewhere.")
            case Withdraw():
                _withdraw(folder, database, options)
            case Correct():
                answer = None if options.answer is None else _parse_answer(options.answer)
                (task,) = database.execute("SELECT task FROM study").fetchone()
                correct(database, TASKS[task], options.subject, options.trial, answer, options.reason)
                print(
                    f"Trial {options.trial} of {options.subject} is {'struck out' if answer is None else 'corrected'}."
                )
            case PaymentList():
                _payments(folder, database, options)
    return 0


def _only_folder() -> Path:
    found = sorted(path.parent for path in STUDIES.glob(f"*/{DATABASE}"))
    if len(found) != 1:
        names = ", ".join(map(str, found)) or "none"
        raise InputError(f"Say which study with --folder: in {STUDIES.resolve()} there is {names}.")
    return found[0]


def _check_csv(path: Path) -> None:
    if path.suffix != ".csv":  # a slip of the fingers must not write over a study's database
        raise InputError(f"{path} is to be a CSV file: let its name end in .csv.")


def _next_commands(database: sqlite3.Connection, path: Path) -> list[str]:
    """Write down the commands that read an export: images of a demo need the demo's images."""
    study = read_history(database)[-1]["study"]
    if study["task"] != "rate_mixture":
        return [f"hml percepts and hml fit read the task rate_mixture only, not {study['task']}: see hml.judgements."]
    file = shlex.quote(str(path))
    fit = "hml fit --config configs/sep_conf.yaml"
    if study["images"] == "demo":
        fit += " --config configs/demo.yaml --data.mixed hml.data.HMix"
    return ["Next:", f"  hml percepts --judgements {file}", f"  {fit} --data.mixed.judgements {file}"]


@contextmanager
def _database(folder: Path) -> Iterator[sqlite3.Connection]:
    database = connect(folder / DATABASE)
    try:
        yield database
    finally:
        database.close()


def _parse_answer(text: str) -> dict[str, object]:
    try:
        answer = parse_json(text)
    except ValueError as error:
        raise InputError(f"--answer {text[:100]} is not JSON: {error}.") from error
    if not isinstance(answer, dict):
        raise InputError(f"--answer {text[:100]} is not a JSON object.")
    return answer


def _withdraw(folder: Path, database: sqlite3.Connection, options: Withdraw) -> None:
    name = options.who or ""
    if options.participant is not None:
        name = Key(folder / KEY, create=False).hash_outside_id(options.participant)
    if (code := find_code(database, name)) is not None:
        unreachable = withdraw(folder, database, code)
        print(f"They are deleted from {folder}. Files exported before still hold their answers.")
        for path in unreachable:
            print(f"This backup is gone, moved or damaged; if there is a copy, it may hold them: {path}")
    elif Payments(folder / PAYMENTS).forget(name):  # the study was restored from a backup older than they are
        print("The study doesn't know them. They are deleted from its payments; a backup of a later day may hold them.")
    else:
        raise UnknownPersonError("Nobody is called so: it is mistyped, or they have withdrawn already.")


def _payments(folder: Path, database: sqlite3.Connection, options: PaymentList) -> None:
    payments = Payments(folder / PAYMENTS)
    rows = payments.read()
    unfinished = sum(row.completed_at is None for row in rows)
    if options.delete and unfinished and not options.force:
        raise InputError(
            f"{unfinished:,} of {len(rows):,} people on the list haven't finished, and couldn't be paid if they do: "
            "end the study first, and add --force."
        )
    if options.out is not None:
        _check_csv(options.out)
    if options.out is not None or not options.delete:  # with both, it is written before it is deleted
        _list_payments(database, rows, options.out)
    if options.delete:
        payments.path.unlink(missing_ok=True)
        print(f"{payments.path} is deleted.")


def _list_payments(database: sqlite3.Connection, rows: Sequence[Payment], out: Path | None) -> None:
    answers = dict(
        database.execute(
            "SELECT outside_hash, count(trial) FROM person LEFT JOIN answer ON answer.person = number GROUP BY number"
        ).fetchall()
    )
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("outside_id", "completion_code", "completed_at", "answers"))
    writer.writerows(
        [defuse(row.outside_id), row.completion_code or "", row.completed_at or "", answers.get(row.outside_hash, 0)]
        for row in rows
    )
    if out is None:
        print(text.getvalue(), end="")
    else:
        write_atomically(out, text.getvalue(), mode=0o600)
        print(f"{len(rows):,} people are in {out}.")
