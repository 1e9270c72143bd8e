"""The paper's Table 1: mean over five seeds.

Source: Collins, Bhatt, Liu, Love and Weller, "Human-in-the-Loop Mixup", Table 1.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

from hml.data.download import HMIX_INFERENCES

COLUMNS = {
    "CE": "test/cross_entropy",
    "Calib": "test/rms_calibration",
    "FGSM": "test/fgsm_cross_entropy",
    "accuracy": "test/accuracy",
}
"""The table's columns, as it calls them, and what each is logged as. The paper has no accuracy."""


class PaperRow(NamedTuple):
    """A row of the table: cross entropy, RMS calibration error, cross entropy under FGSM."""

    cross_entropy: float
    rms_calibration: float
    fgsm_cross_entropy: float


PAPER_TABLE = {
    "regular": PaperRow(2.25, 0.29, 14.53),
    "mixup": PaperRow(2.19, 0.28, 14.35),
    "agg": PaperRow(2.27, 0.28, 15.07),
    "sep": PaperRow(2.01, 0.27, 13.33),
    "agg_conf": PaperRow(2.09, 0.27, 14.01),
    "sep_conf": PaperRow(1.83, 0.24, 11.81),
}
PAPER_LABELS = {
    "regular": ("hml.labels.NoMixed", None),
    "mixup": ("hml.labels.MixupLabels", None),
    "agg": ("hml.labels.AggregateLabels", None),
    "sep": ("hml.labels.SeparateLabels", None),
    "agg_conf": ("hml.labels.AggregateLabels", 0.005),
    "sep_conf": ("hml.labels.SeparateLabels", 0.005),
}
"""What labels each row: the strategy's class, and its gamma. What else it may be told the paper leaves open."""
PAPER_MIXED_IMAGES = 810
PAPER_EPOCHS = 65


def is_on_hmix(data: Mapping[str, Any]) -> bool:
    """Whether a run's data, as `metrics.json` tells them, are those that the paper's figures may stand beside."""
    files = data["files"]  # a file of one's own may bear the name
    return HMIX_INFERENCES.name in files and bool(files[HMIX_INFERENCES.name] == HMIX_INFERENCES.sha256)


def labels_of(recipe: Mapping[str, Any]) -> tuple[str, float | None]:
    """Read out of a run's recipe what `PAPER_LABELS` has of a row."""
    strategy = recipe["data"]["strategy"]
    return strategy["class_path"], strategy.get("init_args", {}).get("gamma")
