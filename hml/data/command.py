"""`hml download`."""

import argparse
from collections.abc import Sequence

from hml.data.download import OTHER_TASKS, fetch, find_data_dir
from hml.data.images import Cifar10
from hml.data.mixed import HMix


def main(args: Sequence[str]) -> int:
    """Fetch the released data that are missing, and check those that are there.

    Args:
        args: Flags, as on the command line.

    Returns:
        The exit code, 0.

    Raises:
        DataError: a file is wrong, or can't be downloaded.
    """
    parser = argparse.ArgumentParser("hml download", description="Fetch the data, and check them.")
    parser.add_argument("--data_dir", help="where to; by default HML_DATA_DIR, else ./data")
    folder = find_data_dir(parser.parse_args(args).data_dir)
    files = [*Cifar10(stand_in=False).remote_files(folder), *HMix().remote_files(folder), *OTHER_TASKS]
    fetch(files, folder)
    print(f"In {folder}: {', '.join(file.name for file in files)}.")
    return 0
