"""The flags of `hml elicit`'s verbs. Parsing them imports nothing slow."""

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
  hml elicit serve --study configs/my_study.yaml        a real study; copy configs/elicit/cifar10.yaml
  hml elicit export judgements.csv                      for hml percepts, hml fit and hml relabel
  hml elicit backup monday.sqlite3                      works while people answer
  hml elicit withdraw CODE                              deletes a person everywhere, by code, subject or id
"""

_ANSWERS = """\
mixingcoeff is 0 for the filename's first class and 100 for its second, whichever side they were shown on.
starting_value must be the export's. Add a key improbClassSelect… for each class that is impossible.
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
    """Serve the study's pages.

    Args:
        host: The address to listen on; 127.0.0.1 is reachable from this computer only.
        port: The port to listen on; 0 chooses a free one. By default 8000, or a free one if it is in use.
        base_url: The public address, if a proxy is in front, such as https://study.example.org.
        no_browser: Don't open the page in a browser.
    """

    host: str = "127.0.0.1"
    port: int | None = None
    base_url: str | None = None
    no_browser: bool = field(default=False, metadata={"flag": "--no-browser"})


@dataclass(frozen=True, kw_only=True)
class Simulate(OfImages):
    """Run a demo study with simulated people.

    Args:
        people: How many people.
        seed: The seed of their answers.
    """

    people: int = 30
    seed: int = 0


@dataclass(frozen=True)
class Export(OfStudy):
    """Write the answers as CSV, and a record of how they were collected.

    Args:
        file: The file to write, such as judgements.csv.
        format: H-Mix's columns, or the plain ones that hml/data/README.md describes; plain is for rate_mixture only.
    """

    file: Path
    format: FormatName = field(default="hmix", kw_only=True)


@dataclass(frozen=True)
class Backup(OfStudy):
    """Copy the database, even while it is in use.

    Args:
        file: The file to write; it must not exist.
    """

    file: Path


@dataclass(frozen=True)
class Withdraw(OfStudy):
    """Delete a person everywhere.

    Args:
        who: Their withdrawal code, or their subject as on the researcher's page.
        participant: Their id at the recruiting service, instead of the code.

    Raises:
        InputError: neither is given, or both.
    """

    # SUPPRESS, because argparse's default would replace a config's value.
    who: str | None = field(default=None, metadata={"flag": "who", "nargs": "?", "default": SUPPRESS})
    participant: str | None = None

    def __post_init__(self) -> None:
        if (self.who is None) == (self.participant is None):
            raise InputError("No single person is named: give either a code or subject, or --participant.")


@dataclass(frozen=True)
class Correct(OfStudy):
    """Correct or strike out an answer; the original is kept.

    Args:
        subject: The export's subject.
        trial: The export's trial_index.
        reason: The reason, which is stored in the study's folder.
        answer: The new answer, complete, as JSON: see below.
        strike: Leave the answer out of exports, and assign its image to another person.

    Raises:
        InputError: neither an answer nor strike is given, or both.
    """

    EPILOG: ClassVar[str] = (
        "The answer's JSON, by the study's task:\n"
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
            raise InputError("Give either --answer with the new answer, or --strike.")


@dataclass(frozen=True)
class PaymentList(OfStudy):
    """List whom to pay, or delete the list.

    Args:
        out: A CSV file to write; by default the list is printed.
        delete: Delete the list, the only file with outside ids.
        force: Delete it even if people on it haven't finished.
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
