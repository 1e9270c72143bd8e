"""`hml table1`: every scheme at every seed, and the table they make beside the paper's."""

import argparse
import functools
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import yaml

from hml.errors import InputError
from hml.experiments import rendering, study
from hml.experiments.cluster import carry_out_on_cluster
from hml.experiments.picture import to_png
from hml.experiments.progress import Progress
from hml.experiments.runs import Ended, Failure, Run, read_outcome
from hml.experiments.schemes import find_configs, in_order, parse_seeds, scheme_names
from hml.experiments.slots import carry_out_on_slots, count_slots
from hml.experiments.table import DEFAULT_BASELINE, Table, make_table
from hml.experiments.worker import Worker, carry_out_here, quieten_lightning
from hml.locks import claim
from hml.storage import write_atomically

_RUNS_A_JOB = 5
_THREADS = 1  # of a run on a CPU: two runs at once with one each are as fast as one with two, and other work costs less
_HOW_TO_RUN = ("config", "cohort", "rerun", "slots", "threads", "cluster", "chunk", "job")
_EPILOG = """\
Any other flag is one of hml fit's, and goes to every run:

  hml table1 --config configs/demo.yaml --seeds 0,1 --root lightning_logs/demo_table    a try, on made-up data
  hml table1 --schemes mixup,sep_conf,my/stubborn.yaml --trainer.precision bf16-mixed
  hml table1 --schemes controls --seeds 0..19 --cluster slurm --job gpus_per_node=1 --job timeout_min=300
"""


def main(args: Sequence[str]) -> int:
    """Run what isn't done yet, and tell the table.

    Args:
        args: Flags, as on the command line.

    Returns:
        The exit code: 0, or that of the first run that failed.

    Raises:
        HmlError: a flag, a config or a file is wrong, or another study writes into the folder.
    """
    parser = _parser()
    options, flags = parser.parse_known_args(args)
    _refuse_unused([name for name in _HOW_TO_RUN if getattr(options, name) != parser.get_default(name)], options, flags)
    metrics = [name for part in options.metric for name in part.split(",") if name]
    runs, untold = (_find_runs(options), {}) if options.collect else _run(options, flags)
    outcomes = [
        outcome for run in runs if (outcome := untold.get(run) or read_outcome(run.folder, run.scheme, run.seed))
    ]
    try:
        table = make_table(Counter(run.scheme for run in runs), outcomes, metrics, options.baseline or DEFAULT_BASELINE)
    except (KeyError, TypeError) as error:  # a metrics.json that is whole, but not as hml writes them
        raise InputError(f"A metrics.json in {options.root} lacks or misstates {error}. Move it away.") from error
    _tell(table, options.root)
    return table.failures[0].exit_code if table.failures else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        "hml table1",
        description="Train and test every scheme at every seed, and set the results beside the paper's Table 1.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    add = parser.add_argument
    add(
        "--schemes",
        nargs="+",
        default=[],
        metavar="NAME",
        help="configs by name or path, or controls (default: the six)",
    )
    add("--seeds", help="a range or a list (default: 0..4)")
    add("--config", action="append", default=[], metavar="FILE", help="an overlay for every run; may be repeated")
    add("--cohort", choices=["paper", "all"], help="H-Mix's first collection or both")
    add(
        "--root",
        type=Path,
        default=Path("lightning_logs/table1"),
        help="where runs and tables go (default: %(default)s)",
    )
    add("--rerun", action="store_true", help="do runs again that were done by another recipe")
    add("--collect", action="store_true", help="run nothing: make the table of what is there")
    add("--metric", nargs="+", default=[], metavar="NAME", help="what to show, of what runs log (default: the paper's)")
    add("--baseline", metavar="NAME", help=f"the scheme that others are compared to (default: {DEFAULT_BASELINE})")
    add("--slots", type=int, help="runs at a time here (default: one a GPU, or one a CPU core, as memory allows)")
    add(
        "--threads",
        type=int,
        help=f"threads of a run on a CPU (default: {_THREADS}; with --slots, its share of the cores at most)",
    )
    add("--cluster", choices=["slurm", "local"], help="run as jobs of submitit")
    add("--chunk", type=int, help=f"runs a job (default: {_RUNS_A_JOB})")
    add("--job", action="append", default=[], metavar="KEY=VALUE", help="a parameter of submitit's; may be repeated")
    return parser


