"""What the relabeller learns from: judgements, and the images that were mixed."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import pandas as pd

from hml.data import Cifar10, DemoImages, DemoMixes, HMix, ImageBank, ImageSource
from hml.data.judged import fetch_judged, load_judged
from hml.errors import InputError
from hml.judgements import Cohort
from hml.judgements.tables import first_judgements, judgement_table


@dataclass(frozen=True)
class Material:
    """The original images, what `judgement_table` made with repeats, and where both came from."""

    bank: ImageBank
    table: pd.DataFrame
    provenance: Mapping[str, object]

    @cached_property
    def once(self) -> pd.DataFrame:
        """Each person's first judgement of each image, with a fresh index."""
        return first_judgements(self.table).reset_index(drop=True)


def read_material(
    data_dir: Path, cohort: Cohort, judgements: Path | None, source: ImageSource | None, demo: bool
) -> Material:
    """Read judgements and images, as `hml fit` does: what is missing is downloaded, and nothing evaluated on is used.

    Args:
        data_dir: The data folder.
        cohort: Which of the released judgements.
        judgements: A file of your own judgements instead.
        source: The images; by default CIFAR-10's.
        demo: Whether to use hml's synthetic images, with simulated people unless you give your own file.

    Raises:
        InputError: judgements are wrong, or don't fit the images, or two sets of images are asked for.
        DataError: a released file can't be had.
    """
    if demo and source is not None:
        raise InputError("--demo and --source both choose the images: leave one of them out.")
    images = source or (DemoImages() if demo else Cifar10())
    mixed = DemoMixes() if demo and judgements is None else HMix(cohort, judgements)
    fetch_judged(images, mixed, data_dir)
    judged = load_judged(images, mixed, data_dir, "not evaluated")
    table = judgement_table(judged.judgements)
    if unsure := int(table["omega"].isna().sum()):
        raise InputError(
            f"{unsure:,} of {len(table):,} judgements have no omega (confidence), which the relabeller learns too: "
            "leave them out, or train on the judgements themselves with hml fit."
        )
    return Material(judged.bank, table, judged.provenance)
