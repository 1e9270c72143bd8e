"""The flags of `hml relabel fit` and `hml relabel evaluate`, parsed before anything that takes long is imported."""

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

DEFAULT_PATH = Path("lightning_logs", "relabel", "relabeller.pt")
_EPILOG = """\
  hml relabel fit                                learns from all of H-Mix, in minutes
  hml relabel evaluate                           judges it by cross-validation, beside baselines
  hml fit --config configs/learned_mean.yaml     trains on what it predicts for fresh mixes
  hml relabel fit --demo                         a try, on synthetic images and simulated people
"""


@dataclass(frozen=True)
class Fit:
    """Learn from judgements, and write relabeller.pt.

    Args:
        cohort: Which of H-Mix.
        judgements: Your own judgements instead, a file in the plain columns or in H-Mix's: see hml/data/README.md.
        source: The class of the images, such as hml.data.ImageFolder, whose arguments are given as
            --source.<argument>; by default hml.data.Cifar10.
        demo: Use hml's synthetic images, with simulated people unless --judgements is given.
        out: The folder for results.
        data_dir: The folder with the data; by default HML_DATA_DIR, otherwise ./data.
        epochs: Epochs of the network that describes images.
        steps: Steps of each of the relabeller's networks.
        members: Networks averaged.
        seed: Decides everything that is drawn.
    """

    cohort: Cohort = "all"
    judgements: Path | None = None
    source: ImageSource | None = field(default=None, metadata={"base": "hml.data.ImageSource"})
    demo: bool = False
    out: Path = DEFAULT_PATH.parent
    data_dir: Path | None = None
    epochs: int = 6
    steps: int = 150
    members: int = 2
    seed: int = 0


@dataclass(frozen=True)
class Evaluate(Fit):
    """Judge it on image pairs and on people held out, beside baselines.

    Args:
        folds: Parts of a cross-validation.
        replicates: Resamples of people.
        pairs: Class pairs to draw, such as Cat/Dog; by default Cat/Dog, or the pair judged most often.
    """

    folds: int = 5
    replicates: int = 1000
    pairs: tuple[str, ...] = ()


VERBS = {"fit": Fit, "evaluate": Evaluate}


def parse(args: Sequence[str]) -> Fit:
    """Parse the flags of `hml relabel`."""
    return flags.parse_verb("hml relabel", VERBS, args, _EPILOG)
