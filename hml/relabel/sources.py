"""Reads the judgements that the relabeller learns from, and the images that were mixed."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import pandas as pd

from hml.data import Cifar10, DemoImages, DemoMixes, HMix, ImageBank, ImageSource
from hml.data.download import find_data_dir
from hml.data.judged import fetch_judged, load_judged
from hml.errors import InputError
from hml.judgements.tables import first_judgements, judgement_table
from hml.relabel.command import Sources


@dataclass(frozen=True)
class Material:
    """The original images, the table of `judgement_table` with repeats, and the provenance of both."""

    bank: ImageBank
    table: pd.DataFrame
    provenance: Mapping[str, object]

    @cached_property
    def once(self) -> pd.DataFrame:
        """Each person's first judgement of each image, with a new index."""
        return first_judgements(self.table).reset_index(drop=True)


def choose_images(options: Sources) -> ImageSource:
    """Return the source of the images: the given one, the demo's, or by default CIFAR-10.

    Raises:
        InputError: two sources are given.
    """
    if options.demo and options.source is not None:
        raise InputError("--demo and --source both choose the images: leave one of them out.")
    return options.source or (DemoImages() if options.demo else Cifar10())


def read_material(options: Sources) -> Material:
    """Read judgements and images. Missing files are downloaded. Evaluation images are not used.

    Raises:
        InputError: judgements are invalid or do not fit the images, or two sources of images are given.
        DataError: a file of the released data is corrupt, or can't be downloaded.
    """
    images, data_dir = choose_images(options), find_data_dir(options.data_dir)
    simulated = options.demo and options.judgements is None
    mixed = DemoMixes() if simulated else HMix(options.cohort, options.judgements)
    fetch_judged(images, mixed, data_dir)
    judged = load_judged(images, mixed, data_dir, "not evaluated")
    table = judgement_table(judged.judgements)
    if missing := int(table["omega"].isna().sum()):
        raise InputError(
            f"{missing:,} of {len(table):,} judgements have no omega (confidence), which the relabeller learns too: "
            "leave them out, or train on the judgements themselves with hml fit."
        )
    return Material(judged.bank, table, judged.provenance)
