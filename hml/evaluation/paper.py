"""The paper's Table 1: mean over five seeds.

Source: Collins, Bhatt, Liu, Love and Weller, "Human-in-the-Loop Mixup", Table 1.
"""

from typing import NamedTuple


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
