"""The section on careless judgements, and the results without them."""

from collections.abc import Hashable, Mapping
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.ticker import LogLocator, NullFormatter, ScalarFormatter

from hml.analysis.findings import conclude_list
from hml.analysis.quality import count_rules, effects, people_table
from hml.judgements import FAST_MS
from hml.reporting.drawing import finish, new_figure, reaches, typeset
from hml.reporting.palette import PEOPLE, Color
from hml.reporting.sections import DECIMALS, Exhibit, Section, write_interval, write_number, write_share
from hml.reporting.tables import Table
from hml.statistics.estimates import Estimate
from hml.statistics.jackknife import Jackknife


def quality_section(table: pd.DataFrame, jackknife: Jackknife) -> tuple[Section, pd.DataFrame]:
    """Write the section; also return the result of `effects`."""
    counts, found, people = count_rules(table), effects(table, jackknife), people_table(table)
    timed = int(table["reaction_ms"].notna().sum())
    section = Section(
        "quality",
        "How careful were the judgements?",
        [
            "All numbers above use all judgements. This section counts judgements that may be careless and computes "
            "the main numbers again without them. A slider at 50 may be untouched, or its position may be meant.",
            f"Times are known for {timed:,} of {len(table):,} judgements. Rules about people apply to those with five "
            "or more judgements.",
        ],
        _find(found),
        exhibits=[_draw_effects(found), _draw_people(people)],
        tables=[_tabulate_counts(counts), _tabulate_effects(found, counts)],
    )
    return section, found


def _find(found: pd.DataFrame) -> list[str]:
    """State which main numbers change without all judgements that may be careless."""
    rows = found[found["rule"] == "all"].to_dict("records")
    names = ("change", "change_low", "change_high")
    return conclude_list(
        [(str(row["label"]), Estimate.from_row(row, names)) for row in rows],
        "Without all judgements that may be careless, these main numbers increase, by:",
        "Without all judgements that may be careless, these main numbers decrease, by:",
        "Without all judgements that may be careless, no change of a main number is distinguishable from 0",
    )


def _tabulate_counts(counts: pd.DataFrame) -> Table:
    rows = [
        [r["description"], f"{r['judgements']:,}", write_share(r["share"]), str(r["people"]), str(r["images_lost"])]
        for _, r in counts.iterrows()
    ]
    header = ["rule", "judgements", "share", "people", "images that lose all judgements"]
    return Table("Judgements that may be careless. Rules overlap.", header, rows)


def _tabulate_effects(found: pd.DataFrame, counts: pd.DataFrame) -> Table:
    names = [str(rule) for rule in counts.loc[counts["judgements"] > 0, "rule"]]
    rows = []
    for _, part in found.groupby("headline", sort=False):
        by_rule = {str(r["rule"]): r for r in part.to_dict("records")}
        changes = [_cell(by_rule[name], "change") if name in by_rule else "–" for name in names]
        rows.append([str(part["label"].iloc[0]), f"{by_rule['none']['n']:,}", _cell(by_rule["none"], ""), *changes])
    return Table(
        "The main numbers, and how each changes without some judgements. Below each is its 95 % interval, for other "
        "people and other images. A dash: too few judgements remain. Rules that concern no judgement are not shown.",
        ["number", "n", "all judgements", *(f"without {name}" if name != "all" else "without any" for name in names)],
        rows,
    )


def _cell(row: Mapping[Hashable, Any], which: str) -> str:
    found = Estimate.from_row(row, (which, f"{which}_low", f"{which}_high")) if which else Estimate.from_row(row)
    shown = write_number(found.value)
    if which and found.value is not None and round(found.value, DECIMALS) > 0:
        shown = f"+{shown}"
    return shown if found.low is None else f"{shown}\n{write_interval(found)}"


def _draw_effects(found: pd.DataFrame) -> Exhibit:
    chosen = found[found["rule"].isin(["none", "all"])]
    kept = chosen[~chosen["headline"].isin(["slope", "gain"])]  # on another scale than the others
    labels = kept["label"].unique()
    figure = new_figure(8.5, 0.42 * len(labels) + 1.1)
    axes = figure.subplots()
    axes.axvline(0, color=Color.GREY, linewidth=0.8)
    for offset, rule, label, color, fmt in (
        (0.13, "none", "all judgements", PEOPLE, "o"),
        (-0.13, "all", "without any of them", Color.GREY, "s"),
    ):
        part = kept[kept["rule"] == rule].set_index("label").reindex(labels)
        rows, value = np.arange(len(labels))[::-1] + offset, part["value"].astype(float)
        axes.errorbar(value, rows, xerr=reaches(part), fmt=fmt, color=color, markersize=4, label=label)
    axes.set_yticks(range(len(labels))[::-1], [typeset(label) for label in labels], fontsize=8.5)
    figure.legend(loc="outside upper center", ncols=2, frameon=False, fontsize=8.5)
    finish(axes, xlabel="value")
    return Exhibit(
        "quality",
        "Main numbers with and without careless judgements",
        "Each main number with its 95 % interval, from all judgements (circles) and without those that the table lists "
        "(squares). The curve's slope and gain have another scale and are in the table and the CSV only.",
        "Pairs of intervals for each main number, with and without careless judgements.",
        figure,
        found,
    )


def _draw_people(people: pd.DataFrame) -> Exhibit:
    figure = new_figure(9, 3.6)
    left, right = figure.subplots(1, 2)
    seconds = people["reaction_ms"] / 1000
    left.scatter(seconds, people["correlation"], s=16, color=PEOPLE, alpha=0.7)
    left.axvline(FAST_MS / 1000, color=Color.GREY, linestyle=":", linewidth=1)
    if (seconds > 0).any():
        left.set_xscale("log")
        left.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        left.xaxis.set_major_formatter(ScalarFormatter())
        left.xaxis.set_minor_formatter(NullFormatter())
    finish(left, xlabel="median seconds per answer", ylabel="person's corr(λ_f, λ_h)", ylim=(-1, 1.05))
    right.scatter(people["commonest"], people["untouched"], s=16, color=PEOPLE, alpha=0.7)
    finish(right, xlabel="share of the person's commonest answer", ylabel="share of untouched sliders")
    right.set(xlim=(0, 1.03), ylim=(-0.03, 1.03))
    return Exhibit(
        "people",
        "People",
        "Each dot is a person. Left: the median time of their answers (dotted: three seconds) and how well they follow "
        "λ_f. Right: the share of their most frequent answer, and the share of judgements with untouched sliders.",
        "Two scatter plots of people: speed against how they follow the image, and sameness against untouched sliders.",
        figure,
        people.drop(columns="person"),
    )
