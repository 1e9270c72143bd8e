"""The work of `hml relabel`: fits a relabeller, evaluates it, proposes images to ask about, and plans studies."""

import time
from dataclasses import asdict

import numpy as np
import torch

import hml
from hml.analysis.pairs import most_judged
from hml.command_line.replacing import announce_replacement
from hml.data.demo import TEXTURES
from hml.data.download import find_data_dir
from hml.errors import InputError
from hml.files.atomic import write_atomically
from hml.files.sealed import hash_file
from hml.judgements import CIFAR10
from hml.judgements.stimuli_file import write_stimuli
from hml.labels import MixedBatch
from hml.randomness import Draws
from hml.relabel import active_report, plan_report, presentation
from hml.relabel.acquisition.curves import fit_curves
from hml.relabel.acquisition.pool import estimate_image_share, opinion_noise
from hml.relabel.active import ACQUISITIONS, Comparison, draw_repetitions
from hml.relabel.candidates import draw_mixes, draw_targets
from hml.relabel.checkpoint import Checkpoint, tabulate_curves
from hml.relabel.command import DEFAULT_PATH, Evaluate, Fit, Plan, Propose, Sources
from hml.relabel.encoding import ImageTable, take
from hml.relabel.evaluation import human_ceilings, predict_held_out, score, summarise
from hml.relabel.features import describe_images
from hml.relabel.fitting import FitOptions, fit_relabeller
from hml.relabel.folds import choose_splits
from hml.relabel.network import NOBODY
from hml.relabel.planning import (
    Design,
    Population,
    bits_of_images,
    estimate_person_share,
    mean_difference,
    pair_bias,
    plan,
    predict_people,
)
from hml.relabel.proposal import propose
from hml.relabel.relabeller import Relabeller
from hml.relabel.sources import Material, choose_images, read_material
from hml.reporting.sections import count, write_share
from hml.statistics.jackknife import Jackknife

_PLANNED_IMAGES, _ANSWERED_IMAGES, _ANSWERING_PEOPLE = 4500, 300, 40
"""Of plans: images that predictions are averaged over, and images and people of simulated answers."""


def run(options: Sources) -> int:
    """Carry out one of the verbs.

    Args:
        options: As `hml.relabel.command.parse` returns them.

    Returns:
        The exit code, 0.

    Raises:
        HmlError: a flag or a file is wrong.
    """
    match options:
        case Propose():
            _propose(options)
        case Plan():
            _plan(options)
        case Evaluate(active=True):
            _compare(options)
        case Evaluate():
            _evaluate(options)
        case Fit():
            _fit(options)
    return 0


def _fit(options: Fit) -> None:
    started = time.perf_counter()
    material, fitting = read_material(options), _settings(options)
    path = options.out / DEFAULT_PATH.name
    announce_replacement(path)
    relabeller, curves = _fit_all(material, _describe(material, options), fitting)
    seconds = round(time.perf_counter() - started, 1)
    provenance = {
        "data": dict(material.provenance),
        "options": asdict(fitting) | {"epochs": options.epochs, "cohort": options.cohort, "demo": options.demo},
        "versions": {"hml": hml.__version__, "torch": str(torch.__version__)},
        "seconds": seconds,
    }
    Checkpoint(relabeller, curves, material.bank.classes, provenance).save(path)
    table = material.once
    print(
        f"Learned from {count(len(table), 'judgement')} of {count(table['image'].nunique(), 'image')} by "
        f"{count(table['person'].nunique(), 'person', 'people')} in {seconds:.0f} s: {path}, "
        f"sha256 {hash_file(path)[:16]}…"
    )


def _evaluate(options: Evaluate) -> None:
    started = time.perf_counter()
    material, fitting = read_material(options), _settings(options)
    pairs = [material.bank.classes.parse_pair(pair) for pair in options.pairs] or [_default_pair(material)]
    splits = choose_splits(material.once, options.folds, options.seed)  # its errors come before anything slow
    announce_replacement(options.out / f"{presentation.PAGE}.html")
    images = _describe(material, options)
    jackknife = Jackknife.of(material.table)
    held_out = {
        split: predict_held_out(material.once, images, split, options.folds, fitting) for split in splits.chosen
    }
    relabeller, curves = _fit_all(material, images, fitting)
    evaluation = presentation.Evaluation(
        material=material,
        scores={
            split: summarise(material.once, score(material.once, predictions), jackknife)
            for split, predictions in held_out.items()
        },
        ceilings=human_ceilings(material.table, jackknife),
        held_out=held_out,
        left_out=splits.left_out,
        relabeller=relabeller,
        curves=curves,
        settings=asdict(fitting) | {"folds": options.folds, "demo": options.demo},
        seconds=time.perf_counter() - started,
    )
    print(presentation.write_report(evaluation, pairs, options.out))


def _compare(options: Evaluate) -> None:
    """Compare acquisitions on existing answers."""
    started = time.perf_counter()
    material, fitting = read_material(options), _settings(options)
    repetitions = draw_repetitions(material.once, options)  # its errors come before anything slow
    announce_replacement(options.out / f"{active_report.PAGE}.html")
    images = _describe(material, options)
    own = {} if options.acquisition is None else {type(options.acquisition).__name__: options.acquisition}
    comparison = Comparison(material.once, images, draw_targets(material.bank, options.seed), fitting, options)
    results = comparison.run(ACQUISITIONS | own, repetitions)
    schedule = {name: getattr(options, name) for name in ("start", "batch", "rounds", "repetitions", "seed")}
    settings = asdict(fitting) | schedule | {"data": dict(material.provenance)}
    print(active_report.write_report(results, material.once, settings, time.perf_counter() - started, options.out))


