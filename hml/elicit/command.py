"""`hml elicit`: serve a study, and look after what people said."""

import argparse
import shlex
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from hml.command_line import configs
from hml.command_line.flags import Parser, add_data_dir
from hml.elicit.research.export import export_answers, history_path
from hml.elicit.store.answers import correct
from hml.elicit.store.backup import back_up
from hml.elicit.store.conflicts import UnknownPersonError
from hml.elicit.store.folder import DATABASE, KEY, StudyFolder
from hml.elicit.store.history import read_history
from hml.elicit.store.payments import Payment
from hml.elicit.store.people import find_code, read_people
from hml.elicit.store.withdrawal import withdraw
from hml.elicit.tasks import TASKS
from hml.errors import InputError
from hml.files.atomic import write_atomically
from hml.files.spreadsheets import to_csv
from hml.files.strict_json import parse_json

STUDIES = Path("studies")
"""Where studies' folders are, unless --folder says otherwise."""

_EPILOG = """\
  hml elicit serve                                      a demo study, on this computer
  hml elicit serve --study configs/my_study.yaml        a real one; copy configs/elicit/cifar10.yaml
  hml elicit export judgements.csv                      in H-Mix's columns, for hml percepts and hml fit
  hml elicit backup monday.sqlite3                      while people answer
  hml elicit withdraw CODE                              deletes a person everywhere, by code, subject or id
"""

_ANSWERS = """\
mixingcoeff counts from the class that comes first in the filename, whichever side it was shown on. starting_value is
the export's, and has to stay; improbClassSelect… stands for each class that is impossible, if any.
"""


def parse(args: Sequence[str]) -> argparse.Namespace:
    """Parse the flags of `hml elicit`, and find the study's file."""
    options = _parser().parse_args(args)
    if getattr(options, "study", None) is not None:
        options.study = configs.find_config(options.study, configs.STUDIES)
    return options


def run(options: argparse.Namespace) -> int:
    """Run one of the verbs.

    Args:
        options: As `parse` makes them.

    Returns:
        The exit code, 0.

    Raises:
        HmlError: a flag, a file or a folder is wrong.
    """
    if options.verb in ("serve", "simulate"):
        from hml.elicit import serving  # which loads the images, and torch with them

        return serving.main(options)
    with closing(StudyFolder(options.folder or _only_folder())) as folder:
        match options.verb:
            case "export":
                _check_csv(options.file)
                count = export_answers(folder, options.file)
                print(
                    f"{count:,} answers are in {options.file}; how they were asked for, {history_path(options.file)}."
                )
                print("\n".join(_next_commands(folder, options.file)))
            case "backup":
                count = back_up(folder, options.file)
                print(
                    f"{count:,} answers are copied to {options.file}. {folder.path / KEY} isn't: keep a copy elsewhere."
                )
            case "withdraw":
                _withdraw(folder, options)
            case "correct":
                answer = None if options.strike else _parse_answer(options.answer)
                correct(folder, options.subject, options.trial, answer, options.reason)
                print(
                    f"Trial {options.trial} of {options.subject} is {'struck out' if answer is None else 'corrected'}."
                )
            case "payments":
                _payments(folder, options)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = Parser("hml elicit", description="Ask people what they see in mixed images.", epilog=_EPILOG)
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="serve|export|backup|withdraw|…")
    serve = verbs.add_parser("serve", help="open the study's pages to people")
    serve.add_argument("--host", default="127.0.0.1", help="address to listen at (default: this computer only)")
    serve.add_argument("--port", type=int, help="port to listen at; 0 takes a free one (default: 8000, or a free one)")
    serve.add_argument(
        "--base_url", metavar="https://study.example.org", help="the address people use, where a proxy stands before it"
    )
    serve.add_argument("--no-browser", action="store_true", help="don't open the page in a browser")
    simulate = verbs.add_parser("simulate", help="let made-up people take a demo study")
    simulate.add_argument("--people", type=int, default=30, help="how many (default: %(default)s)")
    simulate.add_argument("--seed", type=int, default=0, help="decides what they say (default: 0)")
    for verb in (serve, simulate):
        verb.add_argument("--study", metavar="FILE", help="a study's YAML, by path or by name (default: the demo)")
        add_data_dir(verb)
    export = verbs.add_parser("export", help="write the answers in H-Mix's columns, and how they were asked for")
    export.add_argument("file", type=Path, help="where to, judgements.csv say")
    backup = verbs.add_parser("backup", help="copy the database, also while it is in use")
    backup.add_argument("file", type=Path, help="where to; a new name")
    withdrawal = verbs.add_parser("withdraw", help="delete a person everywhere")
    whom = withdrawal.add_mutually_exclusive_group(required=True)
    whom.add_argument(
        "who", nargs="?", help="the code at the foot of their pages, or the subject that the researcher's page shows"
    )
    whom.add_argument("--participant", metavar="ID", help="or what a recruiting service calls them")
    examples = "".join(f"  {name:<14}{task.example}\n" for name, task in TASKS.items())
    correction = verbs.add_parser(
        "correct",
        help="correct or strike out an answer, by a row beside it",
        epilog=f"an answer, by its study's task:\n{examples}{_ANSWERS}",
    )
    correction.add_argument("subject", help="as the export calls the person")
    correction.add_argument("trial", type=int, help="the export's trial_index")
    correction.add_argument("--reason", required=True, help="why; it stays in the study's folder")
    which = correction.add_mutually_exclusive_group(required=True)
    which.add_argument("--answer", metavar="JSON", help="what counts instead, whole, as the task keeps it: see below")
    which.add_argument("--strike", action="store_true", help="leave the answer out of everything")
    payments = verbs.add_parser("payments", help="list whom to pay, or delete the list")
    payments.add_argument("--out", type=Path, metavar="FILE", help="write it as CSV instead of printing it")
    payments.add_argument("--delete", action="store_true", help="delete the list, the only place with outside ids")
    payments.add_argument("--force", action="store_true", help="delete it though somebody on it may still finish")
    for verb in (serve, simulate, export, backup, withdrawal, correction, payments):
        verb.add_argument("--folder", type=Path, metavar="DIR", help=f"the study's (default: {STUDIES}/<its name>)")
    return parser


