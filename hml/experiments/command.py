"""The flags of `hml table1`, checked before anything that takes long is imported."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import ClassVar, Literal

import yaml

from hml.command_line import flags
from hml.command_line.configs import configs_among, find_config, resolve_configs
from hml.errors import InputError
from hml.files.strict_yaml import parse_yaml
from hml.judgements import Cohort

ALL_CONTROLS = "controls"
"""Stands for the four controls among schemes."""
DEFAULT_BASELINE = "mixup"
RUNS_A_JOB = 5
THREADS = 1
"""Of a run on a CPU: two runs at once with one each are as fast as one with two, and other work slows them less."""
_HOW_TO_RUN = ("cohort", "rerun", "slots", "threads", "cluster", "chunk", "job")


@dataclass(frozen=True)
class Options:
    """Train and test every scheme at every seed, and compare the results with the paper's Table 1.

    Args:
        schemes: Configs by name or path, or controls; by default the paper's six.
        seeds: A range or a list; by default 0..4.
        cohort: H-Mix's first collection (paper) or both (all).
        root: The folder for runs and tables.
        rerun: Replace runs that have another recipe.
        collect: Run nothing: make the table of the runs that there are.
        metric: Which metrics to show, of those that runs log; by default the paper's.
        baseline: The scheme that the others are compared with; by default mixup.
        slots: Runs at a time on this machine; by default one a GPU, or one a CPU core, as memory allows.
        threads: Threads of a run on a CPU; by default 1, or with --slots at most its share of the cores.
        cluster: Run as jobs of submitit.
        chunk: Runs a job; by default 5.
        job: A parameter of submitit's, KEY=VALUE; may be repeated.
        flags: Flags of hml fit for every run, in a config; in a command line they need no --flags.
    """

    EPILOG: ClassVar[str] = """\
Any other flag is one of hml fit's, and is given to every run, as is a config that isn't one of hml table1's own:

  hml table1 --config configs/demo.yaml --seeds 0,1 --root lightning_logs/demo_table    a try, on simulated data
  hml table1 --schemes mixup,sep_conf,my/stubborn.yaml --trainer.precision bf16-mixed
  hml table1 --schemes controls --seeds 0..19 --cluster slurm --job gpus_per_node=1 --job timeout_min=300
"""

    schemes: tuple[str, ...] = ()
    seeds: str | None = None
    cohort: Cohort | None = None
    root: Path = Path("lightning_logs", "table1")
    rerun: bool = False
    collect: bool = False
    metric: tuple[str, ...] = ()
    baseline: str | None = None
    slots: int | None = None
    threads: int | None = None
    cluster: Literal["slurm", "local"] | None = None
    chunk: int | None = None
    job: tuple[str, ...] = field(default=(), metadata={"action": "extend"})
    flags: tuple[str, ...] = field(default=(), metadata={"action": "extend"})


def parse(args: Sequence[str]) -> Options:
    """Parse the flags of `hml table1`.

    Returns:
        The options, with the flags of every run and the paths of their configs among them.

    Raises:
        InputError: a flag is wrong, would do nothing, or names a config that doesn't exist.
    """
    own, overlays, others = _separate(args)
    options = flags.parse("hml table1", Options, [*own, *(f"--flags={arg}" for arg in (*overlays, *others))])
    _refuse_unused(options)
    schemes = tuple(name for part in options.schemes for name in part.split(",") if name)
    for name in schemes:
        if name != ALL_CONTROLS and not options.collect:  # which may name what runs are called
            find_config(name)
    return replace(options, schemes=schemes, flags=tuple(resolve_configs(options.flags)))


def _separate(args: Sequence[str]) -> tuple[list[str], list[str], list[str]]:
    """Separate the table's own flags, the configs of runs, and the runs' flags, each with its values."""
    known = flags.flag_names(Options)
    groups: list[list[str]] = []
    for arg in args:
        if re.match("--|-[a-z]", arg) or not groups:
            groups.append([])
        groups[-1].append(arg)
    own: list[str] = []
    overlays: list[str] = []
    others: list[str] = []
    for group in groups:
        if configs := configs_among(group):
            (own if _is_own_config(configs[0]) else overlays).extend(group)
        else:
            (own if group[0].partition("=")[0] in known else others).extend(group)
    return own, overlays, others


def _is_own_config(name: str) -> bool:
    """Whether a config has flags of `hml table1`, as `--print_config` writes them, rather than of its runs."""
    try:
        content = parse_yaml(find_config(name).read_text(encoding="utf-8"))
    except (InputError, OSError, UnicodeDecodeError, yaml.YAMLError):  # reported where the config is resolved
        return False
    return isinstance(content, dict) and {f"--{key}" for key in content} <= set(flags.flag_names(Options))


def _refuse_unused(options: Options) -> None:
    """Reject a flag that would do nothing beside the others: a study may run for days where nobody meant it to."""
    given = [name for name in _HOW_TO_RUN if getattr(options, name) != getattr(Options, name)]
    if options.collect and (unused := [*(f"--{name}" for name in given), *options.flags]):
        raise InputError(f"--collect only reads the runs there are: it has no use for {' '.join(unused)}.")
    if options.cluster and "slots" in given:
        raise InputError("--slots is for runs on this machine, not with --cluster: --chunk says how many a job does.")
    if not options.cluster and (unused := [f"--{name}" for name in ("chunk", "job") if name in given]):
        raise InputError(f"{' '.join(unused)}: only with --cluster, such as --cluster slurm. Else runs are done here.")
