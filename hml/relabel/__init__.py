"""A model of the annotators, which predicts answers about any mixed image, and labels made from it."""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hml.relabel.labels import CurveLabels, LearnedLabels
    from hml.relabel.perceiver import RelabellerPerceiver
    from hml.relabel.relabeller import Relabeller

_HOMES = {
    "CurveLabels": "labels",
    "LearnedLabels": "labels",
    "Relabeller": "relabeller",
    "RelabellerPerceiver": "perceiver",
}
__all__ = ["CurveLabels", "LearnedLabels", "Relabeller", "RelabellerPerceiver"]


def __getattr__(name: str) -> object:
    """Import a class when it is first used, so that `hml relabel --help` does not import torch."""
    if name in _HOMES:
        return getattr(import_module(f"hml.relabel.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
