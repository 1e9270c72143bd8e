"""The command line: dispatches to the verbs and prints errors."""

import errno
import gc
import io
import os
import pkgutil
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import hml
from hml.command_line.configs import resolve_configs
from hml.errors import HmlError, InputError, StorageError
from hml.training.interrupts import keep_interrupts


@dataclass(frozen=True)
class _Verb:
    """A verb of hml. Its functions are imported when they are called, so that help and errors in flags are quick.

    `parse` is the location of the function that parses flags, in a module without slow imports. `run` is the location
    of the function that takes the options and returns the exit code.
    """

    summary: str
    parse: str
    run: str


_LIGHTNING_VERBS = {
    "fit": "train a network, then test it",
    "validate": "evaluate a checkpoint on images held out of training",
    "test": "evaluate a checkpoint on the test images",
    "predict": "write a checkpoint's predictions for the test images to a file",
}
_OWN_VERBS = {
    "table1": _Verb(
        "train every scheme at every seed, and compare the results with the paper's",
        parse="hml.experiments.command:parse",
        run="hml.experiments.table1:run",
    ),
    "labels": _Verb(
        "write the labels of mixed images to a file, for training in any framework",
        parse="hml.command_line.labels:parse",
        run="hml.training.labels_file:run",
    ),
    "export": _Verb(
        "write a run's network and a model card to a folder, to share them",
        parse="hml.sharing.command:parse",
        run="hml.sharing.export:run",
    ),
    "percepts": _Verb(
        "analyse people's judgements, and write figures and a page",
        parse="hml.analysis.command:parse",
        run="hml.analysis.percepts:run",
    ),
    "relabel": _Verb(
        "fit a model of the annotators, evaluate it, and choose images to ask about next",
        parse="hml.relabel.command:parse",
        run="hml.relabel.workflow:run",
    ),
    "elicit": _Verb(
        "collect people's judgements of mixed images in a browser",
        parse="hml.elicit.command:parse",
        run="hml.elicit.upkeep:run",
    ),
    "download": _Verb(
        "download the data ahead of time", parse="hml.command_line.download:parse", run="hml.data.command:run"
    ),
}
_VERBS = _LIGHTNING_VERBS | {name: verb.summary for name, verb in _OWN_VERBS.items()}
_HELP = f"""\
usage: hml <verb> [flags]

Train image classifiers on mixed images labelled by people, and measure the effect.

{"".join(f"  {verb:10}{text}{os.linesep}" for verb, text in _VERBS.items())}
  hml fit --config sep_conf                   the paper's best scheme
  hml fit --config sep_conf --config demo     the same in under a minute, on simulated data
  hml <verb> --help                           the flags of a verb
"""
_STORAGE_ERRNOS = {
    *(errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.ESTALE),  # the disk
    *(errno.EROFS, errno.EACCES, errno.EPERM),  # permissions
    *(errno.ENOTDIR, errno.EISDIR, errno.EEXIST, errno.ENAMETOOLONG, errno.ELOOP),  # the path
}
_INTERRUPTED = 130


def main(argv: Sequence[str] | None = None) -> int:
    """Run a verb with its flags, by default those of the process. Return the exit code (see `hml.errors`)."""
    args = list(sys.argv[1:] if argv is None else argv)
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # a terminal without ± or … shows a ? instead
    try:
        code = _dispatch(args)
        if sys.stdout is not None:  # it is None if the shell closed it
            sys.stdout.flush()
        return code
    except HmlError as error:
        return _fail(error)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # for Python's flush at exit
        gone = "hml stopped, since the program that read its output has ended: write the output to a file instead."
        return _fail(StorageError(gone))
    except OSError as error:
        if error.errno not in _STORAGE_ERRNOS:
            raise
        return _fail(StorageError(f"Can't write {error.filename or 'results'}: {error.strerror}."))
    except KeyboardInterrupt:
        return _INTERRUPTED
    except SystemExit as error:
        # Lightning turns Ctrl-C into exit code 1.
        if isinstance(error.__context__, KeyboardInterrupt):
            return _INTERRUPTED
        raise


def _see_own_modules() -> None:
    """Make modules in the working directory importable, such as a user's strategy. Console scripts do not do this."""
    try:
        here = str(Path.cwd())
    except FileNotFoundError as error:
        raise InputError("The working directory no longer exists: change to another one.") from error
    if here not in sys.path:
        sys.path.append(here)


def _dispatch(args: Sequence[str]) -> int:
    if not args or args[0] in ("-h", "--help", "help"):
        print(_HELP, end="")
        return 0 if args else InputError.exit_code
    if args[0] == "--version":
        print(f"hml {hml.__version__}")
        return 0
    _see_own_modules()
    with keep_interrupts(), _users_mistakes():
        return _run(*args)


@contextmanager
def _users_mistakes() -> Iterator[None]:
    """Turn exceptions in users' code, such as their strategy or image source, into an error with the lines of code."""
    try:
        yield
    except (HmlError, BrokenPipeError):
        raise
    except Exception as error:
        # Imported here, so that help and errors in flags do not import torch.
        find_mistake: Callable[[Exception], str | None] = pkgutil.resolve_name("hml.training.mistakes:find_mistake")
        if (mistake := find_mistake(error)) is None:
            raise
        raise InputError(mistake) from error


def _run(verb: str, *flags: str) -> int:
    if verb in _OWN_VERBS:
        parse: Callable[[Sequence[str]], object] = pkgutil.resolve_name(_OWN_VERBS[verb].parse)
        options = parse(flags)
        run: Callable[[object], int] = _import(_OWN_VERBS[verb].run)
        return run(options)
    if verb not in _LIGHTNING_VERBS:
        raise InputError(f"There is no verb {verb!r}: {', '.join(_VERBS)}.")
    checked = [verb, *resolve_configs(flags)]  # before torch is imported
    train: Callable[[Sequence[str]], object] = _import("hml.training.run:run")
    train(checked)
    return 0


def _import(location: str) -> Any:
    """Import a function, with the garbage collector off while its module is imported.

    torch and Lightning make a million objects, which stay until the end. Searching them for garbage, while they are
    imported and when Python exits, takes a third of the time of both.
    """
    if not gc.isenabled() or location.partition(":")[0] in sys.modules:
        return pkgutil.resolve_name(location)
    gc.disable()
    try:
        return pkgutil.resolve_name(location)
    finally:
        gc.freeze()
        gc.enable()


def _fail(error: HmlError) -> int:
    print(f"hml: {error}", file=sys.stderr)
    return error.exit_code
