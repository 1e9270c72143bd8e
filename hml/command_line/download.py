"""The flags of `hml download`, outside `hml.data`, which is slow to import."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from hml.command_line import flags


@dataclass(frozen=True)
class Options:
    """Download missing data files and check existing ones.

    Args:
        data_dir: The data folder. By default HML_DATA_DIR, otherwise ./data.
    """

    data_dir: Path | None = None


def parse(args: Sequence[str]) -> Options:
    """Parse the flags of `hml download`."""
    return flags.parse("hml download", Options, args)
