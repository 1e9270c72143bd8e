"""Fits the relabeller and evaluates it: the work of `hml relabel fit` and `hml relabel evaluate`."""

import time
from dataclasses import asdict

import torch

import hml
from hml.analysis.pairs import most_judged
from hml.data.download import find_data_dir
from hml.errors import InputError
from hml.files.sealed import hash_file
from hml.judgements import CIFAR10
from hml.judgements.curves import fit_pair_curves
from hml.relabel.answers import Answers
from hml.relabel.checkpoint import Checkpoint, tabulate_curves
from hml.relabel.command import DEFAULT_PATH, Evaluate, Fit
from hml.relabel.encoding import ImageTable
from hml.relabel.evaluation import human_ceilings, judged, predict_held_out, score, summarise
from hml.relabel.features import describe_images
from hml.relabel.fitting import FitOptions, fit_networks
from hml.relabel.folds import choose_splits
from hml.relabel.presentation import Evaluation, write_report
from hml.relabel.relabeller import Relabeller
from hml.relabel.sources import Material, read_material
from hml.reporting.sections import count
from hml.statistics.bootstrap import Bootstrap


def run(options: Fit) -> int:
    """Fit or evaluate the relabeller.

    Args:
        options: As `hml.relabel.command.parse` returns them.

    Returns:
        The exit code, 0.

    Raises:
        HmlError: a flag or a file is wrong.
    """
    for name, least in (("steps", 1), ("members", 1), ("epochs", 1), ("seed", 0), ("replicates", 2)):
        if getattr(options, name, least) < least:
            raise InputError(f"--{name} {getattr(options, name)} must be {least} or more.")
    fitting = FitOptions(steps=options.steps, members=options.members, seed=options.seed)
    if isinstance(options, Evaluate):
        _evaluate(options, fitting)
    else:
        _fit(options, fitting)
    return 0


def _fit(options: Fit, fitting: FitOptions) -> None:
    started = time.perf_counter()
    material = _read(options)
    relabeller, curves = _fit_all(material, _describe(material, options), fitting)
    seconds = round(time.perf_counter() - started, 1)
    provenance = {
        "data": dict(material.provenance),
        "options": asdict(fitting) | {"epochs": options.epochs, "cohort": options.cohort, "demo": options.demo},
        "versions": {"hml": hml.__version__, "torch": str(torch.__version__)},
        "seconds": seconds,
    }
    path = options.out / DEFAULT_PATH.name
    Checkpoint(relabeller, curves, material.bank.classes, provenance).save(path)
    table = material.once
    print(
        f"Learned from {count(len(table), 'judgement')} of {count(table['image'].nunique(), 'image')} by "
        f"{count(table['person'].nunique(), 'person', 'people')} in {seconds:.0f} s: {path}, "
        f"sha256 {hash_file(path)[:16]}…"
    )


def _evaluate(options: Evaluate, fitting: FitOptions) -> None:
    started = time.perf_counter()
    material = _read(options)
    pairs = [material.bank.classes.parse_pair(pair) for pair in options.pairs] or [_default_pair(material)]
    splits = choose_splits(material.once, options.folds, options.seed)  # checked before anything that takes long
    images = _describe(material, options)
    bootstrap = Bootstrap.over(int(material.table["person"].max()) + 1, options.replicates, options.seed)
    held_out = {
        split: predict_held_out(material.once, images, split, options.folds, fitting) for split in splits.chosen
    }
    relabeller, curves = _fit_all(material, images, fitting)
    evaluation = Evaluation(
        material=material,
        scores={
            split: summarise(material.once, score(material.once, predictions), bootstrap)
            for split, predictions in held_out.items()
        },
        ceilings=human_ceilings(material.table, bootstrap),
        held_out=held_out,
        left_out=splits.left_out,
        relabeller=relabeller,
        curves=curves,
        settings=asdict(fitting) | {"folds": options.folds, "replicates": options.replicates, "demo": options.demo},
        seconds=time.perf_counter() - started,
    )
    print(write_report(evaluation, pairs, options.out))


def _read(options: Fit) -> Material:
    data_dir = find_data_dir(options.data_dir)
    return read_material(data_dir, options.cohort, options.judgements, options.source, options.demo)


def _default_pair(material: Material) -> tuple[int, int]:
    """Choose Cat/Dog, or of other classes than CIFAR-10's the pair judged most often."""
    if material.bank.classes == CIFAR10:
        return CIFAR10.parse_pair("Cat/Dog")
    return most_judged(material.once, 1)[0]


def _describe(material: Material, options: Fit) -> ImageTable:
    print(f"Describing {len(material.bank.images):,} images (the first time, this trains a small network) …")
    return describe_images(material.bank, options.out, options.epochs, options.seed)


def _fit_all(material: Material, images: ImageTable, fitting: FitOptions) -> tuple[Relabeller, torch.Tensor]:
    """Fit the relabeller and class pairs' curves to all judgements, each person's first of an image.

    Returns:
        The relabeller, and the curves' (bias, slope, lapse) by both classes, shape (C, C, 3).
    """
    table = material.once
    names = table.drop_duplicates("person").sort_values("person")["annotator"].tolist()
    networks = fit_networks(Answers.of(table, images.num_classes), images, int(table["person"].max()) + 1, fitting)
    curves = fit_pair_curves(*(table[name].to_numpy() for name in ("lambda_f", "lambda_h", "class_1", "class_2")))
    return Relabeller(networks, images, names, judged(table)), tabulate_curves(curves, images.num_classes)
