"""The section that shows mixed images themselves."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from hml.analysis.pictures import Pixels, Triptych, most_surprising, picture
from hml.data.images import ImageBank
from hml.judgements import CIFAR10
from hml.reporting.drawing import finish, new_figure, typeset
from hml.reporting.palette import MIXUP, PEOPLE
from hml.reporting.sections import Exhibit, Section

PAPERS = (
    "mixed_0.5_Bird_7348_Cat_6202.png",
    "mixed_0.5_Automobile_9830_Bird_5118.png",
    "mixed_0.25_Airplane_7428_Dog_5504.png",
)
"""The paper's Figure 1."""


def examples_section(bank: ImageBank, table: pd.DataFrame, images: pd.DataFrame, chosen: Sequence[str]) -> Section:
    """Show the paper's three images where they were judged, and the chosen ones, or else the most surprising."""
    known = set(images["filename"])
    exhibits = []
    if papers := [name for name in PAPERS if name in known]:
        exhibits.append(
            _draw(
                "examples",
                "The paper's Figure 1",
                "the three examples of the paper's Figure 1",
                picture(bank, table, images, papers),
            )
        )
    if chosen:
        exhibits.append(_draw("chosen", "Chosen images", "the images asked for", picture(bank, table, images, chosen)))
    else:
        found = picture(bank, table, images, most_surprising(images))
        exhibits.append(
            _draw(
                "surprising",
                "The most surprising images",
                "the images whose mean answer lies farthest from their mixing coefficient",
                found,
            )
        )
    paragraphs = [
        "Each row shows the first endpoint, the mixed image that people saw, and the second endpoint; people saw the "
        "mixed image only. The panel on the right compares the first endpoint's share of the pixels with the share "
        "that people inferred."
    ]
    if not bank.canonical_pixels:
        paragraphs.append("The images were not read from CIFAR-10's own files. Their pixels may differ slightly.")
    return Section("examples", "Some of the images", paragraphs, exhibits=exhibits)


def _draw(name: str, title: str, what: str, triptychs: Sequence[Triptych]) -> Exhibit:
    figure = new_figure(9, 1.75 * len(triptychs) + 0.5)
    grid = figure.subplots(len(triptychs), 4, squeeze=False, width_ratios=[1, 1, 1, 3])
    rows = []
    for axes, shown in zip(grid, triptychs, strict=True):
        image = shown.image
        first, second = (CIFAR10[int(image[label])] for label in ("class_1", "class_2"))
        for place, pixels, label in zip(
            axes, (shown.first, shown.mixed, shown.second), (first, "mixed", second), strict=False
        ):
            _show(place, pixels, label)
        _draw_shares(axes[3], shown, first)
        rows.append(
            {
                "filename": image["filename"],
                "first": first,
                "second": second,
                "lambda_f": image["lambda_f"],
                "lambda_h": image["lambda_h"],
                "omega": image["omega"],
                "n": image["n"],
                "people": image["people"],
                "answers": " ".join(f"{answer:g}" for answer in shown.answers),
            }
        )
    grid[-1, 3].set_xlabel("share of the first endpoint")
    said = "; ".join(f"{r['first']}/{r['second']} {r['lambda_f']:g} → {r['lambda_h']:.3f}" for r in rows)
    return Exhibit(
        name,
        title,
        f"{what[0].upper()}{what[1:]}. From the left: first endpoint, mixed image, second endpoint; then the "
        f"share λ_f of the first endpoint in the pixels ({MIXUP.label} line), people's answers ({PEOPLE.label} dots) "
        f"and their mean λ_h ({PEOPLE.label} diamond).",
        f"Rows of mixed images between their endpoints, generating to mean inferred share: {said}.",
        figure,
        pd.DataFrame(rows),
    )


def _show(axes: Axes, pixels: Pixels, label: str) -> None:
    axes.imshow(pixels, interpolation="nearest", vmin=0, vmax=1)
    axes.set_title(label, fontsize=9)
    axes.axis("off")


def _draw_shares(axes: Axes, shown: Triptych, first: str) -> None:
    image, answers = shown.image, np.array(shown.answers)
    axes.axvline(float(image["lambda_f"]), color=MIXUP, linewidth=2)
    height = np.linspace(-0.25, 0.25, len(answers)) if len(answers) > 1 else np.zeros(1)
    axes.scatter(answers, height, s=22, color=PEOPLE, alpha=0.6, zorder=2)
    axes.scatter([float(image["lambda_h"])], [0], s=70, marker="D", color=PEOPLE, edgecolor="white", zorder=3)
    title = (
        f"{first}: λ_f = {image['lambda_f']:g} → λ_h = {image['lambda_h']:.3f}   "
        f"(ω = {image['omega']:.3f}, n = {int(image['n'])})"
    )
    axes.set_title(typeset(title), fontsize=9)
    finish(axes, xlim=(-0.03, 1.03), ylim=(-0.6, 0.6), yticks=[])
