"""The flags of `hml percepts`, parsed before anything that takes long is imported."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from hml.command_line import flags
from hml.judgements import Cohort


@dataclass(frozen=True)
class Options:
    """Analyse judgements of mixed images; write percepts.json, figures, a page and TensorBoard events.

    Args:
        cohort: Which of H-Mix.
        judgements: A file of your own judgements instead, in the plain columns or in H-Mix's: see hml/data/README.md.
        out: The folder for results.
        data_dir: The folder with the data; by default HML_DATA_DIR, otherwise ./data.
        pairs: Class pairs to draw large, such as Cat/Dog.
        images: Mixed images to show, by filename; by default the most surprising.
        replicates: Resamples of people.
        seed: What the resamples are drawn from.
    """

    cohort: Cohort = "paper"
    judgements: Path | None = None
    out: Path = Path("lightning_logs", "percepts")
    data_dir: Path | None = None
    pairs: tuple[str, ...] = ()
    images: tuple[str, ...] = ()
    replicates: int = 1000
    seed: int = 0


def parse(args: Sequence[str]) -> Options:
    """Parse the flags of `hml percepts`."""
    return flags.parse("hml percepts", Options, args)
