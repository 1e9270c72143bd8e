"""The command line: what each verb dispatches to, and how errors reach people."""

import argparse
import errno
import io
import os
import sys
from collections.abc import Sequence
from pathlib import Path

import hml
from hml.errors import HmlError, InputError, StorageError
from hml.interrupts import keep_interrupts

_LIGHTNING_VERBS = {
    "fit": "train a network, then test it",
    "validate": "evaluate a checkpoint on images held out of training",
    "test": "evaluate a checkpoint on the test images",
    "predict": "write a checkpoint's probabilities for the test images to a CSV file",
}
_DOWNLOAD, _TABLE1, _PERCEPTS, _RELABEL, _ELICIT = "download", "table1", "percepts", "relabel", "elicit"
_HELP = f"""\
usage: hml <verb> [flags]

Train image classifiers on mixed images labelled by people, and measure whether it helps.

{"".join(f"  {verb:10}{text}{os.linesep}" for verb, text in _LIGHTNING_VERBS.items())}\
  {_TABLE1:10}run every scheme at every seed, and set the results beside the paper's
  {_PERCEPTS:10}analyse what people perceive, and write figures and a page
  {_RELABEL:10}learn what people would say of any mixed image, and judge how well
  {_ELICIT:10}ask people, in a browser, what they see in mixed images
  {_DOWNLOAD:10}fetch the data ahead of time

  hml fit --config configs/sep_conf.yaml                              the paper's best scheme
  hml fit --config configs/sep_conf.yaml --config configs/demo.yaml   the same in under a minute, on made-up data
  hml <verb> --help                                                   all flags of a verb
"""
_STORAGE_ERRNOS = {
    errno.ENOSPC,
    errno.EROFS,
    errno.EACCES,
    errno.EPERM,
    errno.ENOTDIR,
    errno.EISDIR,
    errno.EDQUOT,
    errno.EEXIST,
    errno.EFBIG,
    *(errno.ENAMETOOLONG, errno.ELOOP, errno.EIO, errno.ESTALE),
}
_INTERRUPTED = 130


def main(argv: Sequence[str] | None = None) -> int:
    """Run a verb.

    Args:
        argv: Verb and flags; by default the process's.

    Returns:
        The exit code, as `hml.errors` lists them.
    """
    args = list(sys.argv[1:] if argv is None else argv)
    if not args or args[0] in ("-h", "--help", "help"):
        print(_HELP, end="")
        return 0 if args else InputError.exit_code
    if args[0] == "--version":
        print(f"hml {hml.__version__}")
        return 0
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # a terminal without ± or … shows a ? instead
    try:
        _see_own_modules()
        with keep_interrupts():
            code = _dispatch(args)
        if sys.stdout is not None:  # as it is where a shell closed it
            sys.stdout.flush()
        return code
    except HmlError as error:
        return _fail(error)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # where Python flushes what is left
        return _fail(
            StorageError("Nobody reads what hml prints any more, so it has stopped: send it to a file instead.")
        )
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
    """See the modules of the folder that hml is called in, as a console script doesn't: a user's own strategy."""
    try:
        here = str(Path.cwd())
    except FileNotFoundError as error:
        raise InputError("The folder you are in is gone: cd to another.") from error
    if here not in sys.path:
        sys.path.append(here)


def _dispatch(args: Sequence[str]) -> int:
    if args[0] == _DOWNLOAD:
        _download(args[1:])
    elif args[0] == _TABLE1:
        from hml.experiments import table1

        return table1.main(args[1:])
    elif args[0] == _PERCEPTS:
        _percepts(args[1:])
    elif args[0] == _RELABEL:
        from hml.relabel import command

        return command.main(args[1:])
    elif args[0] == _ELICIT:
        from hml.elicit import command as elicit_command

        return elicit_command.main(args[1:])
    elif args[0] in _LIGHTNING_VERBS:
        _run_lightning(args)
    else:
        verbs = ", ".join((*_LIGHTNING_VERBS, _TABLE1, _PERCEPTS, _RELABEL, _ELICIT, _DOWNLOAD))
        raise InputError(f"There is no verb {args[0]!r}: {verbs}.")
    return 0


def _run_lightning(args: Sequence[str]) -> None:
    from hml import training

    training.run(args)


def _download(args: Sequence[str]) -> None:
    parser = argparse.ArgumentParser("hml download", description="Fetch the data, and check them.")
    parser.add_argument("--data_dir", help="where to; by default HML_DATA_DIR, else ./data")
    data_dir = parser.parse_args(args).data_dir
    from hml.data import Cifar10, HMix
    from hml.data.download import OTHER_TASKS, fetch, find_data_dir

    folder = find_data_dir(data_dir)
    files = [*Cifar10(stand_in=False).remote_files(folder), *HMix().remote_files(folder), *OTHER_TASKS]
    fetch(files, folder)
    print(f"In {folder}: {', '.join(file.name for file in files)}.")


def _percepts(args: Sequence[str]) -> None:
    parser = argparse.ArgumentParser(
        "hml percepts",
        description="Analyse judgements of mixed images; write percepts.json, figures, a page and TensorBoard events.",
    )
    parser.add_argument("--cohort", default="paper", choices=["paper", "all"], help="which of H-Mix (default: paper)")
    parser.add_argument("--judgements", type=Path, metavar="FILE", help="judgements of one's own, in H-Mix's columns")
    parser.add_argument("--out", type=Path, metavar="DIR", help="where to (default: lightning_logs/percepts)")
    parser.add_argument("--data_dir", help="where the data are; by default HML_DATA_DIR, else ./data")
    parser.add_argument("--pairs", nargs="+", default=(), metavar="Cat/Dog", help="class pairs to draw large")
    parser.add_argument("--images", nargs="+", default=(), metavar="FILENAME", help="mixed images to show")
    parser.add_argument("--replicates", type=int, default=1000, help="resamples of people (default: 1000)")
    parser.add_argument("--seed", type=int, default=0, help="what resamples are drawn from (default: 0)")
    given = parser.parse_args(args)
    from hml.analysis.percepts import Options, run
    from hml.data.download import find_data_dir

    page = run(
        Options(
            data_dir=find_data_dir(given.data_dir),
            out=given.out or Path("lightning_logs", "percepts"),
            cohort=given.cohort,
            judgements=given.judgements,
            pairs=tuple(given.pairs),
            images=tuple(given.images),
            replicates=given.replicates,
            seed=given.seed,
        )
    )
    print(
        f"Open {page}; the numbers are in {page.with_name('percepts.json')}, the figures in {page.parent / 'figures'}."
    )


def _fail(error: HmlError) -> int:
    print(f"hml: {error}", file=sys.stderr)
    return error.exit_code
