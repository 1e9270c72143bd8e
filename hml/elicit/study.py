"""A study: its images, task, texts and numbers, read from a YAML file and checked."""

import json
import math
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import date
from functools import reduce
from operator import getitem
from pathlib import Path
from typing import Any, get_type_hints
from urllib.parse import quote, urlsplit

import yaml
from jsonargparse import ArgumentError, ArgumentParser

from hml.command_line.configs import STUDIES, shipped_folder
from hml.command_line.suggestions import suggest
from hml.elicit.tasks import TASKS
from hml.errors import InputError, check_choice
from hml.files.strict_yaml import parse_yaml
from hml.judgements import Cohort, TaskName
from hml.judgements.stimulus_names import is_blend

_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,39}")
_OUTSIDE_ID = re.compile(r"[0-9a-f]{24}")  # forbidden in exports, which contain the study's name
_LANGUAGE = re.compile(r"[a-z]{2,3}(-[a-z0-9]{1,8})*", re.IGNORECASE)  # the form of a BCP 47 tag
_CODE, _PARTICIPANT = "{completion_code}", "{participant}"
_MOST_PEOPLE = 10_000
_LONGEST_HOLD = 30 * 24 * 60  # as long as a session lasts
NAMED_SOURCES = {"cifar10": "hml.data.Cifar10", "demo": "hml.data.DemoImages"}
"""Image sources with a short name."""


@dataclass(frozen=True)
class Consent:
    """What people agree to."""

    version: str  # of the text; change it with every change of the text
    text: str  # its paragraphs are separated by blank lines


TEST_CONSENT = Consent(
    version="test",
    text="""\
This is a test, and no research is done with it. It keeps what you answer, how long each answer took, and when you
agreed to this page, in a folder on this computer. It keeps no name and no address.

You may stop at any time, and have everything deleted, by the link at the foot of each page that follows.""",
)
"""The consent text of a demo whose YAML has none; a real study needs its own."""


@dataclass(frozen=True)
class StimulusChoice:
    """The images to show: from a stimuli file, a released cohort, or drawn from the training split."""

    cohort: Cohort | None = None  # "paper" or "all" of H-Mix's images
    # A stimuli file, such as `hml relabel propose` writes. A relative path starts at the YAML file's folder.
    file: str | None = None
    # Class pairs to draw images for: how many to draw at random, or names like "Cat/Dog"; None: all pairs.
    pairs: int | tuple[str, ...] | None = None
    per_class_pair: int = 4  # images drawn for each pair
    # Weights of the first image, used equally often. In the construct task, the initial weights.
    lambdas: tuple[float, ...] = (0.1, 0.25, 0.5, 0.75, 0.9)
    seed: int = 0  # of the drawn images, and of each person's order
    # Every so many answers, add images that a relabeller, fitted to the answers, proposes; None: never.
    refresh_every: int | None = None
    refresh_images: int = 50  # added each time
    refresh_times: int = 4  # how often images are added at most
    refresh_minutes: float = 60.0  # time limit for fitting and proposing
    acquisition: str | None = None  # the class that ranks images; by default that of `hml relabel propose`

    def __post_init__(self) -> None:
        if self.refresh_every is not None:
            _check_range("refresh_every", self.refresh_every, 1)
        _check_range("refresh_images", self.refresh_images, 1)
        _check_range("refresh_times", self.refresh_times, 1)
        _check_range("refresh_minutes", self.refresh_minutes, 0.01, _LONGEST_HOLD)
        if self.file is not None and self.cohort is not None:
            raise InputError(f"file={self.file!r} and cohort={self.cohort!r} both choose the images: leave one out.")
        if self.cohort is not None:
            check_choice("cohort", self.cohort, Cohort)
        if self.pairs is not None:
            _check_range("pairs", self.pairs if isinstance(self.pairs, int) else len(self.pairs), 1)
        _check_range("per_class_pair", self.per_class_pair, 1)
        _check_range("seed", self.seed, 0)
        if not self.lambdas or len(set(self.lambdas)) < len(self.lambdas):
            raise InputError(f"lambdas={list(self.lambdas or ())} must be one weight or more, without duplicates.")
        if wrong := [value for value in self.lambdas if not is_blend(value)]:
            raise InputError(f"lambdas={wrong} must be between 0 and 1, with at most three decimals.")


