"""Combines the results of runs into a table: one row per scheme, one column per metric."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from hml.errors import InputError
from hml.evaluation.paper import (
    COLUMNS,
    PAPER_EPOCHS,
    PAPER_MIXED_IMAGES,
    PAPER_TABLE,
    compare_labels,
    is_on_hmix,
)
from hml.experiments.command import DEFAULT_BASELINE
from hml.experiments.crossing import Crossed, PerImages, cross_column, explain_missing
from hml.experiments.runs import Failure
from hml.statistics.crossed import CrossedMean
from hml.statistics.paired import (
    Order,
    PairedDifference,
    Summary,
    adjust_by_holm,
    compare_order,
    paired_difference,
    summarise,
)
from hml.training.choices import differences
from hml.training.result import RunResult, Training

_PER_SCHEME = ("data.strategy", "code")  # where the recipes of schemes may differ
_PER_SCHEME_DATA = ("train_rows", "strategy_files")
_SHOWN_DIFFERENCES = 6


@dataclass(frozen=True)
class Cell:
    """One metric of a scheme, over its seeds."""

    values: Mapping[int, float]  # finite values, by seed
    summary: Summary | None  # None without values
    paper: float | None
    to_baseline: PairedDifference | None  # None for the baseline, or without common seeds
    adjusted_p: float | None  # of the difference to the baseline, Holm-adjusted over the schemes of the column
    crossed: Crossed  # the same over seeds and test images
    papers_difference: float | None  # the paper's difference to the baseline; None if it has none, or it is 0

    @property
    def margin(self) -> float | None:
        """Half the size of the paper's difference: within it, ours counts as no difference."""
        return None if self.papers_difference is None else abs(self.papers_difference) / 2

    @property
    def to_paper(self) -> float | None:
        """Our mean minus the paper's."""
        return None if self.paper is None or self.summary is None else self.summary.mean - self.paper


@dataclass(frozen=True)
class Row:
    """A scheme: how many of its runs are finished, of how many, and one cell per column."""

    scheme: str
    n: int
    asked: int
    cells: Mapping[str, Cell]


@dataclass(frozen=True)
class SchemeTable:
    """The table and its runs."""

    columns: Mapping[str, str]  # the logged name of each column's metric
    rows: Sequence[Row]  # in the requested order
    orders: Mapping[str, Order]  # by column, how the schemes' order agrees with the paper's
    results: Sequence[RunResult]
    failures: Sequence[Failure]
    baseline: str = DEFAULT_BASELINE
    notes: Sequence[str] = ()


def choose_columns(metrics: Sequence[str], results: Sequence[RunResult]) -> dict[str, str]:
    """Return the columns of the requested metrics. By default, the paper's and accuracy.

    Raises:
        InputError: no run logged such a metric. The message lists the logged ones.
    """
    if not metrics:
        return dict(COLUMNS)
    logged = dict.fromkeys(name for result in results for name in result.metrics)
    short = {name: column for column, name in COLUMNS.items()}
    columns = {}
    for metric in metrics:
        name = COLUMNS.get(metric, metric if metric in logged else f"test/{metric}")
        if results and name not in logged:
            raise InputError(
                f"No run logged the metric {metric!r}. The logged metrics are {', '.join(sorted(logged))}. "
                "Earlier versions of hml log fewer. The runs are kept: choose one of these with --collect."
            )
        columns[short.get(name, name.removeprefix("test/"))] = name
    return columns


def make_table(
    schemes: Mapping[str, int],
    outcomes: Sequence[RunResult | Failure],
    metrics: Sequence[str] = (),
    baseline: str = DEFAULT_BASELINE,
    per_images: PerImages | None = None,
) -> SchemeTable:
    """Make the table.

    Args:
        schemes: The requested number of runs of each scheme, in the order of the rows.
        outcomes: The results and failures of the runs.
        metrics: The columns, by the logged names of metrics. By default, the paper's and accuracy.
        baseline: The scheme that the others are compared with. A note reports if it is not in the table.
        per_images: The per-image values of the runs. Without them there is no interval over images, and a note gives
            the reason.

    Raises:
        InputError: the runs of a scheme have different recipes or data, or a metric was not logged.
    """
    results = [outcome for outcome in outcomes if isinstance(outcome, RunResult)]
    failures = [outcome for outcome in outcomes if isinstance(outcome, Failure)]
    by_scheme = {scheme: [result for result in results if result.scheme == scheme] for scheme in schemes}
    for own in by_scheme.values():
        _check_alike(own)
    columns = choose_columns(metrics, results)
    beside_paper = bool(results) and all(is_on_hmix(result.data) for result in results)
    cells, reasons = {}, {}
    for column, name in columns.items():
        crossed, reasons[column] = cross_column(by_scheme, per_images or {}, name, baseline)
        cells[column] = _make_cells(by_scheme, column, name, beside_paper, baseline, crossed)
    rows = [
        Row(scheme, len(by_scheme[scheme]), asked, {column: cells[column][scheme] for column in columns})
        for scheme, asked in schemes.items()
    ]
    orders = {}
    for column in columns:
        ours = {scheme: cell.summary.mean for scheme, cell in cells[column].items() if cell.summary}
        theirs = {scheme: cell.paper for scheme, cell in cells[column].items() if cell.paper is not None}
        if (order := compare_order(ours, theirs)).pairs:
            orders[column] = order
    notes = _name_narrow_findings(cells, baseline) + _make_notes(by_scheme, results, columns) + explain_missing(reasons)
    if baseline not in schemes and len(schemes) > 1:
        note = f"No differences between schemes: {baseline} is not among them. Choose one of them by --baseline."
        notes.insert(0, note)
    return SchemeTable(columns, rows, orders, results, failures, baseline, notes)


