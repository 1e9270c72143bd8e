"""Judgements that may be careless: how many, and how numbers change without them. No other module leaves any out."""

import numpy as np
import pandas as pd

from hml.analysis.headlines import Headline, headlines
from hml.judgements import FAST_MS
from hml.judgements.tables import first_judgements
from hml.statistics.estimates import Array
from hml.statistics.jackknife import Jackknife, Statistic

ALIKE, MOSTLY, FEWEST = 0.8, 0.2, 5
"""ALIKE: the share of one value in the answers of a person who answers alike. MOSTLY: the share of untouched or fast
answers of a careless person. FEWEST: people with fewer answers are neither."""


def is_untouched(table: pd.DataFrame) -> "pd.Series[bool]":
    """Find judgements with all sliders in the middle, where they may start. Without omega there is one slider."""
    sliders = [name for name in ("lambda_h", "omega") if name in table]
    untouched: pd.Series[bool] = ((table[sliders] - 0.5).abs() < 1e-9).all(axis=1)
    return untouched


def is_fast(table: pd.DataFrame) -> "pd.Series[bool]":
    """Find judgements that took less than three seconds. Unknown times count as longer."""
    return table["reaction_ms"] < FAST_MS


def people_table(table: pd.DataFrame) -> pd.DataFrame:
    """Describe each person.

    Returns:
        One row per person: person, annotator, n, the shares of untouched and fast answers and of the commonest one, the
        median reaction_ms, the correlation of lambda_h with lambda_f, and whether they answer alike or carelessly.
    """
    rows = []
    for person, part in table.groupby("person", sort=True):
        varied = part["lambda_h"].nunique() > 1 and part["lambda_f"].nunique() > 1
        rows.append(
            {
                "person": person,
                "annotator": part["annotator"].iloc[0],
                "n": len(part),
                "untouched": float(is_untouched(part).mean()),
                "fast": float(is_fast(part).mean()),
                "commonest": float(part["lambda_h"].round(2).value_counts(normalize=True).iloc[0]),
                "reaction_ms": float(part["reaction_ms"].dropna().median()),  # pandas 2.2 warns where all are NaN
                "correlation": float(part["lambda_h"].corr(part["lambda_f"])) if varied else np.nan,
            }
        )
    people = pd.DataFrame(rows)
    enough = people["n"] >= FEWEST
    people["alike"] = enough & (people["commonest"] >= ALIKE)
    people["careless"] = enough & ((people["untouched"] >= MOSTLY) | (people["fast"] >= MOSTLY))
    return people


def rules(table: pd.DataFrame) -> dict[str, tuple[str, "pd.Series[bool]"]]:
    """List the rules for leaving judgements out: by name, a description and a mask of the judgements."""
    people = people_table(table)
    alike = table["person"].isin(people.loc[people["alike"], "person"])
    careless = table["person"].isin(people.loc[people["careless"], "person"])
    untouched, fast = is_untouched(table), is_fast(table)
    repeat = ~table.index.to_series().isin(first_judgements(table).index)
    return {
        "repeats": ("second judgements of an image by one person", repeat),
        "untouched": ("both sliders at 50" if "omega" in table else "the slider at 50", untouched),
        "fast": (f"answers in under {FAST_MS / 1000:g} s", fast),
        "alike": (f"people who gave one answer in {ALIKE:.0%} of their judgements or more", alike),
        "careless": (f"people with {MOSTLY:.0%} or more untouched or fast answers", careless),
        "all": ("all of these", repeat | untouched | fast | alike | careless),
    }


def count_rules(table: pd.DataFrame) -> pd.DataFrame:
    """Count what each rule leaves out: rule, description, judgements, share, people, and images without judgements."""
    rows = [
        {
            "rule": name,
            "description": description,
            "judgements": int(out.sum()),
            "share": float(out.mean()),
            "people": table.loc[out, "person"].nunique(),
            "images_lost": table["image"].nunique() - table.loc[~out, "image"].nunique(),
        }
        for name, (description, out) in rules(table).items()
    ]
    return pd.DataFrame(rows)


_Measured = tuple[Headline, float, Array]
"""A headline, its value and its replicates."""


def effects(table: pd.DataFrame, jackknife: Jackknife) -> pd.DataFrame:
    """Recompute every headline number without each rule's judgements. The table is from `add_variables`.

    Returns:
        One row for each headline and rule ("none" leaves nothing out): headline, label, rule, value, low, high, n,
        people, and the change against "none" with change_low and change_high, over the same replicates.
    """
    left_out = {name: out.to_numpy() for name, (_, out) in rules(table).items()}
    measured: dict[bytes, dict[str, _Measured]] = {}  # several rules may leave out the same judgements
    found = {}
    for rule, out in {"none": np.zeros(len(table), bool), **left_out}.items():
        if (key := out.tobytes()) not in measured:
            measured[key] = _measure(table[~out], jackknife)
        found.update({(name, rule): numbers for name, numbers in measured[key].items()})
    rows = []
    for (name, rule), (headline, value, replicates) in found.items():
        _, before, replicates_before = found[name, "none"]
        n, people, kind = headline.n, headline.people, headline.kind
        estimate = jackknife.conclude(value, replicates, n, people, kind)
        change = jackknife.conclude(value - before, replicates - replicates_before, n, people, kind.difference)
        row = {"headline": name, "label": headline.label, "rule": rule, **estimate.as_dict()}
        rows.append(row | {"change": change.value, "change_low": change.low, "change_high": change.high})
    order = [name for name, rule in found if rule == "none"]
    return pd.DataFrame(rows).sort_values(
        "headline", key=lambda s: s.map(order.index), kind="stable", ignore_index=True
    )


def _measure(table: pd.DataFrame, jackknife: Jackknife) -> dict[str, _Measured]:
    computed: dict[Statistic, tuple[Array, Array]] = {}  # each statistic once, though headlines may share it
    measured = {}
    for headline in headlines(table):
        statistic = headline.statistic
        if statistic not in computed:
            computed[statistic] = jackknife.value(statistic), jackknife.replicate(statistic)
        values, replicates = map(headline.of, computed[statistic])
        measured[headline.name] = (headline, float(values), replicates)
    return measured
