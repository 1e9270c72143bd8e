"""What `hml relabel evaluate` shows: a table on the terminal, relabel.json, figures and a page."""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import torch

import hml
from hml.files.atomic import write_atomically
from hml.relabel.evaluation import (
    COMPARED,
    KNOWN_PERSON,
    MODELS,
    PEOPLE,
    PEOPLE_AND_PAIRS,
    RELABELLER,
    Predictions,
)
from hml.relabel.figures import boundary, held_out_images
from hml.relabel.folds import SPLITS
from hml.relabel.relabeller import Relabeller
from hml.relabel.sources import Material
from hml.reporting.citation import name_hml
from hml.reporting.exhibits import to_json, write_exhibit
from hml.reporting.page import render_page
from hml.reporting.sections import Section, compare, count, write_interval, write_number
from hml.reporting.tables import Table, to_text
from hml.statistics.crossed import FEWEST_GROUPS
from hml.statistics.estimates import FEWEST_PEOPLE, Estimate

_HEADER = ["", "bits", "bits with ω", "CRPS", "MAE", "in 50 %", "in 80 %", "in 95 %"]
_SHOWN = {"bits": 3, "bits_joint": 3, "crps": 4, "mae": 4, "coverage_50": 3, "coverage_80": 3, "coverage_95": 3}
_CEILINGS = {"self": "the same person again", "others": "the mean of the other people", "another": "another person"}
_SOURCES = {"pair": "from judgements of other image pairs", "annotator": "from judgements by other people"}
_LEGEND = (
    "bits: −log2 of what a model gave the answer, one of 101 (less is better); with ω: of λ_h and confidence together; "
    "CRPS and the MAE of the distribution's mean are on λ_h's scale; in 50 %: answers within the central half."
)


@dataclass(frozen=True)
class Evaluation:
    """All that an evaluation found.

    Args:
        material: What was learned from and predicted.
        scores: By split, what `summarise` made.
        ceilings: What people reach against one another.
        held_out: By split, the predictions.
        left_out: What the judgements don't allow, a sentence each.
        relabeller: Fitted to everything, for the figures.
        curves: Class pairs' curves, shape (C, C, 3).
        settings: What was asked for.
        seconds: How long it took.
    """

    material: Material
    scores: Mapping[str, pd.DataFrame]
    ceilings: Mapping[str, Estimate]
    held_out: Mapping[str, Predictions]
    left_out: Sequence[str]
    relabeller: Relabeller
    curves: torch.Tensor
    settings: Mapping[str, object]
    seconds: float


def write_report(evaluation: Evaluation, pairs: Sequence[tuple[int, int]], out: Path) -> str:
    """Write relabel.json, relabel.html and the figures; return what the terminal shows."""
    tables = [table for split in evaluation.scores for table in _tables(evaluation, split)]
    tables += [_ceiling_table(evaluation.ceilings)] if evaluation.ceilings else []
    verdicts = [verdict(evaluation.scores[split], split) for split in evaluation.scores]
    split, predictions = next(iter(evaluation.held_out.items()))
    material = evaluation.material
    exhibits = [held_out_images(material.bank.classes, material.once, predictions.masses[RELABELLER], split)]
    exhibits += [boundary(material, evaluation.relabeller, evaluation.curves, pair) for pair in pairs]
    images = {exhibit.name: write_exhibit(exhibit, out / "figures") for exhibit in exhibits}
    sections = [
        Section("scores", "How well it predicts", [*verdicts, _LEGEND], tables=tables),
        Section("figures", "What it predicts", [], exhibits=exhibits),
    ]
    introduction, footer = [_introduce(evaluation)], [f"Made with {name_hml()}."]
    page = render_page("A model of the annotator", introduction, evaluation.left_out, sections, images, footer)
    write_atomically(out / "relabel.html", page)
    write_atomically(out / "relabel.json", to_json(_summarise(evaluation, verdicts)))
    left_out = [f"Left out: {reason}" for reason in evaluation.left_out]
    place = f"{out / 'relabel.html'} (numbers in relabel.json, figures in figures/)"
    return "\n\n".join([*map(to_text, tables), *verdicts, *left_out, _LEGEND, place])


def _introduce(evaluation: Evaluation) -> str:
    table = evaluation.material.once
    sources = " and again ".join(_SOURCES[split] for split in evaluation.scores)
    return (
        f"{count(len(table), 'judgement')} of {count(table['image'].nunique(), 'mixed image')} by "
        f"{count(table['person'].nunique(), 'person', 'people')}, each predicted {sources}. Intervals are 95 %, "
        f"over {PEOPLE_AND_PAIRS}: for other people judging images of other pairs of endpoints. Those over people "
        "only, for these same images, are in relabel.json."
    )