def _propose(options: Propose) -> None:
    """Propose images, and write them to a stimuli file."""
    checkpoint, material = _load(options)
    bank = material.bank
    started = time.perf_counter()
    announce_replacement(options.out)
    batch = propose(checkpoint.relabeller, bank, material.once, options)
    seconds = time.perf_counter() - started
    write_atomically(options.out, write_stimuli(batch.proposals, bank.classes, bank.names))
    share = batch.pool.image_share
    second = 1 / float(opinion_noise(np.ones(1, np.int64), share)[0])
    print(
        f"Proposed {count(len(batch.proposals), 'image')} of {len(batch.pool):,} in {seconds:.1f} s, of which "
        f"{batch.again:,} have been judged before: {options.out}\n"
        f"Of the variance of answers around the prediction, images differ by {write_share(share)} and people by "
        f"{write_share(1 - share)}. A second opinion on an image therefore gives {write_share(second)} of the "
        "information of the first."
    )


def _plan(options: Plan) -> None:
    """Simulate studies of each design, and print which designs are sufficient."""
    designs = [Design(people, each, options.per_image) for each in options.images_each for people in options.people]
    checkpoint, material = _load(options)
    relabeller, bank = checkpoint.relabeller, material.bank
    pairs = [bank.classes.parse_pair(pair) for pair in options.pairs]
    is_bias = options.bits is None
    if options.bits is None:
        pairs = pairs or [_default_pair(material)]
        if len(pairs) > 1:
            raise InputError(f"--pairs {' '.join(options.pairs)}: give one class pair with --bias.")
        question = plan_report.Question(f"the bias of {bank.classes.name_pair(*pairs[0])}", options.bias)
    else:
        text = "the difference in bits per judgement between two models"
        question = plan_report.Question(text, options.bits, options.power)
    announce_replacement(options.out / f"{plan_report.FIGURE}.png")
    mixed = draw_mixes(bank, pairs or bank.classes.pairs, _PLANNED_IMAGES, options.lambdas, (options.seed, "plan"))
    answered = take(mixed, torch.arange(_ANSWERED_IMAGES))
    population = _simulate_people(relabeller, material, answered, options.seed, of_pairs=is_bias)
    if is_bias:
        estimate = pair_bias(answered.lambda_f.double().numpy())
    else:
        general = predict_people(relabeller, mixed, np.array([NOBODY]))[0]
        columns = (mixed.class_1.numpy(), mixed.class_2.numpy(), mixed.lambda_f.numpy())
        _, cell = np.unique(np.stack(columns), axis=1, return_inverse=True)
        estimate = mean_difference(bits_of_images(general, cell.reshape(-1))[:_ANSWERED_IMAGES])
    plans = [plan(population, design, estimate, question.effect, options.studies, options.seed) for design in designs]
    source = f"{options.relabeller.name}, sha256 {hash_file(options.relabeller)[:16]}, hml {hml.__version__}"
    print(plan_report.write_plan(question, plans, source, options.studies, options.seed, options.out))


def _simulate_people(
    relabeller: Relabeller, material: Material, images: MixedBatch, seed: int, of_pairs: bool
) -> Population:
    """Predict the answers of some of the relabeller's people about images, and estimate what answers share."""
    drawn = Draws(seed, 0, np.arange(len(relabeller.annotators))).order("people") + 1
    table, num_classes = material.once, len(material.bank.classes)
    of_images = estimate_image_share(relabeller, table, num_classes)
    of_people = estimate_person_share(relabeller, table, num_classes, of_pairs)
    answers = predict_people(relabeller, images, drawn[:_ANSWERING_PEOPLE])
    return Population(answers, of_images, min(of_people, 1 - of_images))


def _load(options: Propose | Plan) -> tuple[Checkpoint, Material]:
    """Read a relabeller, and judgements of the images that it was fitted to.

    Raises:
        InputError: the relabeller was fitted to images of other classes. This is checked before data are downloaded.
    """
    checkpoint = Checkpoint.load(options.relabeller)
    classes = choose_images(options).classes(find_data_dir(options.data_dir))
    if checkpoint.classes != classes:
        remedy = "run hml relabel fit on the same images"
        if options.demo:
            remedy = "leave out --demo, or run hml relabel fit --demo first"
        elif checkpoint.classes == TEXTURES and options.source is None:
            remedy = "add --demo, which hml relabel fit was given"
        raise InputError(
            f"{options.relabeller} was fitted to images of other classes: {remedy}. "
            f"It knows {checkpoint.classes}. These images have {classes}."
        )
    return checkpoint, read_material(options)


def _settings(options: Fit) -> FitOptions:
    return FitOptions(steps=options.steps, members=options.members, seed=options.seed)


def _default_pair(material: Material) -> tuple[int, int]:
    """Return Cat/Dog for CIFAR-10's classes, otherwise the pair judged most often."""
    if material.bank.classes == CIFAR10:
        return CIFAR10.parse_pair("Cat/Dog")
    return most_judged(material.once, 1)[0]


def _describe(material: Material, options: Fit) -> ImageTable:
    print(f"Describing {len(material.bank.images):,} images (the first time, this trains a small network) …")
    return describe_images(material.bank, options.out, options.epochs, options.seed)


def _fit_all(material: Material, images: ImageTable, fitting: FitOptions) -> tuple[Relabeller, torch.Tensor]:
    """Fit a relabeller and class pairs' curves to all judgements, each person's first of an image.

    Returns:
        The relabeller, and the curves' (bias, slope, lapse) by both classes, shape (C, C, 3).
    """
    table = material.once
    names = table.drop_duplicates("person").sort_values("person")["annotator"].tolist()
    relabeller = fit_relabeller(table, images, int(table["person"].max()) + 1, fitting, names)
    return relabeller, tabulate_curves(fit_curves(table), images.num_classes)
