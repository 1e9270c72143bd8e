"""The flags of `hml labels`, outside `hml.training`, which is slow to import."""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from hml.errors import InputError
from hml.files.paths import expand

FORMATS = {
    ".csv": "hml.training.labels_file:to_csv",
    ".npz": "hml.training.labels_file:to_npz",
    ".parquet": "hml.training.labels_file:to_parquet",
}
"""The suffixes of the supported formats, and the location of the function that makes each format's content."""
_ENDINGS = ", ".join(FORMATS)
_EPILOG = """\
Other flags are the data flags of hml fit: --config, --data.…, --seed. For example:
  hml labels --config sep_conf --out labels.npz
  hml labels --strategy SeparateLabels --strategy.gamma 0.005 --out labels.csv
"""


@dataclass(frozen=True)
class Options:
    """The output file, and the flags of `hml fit` that define the labels."""

    out: Path
    flags: Sequence[str]


def parse(args: Sequence[str]) -> Options:
    """Parse the flags of `hml labels`.

    Raises:
        InputError: a flag or a config is wrong, or there is no `--out`.
    """
    parser = argparse.ArgumentParser(
        prog="hml labels",
        description="Write the labels of mixed images, as a strategy makes them.",
        epilog=_EPILOG,
        allow_abbrev=False,
        exit_on_error=False,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--out", type=Path, help=f"The output file. The suffix is its format: {_ENDINGS} (needs pyarrow)."
    )
    parser.add_argument("--strategy", help="Short for --data.strategy. Give its arguments like --strategy.gamma.")
    try:
        own, others = parser.parse_known_args(args)
    except argparse.ArgumentError as error:
        raise InputError(f"{error}. See hml labels --help.") from error
    if own.out is None or own.out.suffix not in FORMATS:
        given = "is missing" if own.out is None else own.out
        raise InputError(f"--out {given}: give a file that ends in {_ENDINGS}.")
    flags = [f"--data.{flag[2:]}" if flag.startswith("--strategy.") else flag for flag in others]
    chosen = [] if own.strategy is None else ["--data.strategy", own.strategy]
    return Options(expand(own.out), [*chosen, *flags])
