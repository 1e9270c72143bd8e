"""Makes, smooths and checks soft labels. Pure functions of tensors."""

import math
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from hml.errors import InputError, check_choice

SmoothOver = Literal["all", "endpoints"]


def two_hot(lambda_g: Tensor, class_1: int | Tensor, class_2: int | Tensor, num_classes: int) -> Tensor:
    """Make labels with probability lambda_g on the first class and 1 − lambda_g on the second.

    Args:
        lambda_g: Weights of the first class, shape (K,). Booleans count as 0 and 1.
        class_1: The first class, the same for all rows or one per row, shape (K,).
        class_2: The second class, likewise. If it equals the first, the row is one-hot.
        num_classes: C, the number of classes.

    Returns:
        Soft labels, shape (K, C).

    Examples:
        >>> two_hot(torch.tensor([0.75]), class_1=1, class_2=3, num_classes=4)
        tensor([[0.0000, 0.7500, 0.0000, 0.2500]])
    """
    lambda_g = lambda_g if lambda_g.is_floating_point() else lambda_g.float()  # 1 − booleans is an error in PyTorch
    first = torch.as_tensor(class_1, device=lambda_g.device).expand(lambda_g.shape)  # (K,)
    second = torch.as_tensor(class_2, device=lambda_g.device).expand(lambda_g.shape)  # (K,)
    classes = torch.stack([first, second], dim=1)  # (K, 2)
    weights = torch.stack([lambda_g, 1 - lambda_g], dim=1)  # (K, 2)
    return weights.new_zeros(len(lambda_g), num_classes).scatter_add(1, classes, weights)


def smooth_by_confidence(
    soft_label: Tensor, omega: Tensor, gamma: float, support: Tensor | None = None, additive: float | None = None
) -> Tensor:
    """Smooth soft labels towards uniform, more for less confident annotators.

    With s = gamma^omega: label ← (1 − s)·label + s·uniform. So omega = 0 gives a uniform label, and omega = 1 gives the
    label a weight of 1 − gamma. With additive = a and c = a·gamma^omega: label ← (label + c·uniform) / (1 + c). So
    omega = 0 gives the uniform label a weight of a / (1 + a).

    Args:
        soft_label: Class probabilities, shape (K, C), rows sum to 1.
        omega: Confidence of each row, shape (K,), in [0, 1].
        gamma: Smoothing base, in (0, 1]; the paper's is 0.005.
        support: The classes of the uniform part, shape (K, C), boolean, one or more per row. By default, all classes.
        additive: The factor a of additive smoothing, above 0. None: s is gamma^omega.

    Returns:
        Smoothed labels, shape (K, C), rows sum to 1.

    Raises:
        InputError: a row does not sum to 1, or omega, gamma or additive is out of its range.

    Source: Collins et al., "Human-in-the-Loop Mixup", the confidence-smoothed labels.

    Examples:
        >>> smooth_by_confidence(torch.tensor([[1.0, 0.0]]), torch.tensor([0.5]), gamma=0.25)
        tensor([[0.7500, 0.2500]])
        >>> smooth_by_confidence(torch.tensor([[1.0, 0.0]]), torch.tensor([0.5]), gamma=0.25, additive=2)
        tensor([[0.7500, 0.2500]])
    """
    s = Smoothing(gamma, additive=additive).uniform_share(omega.to(soft_label.dtype))  # (K,)
    check_soft_labels(soft_label)
    return _blend_with_uniform(soft_label, s, support)


def _blend_with_uniform(soft_label: Tensor, share: Tensor, support: Tensor | None = None) -> Tensor:
    """Give the uniform label over the support, shape (K, C), a share of each label, shape (K,)."""
    uniform = torch.ones_like(soft_label) if support is None else support.to(soft_label.dtype)
    uniform = uniform / uniform.sum(dim=1, keepdim=True)  # (K, C)
    s = share.unsqueeze(1)  # (K, 1)
    return (1 - s) * soft_label + s * uniform


