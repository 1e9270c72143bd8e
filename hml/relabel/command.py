"""The flags of `hml relabel`'s verbs, parsed before anything that takes long is imported."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from hml.command_line import flags
from hml.judgements import Cohort

if TYPE_CHECKING:
    from hml.data import ImageSource
    from hml.relabel.acquisition import Acquisition
else:
    ImageSource = Acquisition = object  # torch is imported where a class of either is named

DEFAULT_PATH = Path("lightning_logs", "relabel", "relabeller.pt")
_EPILOG = """\
  hml relabel fit                                learns from all of H-Mix, in minutes
  hml relabel evaluate                           judges it by cross-validation, beside baselines
  hml relabel propose --count 200                chooses images that people should judge next
  hml relabel plan --pairs Cat/Dog --bias .05    estimates how many people and images a question needs
  hml relabel evaluate --active                  compares ways to choose them, on the answers that there are
  hml fit --config configs/learned_mean.yaml     trains on what it predicts for fresh mixes
  hml relabel fit --demo                         a try, on synthetic images and simulated people
"""


@dataclass(frozen=True)
class Sources:
    """Judgements, and the images that were mixed.

    Args:
        cohort: Which of H-Mix.
        judgements: Your own judgements instead, a file in the plain columns or in H-Mix's: see hml/data/README.md.
        source: The class of the images, such as hml.data.ImageFolder, whose arguments are given as
            --source.<argument>; by default hml.data.Cifar10.
        demo: Use hml's synthetic images, with simulated people unless --judgements is given.
        data_dir: The folder with the data; by default HML_DATA_DIR, otherwise ./data.
        seed: Decides everything that is drawn.
    """

    cohort: Cohort = "all"
    judgements: Path | None = None
    source: ImageSource | None = field(default=None, metadata={"base": "hml.data.ImageSource"})
    demo: bool = False
    data_dir: Path | None = None
    seed: int = 0


@dataclass(frozen=True)
class Fit(Sources):
    """Learn from judgements, and write relabeller.pt.

    Args:
        out: The folder for results.
        epochs: Epochs of the network that describes images.
        steps: Steps of each of the relabeller's networks.
        members: Networks averaged.
    """

    out: Path = DEFAULT_PATH.parent
    epochs: int = 6
    steps: int = 150
    members: int = 2


@dataclass(frozen=True)
class Evaluate(Fit):
    """Judge it on image pairs and on people held out, beside baselines.

    Args:
        folds: Parts of a cross-validation.
        pairs: Class pairs to draw, such as Cat/Dog; by default Cat/Dog, or the pair judged most often.
        active: Compare acquisitions instead: ask for these judgements in batches, and fit again after each.
        acquisition: With --active, one more class of acquisition to compare, such as my_module.Mine.
        start: With --active, judgements that each acquisition begins with.
        batch: With --active, judgements in a batch.
        rounds: With --active, batches.
        repetitions: With --active, how often all of it is done, with other image pairs and people held out.
    """

    folds: int = 5
    pairs: tuple[str, ...] = ()
    active: bool = False
    acquisition: Acquisition | None = field(default=None, metadata={"base": "hml.relabel.acquisition.Acquisition"})
    start: int = 60
    batch: int = 60
    rounds: int = 8
    repetitions: int = 10


@dataclass(frozen=True)
class Propose(Sources):
    """Choose which mixed images people should judge next, and write them for a study.

    Args:
        count: Images to propose.
        acquisition: The class that ranks images, such as hml.relabel.acquisition.Coverage, whose arguments are given as
            --acquisition.<argument>; by default hml.relabel.acquisition.ExpectedInformation.
        relabeller: What hml relabel fit wrote, with two --members or more.
        pairs: Class pairs to mix, such as Cat/Dog; by default all.
        images: Original images to mix, by their ids or paths; by default all training images.
        lambdas: Values of lambda_f for new images.
        per_image: An image with so many opinions isn't proposed again; 1 proposes only new images.
        candidates: New mixed images to choose from.
        out: The file to write.
    """

    count: int = 200
    acquisition: Acquisition | None = field(default=None, metadata={"base": "hml.relabel.acquisition.Acquisition"})
    relabeller: Path = DEFAULT_PATH
    pairs: tuple[str, ...] = ()
    images: tuple[str, ...] = ()
    lambdas: tuple[float, ...] = (0.1, 0.25, 0.5, 0.75, 0.9)
    per_image: int = field(default=3, metadata={"flag": "--per-image"})
    candidates: int = 20_000
    out: Path = Path("proposed.csv")


@dataclass(frozen=True)
class Plan(Sources):
    """Estimate how many people and images a question needs, by simulation.

    Args:
        relabeller: What hml relabel fit wrote.
        bias: Ask for the class pair's bias within so much: half of its 95 % interval.
        bits: Ask to detect a difference of so many bits per judgement between two models, in place of --bias.
        power: With --bits, how often the difference must be detected.
        pairs: The class pair of --bias, by default Cat/Dog or the pair judged most often; those of --bits, by default
            all.
        lambdas: Values of lambda_f.
        people: Numbers of people to consider.
        images_each: Numbers of images that each person judges.
        per_image: How many people judge an image.
        studies: Studies to simulate for each design.
        out: The folder for the figure.
    """

    relabeller: Path = DEFAULT_PATH
    bias: float = 0.05
    bits: float | None = None
    power: float = 0.8
    pairs: tuple[str, ...] = ()
    lambdas: tuple[float, ...] = (0.1, 0.25, 0.5, 0.75, 0.9)
    people: tuple[int, ...] = (10, 20, 40, 80)
    images_each: tuple[int, ...] = (12, 24, 48)
    per_image: int = field(default=3, metadata={"flag": "--per-image"})
    studies: int = 400
    out: Path = DEFAULT_PATH.parent


VERBS = {"fit": Fit, "evaluate": Evaluate, "propose": Propose, "plan": Plan}


def parse(args: Sequence[str]) -> Sources:
    """Parse the flags of `hml relabel`."""
    return flags.parse_verb("hml relabel", VERBS, args, _EPILOG)
