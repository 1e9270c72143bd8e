"""`hml download`."""

import argparse

from hml.data.download import OTHER_TASKS, fetch, find_data_dir
from hml.data.images import Cifar10
from hml.data.mixed import HMix


def run(options: argparse.Namespace) -> int:
    """Download the released data that are missing, and check those that are there.

    Args:
        options: As `hml.command_line.flags.parse_download` makes them.

    Returns:
        The exit code, 0.

    Raises:
        DataError: a file is wrong, or can't be downloaded.
    """
    folder = find_data_dir(options.data_dir)
    files = [*Cifar10(stand_in=False).remote_files(folder), *HMix().remote_files(folder), *OTHER_TASKS]
    fetch(files, folder)
    print(f"In {folder}: {', '.join(file.name for file in files)}.")
    return 0