@dataclass(frozen=True)
class Smoothing:
    """How a strategy smooths labels by confidence, with the formulas of `smooth_by_confidence`.

    Args:
        gamma: Smoothing base, in (0, 1].
        smooth_over: Whether smoothing spreads over all classes or over the two endpoints' classes.
        additive: The factor a of additive smoothing, above 0. None: the uniform label's share is gamma^omega.

    Raises:
        InputError: an argument is out of its range.
    """

    gamma: float
    smooth_over: SmoothOver = "all"
    additive: float | None = None

    def __post_init__(self) -> None:
        check_gamma(self.gamma)
        check_choice("smooth_over", self.smooth_over, SmoothOver)
        if self.additive is not None and not 0 < self.additive < math.inf:
            raise InputError(
                f"additive={self.additive} must be above 0 and finite, or null for a share of gamma^omega."
            )

    def uniform_share(self, omega: Tensor) -> Tensor:
        """Return the weight of the uniform label for each confidence, both (K,).

        Raises:
            InputError: omega is outside [0, 1].
        """
        if not bool(((omega >= 0) & (omega <= 1)).all()):
            raise InputError(f"omega={omega.tolist()} is not all in [0, 1]: raw confidence is 0 to 100, divide by 100.")
        s = self.gamma**omega
        return s if self.additive is None else self.additive * s / (1 + self.additive * s)

    def smooth(self, soft_label: Tensor, omega: Tensor, classes: tuple[int, int]) -> Tensor:
        """Smooth the labels (K, C) of an image with endpoints of two classes by confidence (K,)."""
        return self.blend(soft_label, self.uniform_share(omega), classes)

    def blend(self, soft_label: Tensor, share: Tensor, classes: tuple[int, int]) -> Tensor:
        """Smooth labels (K, C) by a given share (K,) of the uniform label."""
        support = None
        if self.smooth_over == "endpoints":
            support = torch.zeros_like(soft_label, dtype=torch.bool)
            support[:, list(classes)] = True
        return _blend_with_uniform(soft_label, share, support)


def optional_smoothing(gamma: float | None, smooth_over: SmoothOver, additive: float | None) -> Smoothing | None:
    """Return the smoothing that a strategy's arguments describe. None if gamma is None, which disables smoothing.

    Raises:
        InputError: an argument is out of its range, or additive has no effect because gamma is None.
    """
    if gamma is not None:
        return Smoothing(gamma, smooth_over, additive)
    check_choice("smooth_over", smooth_over, SmoothOver)
    if additive is not None:
        raise InputError(f"additive={additive} has no effect without gamma: set gamma, such as 0.0001.")
    return None


def check_gamma(gamma: float) -> None:
    """Reject a smoothing base outside (0, 1].

    Raises:
        InputError: gamma is outside (0, 1].
    """
    if not 0 < gamma <= 1:
        raise InputError(f"gamma={gamma} is outside (0, 1]: the paper's is 0.005, and null turns smoothing off.")


def check_soft_labels(soft_label: Tensor, num_classes: int | None = None) -> None:
    """Reject tensors that are not rows of probabilities.

    Args:
        soft_label: Soft labels to check, shape (K, C).
        num_classes: C, if known.

    Raises:
        InputError: wrong shape or type, a negative or non-finite entry, or a row that does not sum to 1 within 1e-4.
    """
    columns = "C" if num_classes is None else num_classes
    if soft_label.ndim != 2 or (num_classes is not None and soft_label.shape[1] != num_classes):
        raise InputError(f"soft labels have shape {tuple(soft_label.shape)}, expected (K, {columns}).")
    if not soft_label.is_floating_point():
        raise InputError(f"soft labels are {soft_label.dtype}, expected floating point.")
    wrong = ~((soft_label.amin(1) >= 0) & ((soft_label.sum(1) - 1).abs() <= 1e-4))  # (K,), also where NaN
    for row in wrong.nonzero().flatten().tolist():
        smallest, total = float(soft_label[row].min()), float(soft_label[row].sum())
        if not smallest >= 0:
            raise InputError(f"row {row} of the soft labels has the entry {smallest}: probabilities are 0 or more.")
        raise InputError(f"row {row} of the soft labels sums to {total:.6g}, not to 1.")
