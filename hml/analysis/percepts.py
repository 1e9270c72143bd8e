"""Puts the analysis together: reads judgements, measures, draws, and writes the results."""

import datetime
import difflib
import importlib.metadata
import time
from collections.abc import Sequence
from dataclasses import asdict

import pandas as pd

import hml
from hml.analysis.chapters.ceilings import ceilings_section
from hml.analysis.chapters.confidence import confidence_section
from hml.analysis.chapters.curves import curves_section
from hml.analysis.chapters.dominance import dominance_section
from hml.analysis.chapters.examples import examples_section
from hml.analysis.chapters.generating import generating_section
from hml.analysis.chapters.midpoints import midpoints_section
from hml.analysis.chapters.pairs import default_pairs, pairs_section
from hml.analysis.chapters.quality import quality_section
from hml.analysis.chapters.soft_categories import soft_categories_section
from hml.analysis.command import Options
from hml.analysis.confidence import add_variables
from hml.analysis.pairs import CurveEstimates, choose_pairs, estimate_curves, summarise_cells
from hml.analysis.sources import Sources, read_sources
from hml.command_line.replacing import announce_replacement
from hml.data.download import find_data_dir
from hml.errors import DataError, InputError
from hml.files.atomic import write_atomically
from hml.judgements.tables import image_table
from hml.reporting.citation import cite, name_hml
from hml.reporting.exhibits import name_exhibits, remove_exhibits, to_json, write_events, write_exhibit
from hml.reporting.page import render_page
from hml.reporting.sections import Section, count
from hml.reporting.versions import find_commit
from hml.statistics.estimates import FALSE_DISCOVERY_RATE, FDR_METHOD, FEWEST_COMPARED, FEWEST_PEOPLE
from hml.statistics.jackknife import BOTH, PEOPLE, Jackknife

_HEADLINES = 5
"""How many sections' first findings the terminal shows."""
_PACKAGES = ("numpy", "scipy", "pandas", "matplotlib")


def run(options: Options) -> int:
    """Analyse judgements, write the page, its figures and percepts.json, and print where they are and what they show.

    Figures that only an earlier run made are deleted from the folder.

    Returns:
        The exit code, 0.

    Raises:
        InputError: an option or the judgements are wrong.
        DataError: the released judgements or the requested images are not available, or a file is corrupt.
    """
    started = time.perf_counter()
    page = options.out / "percepts.html"
    sources = read_sources(options.cohort, options.judgements, options.source, find_data_dir(options.data_dir))
    pairs = [sources.classes.parse_pair(pair) for pair in options.pairs]
    _check_images(options.images, sources)
    announce_replacement(page)
    table = add_variables(sources.judgements, sources.human)
    sections, tables, curves = _measure(options, sources, table, pairs)
    figures, numbers = options.out / "figures", options.out / "percepts.json"
    images = {exhibit.name: write_exhibit(exhibit, figures) for section in sections for exhibit in section.exhibits}
    write_events(images, options.out)
    introduction, footer = _introduce(options, sources, table)
    title = "What people perceive in mixed images"
    citation = cite(with_hmix=options.judgements is None)
    write_atomically(page, render_page(title, introduction, sources.left_out, sections, images, footer, citation))
    result = _summarise(options, sources, table, sections, tables, curves)
    remove_exhibits(name_exhibits(numbers) - images.keys(), figures)
    result["seconds"] = round(time.perf_counter() - started, 2)
    write_atomically(numbers, to_json(result))
    print(f"Open {page}; the numbers are in {numbers}, the figures in {figures}.")
    headlines = [section.findings[0] for section in sections if section.findings][:_HEADLINES]
    print("".join(f"  {headline}\n" for headline in headlines), end="")
    return 0


def _check_images(filenames: Sequence[str], sources: Sources) -> None:
    known = sources.judgements["filename"].unique().tolist()
    for filename in filenames:
        if filename not in known:
            nearest = difflib.get_close_matches(filename, known, n=1)
            hint = f" Did you mean {nearest[0]}?" if nearest else ""
            raise InputError(f"--images {filename!r} is none of the {len(known)} images analysed.{hint}")
    if filenames and sources.bank is None:
        raise DataError(f"--images needs the images themselves. {sources.left_out[-1]}")


