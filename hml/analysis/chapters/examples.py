"""The section that shows mixed images themselves."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch
from matplotlib.axes import Axes

from hml.data.images import ImageBank
from hml.data.mixing import mix
from hml.judgements import Classes
from hml.reporting.drawing import escape, finish, new_figure, typeset
from hml.reporting.palette import MIXUP, PEOPLE
from hml.reporting.sections import Exhibit, Section

PAPERS = (
    "mixed_0.5_Bird_7348_Cat_6202.png",
    "mixed_0.5_Automobile_9830_Bird_5118.png",
    "mixed_0.25_Airplane_7428_Dog_5504.png",
)
"""The paper's Figure 1."""

Pixels = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Triptych:
    """A mixed image's row of an `image_table`, each answer's lambda_h, and the pixels, (H, W, 3) in [0, 1]."""

    image: "pd.Series[float]"
    answers: tuple[float, ...]
    first: Pixels
    mixed: Pixels
    second: Pixels


def examples_section(bank: ImageBank, table: pd.DataFrame, images: pd.DataFrame, chosen: Sequence[str]) -> Section:
    """Show the paper's images if they were judged, and the chosen ones, by default the most surprising."""
    shown = []
    if papers := [name for name in PAPERS if name in set(images["filename"])]:
        shown.append(("examples", "The paper's Figure 1", "The three examples of the paper's Figure 1", papers))
    if chosen:
        shown.append(("chosen", "Chosen images", "The images given with --images", list(chosen)))
    else:
        what = "The images whose mean answer is farthest from their mixing coefficient"
        shown.append(("surprising", "The most surprising images", what, most_surprising(images)))
    exhibits = [
        _draw(bank.classes, name, title, what, picture(bank, table, images, files))
        for name, title, what, files in shown
    ]
    paragraphs = [
        "Each row shows the first endpoint, the mixed image that people saw, and the second endpoint; people saw the "
        "mixed image only. The panel on the right compares the first endpoint's share of the pixels with the share "
        "that people inferred."
    ]
    if not bank.canonical_pixels:
        paragraphs.append("The images were not read from the data set's own files. Their pixels may differ slightly.")
    return Section("examples", "Some of the images", paragraphs, exhibits=exhibits)


def most_surprising(images: pd.DataFrame, count: int = 6) -> list[str]:
    """Return the names of the images whose mean lambda_h is farthest from lambda_f, the farthest first.

    The distance is multiplied by n/(n + 1) for n judgements, so that one careless answer doesn't rank first.
    """
    surprise = images["error"] * images["n"] / (images["n"] + 1)
    order = surprise.sort_values(ascending=False, kind="stable").index
    return [str(name) for name in images.loc[order[:count], "filename"]]


def picture(bank: ImageBank, table: pd.DataFrame, images: pd.DataFrame, filenames: Sequence[str]) -> list[Triptych]:
    """Mix images and collect their answers. `images` is the `image_table` of the table."""
    rows = images.set_index("filename", drop=False).loc[list(filenames)]
    id_1, id_2 = (torch.tensor(rows[name].to_numpy(np.int64)) for name in ("id_1", "id_2"))
    lambda_f = torch.tensor(rows["lambda_f"].to_numpy(np.float32))
    one, none = torch.ones_like(lambda_f), torch.zeros_like(lambda_f)
    mixed, first, second = (
        mix(bank.images, id_1, id_2, share).movedim(1, -1).numpy() for share in (lambda_f, one, none)
    )  # (n, H, W, 3)
    answers = [tuple(table.loc[table["filename"] == name, "lambda_h"].tolist()) for name in filenames]
    return [Triptych(rows.iloc[i], said, first[i], mixed[i], second[i]) for i, said in enumerate(answers)]


def _draw(classes: Classes, name: str, title: str, what: str, triptychs: Sequence[Triptych]) -> Exhibit:
    figure = new_figure(9, 1.75 * len(triptychs) + 0.5)
    grid = figure.subplots(len(triptychs), 4, squeeze=False, width_ratios=[1, 1, 1, 3])
    rows = []
    for axes, shown in zip(grid, triptychs, strict=True):
        image = shown.image
        first, second = (classes[int(image[label])] for label in ("class_1", "class_2"))
        labels = (first, "mixed", second)
        for place, pixels, label in zip(axes[:3], (shown.first, shown.mixed, shown.second), labels, strict=True):
            place.imshow(pixels, interpolation="nearest", vmin=0, vmax=1)
            place.set_title(escape(label), fontsize=9)
            place.axis("off")
        _draw_shares(axes[3], shown, first)
        means = {name: image[name] for name in ("lambda_f", "lambda_h", "omega", "n", "people") if name in image}
        answers = " ".join(f"{answer:g}" for answer in shown.answers)
        rows.append({"filename": image["filename"], "first": first, "second": second, **means, "answers": answers})
    grid[-1, 3].set_xlabel("share of the first endpoint")
    said = "; ".join(f"{r['first']}/{r['second']} {r['lambda_f']:g} → {r['lambda_h']:.3f}" for r in rows)
    return Exhibit(
        name,
        title,
        f"{what}. From the left: first endpoint, mixed image, second endpoint; then the share λ_f of the first "
        f"endpoint in the pixels ({MIXUP.label} line), people's answers ({PEOPLE.label} dots) and their mean λ_h "
        f"({PEOPLE.label} diamond).",
        f"Rows of mixed images between their endpoints, generating to mean inferred share: {said}.",
        figure,
        pd.DataFrame(rows),
    )


def _draw_shares(axes: Axes, shown: Triptych, first: str) -> None:
    image, answers = shown.image, np.array(shown.answers)
    axes.axvline(float(image["lambda_f"]), color=MIXUP, linewidth=2)
    height = np.linspace(-0.25, 0.25, len(answers)) if len(answers) > 1 else np.zeros(1)
    axes.scatter(answers, height, s=22, color=PEOPLE, alpha=0.6, zorder=2)
    axes.scatter([float(image["lambda_h"])], [0], s=70, marker="D", color=PEOPLE, edgecolor="white", zorder=3)
    sure = f"ω = {image['omega']:.3f}, " if "omega" in image else ""
    shares = f"λ_f = {image['lambda_f']:g} → λ_h = {image['lambda_h']:.3f}"
    title = f"{escape(first)}: {shares}   ({sure}n = {int(image['n'])})"
    axes.set_title(typeset(title), fontsize=9)
    finish(axes, xlim=(-0.03, 1.03), ylim=(-0.6, 0.6), yticks=[])
