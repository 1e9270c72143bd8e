"""Tests hml.training.quiet."""

import warnings

from hml.training.quiet import hide_advertisements


def test_fit_is_silent_about_epochs_of_few_steps():
    with warnings.catch_warnings(record=True) as shown:
        warnings.simplefilter("always")
        hide_advertisements()
        warnings.warn("The number of training batches (2) is smaller than the logging interval", stacklevel=1)
        warnings.warn("Something else", stacklevel=1)
    assert [str(warning.message) for warning in shown] == ["Something else"]
