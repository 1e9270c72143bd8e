"""Acquisitions: classes that rank mixed images by the value of one more opinion."""

from hml.relabel.acquisition.base import Acquisition, Choice, Random, choose
from hml.relabel.acquisition.coverage import Coverage
from hml.relabel.acquisition.curves import PairUncertainty
from hml.relabel.acquisition.information import ExpectedErrorReduction, ExpectedInformation
from hml.relabel.acquisition.pool import Pool

__all__ = [
    "Acquisition",
    "Choice",
    "Coverage",
    "ExpectedErrorReduction",
    "ExpectedInformation",
    "PairUncertainty",
    "Pool",
    "Random",
    "choose",
]
