"""Renders the table of a study as Markdown (also for the terminal), LaTeX and CSV."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

from hml.evaluation.paper import COLUMNS, SCALED_COLUMNS
from hml.experiments.table import Cell, Row, SchemeTable, training_of
from hml.files.spreadsheets import to_csv
from hml.reporting import tables
from hml.reporting.tables import Table
from hml.statistics.crossed import SEEDS, CrossedMean
from hml.statistics.paired import PairedDifference, Summary, equivalence_p, seeds_needed, summarise

Difference = PairedDifference | CrossedMean

_NOTHING = "–"
_OVER_BOTH = "over seeds and test images, or over images only where n = 1"
_HOLM = "p values are adjusted by Holm over the schemes of a metric; intervals are not."


def to_markdown(table: SchemeTable) -> str:
    """Render the metrics, the paired differences, the order of the schemes, the failures and the notes."""
    parts = [tables.to_markdown(_main_table(table)), ""]
    for _, shown, text_columns in _further_tables(table):
        parts += [tables.to_markdown(shown, text_columns), ""]
    for column, order in table.orders.items():
        reversed_pairs = f" Reversed: {', '.join(f'{b} < {a}' for a, b in order.reversed)}." if order.reversed else ""
        agreement = f"{order.agreeing} of {order.pairs} pairs in the paper's order"
        parts.append(f"- {column}: {agreement}; RMSE to the paper {_paper_rmse(table, column):.3f}.{reversed_pairs}")
    parts += [
        f"- {row.scheme}: n = {row.n} of {row.asked}{_reasons(table, row)}." for row in table.rows if row.n < row.asked
    ]
    return "\n".join([*parts, *(f"- {note}" for note in table.notes), ""])


def to_latex(table: SchemeTable) -> str:
    """Render the main table and the paired differences, if any, as floats that need booktabs."""
    main = _main_table(table, with_difference=False)  # narrow enough for a page
    seeds = ", ".join(map(str, sorted({result.seed for result in table.results})))
    main = replace(main, caption=f"{main.caption} Seeds: {seeds or 'none'}.")
    parts = [r"% needs \usepackage{booktabs}", tables.to_latex(main, "tab:schemes")]
    for label, shown, text_columns in _further_tables(table):
        parts += ["", tables.to_latex(shown, label, text_columns)]
    return "\n".join([*parts, ""])


def _further_tables(table: SchemeTable) -> list[tuple[str, Table, int]]:
    """Lay out the tables below the main one that have rows: label, table, number of text columns."""
    further = [
        ("tab:scaled", _scaled_table(table), 1),
        ("tab:intervals", _crossed_table(table), 1),
        ("tab:differences", _difference_table(table), 2),
        ("tab:replication", _replication_table(table), 2),
    ]
    return [(label, shown, text_columns) for label, shown, text_columns in further if shown.rows]


def _paper_rmse(table: SchemeTable, column: str) -> float:
    """Return the root mean square of a column's differences to the paper, over the schemes that have one."""
    gaps = [gap for row in table.rows if (gap := row.cells[column].to_paper) is not None]
    return math.sqrt(sum(gap**2 for gap in gaps) / len(gaps))


def _reasons(table: SchemeTable, row: Row) -> str:
    details = [
        f"seed {failure.seed} {failure}".rstrip(".") for failure in table.failures if failure.scheme == row.scheme
    ]
    missing = row.asked - row.n - len(details)
    details += [f"{missing} not run"] if missing else []
    return "; " + "; ".join(details)


def _main_table(table: SchemeTable, with_difference: bool = True) -> Table:
    """Lay out the means. For columns of the paper, add its figures and the differences to them."""
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
            line += [_mean(cell.summary), *(papers[:shown] if column in beside else [])]
        rows.append(line)
    explained = ["paper: Collins et al., Table 1", "Δ: ours minus the paper's"][:shown] if beside else []
    return Table("; ".join(["Mean ± standard error over seeds", *explained]) + ".", header, rows)


def _scaled_table(table: SchemeTable) -> Table:
    """Lay out the means after temperature scaling. There are no rows for chosen metrics, or if a run lacks these."""
    rows = []
    every = all(name in result.metrics for result in table.results for name in SCALED_COLUMNS.values())
    for row in table.rows if every and table.columns == COLUMNS else ():
        own = [result.metrics for result in table.results if result.scheme == row.scheme]
        found = [[value for metrics in own if (value := metrics[name]) is not None] for name in SCALED_COLUMNS.values()]
        rows.append([row.scheme, str(row.n), *(_mean(summarise(values) if values else None) for values in found)])
    caption = (
        "After temperature scaling: mean ± standard error over seeds. A difference between schemes that disappears "
        "here is only one of confidence. A temperature above 1 means over-confidence."
    )
    return Table(caption, ["scheme", "n", *SCALED_COLUMNS], rows if table.results else [])


def _crossed_table(table: SchemeTable) -> Table:
    """Lay out the means with their intervals over seeds and images. Without per-image values there are no rows."""
    rows = [
        [row.scheme, str(row.n), *(_mean_over_images(cell) for cell in row.cells.values())]
        for row in table.rows
        if any(cell.crossed.mean for cell in row.cells.values())
    ]
    caption = f"Mean [95 % interval {_OVER_BOTH}]."
    return Table(caption, ["scheme", "n", *table.columns], rows)