def _measure(
    options: Options, sources: Sources, table: pd.DataFrame, pairs: Sequence[tuple[int, int]]
) -> tuple[list[Section], dict[str, pd.DataFrame], CurveEstimates]:
    """Make every section, and the tables that go into percepts.json."""
    jackknife = Jackknife.of(table)
    classes, shown = sources.classes, choose_pairs(table, sources.classes, pairs)
    generating, levels = generating_section(table, jackknife)
    cells, curves = summarise_cells(table, jackknife, shown), estimate_curves(table, jackknife, shown)
    sections = [generating]
    if sources.bank is not None:
        sections.append(examples_section(sources.bank, table, image_table(table), options.images))
    sections += [
        pairs_section(classes, cells, curves.curves, pairs or default_pairs(table, classes)),
        curves_section(classes, curves),
        dominance_section(classes, table, jackknife),
        *([confidence_section(table, jackknife)] if "omega" in table else []),
        ceilings_section(table, jackknife),
    ]
    if sources.construct is not None and sources.select is not None:
        sections.append(midpoints_section(sources.construct, sources.select, table))
    if sources.soft is not None:
        sections.append(soft_categories_section(sources.soft, table))
    quality, effects = quality_section(table, jackknife)
    sections.append(quality)
    named = cells.assign(
        pair=[classes.name_pair(a, b) for a, b in zip(cells["class_1"], cells["class_2"], strict=True)]
    )
    return sections, {"generating": levels, "cells": named, "quality": effects}, curves


def _introduce(options: Options, sources: Sources, table: pd.DataFrame) -> tuple[list[str], list[str]]:
    """Write what stands above and below the sections."""
    images, people = table["image"].nunique(), table["person"].nunique()
    sure = ", with a confidence ω" if "omega" in table else ""
    introduction = [
        f"{sources.description}: {count(len(table), 'judgement')} of {count(images, 'mixed image')} by "
        f"{count(people, 'person', 'people')}.",
        "mixup blends two images, λ_f of the first and 1 − λ_f of the second, and blends their labels with the same "
        f"weights. People who look at the blend infer a share λ_h{sure}. This page compares λ_h with "
        "λ_f, and these judgements with the paper's findings (Collins et al., “Human-in-the-Loop Mixup”, UAI 2023).",
        "Every number has n, its number of observations, and a 95 % interval. Unless stated otherwise, the interval is "
        "for other people and other images of these classes and λ_f. It is a jackknife over people and over pairs of "
        "endpoints, because neither one person's answers nor answers to one pair's images are independent.",
        "Many numbers also have an interval for other people and the same images. Numbers that compare two answers to "
        "an image have none: with so few answers to an image, people's noise can't be separated from differences "
        "between images. Figures show the intervals for other people and other images.",
        f"There is no interval with fewer than {FEWEST_PEOPLE} people behind a number, or fewer than {FEWEST_COMPARED} "
        "where people are compared with each other, because it would cover too little. The slope and the lapse of "
        "curves have none either.",
        "Intervals are for one number each. For lists, such as classes and class pairs, findings control the false "
        f"discovery rate at {100 * FALSE_DISCOVERY_RATE:g} % ({FDR_METHOD}). The CSV files have the adjusted p values.",
    ]
    today = datetime.datetime.now(datetime.UTC).date().isoformat()
    footer = [
        f"Made on {today} (UTC) with hml percepts, {name_hml()}. All numbers in full precision, and the hashes of the "
        "files, are in percepts.json.",
        "Real people gave these judgements for research, under codes instead of names. Don't try to identify them.",
    ]
    return introduction, footer


def _summarise(
    options: Options,
    sources: Sources,
    table: pd.DataFrame,
    sections: Sequence[Section],
    tables: dict[str, pd.DataFrame],
    curves: CurveEstimates,
) -> dict[str, object]:
    """Gather what goes into percepts.json."""
    of_pairs = {
        sources.classes.name_pair(*pair): {
            **asdict(curves.curves.of(*pair)),
            "intervals": {name: estimate.as_dict() for name, estimate in estimates.items()},
        }
        for pair, estimates in curves.pairs.items()
    }
    return {
        "judgements": {
            "of": sources.description,
            "judgements": len(table),
            "images": table["image"].nunique(),
            "people": table["person"].nunique(),
            "repeats": int(table["is_repeat"].sum()),
        },
        "intervals": {
            "level": 0.95,
            "random": [BOTH, PEOPLE],
            "method": "jackknife",
            "lists": {"adjustment": FDR_METHOD, "false_discovery_rate": FALSE_DISCOVERY_RATE},
        },
        "claims": {
            section.name: {claim.name: {"text": claim.text, **claim.estimate.as_dict()} for claim in section.claims}
            for section in sections
        },
        "findings": {section.name: section.findings for section in sections if section.findings},
        "curves": {
            "overall": asdict(curves.curves.overall),
            "spread": curves.curves.spread,
            "dispersion": curves.curves.dispersion,
            "pairs": of_pairs,
        },
        "tables": {name: frame.to_dict("records") for name, frame in tables.items()},
        "figures": [exhibit.name for section in sections for exhibit in section.exhibits],
        "left_out": sources.left_out,
        "files": sources.files,
        "canonical_pixels": None if sources.bank is None else sources.bank.canonical_pixels,
        "versions": {"hml": hml.__version__, "commit": find_commit()}
        | {name: importlib.metadata.version(name) for name in _PACKAGES},
    }
