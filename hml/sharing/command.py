"""The flags of `hml export`. Parsing them imports no slow modules."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

from hml.command_line import flags


@dataclass(frozen=True)
class Options:
    """Write a finished run's network to a folder for sharing, with a model card.

    Args:
        run: The run's folder, such as lightning_logs/sep_conf/version_0.
        out: The folder to write. It must be new or empty.
    """

    EPILOG: ClassVar[str] = """\
Load the network with hml.load(DIR), or without hml: torch.export.load("DIR/model.pt2").

  hml export lightning_logs/sep_conf/version_0 --out shared/sep_conf
"""

    run: Path
    out: Path = field(kw_only=True)


def parse(args: Sequence[str]) -> Options:
    """Parse the flags of `hml export`.

    Raises:
        InputError: a flag is wrong, or the run or `--out` is missing.
    """
    return flags.parse("hml export", Options, args)
