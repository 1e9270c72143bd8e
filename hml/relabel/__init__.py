"""The annotator's model: what people would say of any mixed image, and labels made of it."""

from hml.relabel.labels import CurveLabels, LearnedLabels
from hml.relabel.relabeller import Relabeller

__all__ = ["CurveLabels", "LearnedLabels", "Relabeller"]
