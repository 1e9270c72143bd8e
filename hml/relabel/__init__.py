"""The annotator's model: what people would say of any mixed image, and labels made of it."""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hml.relabel.labels import CurveLabels, LearnedLabels
    from hml.relabel.relabeller import Relabeller

__all__ = ["CurveLabels", "LearnedLabels", "Relabeller"]


def __getattr__(name: str) -> object:
    """Import a class when it is first used, so that `hml relabel --help` needn't wait for torch."""
    if name in __all__:
        home = "relabeller" if name == "Relabeller" else "labels"
        return getattr(import_module(f"hml.relabel.{home}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