def _check_alike(results: Sequence[RunResult]) -> None:
    for other in results[1:]:
        first = results[0]
        if found := first.recipe.compare(other.recipe) | differences(first.data, other.data):
            details = [
                f"{key} is {a} at seed {first.seed} and {b} at seed {other.seed}" for key, (a, b) in found.items()
            ]
            raise InputError(
                f"The runs of {first.scheme} can't share a row: {'; '.join(details[:_SHOWN_DIFFERENCES])}. "
                "Run them again with --rerun, or choose --seeds whose runs match."
            )


def _make_cells(
    by_scheme: Mapping[str, Sequence[RunResult]],
    column: str,
    name: str,
    beside_paper: bool,
    baseline: str,
    crossed: Mapping[str, Crossed],
) -> dict[str, Cell]:
    values = {
        scheme: {result.seed: value for result in own if (value := result.metrics.get(name)) is not None}
        for scheme, own in by_scheme.items()
    }
    paired = {
        scheme: paired_difference(own, values[baseline])
        for scheme, own in values.items()
        if scheme != baseline and baseline in values
    }
    adjusted = adjust_by_holm({scheme: pair.p for scheme, pair in paired.items() if pair and pair.p is not None})
    paper = {scheme: PAPER_TABLE[scheme].get(column) for scheme in values if beside_paper and scheme in PAPER_TABLE}
    return {
        scheme: Cell(
            values=own,
            summary=summarise(list(own.values())) if own else None,
            paper=paper.get(scheme),
            to_baseline=paired.get(scheme),
            adjusted_p=adjusted.get(scheme),
            crossed=crossed.get(scheme, Crossed()),
            papers_difference=_subtract(paper.get(scheme), paper.get(baseline)),
        )
        for scheme, own in values.items()
    }


def _subtract(value: float | None, baseline: float | None) -> float | None:
    """Subtract two of the paper's figures, which have two decimals. None if one is missing or they are equal."""
    return None if value is None or baseline is None else round(value - baseline, 2) or None


def _name_narrow_findings(cells: Mapping[str, Mapping[str, Cell]], baseline: str) -> list[str]:
    """List the differences whose interval excludes 0 over seeds, but not over seeds and test images."""
    narrow = [
        f"{column} of {scheme}"
        for column, own in cells.items()
        for scheme, cell in own.items()
        if cell.crossed.to_baseline and _excludes_0(cell.to_baseline) and not _excludes_0(cell.crossed.to_baseline)
    ]
    details = f"The interval of the difference to {baseline} excludes 0 over seeds, but not over seeds and test images"
    return [f"{details}: {', '.join(narrow)}."] if narrow else []


def _excludes_0(found: PairedDifference | CrossedMean | None) -> bool:
    return found is not None and found.low is not None and found.high is not None and not found.low <= 0 <= found.high


