"""A table as text: Markdown, which is also what the terminal shows, CSV, and LaTeX."""

import csv
import io
from collections.abc import Mapping, Sequence

from hml.experiments.table import Cell, Row, Table, training_of
from hml.spreadsheets import defuse

_NOTHING = "–"
_CAPTION = "Mean ± standard error over seeds; paper: Collins et al., Table 1; Δ: ours less the paper's."
_PAIRED_CAPTION = (
    "Less {} at the same seed: mean [95 % t interval], and p, adjusted by Holm over the schemes of a column."
)


def to_markdown(table: Table) -> str:
    """Render everything the table says."""
    return "\n".join([to_markdown_without_notes(table), *(f"- {note}" for note in table.notes), ""])


def to_markdown_without_notes(table: Table) -> str:
    """Render the figures, the paired differences, the order and the failures."""
    parts = [*_grid(*_main_grid(table)), "", _CAPTION if _has_paper(table) else _CAPTION.partition(";")[0] + ".", ""]
    if any(cell.to_baseline for row in table.rows for cell in row.cells.values()):
        parts += [*_grid(*_paired_grid(table)), "", _PAIRED_CAPTION.format(table.baseline), ""]
    for column, order in table.orders.items():
        told = "holds" if order.holds else "does not hold: " + ", ".join(f"{b} < {a}" for a, b in order.reversed)
        parts.append(f"- {column}: {order.agreeing} of {order.pairs} pairs in the paper's order, which {told}.")
    parts += [
        f"- {row.scheme}: n = {row.n} of {row.asked}{_reasons(table, row)}." for row in table.rows if row.n < row.asked
    ]
    return "\n".join(parts)


def _reasons(table: Table, row: Row) -> str:
    told = [f"seed {failure.seed} {failure}".rstrip(".") for failure in table.failures if failure.scheme == row.scheme]
    missing = row.asked - row.n - len(told)
    told += [f"{missing} not run"] if missing else []
    return "; " + "; ".join(told)


def _main_grid(table: Table) -> tuple[list[str], list[list[str]]]:
    header, with_paper = ["scheme", "n"], _has_paper(table)
    for column in table.columns:
        header += [column, "paper", "Δ"] if with_paper and _is_papers(table, column) else [column]
    rows = []
    for row in table.rows:
        line = [row.scheme, str(row.n)]
        for column, cell in row.cells.items():
            line.append(_mean(cell))
            if with_paper and _is_papers(table, column):
                line += [_number(cell.paper, 2), _signed(cell.to_paper)]
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
            interval = "" if pair is None or pair.low is None else f" [{_signed(pair.low)}, {_signed(pair.high)}]"
            line += [_NOTHING if pair is None else f"{_signed(pair.mean)}{interval}", _p(p)]
        rows.append(line)
    return header, rows


def _has_paper(table: Table) -> bool:
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


def _signed(value: float | None) -> str:
    return _NOTHING if value is None else f"{value:+.3f}".replace("-", "−")


def _p(p: float | None) -> str:
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


def to_latex(table: Table) -> str:
    """Render the main table for a paper: needs booktabs."""
    header, rows = _main_grid(table)
    lines = [" & ".join(map(_escape, line)) + r" \\" for line in (header, *rows)]
    seeds = sorted({result.seed for result in table.results})
    caption = _CAPTION if _has_paper(table) else _CAPTION.partition(";")[0] + "."
    return "\n".join(
        [
            "% needs \\usepackage{booktabs}",
            r"\begin{table}",
            r"\centering",
            rf"\caption{{{_escape(caption)} Seeds: {', '.join(map(str, seeds))}.}}",
            rf"\begin{{tabular}}{{l{'r' * (len(header) - 1)}}}",
            r"\toprule",
            lines[0],
            r"\midrule",
            *lines[1:],
            r"\bottomrule",
            r"\end{tabular}",
            r"\end{table}",
            "",
        ]
    )


_LATEX = {
    "\\": r"\textbackslash{}", "_": r"\_", "&": r"\&", "%": r"\%", "#": r"\#", "$": r"\$", "{": r"\{", "}": r"\}",
    "~": r"\textasciitilde{}", "^": r"\textasciicircum{}",
    "±": r"$\pm$", "Δ": r"$\Delta$", "−": "$-$", "–": "--",
}  # fmt: skip


def _escape(text: str) -> str:
    return "".join(_LATEX.get(character, character) for character in text)
