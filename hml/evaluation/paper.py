"""The paper's Table 1: mean over five seeds.

Source: Collins, Bhatt, Liu, Love and Weller, "Human-in-the-Loop Mixup", Table 1.
"""

from collections.abc import Mapping
from typing import Any

from hml.data.download import HMIX_INFERENCES

COLUMNS = {
    "CE": "test/cross_entropy",
    "Calib": "test/rms_calibration",
    "FGSM": "test/fgsm_cross_entropy",
    "accuracy": "test/accuracy",
}
"""The table's columns, as it calls them, and what each is logged as. The paper has no accuracy."""

HIGHER_IS_BETTER = ("accuracy",)

PAPER_TABLE = {
    "regular": {"CE": 2.25, "Calib": 0.29, "FGSM": 14.53},
    "mixup": {"CE": 2.19, "Calib": 0.28, "FGSM": 14.35},
    "agg": {"CE": 2.27, "Calib": 0.28, "FGSM": 15.07},
    "sep": {"CE": 2.01, "Calib": 0.27, "FGSM": 13.33},
    "agg_conf": {"CE": 2.09, "Calib": 0.27, "FGSM": 14.01},
    "sep_conf": {"CE": 1.83, "Calib": 0.24, "FGSM": 11.81},
}
"""Cross entropy, RMS calibration error, and cross entropy under FGSM, by the columns' names."""
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
