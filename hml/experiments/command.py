"""The flags of `hml table1`, checked before slow imports."""

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
"""The name for all controls in `--schemes`."""
DEFAULT_BASELINE = "mixup"
RUNS_A_JOB = 5
THREADS = 1
"""Threads per run on a CPU. Two runs at a time with one thread each are as fast as one run with two, and less sensitive
to other work on the machine."""
_HOW_TO_RUN = ("cohort", "rerun", "slots", "threads", "cluster", "chunk", "job")


@dataclass(frozen=True)
class Options:
    """Train and test every scheme at every seed, and compare the results with the paper's Table 1.

    Args:
        schemes: Configs by name or path, or controls. By default, the paper's six.
        seeds: A range or a list. By default, 0..4.
        cohort: H-Mix's first collection (paper) or both (all).
        root: The output folder for runs and tables.
        rerun: Replace runs that have a different recipe.
        collect: Train nothing. Make the table from the existing runs.
        metric: The metrics to show, of those that runs log. By default, the paper's.
        baseline: The scheme that the others are compared with. By default, mixup.
        slots: Number of runs at a time on this machine. By default, one per GPU, or one per CPU core as memory allows.
        threads: Number of threads per run on a CPU. By default 1, or with --slots at most the run's share of the cores.
        cluster: Submit the runs as jobs by submitit.
        chunk: Number of runs per job. By default, 5.
        job: A parameter of submitit, KEY=VALUE. May be repeated.
        flags: Flags of hml fit for every run, for use in a config. On the command line, give them without --flags.
    """

    EPILOG: ClassVar[str] = """\
All other flags are flags of hml fit and apply to every run. So do configs with flags of hml fit:

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
        The options. Their `flags` hold the flags of every run, with configs replaced by their paths.

    Raises:
        InputError: a flag is wrong, has no effect, or names a config that does not exist.
    """
    own, overlays, others = _separate(args)
    options = flags.parse("hml table1", Options, [*own, *(f"--flags={arg}" for arg in (*overlays, *others))])
    _reject_unused(options)
    schemes = tuple(name for part in options.schemes for name in part.split(",") if name)
    for name in schemes:
        if name != ALL_CONTROLS and not options.collect:  # with --collect, names of schemes are allowed
            find_config(name)
    return replace(options, schemes=schemes, flags=tuple(resolve_configs(options.flags)))


def _separate(args: Sequence[str]) -> tuple[list[str], list[str], list[str]]:
    """Separate the flags of `hml table1`, the configs of the runs, and the flags of the runs, each with its values."""
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
    """Return whether a config has flags of `hml table1`, as `--print_config` writes them, not flags of its runs."""
    try:
        content = parse_yaml(find_config(name).read_text(encoding="utf-8"))
    except (InputError, OSError, UnicodeDecodeError, yaml.YAMLError):  # reported where the config is resolved
        return False
    return isinstance(content, dict) and {f"--{key}" for key in content} <= set(flags.flag_names(Options))


def _reject_unused(options: Options) -> None:
    """Reject flags that have no effect: a study with settings that the user did not intend may run for days."""
    given = [name for name in _HOW_TO_RUN if getattr(options, name) != getattr(Options, name)]
    if options.collect and (unused := [*(f"--{name}" for name in given), *options.flags]):
        raise InputError(f"--collect only reads existing runs: remove {' '.join(unused)}.")
    if options.cluster and "slots" in given:
        raise InputError("--slots has no effect with --cluster: use --chunk to set the number of runs per job.")
    if not options.cluster and (unused := [f"--{name}" for name in ("chunk", "job") if name in given]):
        raise InputError(f"{' '.join(unused)} has no effect without --cluster: add --cluster slurm, for example.")
