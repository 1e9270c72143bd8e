"""What a study refuses without anybody having made a mistake in a file: answers that contradict, people not needed."""

from hml.errors import HmlError, InputError


class ConflictError(HmlError):
    """What was sent contradicts what is there; nothing was changed."""

    exit_code = InputError.exit_code


class UnknownPersonError(ConflictError):
    """Nobody has this code, or no longer."""


class StudyFullError(HmlError):
    """Every image has, or is about to have, all its judgements: nobody new is needed now."""

    exit_code = InputError.exit_code
