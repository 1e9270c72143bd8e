"""Figures for TensorBoard, as matplotlib figures. Drawn without pyplot, so no global state and no window."""

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from hml.evaluation.calibration import equal_width_bin
from hml.judgements import CLASS_NAMES
from hml.labels import MixedExample

_BLUE, _GREY = "#0072b2", "#999999"


def reliability_diagram(confidence: Tensor, correct: Tensor, num_bins: int = 15) -> Figure:
    """Draw accuracy against confidence in equal-width bins, both (N,), over how many predictions each holds."""
    figure = Figure(figsize=(4.5, 5), layout="constrained")
    top, bottom = figure.subplots(2, 1, sharex=True, height_ratios=[3, 1])
    which_bin = equal_width_bin(confidence, num_bins)
    used = sorted(set(which_bin.tolist()))
    means = [float(confidence[which_bin == b].mean()) for b in used]
    accuracy = [float(correct[which_bin == b].double().mean()) for b in used]
    top.plot([0, 1], [0, 1], color=_GREY, linestyle="--", label="perfectly calibrated")
    top.plot(means, accuracy, color=_BLUE, marker="o", label="model")
    top.set(ylabel="accuracy", xlim=(0, 1), ylim=(0, 1), title=f"Reliability, n = {len(confidence):,}")
    top.legend(loc="upper left", frameon=False)
    centres = [(int(b) + 0.5) / num_bins for b in used]
    bottom.bar(centres, [int((which_bin == b).sum()) for b in used], width=0.9 / num_bins, color=_BLUE)
    bottom.set(xlabel="confidence", ylabel="images")
    return figure


def mixed_grid(examples: Sequence[MixedExample], columns: int = 6) -> Figure:
    """Draw mixed images, each under lambda_f and what people said: the first endpoint's share."""
    rows = -(-len(examples) // columns)
    figure = Figure(figsize=(2 * columns, 2.4 * rows), layout="constrained")
    grid = figure.subplots(rows, columns, squeeze=False).ravel()
    for axes in grid:
        axes.axis("off")
    for axes, example in zip(grid, examples, strict=False):
        first, second = (CLASS_NAMES[label] for label in example.classes)
        said = ", ".join(f"{judgement.lambda_h:.2f}" for judgement in example.judgements[:5])
        more = ", …" if len(example.judgements) > 5 else ""
        _show(axes, example.image, f"{first} / {second}\n{example.lambda_f:g} → {said}{more}")
    figure.suptitle("$\\lambda_f$ → what people said ($\\lambda_h$), the first class's share")
    return figure


def attack_grid(clean: Tensor, attacked: Tensor, clean_logits: Tensor, attacked_logits: Tensor) -> Figure:
    """Draw images before and after an attack, (n, 3, H, W), with what the model says, logits (n, C), and the change."""
    figure = Figure(figsize=(1.7 * len(clean), 5.4), layout="constrained")
    grid = figure.subplots(3, len(clean), squeeze=False)
    change = attacked - clean
    change = 0.5 + change / (2 * change.abs().max().clamp(min=1e-8))
    for column in range(len(clean)):
        for row, (image, logits) in enumerate(((clean, clean_logits), (attacked, attacked_logits))):
            confidence, label = logits[column].softmax(0).max(0)
            _show(grid[row, column], image[column], f"{CLASS_NAMES[int(label)]} {confidence:.2f}")
        _show(grid[2, column], change[column], "")
    for row, name in enumerate(("clean", "attacked", "change, scaled")):
        grid[row, 0].text(-0.12, 0.5, name, rotation=90, va="center", ha="right", transform=grid[row, 0].transAxes)
    return figure


def _show(axes: Axes, image: Tensor, title: str) -> None:
    axes.imshow(image.float().cpu().movedim(0, -1).numpy(), interpolation="nearest", vmin=0, vmax=1)
    axes.set_title(title, fontsize=8)
    axes.axis("off")
