"""Errors of requests that a study rejects: contradicting answers, unknown people, a full study."""

from hml.errors import HmlError, InputError


class ConflictError(HmlError):
    """A request contradicts what is stored; nothing was changed."""

    exit_code = InputError.exit_code


class UnknownPersonError(ConflictError):
    """Nobody has this code, for example because they have withdrawn."""


class StudyFullError(HmlError):
    """Every image has all its judgements, or soon will: no more people are needed."""

    exit_code = InputError.exit_code
