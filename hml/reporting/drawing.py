"""Helpers for figures of numbers with intervals, drawn without pyplot's global state and windows."""

import io
from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.backends.backend_pdf import FigureCanvasPdf
from matplotlib.figure import Figure

from hml.reporting.palette import MIXUP, PEOPLE, Color
from hml.statistics.estimates import Array


def typeset(text: str) -> str:
    """Typeset λ_f and λ_h with subscripts."""
    return text.replace("λ_f", r"$\lambda_f$").replace("λ_h", r"$\lambda_h$")


def escape(name: str) -> str:
    """Escape dollar signs, which would start mathematics."""
    return name.replace("$", r"\$")


def new_figure(width: float, height: float) -> Figure:
    """Make an empty figure. Sizes are in inches."""
    return Figure(figsize=(width, height), layout="constrained")


def to_png(figure: Figure) -> bytes:
    """Draw a figure, and return the content of a PNG file.

    The file equals that of `Figure.savefig`, which draws a figure with a layout twice for each file.
    """
    content = io.BytesIO()
    FigureCanvasAgg(figure).print_png(content)  # type: ignore[no-untyped-call]
    return content.getvalue()


def to_pdf(figure: Figure) -> bytes:
    """Draw a figure, and return the content of a PDF file without a date, so that the same data give the same file."""
    content, dpi = io.BytesIO(), figure.get_dpi()
    FigureCanvasPdf(figure).print_pdf(content, metadata={"CreationDate": None})  # type: ignore[no-untyped-call]
    figure.set_dpi(dpi)  # printing leaves the 72 points per inch of PDF
    return content.getvalue()


def finish(axes: Axes, **settings: object) -> None:
    """Set labels and limits, and remove the upper and right spines."""
    axes.set(**{key: typeset(value) if isinstance(value, str) else value for key, value in settings.items()})
    axes.spines[["top", "right"]].set_visible(False)


def draw_mixup_line(axes: Axes) -> None:
    """Draw mixup's assumption, λ_h = λ_f."""
    axes.plot([0, 1], [0, 1], color=MIXUP, linewidth=1.3, label=typeset("mixup: λ_h = λ_f"), zorder=1)


def draw_points(
    axes: Axes,
    frame: pd.DataFrame,
    x: str,
    color: str = PEOPLE,
    label: str | None = None,
    marker: str = "o",
    size: float = 4,
) -> None:
    """Draw `value` over x with its interval, if any. Rows without a value stay empty."""
    shown = frame[frame["value"].notna()]
    axes.errorbar(
        shown[x],
        shown["value"],
        yerr=reaches(shown),
        color=color,
        label=label,
        fmt=marker,
        markersize=size,
        linewidth=0.3 * size,
        zorder=3,
    )


def draw_forest(axes: Axes, labels: Sequence[str], frame: pd.DataFrame) -> None:
    """Draw one row per label, from the top: `value` with its interval, and a line at 0."""
    rows = np.arange(len(frame))[::-1]
    axes.axvline(0, color=Color.GREY, linewidth=0.8)
    there = frame["value"].notna().to_numpy()
    shown = frame[there]
    axes.errorbar(shown["value"], rows[there], xerr=reaches(shown), color=PEOPLE, fmt="o", markersize=4, linewidth=1.3)
    axes.set_yticks(rows, list(labels))
    axes.set_ylim(-0.7, len(frame) - 0.3)


def reaches(frame: pd.DataFrame) -> Array:
    """Return the lengths of intervals below and above their values, shape (2, n), 0 without an interval."""
    value, low, high = (frame[name].astype(float) for name in ("value", "low", "high"))
    both = [(value - low).fillna(0).to_numpy(float), (high - value).fillna(0).to_numpy(float)]
    return np.maximum(np.stack(both), 0).astype(np.float64)
