"""hml's exceptions. Each message has what happened, where, and what to do. Each class has an exit code.

Exit codes: 0 done, 1 a bug, 2 configuration or input, 3 data missing or corrupt, 4 loss not finite,
5 folder in use, 6 storage, 7 time limit reached, 130 interrupted, 143 terminated.
"""

from typing import ClassVar, get_args


class HmlError(Exception):
    """An error that the user can resolve. The command line prints its message without a traceback."""

    exit_code: ClassVar[int] = 1


class InputError(HmlError, ValueError):
    """A configuration, an argument or a user's own file is wrong."""

    exit_code = 2


class DataError(HmlError):
    """A released data file is missing, can't be downloaded, or has the wrong hash."""

    exit_code = 3


class NonFiniteLossError(HmlError):
    """Training has diverged: the loss is infinite or NaN."""

    exit_code = 4


class FolderInUseError(HmlError):
    """Another run's results are in the folder."""

    exit_code = 5


class StorageError(HmlError):
    """Results can't be written, for example because the disk is full or read-only."""

    exit_code = 6


class TimeLimitError(HmlError):
    """`--trainer.max_time` ended a run before it was finished. `--resume auto` resumes it."""

    exit_code = 7


def check_choice(name: str, value: object, choices: object) -> None:
    """Reject a value that is not one of a Literal's.

    Raises:
        InputError: it is not. The message lists the choices.
    """
    if value not in get_args(choices):
        raise InputError(f"{name}={value!r} is not one of {', '.join(map(repr, get_args(choices)))}.")
