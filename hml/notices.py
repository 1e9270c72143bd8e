"""Notices: messages about data and files that are not errors."""

import logging

from lightning.pytorch.utilities import rank_zero_only

_LOGGER = logging.getLogger("hml")


@rank_zero_only
def notice(message: str) -> None:
    """Print a sentence on the standard error, in the first of a run's processes only.

    `logging` prints the sentence only, where `warnings` would add lines of hml's code. To hide notices, set the
    level of the logger "hml".

    Examples:
        >>> logging.getLogger("hml").setLevel(logging.ERROR)
        >>> notice("33 images are too few for bins of 100.")  # is not printed
        >>> logging.getLogger("hml").setLevel(logging.NOTSET)
    """
    _LOGGER.warning(message)
