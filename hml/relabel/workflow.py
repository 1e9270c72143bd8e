"""Fits the relabeller and evaluates it: the work of `hml relabel fit` and `hml relabel evaluate`."""

import time
from collections.abc import Sequence
from dataclasses import asdict

import torch

import hml
from hml.data.download import find_data_dir
from hml.errors import InputError
from hml.files.sealed import hash_file
from hml.judgements import CIFAR10
from hml.judgements.curves import fit_pair_curves
from hml.relabel.answers import Answers
from hml.relabel.checkpoint import Checkpoint
from hml.relabel.command import DEFAULT_PATH, Evaluate, Fit
from hml.relabel.encoding import ImageTable
from hml.relabel.evaluation import (
    Predictions,
    human_ceilings,
    judged,
    predict_held_out,
    score,
    summarise,
)
from hml.relabel.features import describe_images
from hml.relabel.fitting import FitOptions, fit_networks
from hml.relabel.folds import SPLITS, Splits, choose_splits
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
    pairs = [CIFAR10.parse_pair(pair) for pair in options.pairs] if isinstance(options, Evaluate) else []
    started = time.perf_counter()
    material = read_material(find_data_dir(options.data_dir), options.cohort, options.judgements, options.demo)
    # Checked before anything that takes long.
    splits = choose_splits(material.once, options.folds, options.seed) if isinstance(options, Evaluate) else None
    print(f"Describing {len(material.bank.images):,} images (the first time, this trains a small network) …")
    images = describe_images(material.bank, options.out, options.epochs, options.seed)
    fitting = FitOptions(steps=options.steps, members=options.members, seed=options.seed)
    if isinstance(options, Evaluate):
        assert splits is not None
        _evaluate(material, images, fitting, options, splits, pairs, started)
    else:
        _fit(material, images, fitting, options, started)
    return 0


def _fit(material: Material, images: ImageTable, fitting: FitOptions, options: Fit, started: float) -> None:
    table = material.once
    relabeller = fit_relabeller(material, images, fitting)
    seconds = round(time.perf_counter() - started, 1)
    checkpoint = Checkpoint(
        relabeller,
        tabulate_curves(material),
        {
            "data": dict(material.provenance),
            "options": asdict(fitting) | {"epochs": options.epochs, "cohort": options.cohort, "demo": options.demo},
            "versions": {"hml": hml.__version__, "torch": str(torch.__version__)},
            "seconds": seconds,
        },
    )
    path = options.out / DEFAULT_PATH.name
    checkpoint.save(path)
    print(
        f"Learned from {count(len(table), 'judgement')} of {count(table['image'].nunique(), 'image')} by "
        f"{count(table['person'].nunique(), 'person', 'people')} in {seconds:.0f} s: {path}, "
        f"sha256 {hash_file(path)[:16]}…"
    )


def fit_relabeller(material: Material, images: ImageTable, fitting: FitOptions) -> Relabeller:
    """Fit the relabeller to all judgements, each person's first of an image."""
    table = material.once
    names = table.drop_duplicates("person").sort_values("person")["annotator"].tolist()
    people = int(table["person"].max()) + 1
    networks = fit_networks(Answers.of(table, images.num_classes), images, people, fitting)
    return Relabeller(networks, images, names, judged(table))


def tabulate_curves(material: Material) -> torch.Tensor:
    """Fit class pairs' curves to all judgements: (bias, slope, lapse) by both classes, shape (C, C, 3)."""
    table = material.once
    curves = fit_pair_curves(*(table[name].to_numpy() for name in ("lambda_f", "lambda_h", "class_1", "class_2")))
    every = [[curves.of(a, b) for b in range(len(CIFAR10))] for a in range(len(CIFAR10))]
    return torch.tensor([[(curve.bias, curve.slope, curve.lapse) for curve in row] for row in every])


def _evaluate(
    material: Material,
    images: ImageTable,
    fitting: FitOptions,
    options: Evaluate,
    splits: Splits,
    pairs: Sequence[tuple[int, int]],
    started: float,
) -> None:
    table = material.once
    bootstrap = Bootstrap.over(int(material.table["person"].max()) + 1, options.replicates, options.seed)
    scores, held_out = {}, {}
    for split in splits.chosen:
        for step in predict_held_out(table, images, split, options.folds, fitting):
            if isinstance(step, Predictions):
                held_out[split] = step
            else:
                print(f"{SPLITS[split]}: fold {step} of {options.folds} done")
        scores[split] = summarise(table, score(table, held_out[split]), bootstrap)
    evaluation = Evaluation(
        table=table,
        scores=scores,
        ceilings=human_ceilings(material.table, bootstrap),
        held_out=held_out,
        left_out=splits.left_out,
        relabeller=fit_relabeller(material, images, fitting),
        curves=tabulate_curves(material),
        train_ids=material.bank.train_ids,
        labels=material.bank.labels,
        settings=asdict(fitting) | {"folds": options.folds, "replicates": options.replicates, "demo": options.demo},
        provenance=material.provenance,
        seconds=time.perf_counter() - started,
    )
    print(write_report(evaluation, pairs, options.out))
