"""The paper's Table 1: means over five seeds.

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
"""The logged name of each column. The paper has no accuracy."""

SCALED_COLUMNS = {
    "CE": "test/cross_entropy_scaled",
    "Calib": "test/rms_calibration_scaled",
    "FGSM": "test/fgsm_cross_entropy_scaled",
    "temperature": "test/temperature",
}
"""The same after temperature scaling, and the temperature."""

HIGHER_IS_BETTER = ("accuracy",)

PAPER_TABLE = {
    "regular": {"CE": 2.25, "Calib": 0.29, "FGSM": 14.53},
    "mixup": {"CE": 2.19, "Calib": 0.28, "FGSM": 14.35},
    "agg": {"CE": 2.27, "Calib": 0.28, "FGSM": 15.07},
    "sep": {"CE": 2.01, "Calib": 0.27, "FGSM": 13.33},
    "agg_conf": {"CE": 2.09, "Calib": 0.27, "FGSM": 14.01},
    "sep_conf": {"CE": 1.83, "Calib": 0.24, "FGSM": 11.81},
}
"""Cross entropy, RMS calibration error, and cross entropy under FGSM, by column."""
PAPER_LABELS = {
    "regular": ("hml.labels.NoMixed", None),
    "mixup": ("hml.labels.MixupLabels", None),
    "agg": ("hml.labels.AggregateLabels", None),
    "sep": ("hml.labels.SeparateLabels", None),
    "agg_conf": ("hml.labels.AggregateLabels", 0.005),
    "sep_conf": ("hml.labels.SeparateLabels", 0.005),
}
"""The strategy and gamma of each row. The paper does not report other arguments of strategies."""
PAPER_MIXED_IMAGES = 810
PAPER_EPOCHS = 65


def is_on_hmix(data: Mapping[str, Any]) -> bool:
    """Return whether a run's data, as stored in `metrics.json`, are comparable with the paper's."""
    files = data["files"]  # your own file may have the same name
    return HMIX_INFERENCES.name in files and bool(files[HMIX_INFERENCES.name] == HMIX_INFERENCES.sha256)


def labels_of(data: Mapping[str, Any]) -> tuple[str, float | None]:
    """Return the strategy and gamma in the `data` of a recipe, in the form of `PAPER_LABELS`.

    Examples:
        >>> wrapped = {"class_path": "hml.labels.SeparateLabels", "init_args": {"gamma": 0.005}}
        >>> labels_of({"wrap": {"class_path": "hml.labels.Rounded"}, "strategy": wrapped})
        ('hml.labels.Rounded(hml.labels.SeparateLabels)', 0.005)
    """
    paths, gamma = [], None
    for choice in (data.get("wrap"), data["strategy"]):
        while choice:
            arguments = choice.get("init_args") or {}
            paths.append(choice["class_path"])
            gamma, choice = arguments.get("gamma"), arguments.get("strategy")
    return "(".join(paths) + ")" * (len(paths) - 1), gamma


def compare_labels(scheme: str, data: Mapping[str, Any]) -> str | None:
    """Describe how the labels in the `data` of a recipe differ from those of the paper's row of that name.

    Returns:
        A sentence. None if the labels are the paper's, or the paper has no such row.
    """
    ours, papers = labels_of(data), PAPER_LABELS.get(scheme)
    if papers is None or ours == papers:
        return None
    return f"{scheme} is {_describe(*ours)}, the paper's {_describe(*papers)}."


def _describe(strategy: str, gamma: float | None) -> str:
    return f"{strategy} {'without gamma' if gamma is None else f'with gamma {gamma}'}"
