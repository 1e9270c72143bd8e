"""The flags of `hml relabel`'s verbs. Parsing them imports nothing slow."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from hml.command_line import flags
from hml.errors import InputError
from hml.judgements import Cohort
from hml.judgements.stimulus_names import is_blend

if TYPE_CHECKING:
    from hml.data import ImageSource
    from hml.relabel.acquisition import Acquisition
else:
    ImageSource = Acquisition = object  # torch is imported where a class of either is named

DEFAULT_PATH = Path("lightning_logs", "relabel", "relabeller.pt")
_EPILOG = """\
  hml relabel fit                                learns from all of H-Mix, in minutes
  hml relabel evaluate                           scores the relabeller by cross-validation, beside baselines
  hml relabel propose --count 200                chooses images that people should judge next
  hml relabel plan --pairs Cat/Dog --bias .05    estimates how many people and images a question needs
  hml relabel evaluate --active                  compares ways to choose images, on existing answers
  hml fit --config configs/learned_mean.yaml     trains on the relabeller's predictions for fresh mixes
  hml relabel fit --demo                         tries it on synthetic images and simulated people;
  hml relabel propose --demo                     the other verbs then need --demo, too
"""
_LEAST = {"seed": 0, "steps": 1, "members": 1, "epochs": 1, "studies": 2, "count": 1, "per-image": 1, "candidates": 1}
_LEAST |= {"start": 2, "batch": 1, "rounds": 1, "repetitions": 2}
"""The smallest values of flags."""


@dataclass(frozen=True)
class Sources:
    """Judgements, and the images that were mixed.

    Args:
        cohort: H-Mix's first collection (paper) or both (all).
        judgements: Your own judgements instead, a file in the plain columns or in H-Mix's: see hml/data/README.md.
        source: The class of the images, such as hml.data.ImageFolder. Its arguments are given as --source.<argument>.
            By default hml.data.Cifar10.
        demo: Use hml's synthetic images, with simulated people unless --judgements is given.
        data_dir: The folder with the data; by default HML_DATA_DIR, otherwise ./data.
        seed: The seed of everything random.

    Raises:
        InputError: a number is too small.
    """

    cohort: Cohort = "all"
    judgements: Path | None = None
    source: ImageSource | None = field(default=None, metadata={"base": "hml.data.ImageSource"})
    demo: bool = False
    data_dir: Path | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        for flag, least in _LEAST.items():
            if (value := getattr(self, flag.replace("-", "_"), least)) < least:
                raise InputError(f"--{flag} {value} must be {least} or more.")


@dataclass(frozen=True)
class Fit(Sources):
    """Learn from judgements, and write relabeller.pt.

    Args:
        out: The folder for results.
        epochs: Number of epochs of the network that describes images.
        steps: Number of steps of each of the relabeller's networks.
        members: Number of networks that are averaged.
    """

    out: Path = DEFAULT_PATH.parent
    epochs: int = 6
    steps: int = 150
    members: int = 2


@dataclass(frozen=True)
class Evaluate(Fit):
    """Score the relabeller on held-out image pairs and people, beside baselines.

    Args:
        folds: Number of folds of the cross-validation.
        pairs: Class pairs to draw, such as Cat/Dog; by default Cat/Dog, or the pair judged most often.
        active: Compare acquisitions instead: ask for these judgements in batches, and fit again after each.
        acquisition: With --active, one more class of acquisition to compare, such as my_module.Mine.
        start: With --active, the number of judgements, each of another image, that each acquisition begins with.
        batch: With --active, the number of judgements in a batch.
        rounds: With --active, the number of batches.
        repetitions: With --active, the number of repetitions, which hold out different image pairs and people.

    Raises:
        InputError: a number is too small.
    """

    folds: int = 5
    pairs: tuple[str, ...] = ()
    active: bool = False
    acquisition: Acquisition | None = field(default=None, metadata={"base": "hml.relabel.acquisition.Acquisition"})
    start: int = 60
    batch: int = 60
    rounds: int = 8
    repetitions: int = 10

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.active and self.members < 2:
            raise InputError(f"--members {self.members} must be 2 or more with --active, which compares the members.")

    @property
    def rounds_of_random(self) -> int:
        """The number of batches of random: half as many again, to show when it reaches the others."""
        return self.rounds + -(-self.rounds // 2)


@dataclass(frozen=True)
class Propose(Sources):
    """Choose which mixed images people should judge next, and write them for a study.

    Args:
        count: Number of images to propose.
        acquisition: The class that ranks images, such as hml.relabel.acquisition.Coverage. Its arguments are given as
            --acquisition.<argument>. By default hml.relabel.acquisition.ExpectedInformation.
        relabeller: The file of hml relabel fit, with two --members or more.
        pairs: Class pairs to mix, such as Cat/Dog; by default all.
        images: Original images to mix, by their ids or paths; by default all training images.
        lambdas: Values of lambda_f for new images.
        per_image: Images with this number of opinions are not proposed again; 1 proposes only new images.
        candidates: Number of new mixed images to choose from.
        out: The file to write.

    Raises:
        InputError: a number is too small, or people can't be asked about a lambda_f.
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

    def __post_init__(self) -> None:
        super().__post_init__()
        if wrong := [weight for weight in self.lambdas if not is_blend(weight)] or not self.lambdas:
            raise InputError(f"--lambdas {wrong or ''} must be between 0 and 1, with three decimals at most.")


@dataclass(frozen=True)
class Plan(Sources):
    """Estimate how many people and images a question needs, by simulation.

    Args:
        relabeller: The file of hml relabel fit.
        bias: The wanted half-width of the 95 % interval of a class pair's bias.
        bits: Instead of --bias, a difference between two models to detect, in bits per judgement.
        power: With --bits, the wanted probability of detecting the difference.
        pairs: With --bias, the class pair, by default Cat/Dog or the pair judged most often. With --bits, the class
            pairs, by default all.
        lambdas: Values of lambda_f.
        people: Numbers of people to consider.
        images_each: Numbers of images per person to consider.
        per_image: Number of people who judge an image.
        studies: Number of studies to simulate for each design.
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
