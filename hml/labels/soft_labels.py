"""Makes, smooths and checks soft labels. Pure functions of tensors."""

from typing import Literal

import torch
from torch import Tensor

from hml.errors import InputError, check_choice

SmoothOver = Literal["all", "endpoints"]


def two_hot(lambda_g: Tensor, class_1: int | Tensor, class_2: int | Tensor, num_classes: int) -> Tensor:
    """Make labels with probability lambda_g on the first class and 1 − lambda_g on the second.

    Args:
        lambda_g: Weights of the first class, shape (K,).
        class_1: The first class, the same for all rows or one per row, shape (K,).
        class_2: The second class, likewise. If it equals the first, the row is one-hot.
        num_classes: C, the number of classes.

    Returns:
        Soft labels, shape (K, C).

    Examples:
        >>> two_hot(torch.tensor([0.75]), class_1=1, class_2=3, num_classes=4)
        tensor([[0.0000, 0.7500, 0.0000, 0.2500]])
    """
    first = torch.as_tensor(class_1, device=lambda_g.device).expand(lambda_g.shape)  # (K,)
    second = torch.as_tensor(class_2, device=lambda_g.device).expand(lambda_g.shape)  # (K,)
    classes = torch.stack([first, second], dim=1)  # (K, 2)
    weights = torch.stack([lambda_g, 1 - lambda_g], dim=1)  # (K, 2)
    return weights.new_zeros(len(lambda_g), num_classes).scatter_add(1, classes, weights)


def smooth_by_confidence(soft_label: Tensor, omega: Tensor, gamma: float, support: Tensor | None = None) -> Tensor:
    """Smooth soft labels towards uniform, more for less confident annotators.

    With s = gamma^omega: label ← (1 − s)·label + s·uniform. So omega = 0 gives a uniform label, and omega = 1 gives the
    label a weight of 1 − gamma.

    Args:
        soft_label: Class probabilities, shape (K, C), rows sum to 1.
        omega: Confidence of each row, shape (K,), in [0, 1].
        gamma: Smoothing base, in (0, 1]; the paper's is 0.005.
        support: The classes of the uniform part, shape (K, C), boolean, one or more per row. By default, all classes.

    Returns:
        Smoothed labels, shape (K, C), rows sum to 1.

    Raises:
        InputError: a row does not sum to 1, omega is outside [0, 1], or gamma is outside (0, 1].

    Source: Collins et al., "Human-in-the-Loop Mixup", the confidence-smoothed labels.

    Examples:
        >>> smooth_by_confidence(torch.tensor([[1.0, 0.0]]), torch.tensor([0.5]), gamma=0.25)
        tensor([[0.7500, 0.2500]])
    """
    check_gamma(gamma)
    if not bool(((omega >= 0) & (omega <= 1)).all()):
        raise InputError(f"omega={omega.tolist()} is not all in [0, 1]: raw confidence is 0 to 100, divide by 100.")
    check_soft_labels(soft_label)
    uniform = torch.ones_like(soft_label) if support is None else support.to(soft_label.dtype)
    uniform = uniform / uniform.sum(dim=1, keepdim=True)  # (K, C)
    s = gamma ** omega.to(soft_label.dtype).unsqueeze(1)  # (K, 1)
    return (1 - s) * soft_label + s * uniform


def smooth_label(
    soft_label: Tensor, omega: Tensor, gamma: float, classes: tuple[int, int], smooth_over: SmoothOver
) -> Tensor:
    """Smooth the labels of one mixed image by confidence, over all classes or over its endpoints' classes.

    Args:
        soft_label: Class probabilities, shape (K, C), rows sum to 1.
        omega: Confidence of each row, shape (K,), in [0, 1].
        gamma: Smoothing base, in (0, 1].
        classes: The endpoints' classes.
        smooth_over: The classes of the uniform part.

    Returns:
        Smoothed labels, shape (K, C), rows sum to 1.
    """
    support = None
    if smooth_over == "endpoints":
        support = torch.zeros_like(soft_label, dtype=torch.bool)
        support[:, list(classes)] = True
    return smooth_by_confidence(soft_label, omega, gamma, support)


def check_smoothing(gamma: float | None, smooth_over: SmoothOver) -> None:
    """Reject invalid arguments for smoothing. A gamma of None disables smoothing.

    Raises:
        InputError: gamma is outside (0, 1], or smooth_over is not one of its choices.
    """
    if gamma is not None:
        check_gamma(gamma)
    check_choice("smooth_over", smooth_over, SmoothOver)


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
