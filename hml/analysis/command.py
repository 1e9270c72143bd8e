"""`hml percepts`."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from hml.command_line.flags import Parser, add_data_dir


def run(options: argparse.Namespace) -> int:
    """Analyse judgements, and print where the page is.

    Args:
        options: As `parse` makes them.

    Returns:
        The exit code, 0.

    Raises:
        HmlError: an option or a file is wrong.
    """
    # Imported only now, since these import what draws and computes: --help and a wrong flag needn't wait for it.
    from hml.analysis import percepts
    from hml.data.download import find_data_dir

    page = percepts.run(
        percepts.Options(
            data_dir=find_data_dir(options.data_dir),
            out=options.out or Path("lightning_logs", "percepts"),
            cohort=options.cohort,
            judgements=options.judgements,
            pairs=tuple(options.pairs),
            images=tuple(options.images),
            replicates=options.replicates,
            seed=options.seed,
        )
    )
    print(
        f"Open {page}; the numbers are in {page.with_name('percepts.json')}, the figures in {page.parent / 'figures'}."
    )
    return 0


def parse(args: Sequence[str]) -> argparse.Namespace:
    """Parse the flags of `hml percepts`."""
    parser = Parser(
        "hml percepts",
        description="Analyse judgements of mixed images; write percepts.json, figures, a page and TensorBoard events.",
    )
    add = parser.add_argument
    add("--cohort", default="paper", choices=["paper", "all"], help="which of H-Mix (default: paper)")
    add("--judgements", type=Path, metavar="FILE", help="judgements of one's own, in H-Mix's columns")
    add("--out", type=Path, metavar="DIR", help="where to (default: lightning_logs/percepts)")
    add_data_dir(parser)
    add("--pairs", nargs="+", default=(), metavar="Cat/Dog", help="class pairs to draw large")
    add("--images", nargs="+", default=(), metavar="FILENAME", help="mixed images to show")
    add("--replicates", type=int, default=1000, help="resamples of people (default: 1000)")
    add("--seed", type=int, default=0, help="what resamples are drawn from (default: 0)")
    return parser.parse_args(args)