def _summarise(evaluation: Evaluation, verdicts: Sequence[str]) -> dict[str, object]:
    """Gather what goes into relabel.json."""
    return {
        "scores": {split: frame.to_dict("records") for split, frame in evaluation.scores.items()},
        "verdicts": verdicts,
        "left_out": list(evaluation.left_out),
        "ceilings": {name: estimate.as_dict() for name, estimate in evaluation.ceilings.items()},
        "settings": dict(evaluation.settings),
        "data": dict(evaluation.material.provenance),
        "seconds": round(evaluation.seconds, 1),
        "version": hml.__version__,
    }


def verdict(scores: pd.DataFrame, split: str) -> str:
    """Say whether the relabeller is better than every baseline in bits and CRPS, or which it isn't better than.

    Better means for other people and other images. What holds for other people on these images only is named.
    """
    compared = scores[(scores["compared"] == RELABELLER) & (scores["model"] != KNOWN_PERSON)]
    compared = compared[compared["measure"].isin(["bits", "crps"])]
    over_people, over_both = (compared[compared["random"] == random] for random in (PEOPLE, PEOPLE_AND_PAIRS))
    if over_both["low"].isna().all():
        return (
            f"With {SPLITS[split]}, differences have no intervals: that needs {FEWEST_PEOPLE} people and "
            f"{FEWEST_GROUPS} image pairs. So the page can't say which model is better."
        )
    short = over_both[[not _is_better(row) for row in over_both.to_dict("records")]]
    if short.empty:
        return (
            f"With {SPLITS[split]}, the relabeller is better than every baseline in bits and in CRPS, for other people "
            "and other images: with intervals over both that exclude 0."
        )
    told = "; ".join(_name_comparison(row) for row in short.to_dict("records"))
    shown = f"With {SPLITS[split]}, the relabeller isn't clearly better than: {told}."
    keys = set(zip(short["model"], short["measure"], strict=True))
    for_people = [
        _name_comparison(row)
        for row in over_people.to_dict("records")
        if (row["model"], row["measure"]) in keys and _is_better(row)
    ]
    return f"{shown} For other people on these same images it is: {'; '.join(for_people)}." if for_people else shown


def _is_better(row: Mapping[Hashable, Any]) -> bool:
    return compare(Estimate.from_row(row)) == "above"


def _name_comparison(row: Mapping[Hashable, Any]) -> str:
    return f"{MODELS[row['model']]} ({row['measure']} {_number(row)}, {_interval(row)})"


def _tables(evaluation: Evaluation, split: str) -> list[Table]:
    """Make the table of scores, and that of differences."""
    scores = evaluation.scores[split]
    shown = scores[scores["random"] == PEOPLE_AND_PAIRS].to_dict("records")
    rows = {(row["model"], row["measure"], row["compared"]): row for row in shown}
    models = [model for model in MODELS if any(model == key[0] for key in rows)]

    def cell(model: str, measure: str, compared: str) -> str:
        row = rows.get((model, measure, compared))
        if row is None:
            return "–"
        return f"{_number(row)} ({_interval(row)})" if compared else _number(row)

    scored = [[MODELS[model], *(cell(model, measure, "") for measure in _SHOWN)] for model in models]
    others = [model for model in models if model != RELABELLER]
    differences = [[MODELS[model], *(cell(model, measure, RELABELLER) for measure in COMPARED)] for model in others]
    caption = (
        f"How much less the relabeller's are, {SPLITS[split]} (above 0: it is better; 95 % over {PEOPLE_AND_PAIRS})"
    )
    return [
        Table(f"Scores, {SPLITS[split]}", _HEADER, scored),
        Table(caption, _HEADER[: 1 + len(COMPARED)], differences),
    ]


def _ceiling_table(ceilings: Mapping[str, Estimate]) -> Table:
    rows = [
        [text, write_number(ceilings[name].value), write_interval(ceilings[name]), f"{ceilings[name].n:,}"]
        for name, text in _CEILINGS.items()
        if name in ceilings
    ]
    return Table("What people reach against one another", ["", "MAE", "95 % over people", "n"], rows)


def _number(row: Mapping[Hashable, Any]) -> str:
    return write_number(Estimate.from_row(row).value, _SHOWN[row["measure"]])


def _interval(row: Mapping[Hashable, Any]) -> str:
    """Write an interval with as many digits as its value has."""
    return write_interval(Estimate.from_row(row), _SHOWN[row["measure"]])
