"""A study's table as Markdown, which the terminal shows too, LaTeX and CSV."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from hml.experiments.table import Cell, Row, SchemeTable, training_of
from hml.files.spreadsheets import to_csv
from hml.reporting import tables
from hml.reporting.tables import Table
from hml.statistics.paired import PairedDifference

_NOTHING = "–"
_LATEX_HEADER = ["scheme", "metric", "n", "difference", "95 % interval", "p"]


def to_markdown(table: SchemeTable) -> str:
    """Render the figures, the paired differences, the order, the failures and the notes."""
    parts = [tables.to_markdown(_main_table(table)), ""]
    if (paired := _paired_table(table)).rows:
        parts += [tables.to_markdown(paired), ""]
    for column, order in table.orders.items():
        told = "holds" if order.holds else "does not hold: " + ", ".join(f"{b} < {a}" for a, b in order.reversed)
        parts.append(f"- {column}: {order.agreeing} of {order.pairs} pairs in the paper's order, which {told}.")
    parts += [
        f"- {row.scheme}: n = {row.n} of {row.asked}{_reasons(table, row)}." for row in table.rows if row.n < row.asked
    ]
    return "\n".join([*parts, *(f"- {note}" for note in table.notes), ""])


def to_latex(table: SchemeTable) -> str:
    """Render the main table and, where there are any, the paired differences: floats that need booktabs."""
    main = _main_table(table, with_difference=False)  # narrow enough for a page
    seeds = ", ".join(map(str, sorted({result.seed for result in table.results})))
    main = replace(main, caption=f"{main.caption} Seeds: {seeds or 'none'}.")
    parts = [r"% needs \usepackage{booktabs}", tables.to_latex(main, "tab:schemes")]
    if rows := [line for row in table.rows for line in _differences(row)]:
        caption = (
            f"Each scheme minus {table.baseline} at the same seed: mean over n seeds, 95 % t interval, and p value "
            "adjusted by Holm over the schemes of a metric."
        )
        parts += ["", tables.to_latex(Table(caption, _LATEX_HEADER, rows), "tab:differences", text_columns=2)]
    return "\n".join([*parts, ""])


def _reasons(table: SchemeTable, row: Row) -> str:
    told = [f"seed {failure.seed} {failure}".rstrip(".") for failure in table.failures if failure.scheme == row.scheme]
    missing = row.asked - row.n - len(told)
    told += [f"{missing} not run"] if missing else []
    return "; " + "; ".join(told)


def _main_table(table: SchemeTable, with_difference: bool = True) -> Table:
    """Lay out the means and, where the paper has figures, these and the difference to them."""
    beside = {name for name in table.columns if any(row.cells[name].paper is not None for row in table.rows)}
    shown = 1 + with_difference
    header = ["scheme", "n"]
    for column in table.columns:
        header += [column, *(["paper", "Δ"][:shown] if column in beside else [])]
    rows = []
    for row in table.rows:
        line = [row.scheme, str(row.n)]
        for column, cell in row.cells.items():
            papers = [_NOTHING if cell.paper is None else f"{cell.paper:.2f}", _write_signed(cell.to_paper)]
            line += [_mean(cell), *(papers[:shown] if column in beside else [])]
        rows.append(line)
    explained = ["paper: Collins et al., Table 1", "Δ: ours minus the paper's"][:shown] if beside else []
    return Table("; ".join(["Mean ± standard error over seeds", *explained]) + ".", header, rows)


def _paired_table(table: SchemeTable) -> Table:
    """Lay out the differences to the baseline, a row a scheme."""
    header = ["scheme", "n", *(name for column in table.columns for name in (f"{column} − {table.baseline}", "p"))]
    rows = []
    for row in table.rows:
        pairs = [(cell.to_baseline, cell.adjusted_p) for cell in row.cells.values()]
        if not any(pair for pair, _ in pairs):
            continue
        line = [row.scheme, str(max(pair.n for pair, _ in pairs if pair))]
        for pair, p in pairs:
            interval = "" if pair is None or pair.low is None else f" {_write_interval(pair)}"
            line += [_NOTHING if pair is None else f"{_write_signed(pair.mean)}{interval}", _write_p(p)]
        rows.append(line)
    caption = f"Less {table.baseline} at the same seed: mean [95 % t interval], and p, adjusted by Holm over the "
    return Table(f"{caption}schemes of a column.", header, rows)


def _differences(row: Row) -> list[list[str]]:
    """Lay out a scheme's differences, a line per metric; only the first line names the scheme."""
    lines: list[list[str]] = []
    for column, cell in row.cells.items():
        if (pair := cell.to_baseline) is None:
            continue
        interval = _NOTHING if pair.low is None else _write_interval(pair)
        scheme = "" if lines else row.scheme
        lines.append([scheme, column, str(pair.n), _write_signed(pair.mean), interval, _write_p(cell.adjusted_p)])
    return lines


def _mean(cell: Cell) -> str:
    if cell.summary is None:
        return _NOTHING
    error = cell.summary.standard_error
    return f"{cell.summary.mean:.3f}" + ("" if error is None else f" ± {error:.3f}")


def _write_signed(value: float | None) -> str:
    return _NOTHING if value is None else f"{value:+.3f}".replace("-", "−")


def _write_p(p: float | None) -> str:
    if p is None:
        return _NOTHING
    return "< .001" if p < 0.001 else f"{p:.3f}".lstrip("0")


def _write_interval(pair: PairedDifference) -> str:
    return f"[{_write_signed(pair.low)}, {_write_signed(pair.high)}]"


def schemes_to_csv(table: SchemeTable) -> str:
    """Render a line a scheme and metric, with every figure in full."""
    lines: list[dict[str, object]] = []
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


def runs_to_csv(table: SchemeTable) -> str:
    """Render a line a run: how long it was trained, every metric it logged, and its seconds."""
    metrics = sorted({name for result in table.results for name in result.metrics})
    lines = [
        {"scheme": result.scheme, "seed": result.seed, "threads": result.threads}
        | {name: getattr(training_of(result), name) for name in ("epochs", "steps", "stopped_by")}
        | {name: result.metrics.get(name) for name in metrics}
        | {f"seconds/{stage}": value for stage, value in result.seconds.items()}
        for result in table.results
    ]
    return _to_csv(lines)


def _to_csv(lines: Sequence[Mapping[str, object]]) -> str:
    return to_csv(lines[0], (line.values() for line in lines)) if lines else ""