def _refuse_unused(given: Sequence[str], options: argparse.Namespace, flags: Sequence[str]) -> None:
    """Refuse what would be dropped in silence: a study may run for days where nobody meant it to.

    Args:
        given: Which of `_HOW_TO_RUN` are given.
        options: All of the table's own flags.
        flags: Those for the runs.

    Raises:
        InputError: a flag would do nothing beside the others.
    """
    if options.collect and (unused := [*(f"--{name}" for name in given), *flags]):
        raise InputError(f"--collect only reads what is there: it has no use for {' '.join(unused)}.")
    if options.cluster and "slots" in given:
        raise InputError("--slots is for runs on this machine, not with --cluster: --chunk says how many a job does.")
    if not options.cluster and (unused := [f"--{name}" for name in ("chunk", "job") if name in given]):
        raise InputError(f"{' '.join(unused)}: only with --cluster, such as --cluster slurm. Else runs are done here.")


def _run(options: argparse.Namespace, flags: Sequence[str]) -> tuple[list[Run], dict[Run, Failure]]:
    """Run what isn't done: returns all runs, and the failures that are not in their folders."""
    for name in ("slots", "threads", "chunk"):
        if (value := getattr(options, name)) is not None and value < 1:
            raise InputError(f"--{name} {value} must be 1 or more.")
    configs = find_configs(options.schemes)
    seeds = parse_seeds(options.seeds or "0..4")
    overlays = [part for overlay in options.config for part in ("--config", overlay)]
    cohort = ["--data.mixed.cohort", options.cohort] if options.cohort else []
    quieten_lightning()
    worker = Worker()
    with claim(options.root / ".lock", f"Another hml table1 writes into {options.root}: give another --root."):
        threads = options.threads or (None if options.slots or options.cluster else _THREADS)
        runs, todo = study.plan(
            configs, seeds, [*overlays, *cohort, *flags], options.root, worker, options.rerun, threads
        )
        _check_baseline(options.baseline, runs)
        if len(todo) < len(runs):
            print(f"{len(runs) - len(todo)} of {len(runs)} runs are done already.")
        execute = functools.partial(_execute, options=options, worker=worker)
        untold = study.carry_out(todo, execute) if todo else {}
    return runs, untold


def _execute(runs: Sequence[Run], progress: Progress, options: argparse.Namespace, worker: Worker) -> Iterator[Ended]:
    if options.cluster:
        return carry_out_on_cluster(
            runs, options.cluster, options.chunk or _RUNS_A_JOB, options.root / "jobs", _parse_parameters(options.job)
        )
    if options.slots and any(run.devices > 1 for run in runs):
        raise InputError("--slots is for runs on one device each: leave it out, or --trainer.devices.")
    slots = options.slots or count_slots(runs, options.threads or _THREADS)
    if slots > 1:
        return carry_out_on_slots(runs, slots, progress.advance)
    return carry_out_here(runs, worker, progress.advance)


def _parse_parameters(pairs: Sequence[str]) -> dict[str, Any]:
    parameters = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not (key and equals):
            raise InputError(f"--job {pair} is no KEY=VALUE, such as --job timeout_min=60.")
        try:
            parameters[key] = yaml.safe_load(value)
        except yaml.YAMLError as error:
            raise InputError(f"--job {pair}: its value is not YAML. Put text in quotes of its own.") from error
    return parameters


def _find_runs(options: argparse.Namespace) -> list[Run]:
    """Find what is there: of the schemes and seeds asked for, or else of all."""
    found = study.find_runs(options.root)
    known = in_order(scheme for scheme, _ in found)
    schemes = scheme_names(options.schemes, known) if options.schemes else known
    seeds = parse_seeds(options.seeds) if options.seeds else sorted({seed for _, seed in found})
    if not found:
        raise InputError(f"There are no runs in {options.root}: give the --root that hml table1 ran with.")
    runs = [Run(scheme, seed, study.folder_of(options.root, scheme, seed)) for scheme in schemes for seed in seeds]
    _check_baseline(options.baseline, runs)
    return runs


def _check_baseline(baseline: str | None, runs: Sequence[Run]) -> None:
    schemes = list(dict.fromkeys(run.scheme for run in runs))
    if baseline is not None and baseline not in schemes:
        raise InputError(f"--baseline {baseline} is none of the table's schemes: {', '.join(schemes)}.")


def _tell(table: Table, root: Path) -> None:
    """Print the table, and write it in every form."""
    text = rendering.to_markdown(table)
    files: dict[str, str | bytes] = {
        "table1.md": text,
        "table1.csv": rendering.to_csv(table),
        "table1.tex": rendering.to_latex(table),
        "table1.png": to_png(table),
        "runs.csv": rendering.runs_to_csv(table),
    }
    for name, content in files.items():
        write_atomically(root / name, content)
    print(f"\n{text}\n{root / 'table1.md'} (also .csv, .tex, .png; each run in runs.csv)")
