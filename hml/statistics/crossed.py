"""The mean over two crossed random factors, seeds and test images: its interval for other seeds and other images."""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import optimize, stats

SEEDS, IMAGES, SEEDS_AND_IMAGES = "seeds", "images", "seeds and images"
"""What an interval takes as random: it is for others of these, of the same kind, and treats all else as fixed."""

_ROUNDING = 1e-12


@dataclass(frozen=True)
class CrossedMean:
    """The mean of a value for every seed and image, its 95 % interval, and the p value of its being 0.

    Of a single seed the interval is over images, and of a single image there is none. There is no p where nothing
    varies.
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

    The variance of the mean is that of the seeds' means over S, plus that of the images' means over N, less the part
    that both contain: what a seed and an image do together. Each part widens the interval by its own t quantile, so
    that the squared half-width is t²(S − 1) · V_seeds + t²(N − 1) · max(V_images − V_both, 0), and at least
    t²(N − 1) · V_images. The interval is thus never narrower than the t interval over seeds or that over images. (With
    t(S − 1) for the sum, as is usual where one factor is small, it would be wider: as if there were S images.)

    Args:
        values: One for each seed and image, shape (S, N), S and N ≥ 1: a metric's, or the difference of two.

    Source: Cameron, Gelbach and Miller, "Robust Inference with Multiway Clustering", 2011, for the variance; Howe,
    "Approximate Confidence Limits on the Mean of X + Y Where X and Y Are Two Tabled Independent Random Variables",
    1974, for adding squared half-widths.

    Example:
        >>> crossed_mean(np.array([[1.0, 2.0, 3.0, 4.0]]))  # one seed: the t interval over images
        CrossedMean(seeds=1, images=4, mean=2.5, low=0.44..., high=4.55..., p=0.03...)
    """
    seeds, images = values.shape
    mean = float(values.mean())
    if images < 2:
        return CrossedMean(seeds, images, mean)
    of_seeds, of_images, of_both = _variances(values)

    def half_width(p: float) -> float:
        by_images = float(stats.t.isf(p / 2, images - 1)) ** 2
        by_seeds = float(stats.t.isf(p / 2, seeds - 1)) ** 2 if seeds > 1 else 0.0
        both = by_seeds * of_seeds + by_images * (of_images - of_both)
        return math.sqrt(max(both, by_seeds * of_seeds, by_images * of_images))

    half = half_width(0.05)
    if half <= _ROUNDING * float(np.abs(values).max(initial=0)):
        return CrossedMean(seeds, images, mean, mean, mean)
    # The p value is that of the interval that ends at 0.
    least = 1e-12
    p = least if half_width(least) < abs(mean) else optimize.brentq(lambda at: half_width(at) - abs(mean), least, 1)
    return CrossedMean(seeds, images, mean, mean - half, mean + half, float(p))


def _variances(values: npt.NDArray[np.float64]) -> tuple[float, float, float]:
    """Return the mean's variance estimated from seeds' means, from images' means, and what both of these contain."""
    seeds, images = values.shape
    by_seed, by_image = values.mean(1), values.mean(0)
    of_images = float(by_image.var(ddof=1)) / images
    if seeds == 1:
        return 0.0, of_images, 0.0
    both = values - by_seed[:, None] - by_image + values.mean()
    of_both = float((both**2).sum()) / ((seeds - 1) * (images - 1)) / (seeds * images)
    return float(by_seed.var(ddof=1)) / seeds, of_images, of_both
