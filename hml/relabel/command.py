"""`hml relabel fit` and `hml relabel evaluate`."""

import argparse
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import torch

import hml
from hml.command_line.flags import Parser, add_data_dir
from hml.data.download import find_data_dir
from hml.errors import InputError
from hml.files.sealed import hash_file
from hml.judgements import CLASS_NAMES, parse_pair
from hml.judgements.curves import fit_pair_curves
from hml.relabel.answers import Answers
from hml.relabel.checkpoint import DEFAULT_PATH, Checkpoint
from hml.relabel.encoding import ImageTable
from hml.relabel.evaluation import (
    Predictions,
    human_ceilings,
    judged,
    predict_held_out,
    score,
    summarise,
)
from hml.relabel.features import EPOCHS, describe_images
from hml.relabel.fitting import FitOptions, fit_networks
from hml.relabel.folds import SPLITS, Splits, choose_splits
from hml.relabel.presentation import Evaluation, write_report
from hml.relabel.relabeller import Relabeller
from hml.relabel.sources import Material, read_material
from hml.reporting.sections import count
from hml.statistics.bootstrap import Bootstrap

_EPILOG = """\
  hml relabel fit                                learns from all of H-Mix, in minutes
  hml relabel evaluate                           judges it by cross-validation, beside baselines
  hml fit --config configs/learned_mean.yaml     trains on what it says of fresh mixes
  hml relabel fit --demo                         a try, on made-up images and people
"""


def parse(args: Sequence[str]) -> argparse.Namespace:
    """Parse the flags of `hml relabel`."""
    return _parser().parse_args(args)


def run(options: argparse.Namespace) -> int:
    """Fit or evaluate the relabeller.

    Args:
        options: As `parse` makes them.

    Returns:
        The exit code, 0.

    Raises:
        HmlError: a flag or a file is wrong.
    """
    for name, least in (("steps", 1), ("members", 1), ("epochs", 1), ("seed", 0), ("replicates", 2)):
        if getattr(options, name, least) < least:
            raise InputError(f"--{name} {getattr(options, name)} must be {least} or more.")
    pairs = [parse_pair(pair) for pair in getattr(options, "pairs", ())]
    started = time.perf_counter()
    material = read_material(find_data_dir(options.data_dir), options.cohort, options.judgements, options.demo)
    # Checked before anything that takes long.
    splits = choose_splits(material.once, options.folds, options.seed) if options.verb == "evaluate" else None
    print(f"Describing {len(material.bank.images):,} images (the first time, this trains a small network) …")
    images = describe_images(material.bank, options.out, options.epochs, options.seed)
    fitting = FitOptions(steps=options.steps, members=options.members, seed=options.seed)
    if splits is None:
        _fit(material, images, fitting, options, started)
    else:
        _evaluate(material, images, fitting, options, splits, pairs, started)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = Parser("hml relabel", description="Learn what people would say of any mixed image.", epilog=_EPILOG)
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="fit|evaluate")
    fit = verbs.add_parser("fit", help="learn from judgements, and write relabeller.pt")
    evaluate = verbs.add_parser("evaluate", help="judge it on image pairs and on people held out, beside baselines")
    defaults = FitOptions()
    for verb in (fit, evaluate):
        add = verb.add_argument
        add("--cohort", default="all", choices=["paper", "all"], help="which of H-Mix (default: all)")
        add("--judgements", type=Path, metavar="FILE", help="judgements of one's own, in H-Mix's columns")
        add("--demo", action="store_true", help="hml's own made-up images, and people unless --judgements")
        add("--out", type=Path, default=DEFAULT_PATH.parent, metavar="DIR", help="where to (default: %(default)s)")
        add_data_dir(verb)
        add("--epochs", type=int, default=EPOCHS, help="of the network that describes images (default: %(default)s)")
        add("--steps", type=int, default=defaults.steps, help="of each of the relabeller's networks (%(default)s)")
        add("--members", type=int, default=defaults.members, help="networks averaged (default: %(default)s)")
        add("--seed", type=int, default=0, help="decides all that is drawn (default: 0)")
    evaluate.add_argument("--folds", type=int, default=5, help="parts of a cross-validation (default: 5)")
    evaluate.add_argument("--replicates", type=int, default=1000, help="resamples of people (default: 1000)")
    evaluate.add_argument("--pairs", nargs="+", default=["Cat/Dog"], metavar="Cat/Dog", help="class pairs to draw")
    return parser


def _fit(
    material: Material, images: ImageTable, fitting: FitOptions, options: argparse.Namespace, started: float
) -> None:
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
    return Relabeller(fit_networks(Answers.of(table), images, people, fitting), images, names, judged(table))


def tabulate_curves(material: Material) -> torch.Tensor:
    """Fit class pairs' curves to all judgements: (bias, slope, lapse) by both classes, shape (C, C, 3)."""
    table = material.once
    curves = fit_pair_curves(*(table[name].to_numpy() for name in ("lambda_f", "lambda_h", "class_1", "class_2")))
    every = [[curves.of(a, b) for b in range(len(CLASS_NAMES))] for a in range(len(CLASS_NAMES))]
    return torch.tensor([[(curve.bias, curve.slope, curve.lapse) for curve in row] for row in every])


def _evaluate(
    material: Material,
    images: ImageTable,
    fitting: FitOptions,
    options: argparse.Namespace,
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
