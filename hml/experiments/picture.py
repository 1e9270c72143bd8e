"""Draws a table as a picture: a panel for each metric, a dot for each seed."""

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from hml.experiments.table import Row, SchemeTable
from hml.reporting import drawing
from hml.reporting.palette import Color

_OURS, _PAPER = Color.BLUE, Color.DARK_ORANGE


def draw(table: SchemeTable) -> Figure:
    """Draw the seeds, mean and standard error of each scheme, and the paper's figure."""
    columns = list(table.columns)
    height = 1.2 + 0.35 * len(table.rows)
    figure = Figure(figsize=(1.2 + 2.6 * len(columns), height), layout="constrained", dpi=150)
    panels = figure.subplots(1, len(columns), sharey=True, squeeze=False)[0]
    for axes, column in zip(panels, columns, strict=True):
        for place, row in enumerate(table.rows):
            _draw_cell(axes, place, row, column)
        axes.set_title(column)
        axes.set_yticks(range(len(table.rows)), [f"{row.scheme} ({row.n})" for row in table.rows])
        axes.grid(axis="x", alpha=0.3)
        axes.spines[["top", "right", "left"]].set_visible(False)
        axes.tick_params(axis="y", length=0)
    panels[0].set_ylim(len(table.rows) - 0.5, -0.5)
    handles = {
        label: handle for axes in panels for handle, label in zip(*axes.get_legend_handles_labels(), strict=True)
    }
    figure.legend(handles.values(), handles.keys(), loc="outside lower center", ncols=3, frameon=False)
    return figure


def _draw_cell(axes: Axes, place: int, row: Row, column: str) -> None:
    cell = row.cells[column]
    values = list(cell.values.values())
    axes.plot(values, [place] * len(values), ".", color=_OURS, alpha=0.35, label="a seed")
    if cell.summary is not None:
        mean, error = cell.summary.mean, cell.summary.standard_error or 0
        label = "mean ± standard error over seeds"
        axes.errorbar(mean, place, xerr=error, fmt="o", color=_OURS, capsize=3, label=label)
    crossed = cell.crossed.mean
    if crossed is not None and crossed.low is not None and crossed.high is not None:
        ends, label = [crossed.low, crossed.high], f"95 % interval over {crossed.random}"
        axes.plot(ends, [place, place], "-", color=_OURS, linewidth=1, alpha=0.5, label=label)
    if cell.paper is not None:
        axes.plot(cell.paper, place, "D", color=_PAPER, fillstyle="none", label="paper")


def to_png(table: SchemeTable) -> bytes:
    """Draw the table and return the content of a PNG file."""
    return drawing.to_png(draw(table))
