"""Intervals over seeds and test images, computed from the per-image values of each run. Both count as random."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from hml.evaluation.per_image import PER_IMAGE, PerImage
from hml.statistics.crossed import CrossedMean, crossed_mean
from hml.statistics.paired import adjust_by_holm
from hml.training.result import RunResult

PerImages = Mapping[tuple[str, int], PerImage]
"""The per-image values of the runs, by scheme and seed."""

_TOLERANCE = 2e-3  # between a metric and the mean of its values, which are stored in half precision


@dataclass(frozen=True)
class Crossed:
    """One metric of a scheme over its seeds and test images."""

    mean: CrossedMean | None = None  # None without per-image values
    to_baseline: CrossedMean | None = None  # None for the baseline, without common seeds, or without values
    adjusted_p: float | None = None  # of the difference to the baseline, Holm-adjusted over the schemes of the column


def cross_column(
    by_scheme: Mapping[str, Sequence[RunResult]], per_images: PerImages, metric: str, baseline: str
) -> tuple[dict[str, Crossed], dict[str, str]]:
    """Estimate a metric's means and its differences to the baseline, over seeds and images.

    Returns:
        The estimates by scheme, and the reasons for missing estimates by scheme.
    """
    found = {scheme: _put_together(own, per_images, metric) for scheme, own in by_scheme.items()}
    reasons = {scheme: own for scheme, own in found.items() if isinstance(own, str)}
    whole = {scheme: own for scheme, own in found.items() if isinstance(own, _Values)}
    differences = {}
    for scheme, own in whole.items() if baseline in whole else ():
        if scheme == baseline:
            continue
        if not np.array_equal(own.images, whole[baseline].images):
            reasons[scheme] = f"it was not tested on the same images as {baseline}"
        elif (difference := own.minus(whole[baseline])) is not None:
            differences[scheme] = difference
    adjusted = adjust_by_holm({scheme: own.p for scheme, own in differences.items() if own.p is not None})
    return {
        scheme: Crossed(own.mean(), differences.get(scheme), adjusted.get(scheme)) for scheme, own in whole.items()
    }, reasons


def explain_missing(reasons: Mapping[str, Mapping[str, str]]) -> list[str]:
    """List the schemes without an interval over images, with the reasons.

    Args:
        reasons: The reasons of `cross_column`, by column.
    """
    columns: dict[tuple[str, str], list[str]] = {}
    for column, own in reasons.items():
        for scheme, reason in own.items():
            columns.setdefault((reason, scheme), []).append(column)
    schemes: dict[tuple[str, str], list[str]] = {}
    for (reason, scheme), names in columns.items():
        where = "" if len(names) == len(reasons) else f" in {', '.join(names)}"
        schemes.setdefault((reason, where), []).append(scheme)
    return [
        f"No intervals over test images for {', '.join(names)}{where}: {reason}."
        for (reason, where), names in schemes.items()
    ]


@dataclass(frozen=True)
class _Values:
    """A scheme's metric for each seed and test image."""

    images: npt.NDArray[np.int64]  # ids, shape (N,)
    values: Mapping[int, npt.NDArray[np.float64]]  # by seed, shape (N,)

    def mean(self) -> CrossedMean:
        """Estimate the mean over seeds and images."""
        return crossed_mean(np.stack(list(self.values.values())))

    def minus(self, baseline: "_Values") -> CrossedMean | None:
        """Estimate the mean difference at the same seeds and images. Return None without a common seed."""
        pairs = [(own, baseline.values[seed]) for seed, own in self.values.items() if seed in baseline.values]
        return crossed_mean(np.stack([own - other for own, other in pairs])) if pairs else None


def _put_together(results: Sequence[RunResult], per_images: PerImages, metric: str) -> _Values | str | None:
    """Collect the per-image values of the runs in which a metric is finite.

    Returns:
        The values, None if no run has a finite metric, or the reason why there are no values.
    """
    images: npt.NDArray[np.int64] | None = None
    values = {}
    for result in results:
        if (figure := result.metrics.get(metric)) is None:
            continue
        if (per_image := per_images.get((result.scheme, result.seed))) is None:
            return f"there are runs without {PER_IMAGE}, which earlier versions of hml did not write"
        if (found := per_image.find(metric)) is None:
            return "the metric has no per-image values"
        ids, own = found
        if len(own) == 0 or not abs(own.mean() - figure) <= _TOLERANCE * max(1.0, abs(figure)):
            return f"the {PER_IMAGE} of seed {result.seed} does not match its metrics.json"
        if images is not None and not np.array_equal(images, ids):
            return "its seeds were tested on different images"
        images = ids
        # The values were rounded to half precision, the metric was not: shift the values to the exact mean.
        values[result.seed] = own + (figure - own.mean())
    return None if images is None else _Values(images, values)