@dataclass(frozen=True)
class Study:
    """A study's settings.

    Raises:
        InputError: a value is out of its range.
    """

    name: str  # the name of its folder, and the export's `study_id`
    title: str  # heading of the pages
    task: TaskName  # what people are asked about each image
    # The source of the original images: "cifar10", "demo" (hml's own textures), or the class_path and init_args of an
    # `ImageSource`.
    images: str | dict[str, Any] = field(hash=False)
    stimuli: StimulusChoice
    people_per_image: int  # how many people judge each image
    trials: int  # how many images a person judges
    consent: Consent
    instructions: str  # shown before the examples; paragraphs are separated by blank lines
    repeats: int = 2  # how many of their images people judge again at the end
    # How long a shown image is reserved before others can get it too, and how long an inactive person counts as
    # present.
    hold_minutes: float = 60.0
    ethics_reference: str | None = None  # the approval's number; None makes the study a demo
    contact: str | None = None  # who answers questions; None makes the study a demo
    # The address that people go to after the study. Its placeholders are {completion_code} and {participant}, the id in
    # their link.
    return_url: str | None = None
    # Language of the title, consent text and instructions, such as "de" or "pt-BR", for screen readers. hml's own
    # texts, such as the question and the quiz, are in English.
    language: str = "en"

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name) or _OUTSIDE_ID.search(self.name):
            raise InputError(
                f"name={self.name!r} must have at most 40 characters: a to z, 0 to 9, - and _, and no outside id."
            )
        check_choice("task", self.task, TaskName)
        _check_images(self.images)
        _check_range("people_per_image", self.people_per_image, 1, _MOST_PEOPLE)
        _check_range("trials", self.trials, 1)
        _check_range("repeats", self.repeats, 0)
        _check_range("hold_minutes", self.hold_minutes, 1, _LONGEST_HOLD)
        if self.repeats > self.trials:
            raise InputError(f"repeats={self.repeats} is more than trials={self.trials}: each image is repeated once.")
        if self.images != "cifar10" and self.stimuli.cohort is not None:
            raise InputError(f"cohort={self.stimuli.cohort!r} consists of CIFAR-10's images: set images: cifar10.")
        if self.stimuli.refresh_every is not None and self.task != "rate_mixture":
            raise InputError(f"stimuli.refresh_every is for the task rate_mixture, not {self.task}: leave it out.")
        if not self.is_demo and self.consent == TEST_CONSENT:
            raise InputError("consent: a study with an ethics_reference and a contact needs its own text.")
        if not _LANGUAGE.fullmatch(str(self.language)):
            raise InputError(f"language={self.language!r} must be a BCP 47 tag, such as en, de or pt-BR.")
        if self.return_url is not None:
            _check_return_url(self.return_url)

    @property
    def is_demo(self) -> bool:
        """Whether the study is served on this computer only, because an ethics reference or a contact is missing."""
        return self.ethics_reference is None or self.contact is None

    @property
    def returns_code(self) -> bool:
        """Whether `return_url` contains hml's completion code, rather than a code of the recruiting service."""
        return self.return_url is not None and _CODE in self.return_url

    def return_address(self, completion_code: str, participant: str | None = None) -> str | None:
        """Return a person's address after the study; None if there is no `return_url`, or it needs an unknown id."""
        if self.return_url is None or (participant is None and _PARTICIPANT in self.return_url):
            return None
        return self.return_url.replace(_CODE, completion_code).replace(_PARTICIPANT, quote(participant or "", safe=""))


_TYPES = get_type_hints(Consent) | get_type_hints(StimulusChoice) | get_type_hints(Study)
_WANTED = {
    int: "a whole number",
    float: "a number",
    str: "text",
    str | None: "text, or null",
    int | None: "a whole number, or null",
    tuple[float, ...]: "a list of numbers",
    int | tuple[str, ...] | None: "a whole number, or a list of class pairs",
    str | dict[str, Any]: "cifar10, demo, or a mapping with class_path and init_args",
}
"""How errors describe values, by the type of their key."""


def read_study(path: Path) -> Study:
    """Read a study's YAML file.

    Raises:
        InputError: the file is invalid. The message names the file, the key, its value and what to do.
    """
    try:
        content = parse_yaml(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"Can't read the study {path}: {error.strerror}.") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise InputError(f"{path} is not YAML: {error}") from error
    try:
        study = _parse(content)
        _reject_unused(study, content.get("stimuli", {}))
    except InputError as error:
        raise InputError(f"{path}: {error}") from error
    return study


def demo_study() -> Study:
    """Read the study that `hml elicit serve` shows by default."""
    return read_study(shipped_folder() / STUDIES / "demo.yaml")


