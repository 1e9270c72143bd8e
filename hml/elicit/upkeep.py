"""`hml elicit`: the verbs that manage answers. Verbs that need images are in `hml.elicit.serving`."""

import shlex
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from hml.elicit.command import Backup, Correct, Export, OfStudy, PaymentList, Serve, Simulate, Withdraw
from hml.elicit.research.export import export_answers, history_path
from hml.elicit.store.answers import correct
from hml.elicit.store.backup import back_up
from hml.elicit.store.conflicts import UnknownPersonError
from hml.elicit.store.folder import DATABASE, KEY, StudyFolder
from hml.elicit.store.history import read_history
from hml.elicit.store.payments import Payment
from hml.elicit.store.people import find_code, read_people
from hml.elicit.store.withdrawal import withdraw
from hml.elicit.study import source_arguments
from hml.errors import InputError
from hml.files.atomic import write_atomically
from hml.files.spreadsheets import to_csv
from hml.files.strict_json import parse_json

STUDIES = Path("studies")
"""The default folder of studies' folders."""


def run(options: OfStudy) -> int:
    """Run one of the verbs; return the exit code, 0, or raise an HmlError."""
    if isinstance(options, Serve | Simulate):
        from hml.elicit import serving  # imports torch, which is slow

        return serving.main(options)
    with closing(StudyFolder(options.folder or _only_folder())) as folder:
        match options:
            case Export():
                _check_csv(options.file)
                count = export_answers(folder, options.file, options.format)
                print(f"Wrote {count:,} answers to {options.file}.")
                print(f"{history_path(options.file)} records how they were collected.")
                print("\n".join(_next_commands(folder, options.file)))
            case Backup():
                count = back_up(folder, options.file)
                print(f"Copied {count:,} answers to {options.file}. Not copied: {folder.path / KEY}. Back it up too.")
            case Withdraw():
                _withdraw(folder, options)
            case Correct():
                answer = None if options.answer is None else _parse_answer(options.answer)
                correct(folder, options.subject, options.trial, answer, options.reason)
                print(
                    f"Trial {options.trial} of {options.subject} is {'struck out' if answer is None else 'corrected'}."
                )
            case PaymentList():
                _payments(folder, options)
    return 0


def _only_folder() -> Path:
    found = sorted(path.parent for path in STUDIES.glob(f"*/{DATABASE}"))
    if len(found) != 1:
        names = ", ".join(map(str, found)) or "none"
        raise InputError(f"Expected one study in {STUDIES.resolve()}, found {names}: name one with --folder.")
    return found[0]


def _check_csv(path: Path) -> None:
    if path.suffix != ".csv":  # a mistyped name must not overwrite a study's database
        raise InputError(f"{path} is not the name of a CSV file: use a name that ends in .csv.")


def _next_commands(folder: StudyFolder, path: Path) -> list[str]:
    """Return the commands that read an export. The images' relative paths start at the study's YAML."""
    study = read_history(folder)[-1]["study"]
    if study["task"] != "rate_mixture":
        return [f"hml percepts and hml fit read the task rate_mixture only, not {study['task']}: see hml.judgements."]
    file, images = shlex.quote(str(path)), study["images"]
    fit, percepts = "hml fit --config configs/sep_conf.yaml", "hml percepts"
    if images == "demo":
        percepts += " --source hml.data.DemoImages"
        fit += " --config configs/demo.yaml --data.mixed hml.data.HMix"
    elif images != "cifar10":
        flags = [(name, shlex.quote(value)) for name, value in source_arguments(images)]
        percepts += "".join(f" --source{name} {value}" for name, value in flags)
        fit += "".join(f" --data.images{name} {value}" for name, value in flags)
    return ["Next:", f"  {percepts} --judgements {file}", f"  {fit} --data.mixed.judgements {file}"]


def _parse_answer(text: str) -> dict[str, object]:
    try:
        answer = parse_json(text)
    except ValueError as error:
        raise InputError(f"--answer {text[:100]} is not JSON: {error}.") from error
    if not isinstance(answer, dict):
        raise InputError(f"--answer {text[:100]} is not a JSON object.")
    return answer


def _withdraw(folder: StudyFolder, options: Withdraw) -> None:
    name = options.who or ""
    if options.participant is not None:
        name = folder.key.hash_outside_id(options.participant)
    if (code := find_code(folder, name)) is not None:
        unreachable = withdraw(folder, code)
        print(f"Deleted the person from {folder.path}. Earlier exports still contain their answers.")
        for path in unreachable:
            print(f"This backup is missing, moved or damaged, and a copy of it may contain the person: {path}")
    elif folder.payments.forget(name):  # the study was restored from an older backup
        print("The person was only on the list of payments, and is deleted. A later backup may contain the person.")
    else:
        raise UnknownPersonError("Nobody has this code, subject or id: it is mistyped, or they have withdrawn already.")


def _payments(folder: StudyFolder, options: PaymentList) -> None:
    rows = folder.payments.read()
    unfinished = sum(row.completed_at is None for row in rows)
    if options.delete and unfinished and not options.force:
        raise InputError(
            f"{unfinished:,} of {len(rows):,} people on the list haven't finished, and couldn't be paid later: "
            "end the study first, and add --force."
        )
    if options.out is not None:
        _check_csv(options.out)
    if options.out is not None or not options.delete:  # with both, it is written before it is deleted
        _list_payments(folder, rows, options.out)
    if options.delete:
        folder.payments.path.unlink(missing_ok=True)
        print(f"Deleted {folder.payments.path}.")


def _list_payments(folder: StudyFolder, rows: Sequence[Payment], out: Path | None) -> None:
    answers = {person.outside_hash: person.answered for person in read_people(folder)}
    text = to_csv(
        ("outside_id", "completion_code", "completed_at", "answers"),
        ((row.outside_id, row.completion_code, row.completed_at, answers.get(row.outside_hash, 0)) for row in rows),
    )
    if out is None:
        print(text, end="")
    else:
        write_atomically(out, text, mode=0o600)
        print(f"Wrote {len(rows):,} people to {out}.")