def _difference_table(table: SchemeTable) -> Table:
    """Lay out the differences to the baseline: one row per scheme and metric. Only a scheme's first row names it."""
    with_images = any(cell.crossed.to_baseline for row in table.rows for cell in row.cells.values())
    rows = []
    for row in table.rows:
        scheme = row.scheme
        for column, cell in row.cells.items():
            if (pair := cell.to_baseline) is None:
                continue
            both, adjusted_p = cell.crossed.to_baseline, cell.crossed.adjusted_p
            line = [
                scheme,
                column,
                str(pair.n),
                _write_signed(pair.mean),
                _write_interval(pair),
                _write_p(cell.adjusted_p),
            ]
            rows.append([*line, *([_write_interval(both), _write_p(adjusted_p)] if with_images else [])])
            scheme = ""
    header = ["scheme", "metric", "n", f"minus {table.baseline}", "95 % over seeds", "p"]
    explained = "interval and p over seeds, for these test images"
    if with_images:
        header += ["95 % over seeds and images", "p"]
        explained += f"; interval and p {_OVER_BOTH}"
    caption = f"Each scheme minus {table.baseline} at the same seed: mean over n seeds; {explained}. {_HOLM}"
    return Table(caption, header, rows)


def _replication_table(table: SchemeTable) -> Table:
    """Lay out the differences beside the paper's, if seeds have a spread: equivalence tests and the seeds needed."""
    rows = []
    for row in table.rows:
        scheme = row.scheme
        for column, cell in row.cells.items():
            if cell.to_baseline is None or cell.margin is None or not cell.to_baseline.standard_error:
                continue
            p, needed = equivalence_p(cell.to_baseline, cell.margin), seeds_needed(cell.to_baseline, cell.margin)
            ours, papers = _write_signed(cell.to_baseline.mean), f"{cell.papers_difference:+.2f}".replace("-", "−")
            seeds = "> 10,000" if needed is None else f"{needed:,}"
            rows.append([scheme, column, papers, ours, _write_p(p), seeds])
            scheme = ""
    caption = (
        f"Each scheme minus {table.baseline}, beside the paper's. Equivalence: p of two one-sided t tests over seeds "
        "that our difference is smaller than half the paper's. Seeds needed: for a power of .8 to detect half the "
        "paper's difference (paired t test at .05, from the spread seen)."
    )
    return Table(caption, ["scheme", "metric", "paper", "ours", "p of equivalence", "seeds needed"], rows)


def _mean(summary: Summary | None) -> str:
    if summary is None:
        return _NOTHING
    error = summary.standard_error
    return f"{summary.mean:.3f}" + ("" if error is None else f" ± {error:.3f}")


def _mean_over_images(cell: Cell) -> str:
    mean = cell.crossed.mean
    if mean is None:
        return _NOTHING
    return f"{mean.mean:.3f}" + ("" if mean.low is None else f" [{mean.low:.3f}, {mean.high:.3f}]".replace("-", "−"))


def _write_signed(value: float | None) -> str:
    return _NOTHING if value is None else f"{value:+.3f}".replace("-", "−")


def _write_p(p: float | None) -> str:
    if p is None:
        return _NOTHING
    return "< .001" if p < 0.001 else f"{p:.3f}".lstrip("0")


def _write_interval(pair: Difference | None) -> str:
    if pair is None or pair.low is None:
        return _NOTHING
    return f"[{_write_signed(pair.low)}, {_write_signed(pair.high)}]"


def schemes_to_csv(table: SchemeTable) -> str:
    """Render one line per scheme, metric and kind of interval (`random`), in full precision."""
    lines: list[dict[str, object]] = []
    for row in table.rows:
        for column, cell in row.cells.items():
            shown = {"scheme": row.scheme, "metric": table.columns[column]}
            lines.append(shown | _over_seeds(row, cell, table.baseline))
            if cell.crossed.mean is not None:
                lines.append(shown | _over_images(row, cell, cell.crossed.mean, table.baseline))
    return _to_csv(lines)


def _over_seeds(row: Row, cell: Cell, baseline: str) -> dict[str, object]:
    summary, pair = cell.summary, cell.to_baseline
    low, high = summary.interval if summary and summary.interval else (None, None)
    return {
        "random": SEEDS,
        "n": summary.n if summary else 0,
        "asked": row.asked,
        "mean": summary.mean if summary else None,
        "standard_error": summary.standard_error if summary else None,
        "mean_low": low,
        "mean_high": high,
        "paper": cell.paper,
        "minus_paper": cell.to_paper,
        **_csv_difference(pair, cell.adjusted_p, baseline),
        "pairs": pair.n if pair else 0,
        f"papers_minus_{baseline}": cell.papers_difference,
        "p_equivalence": equivalence_p(pair, cell.margin) if pair and cell.margin else None,
    }


def _over_images(row: Row, cell: Cell, mean: CrossedMean, baseline: str) -> dict[str, object]:
    pair = cell.crossed.to_baseline
    return {
        "random": mean.random,
        "n": mean.seeds,
        "asked": row.asked,
        "mean": mean.mean,
        "standard_error": None,  # the half-width of this interval is not a multiple of a standard error
        "mean_low": mean.low,
        "mean_high": mean.high,
        "paper": cell.paper,
        "minus_paper": cell.to_paper,
        **_csv_difference(pair, cell.crossed.adjusted_p, baseline),
        "pairs": pair.seeds if pair else 0,
        f"papers_minus_{baseline}": cell.papers_difference,
        "p_equivalence": None,
    }


def _csv_difference(pair: Difference | None, adjusted_p: float | None, baseline: str) -> dict[str, object]:
    return {
        f"minus_{baseline}": pair.mean if pair else None,
        "low": pair.low if pair else None,
        "high": pair.high if pair else None,
        "p": pair.p if pair else None,
        "p_holm": adjusted_p,
    }


def runs_to_csv(table: SchemeTable) -> str:
    """Render one line per run: the length of its training, its metrics and its seconds."""
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
