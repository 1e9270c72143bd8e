"""`Coverage`: asks about images that are far from all judged ones."""

import numpy as np
from torch import Tensor
from typing_extensions import override

from hml.relabel.acquisition.base import Acquisition, Gains
from hml.relabel.acquisition.pool import Pool, hidden_features, judged_images
from hml.statistics.estimates import Array

_CHUNK = 1000


class Coverage(Acquisition):
    """The distance to the nearest judged image in the members' hidden units: greedy k-centre.

    min ‖h(x) − h(y)‖ over images y that were judged or are in the batch, where h are the members' hidden units for both
    sides of a mixed image. Another opinion on a judged image has the value 0.

    Source: Sener and Savarese, "Active Learning for Convolutional Neural Networks: A Core-Set Approach", 2018.
    """

    reason = "distance to the nearest judged image"

    @override
    def gains(self, pool: Pool) -> Gains:
        features = hidden_features(pool.relabeller, pool.batch)
        judged, _ = judged_images(pool.table, pool.batch.num_classes)
        centres = hidden_features(pool.relabeller, judged)
        nearest = np.full(len(pool), np.inf)
        for at in range(0, len(centres), _CHUNK):
            nearest = np.minimum(nearest, _distances(features, centres[at : at + _CHUNK]))
        while True:
            row = yield nearest
            nearest = np.minimum(nearest, _distances(features, features[row : row + 1]))


def _distances(features: Tensor, centres: Tensor) -> Array:
    """Return the distance of each row (N, D) to the nearest of some centres (P, D), shape (N,)."""
    squares = features.square().sum(1) + (centres.square().sum(1) - 2 * features @ centres.T).min(1).values
    distances: Array = squares.clamp(min=0).sqrt().double().numpy()
    return distances
