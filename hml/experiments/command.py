"""The flags of `hml table1`, checked before anything that takes long is imported."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from hml.command_line.configs import find_config, resolve_configs
from hml.command_line.flags import Parser
from hml.errors import InputError

ALL_CONTROLS = "controls"
"""What stands for the four controls among schemes."""
DEFAULT_BASELINE = "mixup"
RUNS_A_JOB = 5
THREADS = 1
"""Of a run on a CPU: two runs at once with one each are as fast as one with two, and other work slows them less."""
_HOW_TO_RUN = ("config", "cohort", "rerun", "slots", "threads", "cluster", "chunk", "job")
_EPILOG = """\
Any other flag is one of hml fit's, and goes to every run:

  hml table1 --config configs/demo.yaml --seeds 0,1 --root lightning_logs/demo_table    a try, on made-up data
  hml table1 --schemes mixup,sep_conf,my/stubborn.yaml --trainer.precision bf16-mixed
  hml table1 --schemes controls --seeds 0..19 --cluster slurm --job gpus_per_node=1 --job timeout_min=300
"""


def parse(args: Sequence[str]) -> argparse.Namespace:
    """Parse the flags of `hml table1`.

    Returns:
        The options, with the paths of configs for their names, and as `flags` those that every run gets.

    Raises:
        InputError: a flag is wrong, would do nothing, or names a config that there isn't.
    """
    parser = _parser()
    options, flags = parser.parse_known_args(args)
    _refuse_unused([name for name in _HOW_TO_RUN if getattr(options, name) != parser.get_default(name)], options, flags)
    options.schemes = [name for part in options.schemes for name in part.split(",") if name]
    for name in options.schemes:
        if name != ALL_CONTROLS and not options.collect:  # which may name what runs are called
            find_config(name)
    options.config = resolve_configs([part for overlay in options.config for part in ("--config", overlay)])
    options.flags = flags
    return options


def _parser() -> Parser:
    parser = Parser(
        "hml table1",
        passes_on=True,
        description="Train and test every scheme at every seed, and set the results beside the paper's Table 1.",
        epilog=_EPILOG,
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
        help=f"threads of a run on a CPU (default: {THREADS}; with --slots, its share of the cores at most)",
    )
    add("--cluster", choices=["slurm", "local"], help="run as jobs of submitit")
    add("--chunk", type=int, help=f"runs a job (default: {RUNS_A_JOB})")
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
