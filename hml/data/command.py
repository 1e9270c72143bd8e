"""`hml download`."""

from hml.command_line.download import Options
from hml.data.download import OTHER_TASKS, fetch, find_data_dir
from hml.data.images import Cifar10
from hml.data.mixed import HMix


def run(options: Options) -> int:
    """Download missing data files and check existing ones.

    Args:
        options: The options that `hml.command_line.download.parse` returns.

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
