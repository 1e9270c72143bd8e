"""The section on careless judgements, and what leaving them out would do."""

from collections.abc import Hashable, Mapping
from typing import Any

import pandas as pd
from matplotlib.ticker import LogLocator, NullFormatter, ScalarFormatter

from hml.analysis.bootstrap import Bootstrap, Estimate
from hml.analysis.figures import BLUE, GREY, finish, new_figure, reaches, typeset
from hml.analysis.quality import count_rules, effects, people_table
from hml.analysis.report import Exhibit, Section, Table, write_interval, write_number
from hml.judgements import FAST_MS


def quality_section(table: pd.DataFrame, bootstrap: Bootstrap) -> tuple[Section, pd.DataFrame]:
    """Write the section; also return what `effects` found."""
    counts, found, people = count_rules(table), effects(table, bootstrap), people_table(table)
    timed = int(table["reaction_ms"].notna().sum())
    section = Section(
        "quality",
        "How careful were the judgements?",
        [
            "Nothing was left out of anything above. This section counts judgements that may be careless, and "
            "recomputes every headline number without them. A slider that stands at 50 may have been left there, or "
            "meant.",
            f"Times are known for {timed:,} of {len(table):,} judgements. Rules about people concern those with five "
            "or more judgements.",
        ],
        exhibits=[_draw_effects(found), _draw_people(people)],
        tables=[_tabulate_counts(counts), _tabulate_effects(found)],
    )
    return section, found


def _tabulate_counts(counts: pd.DataFrame) -> Table:
    rows = [
        [r["description"], f"{r['judgements']:,}", f"{r['share']:.1%}", str(r["people"]), str(r["images_lost"])]
        for _, r in counts.iterrows()
    ]
    header = ["what", "judgements", "share", "people concerned", "images left without any"]
    return Table("What might be left out, and how much of it there is.", header, rows)


def _tabulate_effects(found: pd.DataFrame) -> Table:
    names = [rule for rule in found["rule"].unique() if rule != "none"]
    rows = []
    for _, part in found.groupby("headline", sort=False):
        by_rule = {str(r["rule"]): r for r in part.to_dict("records")}
        row = [str(part["label"].iloc[0]), f"{by_rule['none']['n']:,}", _cell(by_rule["none"], "")]
        row += [_cell(by_rule[name], "change") if name in by_rule else "–" for name in names]
        rows.append(row)
    return Table(
        "Each headline number, and how it changes when judgements are left out; below each its 95 % interval, for "
        "changes over the same resamples. A dash: there is nothing left to compute it from.",
        ["number", "n", "all judgements", *(f"without {name}" if name != "all" else "without any" for name in names)],
        rows,
    )


def _cell(row: Mapping[Hashable, Any], which: str) -> str:
    found = Estimate.from_row(row, (which, f"{which}_low", f"{which}_high")) if which else Estimate.from_row(row)
    shown = write_number(found.value)
    if which and found.value is not None and round(found.value, 3) > 0:
        shown = f"+{shown}"
    return shown if found.low is None else f"{shown}\n{write_interval(found)}"


def _draw_effects(found: pd.DataFrame) -> Exhibit:
    chosen = found[found["rule"].isin(["none", "all"])]
    kept = chosen[~chosen["headline"].isin(["slope", "gain"])]  # on another scale than the others
    labels = kept["label"].unique()
    figure = new_figure(8.5, 0.42 * len(labels) + 1.1)
    axes = figure.subplots()
    axes.axvline(0, color=GREY, linewidth=0.8)
    for offset, rule, label, color in (
        (0.13, "none", "all judgements", BLUE),
        (-0.13, "all", "without any of them", GREY),
    ):
        part = kept[kept["rule"] == rule].set_index("label").reindex(labels)
        rows = [len(labels) - 1 - i + offset for i in range(len(labels))]
        value, fmt = part["value"].astype(float), "o" if rule == "none" else "s"
        axes.errorbar(value, rows, xerr=reaches(part), fmt=fmt, color=color, markersize=4, label=label)
    axes.set_yticks(range(len(labels))[::-1], [typeset(label) for label in labels], fontsize=8.5)
    figure.legend(loc="outside upper center", ncols=2, frameon=False, fontsize=8.5)
    finish(axes, xlabel="value")
    return Exhibit(
        "quality",
        "Headline numbers with and without careless judgements",
        "Each headline number with its 95 % interval, from all judgements (circles) and with everything left out that "
        "the table lists (squares). The curve's slope and gain, on another scale, are in the table and the CSV only.",
        "Pairs of intervals for each headline number, with and without careless judgements.",
        figure,
        found,
    )


def _draw_people(people: pd.DataFrame) -> Exhibit:
    figure = new_figure(9, 3.6)
    left, right = figure.subplots(1, 2)
    seconds = people["reaction_ms"] / 1000
    left.scatter(seconds, people["correlation"], s=16, color=BLUE, alpha=0.7)
    left.axvline(FAST_MS / 1000, color=GREY, linestyle=":", linewidth=1)
    if (seconds > 0).any():
        left.set_xscale("log")
        left.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        left.xaxis.set_major_formatter(ScalarFormatter())
        left.xaxis.set_minor_formatter(NullFormatter())
    finish(left, xlabel="median seconds an answer", ylabel="person's corr(λ_f, λ_h)", ylim=(-1, 1.05))
    right.scatter(people["commonest"], people["untouched"], s=16, color=BLUE, alpha=0.7)
    finish(right, xlabel="share of the person's commonest answer", ylabel="share of untouched sliders")
    right.set(xlim=(0, 1.03), ylim=(-0.03, 1.03))
    return Exhibit(
        "people",
        "People",
        "Each dot is a person. Left: the median time of their answers (dotted: three seconds) and how well they follow "
        "λ_f. Right: how large a share of their answers is one and the same, and how often both sliders stand at 50.",
        "Two scatter plots of people: speed against how they follow the image, and sameness against untouched sliders.",
        figure,
        people.drop(columns="person"),
    )
