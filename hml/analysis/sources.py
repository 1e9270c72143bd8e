"""Reads the inputs of the analysis: judgements, which are required, and further data, which are optional."""

import io
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

from hml.data.download import (
    CIFAR10H_COUNTS,
    HMIX_CONSTRUCT,
    HMIX_SELECT,
    HMIX_SOFT_CATEGORIES,
    RemoteFile,
    fetch,
    read_verified,
)
from hml.data.images import Cifar10, ImageBank, ImageSource
from hml.data.judged import check_endpoints
from hml.data.mixed import HMix
from hml.errors import DataError, InputError
from hml.judgements import (
    CIFAR10,
    Classes,
    Cohort,
    Judgement,
    Stimulus,
    parse_construct,
    parse_select,
    parse_soft_categories,
)
from hml.judgements.tables import judgement_table, midpoint_table, soft_category_table
from hml.statistics.estimates import Array, Index

_COHORTS: dict[Cohort, str] = {"paper": "H-Mix, the paper's first collection", "all": "H-Mix, both collections"}
_FOREIGN = (
    "the endpoints' classes aren't those of CIFAR-10's test images with their ids, so other images were judged. Give "
    "them with --source."
)


@dataclass
class Sources:
    """The inputs of the analysis.

    Args:
        judgements: The `judgement_table`, without the column omega if any judgement has no ω.
        description: A short description of the judgements.
        classes: The names of the classes, C of them.
        files: The SHA-256 of each file read.
        human: Soft labels that people gave to the original images, shape (M, C).
        construct: The construct task's `midpoint_table`.
        select: The select task's `midpoint_table`.
        soft: The `soft_category_table`.
        bank: The original images.
        left_out: The reasons for all that is left out.
    """

    judgements: pd.DataFrame
    description: str
    classes: Classes
    files: dict[str, str] = field(default_factory=dict)
    human: Array | None = None
    construct: pd.DataFrame | None = None
    select: pd.DataFrame | None = None
    soft: pd.DataFrame | None = None
    bank: ImageBank | None = None
    left_out: list[str] = field(default_factory=list)


def read_sources(cohort: Cohort, judgements: Path | None, images: ImageSource | None, data_dir: Path) -> Sources:
    """Read judgements, and the optional data that are available.

    Without a source of images, missing small files for CIFAR-10 are downloaded, but not its images.

    Args:
        cohort: The released judgements to read, "paper" or "all".
        judgements: Your own file to read instead. All its judgements are used.
        images: The images that were judged; by default CIFAR-10's, if the judgements are of them.
        data_dir: The data folder.

    Raises:
        InputError: the judgements are invalid, don't match the source's images, or are all of blends of two images of
            one class.
        DataError: the released judgements can't be downloaded, or a file differs from the released one.
    """
    mixed = HMix(cohort, judgements)
    fetch(mixed.remote_files(data_dir), data_dir)
    bank = None
    if images is not None:
        fetch(images.remote_files(data_dir), data_dir)
        bank = images.load(data_dir)
    classes = _find_classes(mixed, data_dir) if bank is None else bank.classes
    said = mixed.read(data_dir, classes) if bank is None else mixed.load(data_dir, bank)
    (name,) = said.files
    judged, left_out = _keep_two_classes(said.judgements, name)
    stimuli = {judgement.stimulus for judgement in judged}
    which = name if judgements else _COHORTS[cohort]
    sources = Sources(_tabulate(judged, left_out), which, classes, dict(said.files), left_out=left_out)
    if bank is not None:
        check_endpoints(stimuli, bank, "any")
        _add_bank(sources, bank)
    elif classes == CIFAR10:
        _add_human(sources, data_dir)
    if judgements is None:
        _add_tasks(sources, data_dir)
    else:
        sources.left_out.append(
            "Midpoints and answers over all classes: H-Mix's other tasks, which don't concern your own judgements."
        )
    if bank is None and classes == CIFAR10:
        _add_images(sources, stimuli, data_dir)
    elif bank is None:
        sources.left_out.append(
            "The images themselves, and how ambiguous they are: give them with --source, such as "
            "--source hml.data.ImageFolder --source.root DIR."
        )
    return sources


def _tabulate(judged: list[Judgement], left_out: list[str]) -> pd.DataFrame:
    """Make a table of judgements. If any has no ω, leave out ω and add the reason to `left_out`."""
    table = judgement_table(judged)
    if unsure := int(table["omega"].isna().sum()):
        table = table.drop(columns="omega")
        left_out.append(f"Confidence: {unsure:,} of {len(table):,} judgements have no ω.")
    return table


