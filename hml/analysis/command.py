"""The flags of `hml percepts`, parsed before anything that takes long is imported."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from hml.command_line import flags
from hml.judgements import Cohort

if TYPE_CHECKING:
    from hml.data import ImageSource
else:
    ImageSource = object  # torch is imported where a source is named


@dataclass(frozen=True)
class Options:
    """Analyse judgements of mixed images; write percepts.json, figures, a page and TensorBoard events.

    Args:
        cohort: Which of H-Mix.
        judgements: Your own judgements instead, a file in the plain columns or in H-Mix's: see hml/data/README.md.
        source: The class of the images that were judged, such as hml.data.ImageFolder, whose arguments are given as
            --source.<argument>; by default CIFAR-10's, if they were judged.
        out: The folder for results.
        data_dir: The folder with the data; by default HML_DATA_DIR, otherwise ./data.
        pairs: Class pairs to draw large, such as Cat/Dog.
        images: Mixed images to show, by filename; by default the most surprising.
    """

    cohort: Cohort = "paper"
    judgements: Path | None = None
    source: ImageSource | None = field(default=None, metadata={"base": "hml.data.ImageSource"})
    out: Path = Path("lightning_logs", "percepts")
    data_dir: Path | None = None
    pairs: tuple[str, ...] = ()
    images: tuple[str, ...] = ()


def parse(args: Sequence[str]) -> Options:
    """Parse the flags of `hml percepts`."""
    return flags.parse("hml percepts", Options, args)
