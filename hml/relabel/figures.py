"""Figures of predictions and people's answers, for held-out images and for the blends of a class pair."""

import numpy as np
import pandas as pd
import torch
from matplotlib.figure import Figure

from hml.data import ImageBank
from hml.judgements import Classes
from hml.labels import MixedBatch
from hml.randomness import Draws
from hml.relabel.checkpoint import curve_at
from hml.relabel.relabeller import Relabeller
from hml.relabel.sources import Material
from hml.reporting.drawing import draw_mixup_line, escape, finish, new_figure
from hml.reporting.palette import PEOPLE, Color
from hml.reporting.sections import Exhibit
from hml.statistics.estimates import Array

_IMAGES, _COLUMNS = 9, 3
_BLENDS = 64
_UNSEEN = {"pair": "of other image pairs only", "annotator": "by other people than the first who answered"}


def held_out_images(classes: Classes, table: pd.DataFrame, mass: Array, split: str) -> Exhibit:
    """Draw the predicted distributions of the held-out images with most judgements, and the answers.

    Args:
        classes: The images' classes.
        table: Judgements.
        mass: The predicted mass of each per cent of lambda_h, for each judgement, shape (N, 101).
        split: What was held out: "pair" or "annotator".
    """
    count = table.groupby("image").size()
    chosen = count.sort_values(ascending=False, kind="stable").index[:_IMAGES]
    rows = -(-len(chosen) // _COLUMNS)
    figure = new_figure(9, 1.9 * rows + 0.4)
    panels = figure.subplots(rows, _COLUMNS, squeeze=False, sharex=True)
    grid = np.arange(101) / 100
    drawn = []
    for axes, image in zip(panels.flat, chosen, strict=False):
        own = (table["image"] == image).to_numpy()
        predicted, said = mass[own][0], table.loc[own, "lambda_h"]
        first = table[own].iloc[0]
        axes.bar(grid, predicted, width=0.01, color=Color.PALE_BLUE, edgecolor=PEOPLE, linewidth=0.3)
        axes.plot(said, np.zeros(len(said)), "^", color=Color.LIGHT_ORANGE, markersize=6, clip_on=False)
        axes.axvline(float(first["lambda_f"]), color=Color.GREY, linewidth=0.8)
        first_name, second_name = (escape(classes[int(first[name])]) for name in ("class_1", "class_2"))
        finish(axes, xlim=(-0.02, 1.02), yticks=[])
        axes.set_title(f"{first_name} {first['lambda_f']:g}, {second_name} {1 - first['lambda_f']:g}", fontsize=9)
        answers = np.bincount((100 * said).round().astype(int), minlength=101)
        data = {"filename": first["filename"], "lambda_h": grid, "predicted": predicted, "answers": answers}
        drawn.append(pd.DataFrame(data))
    for axes in panels.flat[len(chosen) :]:
        axes.set_visible(False)
    figure.supxlabel(r"$\lambda_h$, the share of the first class")
    return Exhibit(
        "held_out",
        "Predictions and answers",
        "The images with most judgements: the relabeller's prediction (bars), people's answers (triangles) "
        f"and λ_f (line). The relabeller learned from judgements {_UNSEEN[split]}.",
        "Small panels, one per image, of predicted probabilities with people's answers marked below.",
        figure,
        pd.concat(drawn, ignore_index=True),
    )


def boundary(material: Material, relabeller: Relabeller, curves: torch.Tensor, pair: tuple[int, int]) -> Exhibit:
    """Draw the predictions for blends of two classes over lambda_f, and people's answers.

    Args:
        material: The judgements, and the images to blend.
        relabeller: Fitted to all of them.
        curves: Class pairs' curves, shape (C, C, 3).
        pair: The two classes, in order.
    """
    grid = np.linspace(0, 1, 41)
    mass = _average_mass(relabeller, pair, material.bank, grid)  # (41, 101)
    low, high = ((mass.cumsum(1) < level - 1e-6).sum(1) / 100 for level in (0.1, 0.9))
    curve = curve_at(curves, torch.full((41,), pair[0]), torch.full((41,), pair[1]), torch.from_numpy(grid).float())
    mean = mass @ np.arange(101) / 100
    data = pd.DataFrame({"lambda_f": grid, "mean": mean, "low_80": low, "high_80": high, "pair_curve": curve.numpy()})
    table, classes = material.once, material.bank.classes
    (first, second), name = (classes[label] for label in pair), classes.name_pair(*pair)
    file = f"boundary_{first}_{second}"
    return Exhibit(
        file if file.isidentifier() else f"boundary_{pair[0]}_{pair[1]}",
        f"{name}: the learned boundary",
        f"Blends of {first} and {second}, averaged over {_BLENDS} pairs of training images. Outside the range of λ_f "
        "that people judged, the relabeller extrapolates to certainty at 0 and 1.",
        f"Curves of perceived against true share for {name}, with people's answers as points.",
        _draw_boundary(data, said_of(table, pair), escape(first)),
        data,
    )


def said_of(table: pd.DataFrame, pair: tuple[int, int]) -> pd.DataFrame:
    """Return the judgements of blends of two classes, mirrored where needed so that shares are those of the first."""
    ends = list(zip(table["class_1"], table["class_2"], strict=True))
    forward, backward = (table[[end == wanted for end in ends]] for wanted in (pair, pair[::-1]))
    turned = backward.assign(lambda_f=1 - backward["lambda_f"], lambda_h=1 - backward["lambda_h"])
    return pd.concat([forward, turned])


def _draw_boundary(data: pd.DataFrame, said: pd.DataFrame, first: str) -> Figure:
    figure = new_figure(5.2, 4.4)
    axes, grid = figure.subplots(), data["lambda_f"]
    axes.fill_between(grid, data["low_80"], data["high_80"], color=Color.PALE_BLUE, label="relabeller: 80 % of answers")
    draw_mixup_line(axes)
    axes.plot(grid, data["mean"], color=PEOPLE, linewidth=2, label="relabeller: mean")
    axes.plot(grid, data["pair_curve"], color=Color.GREEN, linewidth=1.5, linestyle="--", label="the pair's curve")
    spread = Draws(0, 0, np.arange(len(said))).uniform("jitter") * 0.03 - 0.015
    answers = said["lambda_f"] + spread, said["lambda_h"]
    axes.plot(*answers, ".", color=Color.LIGHT_ORANGE, markersize=4, label="people's answers")
    finish(axes, xlabel=f"λ_f, {first}'s share of the pixels", ylabel=f"λ_h, the share of {first} that people see")
    axes.set(xlim=(0, 1), ylim=(-0.02, 1.02))
    axes.legend(fontsize=8, frameon=False, loc="upper left")
    return figure


def _average_mass(relabeller: Relabeller, pair: tuple[int, int], bank: ImageBank, grid: Array) -> Array:
    """Average predictions over random pairs of images of two classes, at each lambda_f of a grid, shape (G, 101)."""
    draws = Draws(0, 0, np.arange(_BLENDS))
    ids = []
    for side, label in enumerate(pair):
        own = bank.train_ids[bank.labels[bank.train_ids] == label]
        ids.append(own[torch.from_numpy((draws.uniform(f"endpoint {side}") * len(own)).astype(np.int64))])
    first, second = ids
    classes = bank.labels[first], bank.labels[second]
    weights = [torch.full((_BLENDS,), lambda_f) for lambda_f in grid.tolist()]
    batches = [MixedBatch(first, second, *classes, weight, len(bank.classes)) for weight in weights]
    masses: Array = np.stack([relabeller.mass(batch).double().mean(0).numpy() for batch in batches])
    return masses
