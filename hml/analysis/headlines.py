"""The main numbers of the page, as statistics of judgements' weights, so that they can be recomputed."""

from dataclasses import dataclass
from functools import partial

import pandas as pd

from hml.analysis.confidence import FOLDED, correlate
from hml.analysis.generating import error_by_image, error_by_judgement
from hml.analysis.pairs import KINDS, PARAMETERS, CurveFits, identifiable, readable
from hml.analysis.reliability import count_pairs, disagreement, retest_error
from hml.judgements.tables import first_judgements
from hml.statistics import weighted
from hml.statistics.estimates import COMPARISON, CORRELATION, NUMBER, SIZE, Array, Kind
from hml.statistics.jackknife import Statistic, Weights


@dataclass(frozen=True)
class Headline:
    """A number of a table: its name in files, its label on the page, and what `Jackknife.conclude` takes.

    Headlines may share a statistic of shape (R, K), of which each is a column.
    """

    name: str
    label: str
    statistic: Statistic
    n: int
    people: int
    kind: Kind = NUMBER
    column: int | None = None

    def of(self, values: Array) -> Array:
        """Return the headline's own part of its statistic's values."""
        return values if self.column is None else values[..., self.column]


def headlines(table: pd.DataFrame) -> list[Headline]:
    """List the headline numbers that can be computed from a table from `add_variables`, always in the same order."""
    if table.empty:
        return []
    judgements, images, people = len(table), table["image"].nunique(), table["person"].nunique()
    follows = weighted.correlation_of(table, *(table[name].to_numpy(float) for name in ("lambda_f", "lambda_h")))
    found = [
        Headline("error", "mean |λ_h − λ_f|, judgements", partial(error_by_judgement, table), judgements, people, SIZE),
        Headline(
            "error_by_image",
            "mean |λ_h − λ_f|, images",
            partial(error_by_image, table),
            images,
            people,
            SIZE.for_other_images,
        ),
        Headline("mixup_correlation", "corr(λ_f, λ_h), judgements", follows, judgements, people, CORRELATION),
    ]
    for variable, label in (("distance", "|λ_f − ½|"), ("ambiguity", "endpoints' entropy"), ("error", "|λ_h − λ_f|")):
        if variable in table and "omega" in table:
            for unit, n in (("judgement", judgements), ("image", images)):
                statistic = partial(correlate, table, variable, unit)
                name = f"omega_{variable}" + ("_by_image" if unit == "image" else "")
                kind = CORRELATION.for_other_images if unit == "image" and variable in FOLDED else CORRELATION
                found.append(Headline(name, f"corr(ω, {label}), {unit}s", statistic, n, people, kind))
    curve = partial(_overall_curve, CurveFits.of(table))
    found += [
        Headline(name, f"overall curve: {name}", curve, judgements, people, KINDS[name], column=column)
        for column, name in enumerate(PARAMETERS)
        if name == "bias" or identifiable(table)
    ]
    once = first_judgements(table)
    pairs, paired = count_pairs(once)
    if pairs:
        apart = disagreement(once, 1)
        found.append(Headline("disagreement", "mean |difference| of two people", apart, pairs, paired, COMPARISON))
    again, repeats, repeaters = retest_error(table)
    if repeats:
        found.append(Headline("retest", "mean |first − again|", again, repeats, repeaters, SIZE.for_other_images))
    return found


def _overall_curve(fits: CurveFits, weights: Weights) -> Array:
    return readable(fits.overall(weights))
