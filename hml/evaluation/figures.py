"""Matplotlib figures for TensorBoard, drawn without pyplot's global state and windows."""

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from hml.evaluation.calibration import equal_width_bin
from hml.judgements import Classes
from hml.labels import MixedExample
from hml.reporting.palette import Color

_INCHES, _MARGIN = 1.9, 0.4  # width of an image in a grid, and the margin of the grid
_GAP, _TITLE = 0.1, 0.25  # space between images, and above an image, in image widths
_LINE = 34  # number of characters that is about as wide as an image


def reliability_diagram(confidence: Tensor, correct: Tensor, truth: str, num_bins: int = 15) -> Figure:
    """Draw accuracy against confidence in equal-width bins, and the number of predictions in each bin.

    Args:
        confidence: Largest class probability, shape (N,).
        correct: Whether the prediction is correct, shape (N,).
        truth: What predictions are compared with, such as "people's majority".
        num_bins: Number of equal-width bins.
    """
    figure = Figure(figsize=(4.5, 5), layout="constrained")
    top, bottom = figure.subplots(2, 1, sharex=True, height_ratios=[3, 1])
    which_bin = equal_width_bin(confidence, num_bins)
    used = sorted(set(which_bin.tolist()))
    means = [float(confidence[which_bin == b].mean()) for b in used]
    accuracy = [float(correct[which_bin == b].double().mean()) for b in used]
    top.plot([0, 1], [0, 1], color=Color.GREY, linestyle="--", label="perfectly calibrated")
    top.plot(means, accuracy, color=Color.BLUE, marker="o", label="model")
    title = f"Reliability, n = {len(confidence):,}"
    top.set(ylabel=f"accuracy against {truth}", xlim=(0, 1), ylim=(0, 1), title=title)
    top.legend(loc="upper left", frameon=False)
    centres = [(int(b) + 0.5) / num_bins for b in used]
    bottom.bar(centres, [int((which_bin == b).sum()) for b in used], width=0.9 / num_bins, color=Color.BLUE)
    bottom.set(xlabel="confidence (largest class probability)", ylabel="images")
    return figure


def mixed_grid(classes: Classes, examples: Sequence[MixedExample], columns: int = 6) -> Figure:
    """Draw mixed images. Their titles show lambda_f and people's lambda_h, the share of the first endpoint."""
    images, titles = [], []
    for example in examples:
        first, second = (classes[label] for label in example.classes)
        said = ", ".join(f"{judgement.lambda_h:.2f}" for judgement in example.judgements[:5])
        more = ", …" if len(example.judgements) > 5 else ""
        images.append(example.image)
        pair = f"{first} / {second}"
        if len(pair) > _LINE:
            pair = f"{_shorten(first, _LINE - 2)} /\n{_shorten(second, _LINE)}"
        titles.append(f"{pair}\n{example.lambda_f:g} → {said}{more}")
    figure, axes = _draw_images(images, titles, columns)
    axes.set_title("$\\lambda_f$ → people's answers ($\\lambda_h$), share of the first class")
    return figure


def attack_grid(
    classes: Classes, clean: Tensor, attacked: Tensor, clean_logits: Tensor, attacked_logits: Tensor
) -> Figure:
    """Draw images before and after an attack, (n, 3, H, W), the model's predictions, logits (n, C), and the change."""
    change = attacked - clean
    change = 0.5 + change / (2 * change.abs().max().clamp(min=1e-8))
    titles = []
    for logits in (*clean_logits, *attacked_logits):
        confidence, label = logits.softmax(0).max(0)
        titles.append(f"{_shorten(classes[int(label)], _LINE - 5)} {confidence:.2f}")
    figure, axes = _draw_images([*clean, *attacked, *change], [*titles, *[""] * len(change)], columns=len(clean))
    for row, name in enumerate(("clean", "attacked", "change, scaled")):
        axes.text(-0.05, row * (1 + _TITLE) + _TITLE + 0.5, name, rotation=90, va="center", ha="right")
    return figure


def _shorten(name: str, width: int) -> str:
    return name if len(name) <= width else f"{name[: width - 1]}…"


def _draw_images(images: Sequence[Tensor], titles: Sequence[str], columns: int) -> tuple[Figure, Axes]:
    """Draw images (3, H, W) row by row on one pair of axes. Each is one unit wide and has a title.

    One pair of axes for each image would take about a second to draw, twice in every run.
    """
    rows = -(-len(images) // columns)
    width, height = columns + (columns - 1) * _GAP, rows * (1 + _TITLE)
    inches = _INCHES * width + 2 * _MARGIN, _INCHES * height + 2 * _MARGIN
    margins = _MARGIN / inches[0], _MARGIN / inches[1]
    figure = Figure(figsize=inches)
    axes = figure.add_axes((*margins, 1 - 2 * margins[0], 1 - 2 * margins[1]))
    for place, (image, title) in enumerate(zip(images, titles, strict=True)):
        row, column = divmod(place, columns)
        left, top = column * (1 + _GAP), row * (1 + _TITLE) + _TITLE
        pixels = image.float().cpu().movedim(0, -1).numpy()  # (H, W, 3)
        axes.imshow(pixels, extent=(left, left + 1, top + 1, top), interpolation="nearest", vmin=0, vmax=1)
        axes.text(left + 0.5, top - 0.03, title, ha="center", va="bottom", fontsize=7, parse_math=False)
    axes.set(xlim=(0, width), ylim=(height, 0))
    axes.axis("off")
    return figure, axes
