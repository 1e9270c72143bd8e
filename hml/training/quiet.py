"""Hides what Lightning 2.6.6 prints about itself."""

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager


def hide_advertisements() -> None:
    """Hide an advertisement, and a warning for Lightning's own developers."""
    _ignore_deprecations()
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
