"""The flags of `hml download`, which are here since importing `hml.data` takes long."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from hml.command_line import flags


@dataclass(frozen=True)
class Options:
    """Download the data that are missing, and check those that are there.

    Args:
        data_dir: The folder with the data; by default HML_DATA_DIR, otherwise ./data.
    """

    data_dir: Path | None = None


def parse(args: Sequence[str]) -> Options:
    """Parse the flags of `hml download`."""
    return flags.parse("hml download", Options, args)