def _only_folder() -> Path:
    found = sorted(path.parent for path in STUDIES.glob(f"*/{DATABASE}"))
    if len(found) != 1:
        names = ", ".join(map(str, found)) or "none"
        raise InputError(f"Say which study with --folder: in {STUDIES.resolve()} there is {names}.")
    return found[0]


def _check_csv(path: Path) -> None:
    if path.suffix != ".csv":  # a slip of the fingers must not write over a study's database
        raise InputError(f"{path} is to be a CSV file: let its name end in .csv.")


def _next_commands(folder: StudyFolder, path: Path) -> list[str]:
    """Write down the commands that read an export: images of a demo need the demo's images."""
    study = read_history(folder)[-1]["study"]
    if study["task"] != "rate_mixture":
        return [f"hml percepts and hml fit read the task rate_mixture only, not {study['task']}: see hml.judgements."]
    file = shlex.quote(str(path))
    fit = "hml fit --config configs/sep_conf.yaml"
    if study["images"] == "demo":
        fit += " --config configs/demo.yaml --data.mixed hml.data.HMix"
    return ["Next:", f"  hml percepts --judgements {file}", f"  {fit} --data.mixed.judgements {file}"]


def _parse_answer(text: str) -> dict[str, object]:
    try:
        answer = parse_json(text)
    except ValueError as error:
        raise InputError(f"--answer {text[:100]} is not JSON: {error}.") from error
    if not isinstance(answer, dict):
        raise InputError(f"--answer {text[:100]} is not a JSON object.")
    return answer


def _withdraw(folder: StudyFolder, options: argparse.Namespace) -> None:
    name: str = options.who
    if options.participant is not None:
        name = folder.key.hash_outside_id(options.participant)
    if (code := find_code(folder, name)) is not None:
        unreachable = withdraw(folder, code)
        print(f"They are deleted from {folder.path}. Files exported before still hold their answers.")
        for path in unreachable:
            print(f"This backup is gone, moved or damaged; if there is a copy, it may hold them: {path}")
    elif folder.payments.forget(name):  # the study was restored from a backup older than they are
        print("The study doesn't know them. They are deleted from its payments; a backup of a later day may hold them.")
    else:
        raise UnknownPersonError("Nobody is called so: it is mistyped, or they have withdrawn already.")


def _payments(folder: StudyFolder, options: argparse.Namespace) -> None:
    rows = folder.payments.read()
    unfinished = sum(row.completed_at is None for row in rows)
    if options.delete and unfinished and not options.force:
        raise InputError(
            f"{unfinished:,} of {len(rows):,} people on the list haven't finished, and couldn't be paid if they do: "
            "end the study first, and add --force."
        )
    if options.out is not None:
        _check_csv(options.out)
    if options.out is not None or not options.delete:  # with both, it is written before it is deleted
        _list_payments(folder, rows, options.out)
    if options.delete:
        folder.payments.path.unlink(missing_ok=True)
        print(f"{folder.payments.path} is deleted.")


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
        print(f"{len(rows):,} people are in {out}.")
