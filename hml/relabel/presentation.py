"""The output of `hml relabel evaluate`: tables on the terminal, relabel.json, figures and a page."""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import torch

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
from hml.relabel.pages import write_page
from hml.relabel.relabeller import Relabeller
from hml.relabel.sources import Material
from hml.reporting.sections import Section, compare, count, write_interval, write_number
from hml.reporting.tables import Table, to_text
from hml.statistics.crossed import FEWEST_GROUPS
from hml.statistics.estimates import FEWEST_PEOPLE, Estimate

PAGE = "relabel"
_HEADER = ["", "bits", "bits with ω", "CRPS", "MAE", "in 50 %", "in 80 %", "in 95 %"]
_SHOWN = {"bits": 3, "bits_joint": 3, "crps": 4, "mae": 4, "coverage_50": 3, "coverage_80": 3, "coverage_95": 3}
_CEILINGS = {"self": "the same person again", "others": "the mean of the other people", "another": "another person"}
_SOURCES = {"pair": "from judgements of other image pairs", "annotator": "from judgements by other people"}
_LEGEND = (
    "Lower is better. bits: −log2 of the probability that a model gave the answer, one of 101; with ω, of λ_h and "
    "confidence together. CRPS, and the MAE of the distribution's mean, are on λ_h's scale. in 50 %: the share of "
    "answers within the central interval that should contain 50 %."
)


@dataclass(frozen=True)
class Evaluation:
    """The results of an evaluation.

    Args:
        material: The judgements that were learned from and predicted.
        scores: By split, the table that `summarise` returns.
        ceilings: The errors of people's answers as predictions of each other's.
        held_out: By split, the predictions.
        left_out: A sentence for each part that the judgements don't allow.
        relabeller: Fitted to all judgements, for the figures.
        curves: Class pairs' curves, shape (C, C, 3).
        settings: The flags.
        seconds: The duration.
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
    """Write relabel.json, relabel.html and the figures. Return the text for the terminal.

    Args:
        evaluation: The results.
        pairs: The class pairs to draw.
        out: The folder.
    """
    material, scores = evaluation.material, evaluation.scores
    tables = [table for split in scores for table in _tables(scores[split], split)]
    tables += [_ceiling_table(evaluation.ceilings)] if evaluation.ceilings else []
    verdicts = [verdict(scores[split], split) for split in scores]
    split, predictions = next(iter(evaluation.held_out.items()))
    exhibits = [held_out_images(material.bank.classes, material.once, predictions.masses[RELABELLER], split)]
    exhibits += [boundary(material, evaluation.relabeller, evaluation.curves, pair) for pair in pairs]
    sections = [
        Section("scores", "How well it predicts", [*verdicts, _LEGEND], tables=tables),
        Section("figures", "What it predicts", [], exhibits=exhibits),
    ]
    content = {
        "scores": {split: frame.to_dict("records") for split, frame in scores.items()},
        "verdicts": verdicts,
        "left_out": list(evaluation.left_out),
        "ceilings": {name: estimate.as_dict() for name, estimate in evaluation.ceilings.items()},
        "settings": dict(evaluation.settings),
        "data": dict(material.provenance),
        "seconds": round(evaluation.seconds, 1),
    }
    introduction = _introduce(material.once, list(scores))
    place = write_page(PAGE, "A model of the annotator", introduction, sections, content, out, evaluation.left_out)
    left_out = [f"Left out: {reason}" for reason in evaluation.left_out]
    return "\n\n".join([*map(to_text, tables), *verdicts, *left_out, _LEGEND, place])


def _introduce(table: pd.DataFrame, splits: Sequence[str]) -> str:
    sources = ", and again ".join(_SOURCES[split] for split in splits)
    return (
        f"{count(len(table), 'judgement')} of {count(table['image'].nunique(), 'mixed image')} by "
        f"{count(table['person'].nunique(), 'person', 'people')}, each predicted {sources}. Intervals are 95 %, "
        f"over {PEOPLE_AND_PAIRS}: they are for other people who judge images of other pairs of endpoints. "
        "relabel.json also has intervals over people, for the same images."
    )


def verdict(scores: pd.DataFrame, split: str) -> str:
    """State whether the relabeller is better than every baseline in bits and CRPS, or name the others.

    Better means for other people and other images. Results that hold for other people on these images only are named.
    """
    compared = scores[(scores["compared"] == RELABELLER) & (scores["model"] != KNOWN_PERSON)]
    compared = compared[compared["measure"].isin(["bits", "crps"])]
    over_people, over_both = (compared[compared["random"] == random] for random in (PEOPLE, PEOPLE_AND_PAIRS))
    if over_both["low"].isna().all():
        return (
            f"With {SPLITS[split]}, differences have no intervals, which need {FEWEST_PEOPLE} people and "
            f"{FEWEST_GROUPS} image pairs. So it is not known which model is better."
        )
    short = over_both[[not _is_better(row) for row in over_both.to_dict("records")]]
    if short.empty:
        return (
            f"With {SPLITS[split]}, the relabeller is better than every baseline in bits and in CRPS, for other people "
            "and other images: with intervals over both that exclude 0."
        )
    named = "; ".join(_name_comparison(row) for row in short.to_dict("records"))
    shown = f"With {SPLITS[split]}, the relabeller isn't clearly better than: {named}."
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


def _tables(scores: pd.DataFrame, split: str) -> list[Table]:
    """Make the table of scores, and that of differences."""
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
        f"How much lower the relabeller's are, {SPLITS[split]} (above 0: it is better; 95 % over {PEOPLE_AND_PAIRS})"
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
    return Table("How well people's answers predict each other", ["", "MAE", "95 % over people", "n"], rows)


def _number(row: Mapping[Hashable, Any]) -> str:
    return write_number(Estimate.from_row(row).value, _SHOWN[row["measure"]])


def _interval(row: Mapping[Hashable, Any]) -> str:
    """Write an interval with as many digits as its value has."""
    return write_interval(Estimate.from_row(row), _SHOWN[row["measure"]])