def source_arguments(images: str | Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return flags that select a study's image source, as pairs of a flag's suffix and its value.

    Examples:
        >>> source_arguments({"class_path": "hml.data.ImageFolder", "init_args": {"root": "photos"}})
        [('', 'hml.data.ImageFolder'), ('.root', 'photos')]
        >>> source_arguments("demo")
        [('', 'hml.data.DemoImages')]
    """
    if isinstance(images, str):
        return [("", NAMED_SOURCES.get(images, images))]
    arguments = [(f".{name}", value) for name, value in images.get("init_args", {}).items()]
    texts = [(name, value if isinstance(value, str) else json.dumps(value)) for name, value in arguments]
    return [("", images["class_path"]), *texts]


def _check_return_url(return_url: str) -> None:
    """Check an address and its placeholders.

    A placeholder in the host is an error, because a forged link could send people to another site.
    """
    known = f"{_CODE} and {_PARTICIPANT}"
    address = urlsplit(return_url)
    if address.scheme not in ("http", "https") or not address.netloc:
        raise InputError(f"return_url={return_url!r} must start with https:// and a host.")
    if unknown := [place for place in re.findall(r"\{[^{}]*\}", return_url) if place not in (_CODE, _PARTICIPANT)]:
        raise InputError(f"return_url={return_url!r} has the unknown placeholder {unknown[0]}: use {known}.")
    if set("{}") & set(return_url.replace(_CODE, "").replace(_PARTICIPANT, "")):
        raise InputError(f"return_url={return_url!r} has an unmatched brace: use {known}.")
    if "{" in address.netloc:
        raise InputError(f"return_url={return_url!r} has a placeholder in its host: move it after the host.")


def _reject_unused(study: Study, given: Mapping[str, object]) -> None:
    """Reject keys that have no effect because a file or a cohort lists the images already."""
    # The midpoint tasks show each pair at all weights, and use lambdas as the initial weights.
    used = ("lambdas",) if study.task in ("construct", "select") else ()
    unused = [name for name in ("pairs", "per_class_pair", "lambdas") if name in given and name not in used]
    for key in ("file", "cohort"):
        if unused and (listed := getattr(study.stimuli, key)) is not None:
            raise InputError(f"stimuli.{key}={listed!r} already defines the images: leave out {', '.join(unused)}.")
    idle = [name for name in given if name.startswith("refresh_") or name == "acquisition"]
    if study.stimuli.refresh_every is None and idle and idle != ["refresh_every"]:
        raise InputError(f"stimuli.{idle[0]} has no effect without stimuli.refresh_every: set it, for example to 200.")


def _parse(content: Any) -> Study:
    """Build a study from a YAML file's content, which jsonargparse checks against the signature of `Study`."""
    content = _strip(content)
    _check_mapping("a study", content, Study)
    for key in {"consent", "stimuli"} & set(content):  # jsonargparse accepts a number as an empty mapping
        _check_mapping(key, content[key], _TYPES[key])
    content = _fill(content)
    parser = ArgumentParser(exit_on_error=False)
    parser.add_class_arguments(Study)
    try:
        found = parser.parse_object(content)
    except ArgumentError as error:
        raise InputError(_explain(str(error), content)) from error
    parts = {"consent": Consent(**vars(found.consent)), "stimuli": StimulusChoice(**vars(found.stimuli))}
    return Study(**vars(found) | parts)


def _fill(content: dict[str, Any]) -> dict[str, Any]:
    """Add the defaults of missing keys. An invalid name or task is reported later."""
    task = next((task for name, task in TASKS.items() if name == content.get("task")), TASKS["rate_mixture"])
    title = str(content.get("name")).replace("_", " ").capitalize()
    filled = {"title": title, "consent": asdict(TEST_CONSENT), "instructions": task.instructions} | content
    return filled | {"stimuli": {"lambdas": [0.1, 0.9]} | content.get("stimuli", {})} if task.shows_grid else filled


def _check_images(images: object) -> None:
    """Check the form of `images`. The source and its arguments are checked when it is loaded."""
    named = isinstance(images, str) and (images in NAMED_SOURCES or "." in images)
    mapped = isinstance(images, dict) and "class_path" in images and set(images) <= {"class_path", "init_args"}
    if not named and not mapped:
        raise InputError(f"images={_shown(images)} must be {_WANTED[str | dict[str, Any]]}.")


def _check_mapping(name: str, content: object, kind: type) -> None:
    if not isinstance(content, dict):
        keys = ", ".join(get_type_hints(kind))
        raise InputError(f"{name} must be a mapping with {keys}; it is {_shown(content)}.")


def _strip(content: Any) -> Any:
    """Strip whitespace around texts; an empty text counts as missing."""
    if isinstance(content, dict):
        return {key: _strip(value) for key, value in content.items()}
    return content.strip() or None if isinstance(content, str) else content


def _explain(complaint: str, content: dict[str, Any]) -> str:
    """Turn jsonargparse's error into one about the study: the key, its value, and what to write instead."""
    if found := re.search("arguments are required: (.*)", complaint):
        return f"a study needs {found[1]}: add it, as in configs/elicit/cifar10.yaml."
    if found := re.search("(?:Group '(.*)' does not accept option|Option) '(.*)'", complaint):
        names = ", ".join(get_type_hints(_TYPES[found[1]] if found[1] else Study))
        hint = suggest(found[2], _TYPES)
        return f"{found[1] or 'a study'} has no key {_shown(found[2])}: its keys are {names}.{hint}"
    if not (found := re.search(r'^Parser key "([\w.]+)"', complaint)):
        return complaint
    value = reduce(getitem, found[1].split("."), content)
    kind = _TYPES[found[1].rpartition(".")[2]]
    wanted = _WANTED.get(kind) or "one of " + ", ".join(re.findall("'.*?'", str(kind)))
    unquoted = wanted.startswith("text") and isinstance(value, int | float | date)
    return f"{found[1]}={_shown(value)} must be {wanted}{': put it in quotes' if unquoted else ''}."


def _check_range(name: str, value: float, least: float, most: float = math.inf) -> None:
    if value is None or not least <= value <= most:  # null in YAML
        wanted = f"{least} or more" if most == math.inf else f"{least} to {most:,}"
        raise InputError(f"{name}={value} must be {wanted}.")


def _shown(value: object) -> str:
    return text if len(text := repr(value)) <= 100 else f"{text[:97]}..."
