"""Flags of hml's own verbs: full names only, paths are expanded, and a mistake is one sentence with an exit code."""

import argparse
import difflib
import re
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any, NoReturn

from typing_extensions import override

from hml.errors import InputError
from hml.files.paths import expand


class Parser(argparse.ArgumentParser):
    """An `ArgumentParser` for hml's own verbs, whose subparsers are of this class too.

    Flags of type `Path` are expanded. Flags can't be abbreviated. A wrong flag raises an error that names the nearest.

    Args:
        prog: The verb, such as "hml percepts".
        passes_on: Whether unknown flags are for something else, and are returned by `parse_known_args`.
        **options: Those of `argparse.ArgumentParser`.
    """

    def __init__(self, prog: str | None = None, passes_on: bool = False, **options: Any) -> None:
        defaults: dict[str, Any] = {"allow_abbrev": False, "formatter_class": argparse.RawDescriptionHelpFormatter}
        super().__init__(prog, **(defaults | options))
        self._passes_on = passes_on
        self.register("type", Path, _to_path)

    @override
    def parse_known_args(  # type: ignore[override]  # argparse has overloads for other namespaces
        self, args: Sequence[str] | None = None, namespace: argparse.Namespace | None = None
    ) -> tuple[argparse.Namespace, list[str]]:
        options, unknown = super().parse_known_args(args, namespace)
        if unknown and not self._passes_on:
            self.error(f"unrecognized arguments: {' '.join(unknown)}")
        return options, unknown

    @override
    def error(self, message: str) -> NoReturn:
        hint = suggest(message, re.findall(r"(?<=--)\w[\w-]*", self.format_help()))
        raise InputError(f"{message}. See {self.prog} --help.{hint}")


def add_data_dir(parser: argparse.ArgumentParser) -> None:
    """Add the flag for the folder with the data."""
    parser.add_argument(
        "--data_dir", type=Path, metavar="DIR", help="where the data are; by default HML_DATA_DIR, else ./data"
    )


def parse_download(args: Sequence[str]) -> argparse.Namespace:
    """Parse the flags of `hml download`."""
    parser = Parser("hml download", description="Download the data that are missing, and check those that are there.")
    add_data_dir(parser)
    return parser.parse_args(args)


def suggest(message: str, known_words: Collection[str]) -> str:
    r"""Name the known word that an unknown one in the message is close to, or is the last part of.

    Example:
        >>> suggest("unrecognized arguments: --replicate 5", ["replicates", "seed"])
        '\nDid you mean replicates?'
    """
    words = re.findall(r"(?<![\w./])[\w.]*\w(?![\w./])", message)  # not those of paths
    for word in [*re.findall(r"--(\w[\w.-]*)", message), *words]:
        nearest = difflib.get_close_matches(word, known_words, n=1, cutoff=0.8)
        nearest = nearest or sorted(known for known in known_words if known.endswith(f".{word.split('.')[0]}"))
        if nearest and word not in known_words and nearest[0] not in message:
            return f"\nDid you mean {nearest[0]}?"
    return ""


def _to_path(text: str) -> Path:
    try:
        return expand(text)
    except InputError as error:  # argparse would replace the text of a ValueError by its own
        raise argparse.ArgumentTypeError(str(error).rstrip(".")) from error
