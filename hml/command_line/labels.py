"""The flags of `hml labels`, which are here since importing `hml.training` takes long."""

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
"""The endings of files that can be written, and where the function is that makes each file's content."""
_ENDINGS = ", ".join(FORMATS)
_EPILOG = """\
Other flags are those of hml fit that concern data: --config, --data.…, --seed. For example:
  hml labels --config sep_conf --out labels.npz
  hml labels --strategy SeparateLabels --strategy.gamma 0.005 --out labels.csv
"""


@dataclass(frozen=True)
class Options:
    """The file to write, and the flags of `hml fit` whose labels go into it."""

    out: Path
    flags: Sequence[str]


def parse(args: Sequence[str]) -> Options:
    """Parse the flags of `hml labels`.

    Raises:
        InputError: a flag or a config is wrong, or there is no `--out`.
    """
    parser = argparse.ArgumentParser(
        prog="hml labels",
        description="Write the labels that a strategy gives to mixed images.",
        epilog=_EPILOG,
        allow_abbrev=False,
        exit_on_error=False,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--out", type=Path, help=f"The file; its ending is its format: {_ENDINGS} (needs pyarrow).")
    parser.add_argument("--strategy", help="Short for --data.strategy; its arguments follow as --strategy.gamma.")
    try:
        own, others = parser.parse_known_args(args)
    except argparse.ArgumentError as error:
        raise InputError(f"{error}. See hml labels --help.") from error
    if own.out is None or own.out.suffix not in FORMATS:
        raise InputError(f"--out {own.out} must be a file that ends in {_ENDINGS}.")
    flags = [f"--data.{flag[2:]}" if flag.startswith("--strategy.") else flag for flag in others]
    chosen = [] if own.strategy is None else ["--data.strategy", own.strategy]
    return Options(expand(own.out), [*chosen, *flags])
