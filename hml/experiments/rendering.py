"""A table as text: Markdown, which the terminal shows too, and CSV."""

import csv
import io
from collections.abc import Mapping, Sequence

from hml.experiments.table import Cell, Row, Table, training_of
from hml.files.spreadsheets import defuse

_NOTHING = "–"
_CAPTION, _OF_PAPER, _OF_DIFFERENCE = (
    "Mean ± standard error over seeds",
    "; paper: Collins et al., Table 1",
    "; Δ: ours minus the paper's",
)
_PAIRED_CAPTION = (
    "Less {} at the same seed: mean [95 % t interval], and p, adjusted by Holm over the schemes of a column."
)


def to_markdown(table: Table) -> str:
    """Render everything the table says."""
    return "\n".join([to_markdown_without_notes(table), *(f"- {note}" for note in table.notes), ""])


def to_markdown_without_notes(table: Table) -> str:
    """Render the figures, the paired differences, the order and the failures."""
    parts = [*_grid(*main_grid(table)), "", caption_of(table), ""]
    if any(cell.to_baseline for row in table.rows for cell in row.cells.values()):
        parts += [*_grid(*_paired_grid(table)), "", _PAIRED_CAPTION.format(table.baseline), ""]
    for column, order in table.orders.items():
        told = "holds" if order.holds else "does not hold: " + ", ".join(f"{b} < {a}" for a, b in order.reversed)
        parts.append(f"- {column}: {order.agreeing} of {order.pairs} pairs in the paper's order, which {told}.")
    parts += [
        f"- {row.scheme}: n = {row.n} of {row.asked}{_reasons(table, row)}." for row in table.rows if row.n < row.asked
    ]
    return "\n".join(parts)


def caption_of(table: Table, with_difference: bool = True) -> str:
    """Return the main table's caption, which explains only the columns that it has."""
    parts = [_CAPTION, *([_OF_PAPER, _OF_DIFFERENCE][: 1 + with_difference] if has_paper(table) else [])]
    return "".join(parts) + "."


def _reasons(table: Table, row: Row) -> str:
    told = [f"seed {failure.seed} {failure}".rstrip(".") for failure in table.failures if failure.scheme == row.scheme]
    missing = row.asked - row.n - len(told)
    told += [f"{missing} not run"] if missing else []
    return "; " + "; ".join(told)


def main_grid(table: Table, with_difference: bool = True) -> tuple[list[str], list[list[str]]]:
    """Return the header and the rows of the main table, as text.

    Args:
        table: The table.
        with_difference: Whether to add our figure minus the paper's.
    """
    header, with_paper = ["scheme", "n"], has_paper(table)
    for column in table.columns:
        header.append(column)
        if with_paper and _is_papers(table, column):
            header += ["paper", "Δ"][: 1 + with_difference]
    rows = []
    for row in table.rows:
        line = [row.scheme, str(row.n)]
        for column, cell in row.cells.items():
            line.append(_mean(cell))
            if with_paper and _is_papers(table, column):
                line += [_number(cell.paper, 2), write_signed(cell.to_paper)][: 1 + with_difference]
        rows.append(line)
    return header, rows


def _paired_grid(table: Table) -> tuple[list[str], list[list[str]]]:
    header = ["scheme", "n", *(name for column in table.columns for name in (f"{column} − {table.baseline}", "p"))]
    rows = []
    for row in table.rows:
        pairs = [(cell.to_baseline, cell.adjusted_p) for cell in row.cells.values()]
        if not any(pair for pair, _ in pairs):
            continue
        line = [row.scheme, str(max(pair.n for pair, _ in pairs if pair))]
        for pair, p in pairs:
            interval = (
                "" if pair is None or pair.low is None else f" [{write_signed(pair.low)}, {write_signed(pair.high)}]"
            )
            line += [_NOTHING if pair is None else f"{write_signed(pair.mean)}{interval}", write_p(p)]
        rows.append(line)
    return header, rows


def has_paper(table: Table) -> bool:
    """Tell whether the table has the paper's figures."""
    return any(_is_papers(table, column) for column in table.columns)


def _is_papers(table: Table, column: str) -> bool:
    return any(row.cells[column].paper is not None for row in table.rows)


def _grid(header: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(len(line[i]) for line in (header, *rows)) for i in range(len(header))]

    def lay_out(line: Sequence[str]) -> str:
        cells = [
            line[0].ljust(widths[0]),
            *(cell.rjust(width) for cell, width in zip(line[1:], widths[1:], strict=True)),
        ]
        return f"| {' | '.join(cells)} |"

    rule = "|".join(["", "-" * (widths[0] + 2), *("-" * (width + 1) + ":" for width in widths[1:]), ""])
    return [lay_out(header), rule, *map(lay_out, rows)]


def _mean(cell: Cell) -> str:
    if cell.summary is None:
        return _NOTHING
    error = cell.summary.standard_error
    return f"{cell.summary.mean:.3f}" + ("" if error is None else f" ± {error:.3f}")


def _number(value: float | None, digits: int) -> str:
    return _NOTHING if value is None else f"{value:.{digits}f}"


def write_signed(value: float | None) -> str:
    """Write a difference with its sign."""
    return _NOTHING if value is None else f"{value:+.3f}".replace("-", "−")


def write_p(p: float | None) -> str:
    """Write a p value with three decimals."""
    if p is None:
        return _NOTHING
    return "< .001" if p < 0.001 else f"{p:.3f}".lstrip("0")


def to_csv(table: Table) -> str:
    """Render a line a scheme and metric, with every figure in full."""
    lines: list[Mapping[str, object]] = []
    for row in table.rows:
        for column, cell in row.cells.items():
            summary, pair = cell.summary, cell.to_baseline
            lines.append(
                {
                    "scheme": row.scheme,
                    "metric": table.columns[column],
                    "n": summary.n if summary else 0,
                    "asked": row.asked,
                    "mean": summary.mean if summary else None,
                    "standard_error": summary.standard_error if summary else None,
                    "paper": cell.paper,
                    "minus_paper": cell.to_paper,
                    f"minus_{table.baseline}": pair.mean if pair else None,
                    "low": pair.low if pair else None,
                    "high": pair.high if pair else None,
                    "p": pair.p if pair else None,
                    "p_holm": cell.adjusted_p,
                    "pairs": pair.n if pair else 0,
                }
            )
    return _to_csv(lines)


def runs_to_csv(table: Table) -> str:
    """Render a line a run: how long it was trained, every metric it logged, and its seconds."""
    metrics = sorted({name for result in table.results for name in result.metrics})
    return _to_csv(
        [
            {"scheme": result.scheme, "seed": result.seed, "threads": result.threads}
            | {name: getattr(training_of(result), name) for name in ("epochs", "steps", "stopped_by")}
            | {name: result.metrics.get(name) for name in metrics}
            | {f"seconds/{stage}": value for stage, value in result.seconds.items()}
            for result in table.results
        ]
    )


def _to_csv(lines: Sequence[Mapping[str, object]]) -> str:
    if not lines:
        return ""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(map(defuse, lines[0]))
    writer.writerows(map(defuse, line.values()) for line in lines)
    return text.getvalue()
