"""Means over two crossed random factors, such as seeds and test images: intervals for others of both kinds.

The variances of both factors are added, less the part that both contain: Cameron, Gelbach and Miller, "Robust Inference
with Multiway Clustering", 2011. Each has its own t quantile, and squared half-widths are added: Howe, "Approximate
Confidence Limits on the Mean of X + Y Where X and Y Are Two Tabled Independent Random Variables", 1974. The usual
choice for the sum, the t quantile of the factor with fewer groups, would be wider, as if images were as few as seeds.
"""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import optimize, stats

SEEDS, IMAGES, SEEDS_AND_IMAGES = "seeds", "images", "seeds and images"
"""What an interval takes as random. It is for other seeds or images of the same kind, and treats the rest as fixed."""

FEWEST_GROUPS = 3
"""With fewer groups of either kind there is no interval."""

_ROUNDING = 1e-12


@dataclass(frozen=True)
class CrossedMean:
    """The mean of values of seeds and images, its 95 % interval, and the p value of a mean of 0.

    With a single seed, the interval is over images. With a single image, there is none. Without variation,
    there is no p.
    """

    seeds: int
    images: int
    mean: float
    low: float | None = None
    high: float | None = None
    p: float | None = None

    @property
    def random(self) -> str:
        """What the interval takes as random."""
        return IMAGES if self.seeds == 1 else SEEDS_AND_IMAGES


def crossed_mean(values: npt.NDArray[np.float64]) -> CrossedMean:
    """Estimate a mean over seeds and images.

    The squared half-width is t²(S − 1) · V_seeds + t²(N − 1) · (V_images − V_both), and at least that of either factor.
    V_seeds is the variance of the seeds' means over S, V_images that of the images' means over N, and V_both the
    variance of the residuals over S · N. So the interval is never narrower than the t interval over seeds.

    Args:
        values: One for each seed and image, shape (S, N), S and N ≥ 1: a metric, or the difference of two.

    Examples:
        >>> crossed_mean(np.array([[1.0, 2.0, 3.0, 4.0]]))  # one seed: the t interval over images
        CrossedMean(seeds=1, images=4, mean=2.5, low=0.44..., high=4.55..., p=0.03...)
    """
    seeds, images = values.shape
    mean = float(values.mean())
    if images < 2:
        return CrossedMean(seeds, images, mean)
    parts = _variances(values)

    def half_width(p: float) -> float:
        return _half_width(p, (seeds, images), *parts)

    half = half_width(0.05)
    if half <= _ROUNDING * float(np.abs(values).max(initial=0)):
        return CrossedMean(seeds, images, mean, mean, mean)
    # The p value is that of the interval that ends at 0.
    least = 1e-12
    p = least if half_width(least) < abs(mean) else optimize.brentq(lambda at: half_width(at) - abs(mean), least, 1)
    return CrossedMean(seeds, images, mean, mean - half, mean + half, float(p))


def clustered_half_width(
    values: npt.NDArray[np.float64], first: npt.NDArray[np.int64], second: npt.NDArray[np.int64]
) -> float | None:
    """Return half the width of the 95 % interval of a mean of observations in two crossed groupings.

    It is that of `crossed_mean`, for any number of observations in each group. Each factor's variance is a jackknife's
    over its groups, which is right even if some groups are much larger than others.

    Args:
        values: Observations, shape (N,).
        first: The group of each in the first grouping, such as the person who judged, shape (N,).
        second: The group of each in the second grouping, such as the pair of images that were mixed, shape (N,).

    Returns:
        The half-width; None with fewer than `FEWEST_GROUPS` groups of either kind.

    Examples:
        >>> errors = np.array([0.1, 0.2, 0.2, 0.3, 0.1, 0.3])
        >>> clustered_half_width(errors, np.array([0, 0, 1, 1, 2, 2]), np.array([0, 1, 1, 2, 2, 0]))
        0.1...
    """
    left = values - values.mean()
    cell = np.unique(np.stack([first, second]), axis=1, return_inverse=True)[1].reshape(-1)
    sizes, variances = [], []
    for group in (first, second, cell):
        sums, counts = (
            np.bincount(np.unique(group, return_inverse=True)[1], own) for own in (left, np.ones_like(left))
        )
        if len(counts) < FEWEST_GROUPS:
            return None
        sizes.append(len(counts))
        variances.append(float(((sums / (len(left) - counts)) ** 2).sum()) * (1 - 1 / len(counts)))
    return _half_width(0.05, (sizes[0], sizes[1]), variances[0], variances[1], variances[2])


def _half_width(p: float, groups: tuple[int, int], of_first: float, of_second: float, of_both: float) -> float:
    """Half the width of the interval at level 1 − p, from the numbers of groups and the mean's variances."""
    by_first, by_second = (float(stats.t.isf(p / 2, size - 1)) ** 2 if size > 1 else 0.0 for size in groups)
    together = by_first * of_first + by_second * (of_second - of_both)
    return math.sqrt(max(together, by_first * of_first, by_second * of_second))


def _variances(values: npt.NDArray[np.float64]) -> tuple[float, float, float]:
    """Return the mean's variance estimated from seeds' means, from images' means, and the part that both contain."""
    seeds, images = values.shape
    by_seed, by_image = values.mean(1), values.mean(0)
    of_images = float(by_image.var(ddof=1)) / images
    if seeds == 1:
        return 0.0, of_images, 0.0
    both = values - by_seed[:, None] - by_image + values.mean()
    of_both = float((both**2).sum()) / ((seeds - 1) * (images - 1)) / (seeds * images)
    return float(by_seed.var(ddof=1)) / seeds, of_images, of_both
