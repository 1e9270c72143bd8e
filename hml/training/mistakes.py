"""Distinguishes users' mistakes from bugs of hml, by an exception's traceback."""

import dis
import sysconfig
import traceback
from pathlib import Path
from types import TracebackType

import torch
from lightning.fabric.utilities.exceptions import MisconfigurationException

import hml
from hml.errors import HmlError

_IN_WORDS = (ValueError, TypeError, RuntimeError, NotImplementedError, ImportError, MisconfigurationException)
"""Exceptions that libraries raise for invalid arguments. Others, such as AttributeError, indicate bugs."""
_BUILDERS = {f"hml.training.{name}" for name in ("flags", "run", "trainer")}
_CLASSIFIER = "hml.training.classifier"
"""The modules that pass users' choices to libraries. Other modules of hml pass only their own arguments."""
_HML = Path(hml.__file__).parent
_STANDARD = {Path(sysconfig.get_path(name)) for name in ("stdlib", "platstdlib")}


def find_mistake(error: Exception) -> str | None:
    """Describe an exception that a user's choice or code caused.

    Returns:
        The library's message, or the exception with the lines of the user's code in its traceback. None if the cause
        may be a bug of hml, which needs a traceback.
    """
    if isinstance(error, SyntaxError) and error.filename is not None and _kind(error.filename) == "user":
        return f"{error.filename}, line {error.lineno}: {error.msg}: {(error.text or '').strip()}"
    trace = _unroll(error.__traceback__)
    owner = _find_owner(trace)
    if owner is not None and _kind_of(owner) == "user":
        return f"{type(error).__name__}: {error}{_name_lines(trace)}"
    if not trace or _kind_of(trace[-1]) != "library" or not isinstance(error, _IN_WORDS):
        return None
    if isinstance(error, torch.AcceleratorError) or _hides_a_bug(error):  # a GPU reports all errors late
        return None
    module = None if owner is None else _module_of(owner)
    is_built = module is None or module in _BUILDERS
    if not (is_built and _executes_raise(trace[-1])) and module != _CLASSIFIER:
        return None
    return f"{_module_of(trace[-1]).partition('.')[0]}: {' '.join(str(error).split())}"


def _unroll(trace: TracebackType | None) -> list[TracebackType]:
    """List the calls of a traceback, the innermost last."""
    calls = []
    while trace is not None:
        calls.append(trace)
        trace = trace.tb_next
    return calls


def _find_owner(trace: list[TracebackType]) -> TracebackType | None:
    """Return the innermost call in hml's or the user's code."""
    return next((call for call in reversed(trace) if _kind_of(call) in ("hml", "user")), None)


def _module_of(call: TracebackType) -> str:
    return str(call.tb_frame.f_globals.get("__name__"))


def _kind_of(call: TracebackType) -> str:
    return _kind(call.tb_frame.f_code.co_filename)


def _kind(filename: str) -> str:
    """Return whose code a file is: "hml", "library", "standard" or "user"."""
    path = Path(filename)
    if _HML in path.parents:
        return "hml"
    if not {"site-packages", "dist-packages"}.isdisjoint(path.parts):
        return "library"
    # Code compiled from a string has a file name in angle brackets.
    return "standard" if filename.startswith("<") or not _STANDARD.isdisjoint(path.parents) else "user"


def _executes_raise(call: TracebackType) -> bool:
    """Return whether a call executed a `raise` statement, rather than an operation that failed."""
    return dis.opname[call.tb_frame.f_code.co_code[call.tb_lasti]] == "RAISE_VARARGS"


def _hides_a_bug(error: BaseException) -> bool:
    """Return whether a library raised this while it handled an exception that may be a bug of hml."""
    cause = error.__cause__ or error.__context__
    if not isinstance(cause, Exception) or isinstance(cause, HmlError):
        return False
    owner = _find_owner(_unroll(cause.__traceback__))
    is_hmls = owner is not None and _kind_of(owner) == "hml" and _module_of(owner) not in {*_BUILDERS, _CLASSIFIER}
    return is_hmls or _hides_a_bug(cause)


def _name_lines(trace: list[TracebackType]) -> str:
    """Format the lines of the user's code, the innermost last."""
    lines = [
        traceback.FrameSummary(call.tb_frame.f_code.co_filename, call.tb_lineno, call.tb_frame.f_code.co_name)
        for call in trace
        if _kind_of(call) == "user"
    ]
    return "".join(f"\n  {line.filename}, line {line.lineno}, in {line.name}: {line.line}" for line in lines)
