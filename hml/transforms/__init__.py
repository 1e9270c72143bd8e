"""Human mixup for your own training loop: transforms of batches that need no judgements of your images."""

from hml.transforms.human_mixup import HumanMixUp, LabelKind
from hml.transforms.perception import CurvePerceiver, Perceiver, Perception, fit_perception, shared_perception

__all__ = [
    "CurvePerceiver",
    "HumanMixUp",
    "LabelKind",
    "Perceiver",
    "Perception",
    "fit_perception",
    "shared_perception",
]
