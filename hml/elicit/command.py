"""The flags of `hml elicit`'s verbs, parsed before anything that takes long is imported."""

from argparse import SUPPRESS
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import ClassVar

from hml.command_line import configs, flags
from hml.elicit.tasks import TASKS
from hml.errors import InputError
from hml.judgements.formats import FormatName

_EPILOG = """\
  hml elicit serve                                      a demo study, on this computer
  hml elicit serve --study configs/my_study.yaml        a real one; copy configs/elicit/cifar10.yaml
  hml elicit export judgements.csv                      for hml percepts, hml fit and hml relabel
  hml elicit backup monday.sqlite3                      while people answer
  hml elicit withdraw CODE                              deletes a person everywhere, by code, subject or id
"""

_ANSWERS = """\
mixingcoeff counts from the class that comes first in the filename, whichever side it was shown on. starting_value is
the export's, and has to stay; improbClassSelect… stands for each class that is impossible, if any.
"""


@dataclass(frozen=True, kw_only=True)
class OfStudy:
    """Options of every verb.

    Args:
        folder: The study's folder; by default studies/<its name>.
    """

    folder: Path | None = None


@dataclass(frozen=True, kw_only=True)
class OfImages(OfStudy):
    """Options of the verbs that need a study's images.

    Args:
        study: A study's YAML, by path or by name; by default the demo.
        data_dir: The folder with the data; by default HML_DATA_DIR, otherwise ./data.
    """

    study: Path | None = None
    data_dir: Path | None = None


@dataclass(frozen=True, kw_only=True)
class Serve(OfImages):
    """Open the study's pages to people.

    Args:
        host: The address to listen at; 127.0.0.1 is for this computer only.
        port: The port to listen at; 0 takes a free one. By default 8000, or a free one.
        base_url: The address that people use where a proxy is in front, such as https://study.example.org.
        no_browser: Don't open the page in a browser.
    """

    host: str = "127.0.0.1"
    port: int | None = None
    base_url: str | None = None
    no_browser: bool = field(default=False, metadata={"flag": "--no-browser"})


@dataclass(frozen=True, kw_only=True)
class Simulate(OfImages):
    """Let simulated people take a demo study.

    Args:
        people: How many.
        seed: Decides what they answer.
    """

    people: int = 30
    seed: int = 0


@dataclass(frozen=True)
class Export(OfStudy):
    """Write the answers as CSV, and how they were asked for.

    Args:
        file: The file to write, such as judgements.csv.
        format: H-Mix's columns, or the plain ones that hml/data/README.md describes; plain is for rate_mixture only.
    """

    file: Path
    format: FormatName = field(default="hmix", kw_only=True)


@dataclass(frozen=True)
class Backup(OfStudy):
    """Copy the database, also while it is in use.

    Args:
        file: The file to write; a new name.
    """

    file: Path


@dataclass(frozen=True)
class Withdraw(OfStudy):
    """Delete a person everywhere.

    Args:
        who: The code at the foot of their pages, or the subject that the researcher's page shows.
        participant: What a recruiting service calls them, in place of the code.

    Raises:
        InputError: neither is given, or both.
    """

    # Without argparse's default, which would replace a config's.
    who: str | None = field(default=None, metadata={"flag": "who", "nargs": "?", "default": SUPPRESS})
    participant: str | None = None

    def __post_init__(self) -> None:
        if (self.who is None) == (self.participant is None):
            raise InputError("Say whom: give either their code or subject, or --participant.")


@dataclass(frozen=True)
class Correct(OfStudy):
    """Correct or strike out an answer, by a row beside it.

    Args:
        subject: As the export calls the person.
        trial: The export's trial_index.
        reason: Why; it stays in the study's folder.
        answer: What counts instead, whole, as JSON that the task keeps: see below.
        strike: Leave the answer out of everything.

    Raises:
        InputError: neither an answer nor strike is given, or both.
    """

    EPILOG: ClassVar[str] = (
        "an answer, by its study's task:\n"
        + "".join(f"  {name:<14}{task.example}\n" for name, task in TASKS.items())
        + _ANSWERS
    )

    subject: str
    trial: int
    reason: str = field(kw_only=True)
    answer: str | None = None
    strike: bool = False

    def __post_init__(self) -> None:
        if (self.answer is None) != self.strike:
            raise InputError("Give either --answer, with what counts instead, or --strike.")


@dataclass(frozen=True)
class PaymentList(OfStudy):
    """List whom to pay, or delete the list.

    Args:
        out: A CSV file to write; by default the list is printed.
        delete: Delete the list, the only place with outside ids.
        force: Delete it although somebody on it may still finish.
    """

    out: Path | None = None
    delete: bool = False
    force: bool = False


VERBS: dict[str, type[OfStudy]] = {
    "serve": Serve,
    "simulate": Simulate,
    "export": Export,
    "backup": Backup,
    "withdraw": Withdraw,
    "correct": Correct,
    "payments": PaymentList,
}


def parse(args: Sequence[str]) -> OfStudy:
    """Parse the flags of `hml elicit`, and find the study's file."""
    options = flags.parse_verb("hml elicit", VERBS, args, _EPILOG)
    if isinstance(options, OfImages) and options.study is not None:
        return replace(options, study=configs.find_config(options.study, configs.STUDIES))
    return options
