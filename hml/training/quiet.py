"""Hides what Lightning 2.6.6 prints about itself."""

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager


def hide_advertisements() -> None:
    """Hide an advertisement, a warning for Lightning's own developers, and one about epochs of few steps.

    Every epoch's loss is printed and logged, so few steps need no other `log_every_n_steps`.
    """
    _ignore_deprecations()
    warnings.filterwarnings("ignore", message="The number of training batches .* is smaller than the logging interval")
    logging.getLogger("lightning.pytorch.utilities.rank_zero").addFilter(
        lambda record: "litlogger" not in record.getMessage()
    )


@contextmanager
def quiet_lightning() -> Iterator[None]:
    """Hide Lightning's messages about a Trainer that is a part of something larger. Its warnings are shown."""
    logger = logging.getLogger("lightning.pytorch")
    before = logger.level
    logger.setLevel(logging.WARNING)
    try:
        with warnings.catch_warnings():
            _ignore_deprecations()
            yield
    finally:
        logger.setLevel(before)


def _ignore_deprecations() -> None:
    warnings.filterwarnings("ignore", message=".*LeafSpec")  # what Lightning calls, and torch deprecates