def _find_classes(mixed: HMix, data_dir: Path) -> Classes:
    """Return CIFAR-10's classes if only classes of CIFAR-10 were judged, otherwise the judged classes."""
    found = mixed.classes(data_dir)
    return CIFAR10 if set(found) <= set(CIFAR10) else found


def _add_bank(sources: Sources, bank: ImageBank) -> None:
    sources.bank = bank
    sources.files |= bank.files
    ends = sources.judgements[["id_1", "id_2"]].to_numpy(copy=True)  # torch warns about read-only arrays
    # Images without labels by people have their class as a label.
    if bank.human is not None and not bool((bank.human[ends] == bank.hard_labels[ends]).all()):
        sources.human = bank.human.double().numpy()
    else:
        sources.left_out.append("How ambiguous endpoint images are: the source has no labels by people for them.")


def _add_human(sources: Sources, data_dir: Path) -> None:
    what = "How ambiguous endpoint images are (CIFAR-10H)"
    if content := _read(sources, CIFAR10H_COUNTS, data_dir, what):
        counts = np.load(io.BytesIO(content), allow_pickle=False).astype(float)
        if _are_of(sources.judgements, counts.argmax(1)):
            sources.human = counts / counts.sum(1, keepdims=True)
        else:
            sources.left_out.append(f"{what}: {_FOREIGN}")


def _add_tasks(sources: Sources, data_dir: Path) -> None:
    if content := _read(sources, HMIX_CONSTRUCT, data_dir, "Midpoints that people built"):
        sources.construct = midpoint_table(parse_construct(content, HMIX_CONSTRUCT.name))
    if content := _read(sources, HMIX_SELECT, data_dir, "Midpoints that people picked"):
        sources.select = midpoint_table(parse_select(content, HMIX_SELECT.name))
    if content := _read(sources, HMIX_SOFT_CATEGORIES, data_dir, "Answers over all classes"):
        sources.soft = soft_category_table(parse_soft_categories(content, HMIX_SOFT_CATEGORIES.name))


def _add_images(sources: Sources, stimuli: Iterable[Stimulus], data_dir: Path) -> None:
    images = Cifar10()
    if missing := [file.name for file in images.remote_files(data_dir) if not (data_dir / file.name).exists()]:
        sources.left_out.append(
            f"The images themselves: not in the data folder: {', '.join(missing)}. “hml download” downloads "
            "missing files."
        )
        return
    bank = images.load(data_dir)
    try:
        check_endpoints(stimuli, bank, "any")
    except InputError:
        sources.left_out.append(f"The images themselves: {_FOREIGN}")
    else:
        sources.bank = bank
        sources.files |= bank.files


def _keep_two_classes(judgements: list[Judgement], name: str) -> tuple[list[Judgement], list[str]]:
    """Leave out blends of two images of one class, because both ends of their slider have the same name.

    Returns:
        The other judgements, and the page's text about those left out, if there are any.

    Raises:
        InputError: no other judgements are left.
    """
    kept = [j for j in judgements if j.stimulus.endpoints[0].label != j.stimulus.endpoints[1].label]
    if not kept:
        raise InputError(
            f"All judgements in {name} are of blends of two images of one class, so their λ_h has no meaning for "
            "classes: use blends of two classes."
        )
    if len(kept) == len(judgements):
        return kept, []
    images = len({j.stimulus for j in judgements} - {j.stimulus for j in kept})
    return kept, [
        f"{len(judgements) - len(kept):,} judgements of {images:,} blends of two images of one class: both ends of "
        "their slider have the same name, so their λ_h has no meaning for classes."
    ]


def _are_of(table: pd.DataFrame, labels: Index) -> bool:
    """Check whether more than 95 % of the endpoints' classes are those of CIFAR-10's images with the same ids.

    CIFAR-10H's most frequent labels differ from CIFAR-10's labels for 0.8 % of the images.
    """
    agree = [float((labels[table[f"id_{end}"]] == table[f"class_{end}"]).mean()) for end in (1, 2)]
    return min(agree) > 0.95


def _read(sources: Sources, file: RemoteFile, data_dir: Path, what: str) -> bytes | None:
    """Read a file. A missing file is noted in `left_out`; a corrupt file is an error."""
    if not (data_dir / file.name).exists():
        try:
            fetch([file], data_dir)
        except DataError:
            sources.left_out.append(f"{what}: {file.name} isn't in the data folder and couldn't be downloaded.")
            return None
    sources.files[file.name] = file.sha256
    return read_verified(file, data_dir)