def _make_notes(
    by_scheme: Mapping[str, Sequence[RunResult]], results: Sequence[RunResult], columns: Mapping[str, str]
) -> list[str]:
    """Describe the data, training and versions of the runs, and where schemes differ in them."""
    if not results:
        return []
    first = results[0]
    data, precision = first.data, first.recipe.trainer["precision"]
    notes = [
        f"{_name_epochs(by_scheme)} in {precision}, batches of {first.recipe.data['batch_size']}; "
        f"{data['mixed_images']} mixed images, {data['judgements']} judgements by {data['annotators']} people; "
        f"{data['test_images']} test images.",
        *_name_early_stops(results),
    ]
    epochs = {training_of(result).epochs for result in results}
    if is_on_hmix(data) and (data["mixed_images"], epochs) != (PAPER_MIXED_IMAGES, {PAPER_EPOCHS}):
        notes.append(f"The paper's figures are for {PAPER_EPOCHS} epochs and {PAPER_MIXED_IMAGES} mixed images.")
    if is_on_hmix(data) and not data["canonical_pixels"]:
        notes.append("The pixels are those of a stand-in, not CIFAR-10's own.")
    for scheme, own in by_scheme.items():
        if own and is_on_hmix(data) and (difference := compare_labels(scheme, own[0].recipe.data)):
            notes.append(difference)
        if own and (found := _unexpected_differences(first, own[0])):
            details = [f"{key} ({a} and {b})" for key, (a, b) in list(found.items())[:_SHOWN_DIFFERENCES]]
            notes.append(f"{first.scheme} and {own[0].scheme} differ in more than labels: {', '.join(details)}.")
        for column, name in columns.items():
            if lacking := [result for result in own if result.metrics.get(name) is None]:
                reasons = "; ".join(dict.fromkeys(reason for run in lacking if (reason := _why_missing(run, name))))
                seeds = ", ".join(str(result.seed) for result in lacking)
                notes.append(f"{own[0].scheme} has no finite {column} at seed {seeds}{reasons and f': {reasons}'}.")
    truths = {column: first.truth[name] for column, name in columns.items() if name in first.truth}
    details = [
        f"{', '.join(column for column in truths if truths[column] == truth)} with {truth}"
        for truth in dict.fromkeys(truths.values())
    ]
    notes += [f"Predictions are compared: {'; '.join(details)}."] if details else []
    sizes = dict.fromkeys(r.bin_size[name] for r in results for name in columns.values() if name in r.bin_size)
    notes += [f"Calibration errors are in bins of {' or '.join(map(str, sizes))} images."] if sizes else []
    for key in ("device", "torch", "hml", "commit"):
        values = dict.fromkeys(result.versions.get(key, "unknown") for result in results)
        notes.append(f"{key}: {'; '.join(values)}.")
    notes.append(_name_threads(results))
    seconds = [sum(part or 0 for part in result.seconds.values()) for result in results]
    notes.append(f"Seconds per run: {min(seconds):.0f} to {max(seconds):.0f}, {sum(seconds):.0f} in all.")
    return notes


def _why_missing(result: RunResult, name: str) -> str:
    return result.undefined.get(name, "" if name in result.metrics else "an earlier version of hml did not log it")


def training_of(result: RunResult) -> Training:
    """Return the length of a run's training."""
    assert result.training is not None, "runs that hml didn't train are rejected when they are read"
    return result.training


def _name_epochs(by_scheme: Mapping[str, Sequence[RunResult]]) -> str:
    """Write the number of trained epochs: once if schemes agree, otherwise for each scheme."""
    ranges = {}
    for scheme, own in by_scheme.items():
        if own:
            shortest, longest = (pick(map(training_of, own), key=lambda part: part.epochs) for pick in (min, max))
            ranges[scheme] = f"{shortest.epochs:g} to {longest}" if shortest.epochs < longest.epochs else str(longest)
    if len(set(ranges.values())) == 1:
        return next(iter(ranges.values()))
    return ", ".join(f"{scheme} {epochs}" for scheme, epochs in ranges.items())


def _name_early_stops(results: Sequence[RunResult]) -> list[str]:
    """List the runs that ended before their `max_epochs`, and the reasons."""
    stopped: dict[str, list[str]] = {}
    for result in results:
        if (reason := training_of(result).stopped_by) is not None:
            stopped.setdefault(reason, []).append(f"{result.scheme} {result.seed}")
    return [
        f"{reason} ended {len(runs)} of {len(results)} runs before max_epochs"
        + (f": {', '.join(runs)}, by scheme and seed." if len(runs) < len(results) else ".")
        for reason, runs in stopped.items()
    ]


def _name_threads(results: Sequence[RunResult]) -> str:
    runs: dict[int, list[str]] = {}
    for result in results:
        runs.setdefault(result.threads, []).append(f"{result.scheme} {result.seed}")
    if len(runs) == 1:
        return f"threads: {results[0].threads}."
    details = "; ".join(f"{threads} ({', '.join(own)})" for threads, own in sorted(runs.items()))
    return f"Runs differ in threads, which changes figures as another seed does: {details}, by scheme and seed."


def _unexpected_differences(first: RunResult, other: RunResult) -> dict[str, tuple[object, object]]:
    recipe, data = first.recipe.compare(other.recipe), differences(first.data, other.data)
    return {key: pair for key, pair in recipe.items() if not key.startswith(_PER_SCHEME)} | {
        key: pair for key, pair in data.items() if not key.startswith(_PER_SCHEME_DATA)
    }
