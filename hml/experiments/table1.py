"""`hml table1`: trains every scheme at every seed and compares the results with the paper's Table 1."""

import functools
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import yaml

from hml.errors import InputError
from hml.evaluation.per_image import read_per_image
from hml.experiments import plan as study
from hml.experiments import rendering
from hml.experiments.cluster import carry_out_on_cluster
from hml.experiments.command import DEFAULT_BASELINE, RUNS_A_JOB, THREADS, Options
from hml.experiments.picture import to_png
from hml.experiments.progress import Progress
from hml.experiments.runs import Ended, Failure, Run, read_outcome
from hml.experiments.schemes import find_configs, in_order, parse_seeds, scheme_names
from hml.experiments.slots import carry_out_on_slots, count_slots
from hml.experiments.table import SchemeTable, make_table
from hml.experiments.worker import Worker, quieten_lightning
from hml.files.atomic import write_atomically
from hml.files.locks import claim
from hml.training.hardware import machine_threads


def run(options: Options) -> int:
    """Carry out unfinished runs and print the table.

    Returns:
        The exit code: 0, or that of the first failed run.

    Raises:
        HmlError: a flag, a config or a file is wrong, or another study uses the folder.
    """
    metrics = [name for part in options.metric for name in part.split(",") if name]
    runs, unrecorded = (_find_runs(options), {}) if options.collect else _run(options)
    outcomes = [
        outcome for run in runs if (outcome := unrecorded.get(run) or read_outcome(run.folder, run.scheme, run.seed))
    ]
    found = {(run.scheme, run.seed): read_per_image(run.folder) for run in runs}
    per_images = {run: per_image for run, per_image in found.items() if per_image is not None}
    schemes = Counter(run.scheme for run in runs)
    try:
        table = make_table(schemes, outcomes, metrics, options.baseline or DEFAULT_BASELINE, per_images)
    except (KeyError, TypeError) as error:  # valid JSON, but not as hml writes it
        raise InputError(
            f"A metrics.json in {options.root} lacks {error}, or its value is invalid. Move it away."
        ) from error
    _report(table, options.root)
    return table.failures[0].exit_code if table.failures else 0


def _run(options: Options) -> tuple[list[Run], dict[Run, Failure]]:
    """Carry out unfinished runs. Return all runs, and the failures that are not recorded in their folders."""
    for name in ("slots", "threads", "chunk"):
        if (value := getattr(options, name)) is not None and value < 1:
            raise InputError(f"--{name} {value} must be 1 or more.")
    configs = find_configs(options.schemes)
    seeds = parse_seeds(options.seeds or "0..4")
    cohort = ["--data.mixed.cohort", options.cohort] if options.cohort else []
    quieten_lightning()
    worker = Worker()
    with claim(options.root / ".lock", f"Another hml table1 writes into {options.root}: use another --root."):
        threads = options.threads or (None if options.slots or options.cluster else THREADS)
        flags = [*options.flags, *cohort]
        runs, todo = study.plan(configs, seeds, flags, options.root, worker, options.rerun, threads)
        _check_baseline(options.baseline, runs)
        if len(todo) < len(runs):
            print(f"{len(runs) - len(todo)} of {len(runs)} runs are already finished.")
        execute = functools.partial(_execute, options=options, worker=worker)
        unrecorded = study.carry_out(todo, execute) if todo else {}
    return runs, unrecorded


def _execute(runs: Sequence[Run], progress: Progress, options: Options, worker: Worker) -> Iterator[Ended]:
    if options.cluster:
        return carry_out_on_cluster(
            runs, options.cluster, options.chunk or RUNS_A_JOB, options.root / "jobs", _parse_parameters(options.job)
        )
    if options.slots and any(run.devices > 1 for run in runs):
        raise InputError("--slots is for runs on one device each: leave out --slots or --trainer.devices.")
    slots = options.slots or count_slots(runs, options.threads or THREADS)
    print(_describe_slots(runs, options.slots, slots, options.threads))
    if slots > 1:
        return carry_out_on_slots(runs, slots, progress.advance)
    return ((run, worker.carry_out(run, progress.advance)) for run in runs)


def _describe_slots(runs: Sequence[Run], asked: int | None, slots: int, threads: int | None) -> str:
    """Describe the number of runs at a time and the threads of each."""
    shown = f"{slots} {'run' if slots == 1 else 'runs'} at a time"
    if any(run.on_gpu for run in runs):
        return f"{shown} on GPUs (--slots sets another number)."
    each = threads or (max(1, machine_threads() // slots) if asked else THREADS)
    at_most = "at most " if asked and not threads else ""
    return f"{shown}, {at_most}{each} {'thread' if each == 1 else 'threads'} each (--slots and --threads set others)."


def _parse_parameters(pairs: Sequence[str]) -> dict[str, Any]:
    parameters = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not (key and equals):
            raise InputError(f"--job {pair} is not KEY=VALUE: write it like --job timeout_min=60.")
        try:
            parameters[key] = yaml.safe_load(value)
        except yaml.YAMLError as error:
            raise InputError(f"--job {pair}: its value is not YAML. Put its text in quotes.") from error
    return parameters


def _find_runs(options: Options) -> list[Run]:
    """Find the existing runs of the requested schemes and seeds, by default of all."""
    found = study.find_runs(options.root)
    known = in_order(scheme for scheme, _ in found)
    schemes = scheme_names(options.schemes, known) if options.schemes else known
    seeds = parse_seeds(options.seeds) if options.seeds else sorted({seed for _, seed in found})
    if not found:
        raise InputError(f"There are no runs in {options.root}: give the --root of an earlier hml table1.")
    runs = [Run(scheme, seed, study.folder_of(options.root, scheme, seed)) for scheme in schemes for seed in seeds]
    _check_baseline(options.baseline, runs)
    return runs


def _check_baseline(baseline: str | None, runs: Sequence[Run]) -> None:
    schemes = list(dict.fromkeys(run.scheme for run in runs))
    if baseline is not None and baseline not in schemes:
        raise InputError(f"--baseline {baseline} is not one of the table's schemes: {', '.join(schemes)}.")


def _report(table: SchemeTable, root: Path) -> None:
    """Print the table and write it in every format."""
    text = rendering.to_markdown(table)
    files: dict[str, str | bytes] = {
        "table1.md": text,
        "table1.csv": rendering.schemes_to_csv(table),
        "table1.tex": rendering.to_latex(table),
        "table1.png": to_png(table),
        "runs.csv": rendering.runs_to_csv(table),
    }
    for name, content in files.items():
        write_atomically(root / name, content)
    print(f"\n{text}\n{root / 'table1.md'} (also .csv, .tex, .png; each run in runs.csv)")
