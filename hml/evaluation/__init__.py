"""Evaluation: pure functions, metrics that apply them to all predictions, and callbacks that run the metrics."""

from hml.evaluation.alignment import soft_cross_entropy
from hml.evaluation.attack import fgsm, pgd
from hml.evaluation.calibration import expected_calibration_error, rms_calibration_error
from hml.evaluation.temperature import fit_temperature

__all__ = [
    "expected_calibration_error",
    "fgsm",
    "fit_temperature",
    "pgd",
    "rms_calibration_error",
    "soft_cross_entropy",
]
