"""`FreshMixes`: training images that are mixed again every epoch, as in mixup."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from scipy.special import betaincinv
from torch import Tensor
from typing_extensions import override

from hml.data.download import RemoteFile
from hml.data.images import ImageBank
from hml.data.mixed import MixedSet, MixedSource
from hml.data.mixing import Rows
from hml.errors import InputError
from hml.labels import LabelStrategy, MixedBatch, check_soft_labels
from hml.randomness import Draws


class FreshMixes(MixedSource):
    """Mixes every training image with another one. Partners and lambda_f are drawn again every epoch.

    An epoch has one row for each training image (7,000 for CIFAR-10), in which it is the first endpoint. The partner is
    any training image of any class, possibly the image itself. Evaluation images are never mixed. The strategy labels
    the mixes, so it needs a `label_batch`.

    Args:
        alpha: lambda_f is drawn from Beta(alpha, alpha); 1 is uniform.
        lambdas: Values from which lambda_f is drawn uniformly instead, such as H-Mix's .1, .25, .5, .75 and .9.
        share: The probability that a training image is mixed. Otherwise it stays plain, with its plain label.

    Raises:
        InputError: an argument is out of its range.

    Source: Zhang et al., "mixup: Beyond Empirical Risk Minimization", 2018.
    """

    def __init__(self, alpha: float = 1.0, lambdas: list[float] | None = None, share: float = 1.0) -> None:
        if not 0 < alpha < np.inf:
            raise InputError(f"alpha={alpha} must be above 0: use 1 for lambda_f uniform in [0, 1].")
        if lambdas is not None and not (lambdas and all(0 <= value <= 1 for value in lambdas)):
            raise InputError(
                f"lambdas={lambdas} must be one or more numbers in [0, 1], or null for Beta(alpha, alpha)."
            )
        if not 0 < share <= 1:
            raise InputError(f"share={share} must be above 0 and at most 1: it is the share of an epoch that is mixed.")
        self.alpha = alpha
        self.lambdas = lambdas
        self.share = share
        self.leaves_plain = share < 1

    @override
    def remote_files(self, data_dir: Path) -> list[RemoteFile]:
        return []

    @override
    def load(self, data_dir: Path, bank: ImageBank) -> MixedSet:
        return MixedSet([])

    @override
    def remixer(self, labels: Tensor, strategy: LabelStrategy) -> "Remixer":
        return Remixer(self, labels, strategy)


@dataclasses.dataclass(frozen=True)
class Remixer:
    """Makes the rows of an epoch by mixing plain rows, which a strategy labels.

    Args:
        mixes: The settings of the mixes.
        labels: Class of every image in the bank, shape (M,).
        strategy: Labels the mixes with its `label_batch`.
    """

    mixes: FreshMixes
    labels: Tensor
    strategy: LabelStrategy

    def __call__(self, plain: Rows, draws: Draws) -> Rows:
        """Mix plain rows with one another.

        Args:
            plain: Training images, N rows with one label each.
            draws: The epoch's random numbers. Their index has the rows to make, shape (B,).

        Returns:
            B rows with one label each, on the device of the plain rows.

        Raises:
            InputError: the strategy has no `label_batch`, or its labels are not rows of probabilities.
        """
        device = plain.id_1.device
        index = torch.from_numpy(draws.index).to(device)  # (B,)
        partner = torch.from_numpy((draws.uniform("partner") * len(plain)).astype(np.int64)).to(device)  # (B,)
        lambda_f = torch.from_numpy(draw_lambda_f(draws, self.mixes.alpha, self.mixes.lambdas)).to(device)  # (B,)
        id_1, id_2 = plain.id_1[index], plain.id_1[partner]
        labels, num_classes = self.labels.to(device), plain.soft_labels.shape[1]
        batch = MixedBatch(id_1, id_2, labels[id_1], labels[id_2], lambda_f, num_classes)
        soft_labels = self._label(batch, draws)  # (B, C)
        if self.mixes.share < 1:
            is_mixed = torch.from_numpy(draws.uniform("mixed") < self.mixes.share).to(device)  # (B,)
            id_2 = torch.where(is_mixed, id_2, id_1)
            lambda_f = torch.where(is_mixed, lambda_f, 1.0)
            soft_labels = torch.where(is_mixed[:, None], soft_labels, plain.soft_labels[index])
        return Rows(id_1, id_2, lambda_f, soft_labels, torch.ones_like(id_1))

    def _label(self, batch: MixedBatch, draws: Draws) -> Tensor:
        soft_labels = self.strategy.label_batch(batch, draws)
        name = type(self.strategy).__name__
        expected = (len(batch.id_1), batch.num_classes)
        if not isinstance(soft_labels, Tensor) or soft_labels.shape != expected:
            found = tuple(soft_labels.shape) if isinstance(soft_labels, Tensor) else type(soft_labels).__name__
            raise InputError(f"{name}.label_batch returned {found}: return a tensor of shape {expected}.")
        try:
            check_soft_labels(soft_labels, batch.num_classes)
        except InputError as error:
            raise InputError(f"{name}.label_batch returned invalid labels: {error}") from error
        return soft_labels.float()


def draw_lambda_f(draws: Draws, alpha: float, lambdas: Sequence[float] | None) -> npt.NDArray[np.float32]:
    """Draw lambda_f for each index, from Beta(alpha, alpha) or uniformly from given values, shape (B,).

    It is the Beta quantile of one uniform number, so that each draw depends only on its index.

    Examples:
        >>> draw_lambda_f(Draws(seed=0, epoch=0, index=np.arange(3)), alpha=1.0, lambdas=[0.25, 0.75]).tolist()
        [0.25, 0.75, 0.75]
    """
    uniform = draws.uniform("lambda_f")  # (B,)
    if lambdas is not None:
        return np.array(lambdas, dtype=np.float32)[(uniform * len(lambdas)).astype(np.int64)]
    if alpha == 1:
        return uniform.astype(np.float32)
    return betaincinv(alpha, alpha, uniform).astype(np.float32)
