"""The released files: their addresses and hashes, and how to download them to the data folder.

hml does not include them. CIFAR-10H is CC BY-NC-SA 4.0 (Peterson et al., 2019). H-Mix and the authors' split have no
licence file.
"""

import hashlib
import os
import socket
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pooch
import requests

from hml.errors import DataError, StorageError
from hml.files.paths import expand

_TRIES = 3
_TIMEOUT_SECONDS = 30
_HILL_MIXUP = (
    "https://raw.githubusercontent.com/cambridge-mlg/hill-mixup/5a022730a270b6785355f9e57b6d2620075bfbab/h_mix"
)
_CIFAR10S = (
    "https://raw.githubusercontent.com/cambridge-mlg/cifar-10s/86b114f0257ad88e36add572db3dd69dbca0fdf7/other_data"
)
_CIFAR10H = "https://raw.githubusercontent.com/jcpeterson/cifar-10h/48da312b193b82e6939ec20f23d1f09cbdd849c8/data"


@dataclass(frozen=True)
class RemoteFile:
    """A file that is pinned by its hash, so it may come from any address.

    Args:
        name: Its name in the data folder.
        sha256: Its SHA-256, in hexadecimal.
        addresses: The addresses to download from, tried in order.
        mirror_variable: An environment variable with another address, which is tried first.
    """

    name: str
    sha256: str
    addresses: tuple[str, ...]
    mirror_variable: str | None = None

    @property
    def all_addresses(self) -> tuple[str, ...]:
        """The user's mirror, if any, and the pinned addresses."""
        mirror = os.environ.get(self.mirror_variable) if self.mirror_variable else None
        return (mirror, *self.addresses) if mirror else self.addresses


CIFAR10_ARCHIVE = RemoteFile(
    "cifar-10-python.tar.gz",
    "6d958be074577803d12ecdefd02955f39262c83c16fe9348329d7fe0b5c001ce",
    (
        "https://www.cs.toronto.edu/~kriz/cifar-10-python.tar.gz",
        "https://storage.googleapis.com/tensorflow/tf-keras-datasets/cifar-10-python.tar.gz",
    ),
    mirror_variable="HML_CIFAR10_URL",
)
CIFAR10H_COUNTS = RemoteFile(
    "cifar10h-counts.npy",
    "9b36b4550349af56c79083356312eb4af856cc5fd3caf1f669d40b9d0bbb69ff",
    (f"{_CIFAR10H}/cifar10h-counts.npy",),
)
TRAIN_INDICES = RemoteFile(
    "train_indices.npy",
    "af80134e896dda7f42c7acc9386243d53b4bf54c996b219452fa6ac600c8883a",
    (f"{_CIFAR10S}/train_indices.npy",),
)
TEST_INDICES = RemoteFile(
    "test_indices.npy",
    "2cda098d4cc19137cde538b37f26759e8c0fbc20c470aa89a9574f4edba2bcbb",
    (f"{_CIFAR10S}/test_indices.npy",),
)
HMIX_INFERENCES = RemoteFile(
    "hmix_infer_mixing_factor.csv",
    "9f8aa49c85e9879453a032ea43abf7764425fe1a452c8fdd5f3c9b7c9fd35eeb",
    (f"{_HILL_MIXUP}/hmix_infer_mixing_factor.csv",),
)
HMIX_CONSTRUCT = RemoteFile(
    "hmix_construct_midpoint.csv",
    "0b07e7acadf4b3c9f62b8a61e3f4a09114ec6cf4b515936410903f2e4085f452",
    (f"{_HILL_MIXUP}/hmix_construct_midpoint.csv",),
)
HMIX_SELECT = RemoteFile(
    "hmix_select_shuffled_midpoint.csv",
    "866a1b015aad28ef00a9811c23c4d5b8b042eb4a1b12d055a84d5a503eb8a89e",
    (f"{_HILL_MIXUP}/hmix_select_shuffled_midpoint.csv",),
)
HMIX_SOFT_CATEGORIES = RemoteFile(
    "hmix_categorical_soft_labels.csv",
    "c9dec5d338399b6152db3b8389a98e98dc264bb6e07e5b4e07746a046f020584",
    (f"{_HILL_MIXUP}/hmix_categorical_soft_labels.csv",),
)
OTHER_TASKS = (HMIX_CONSTRUCT, HMIX_SELECT, HMIX_SOFT_CATEGORIES)
"""Tasks that `hml percepts` analyses and that training does not need."""


def find_data_dir(data_dir: str | Path | None = None) -> Path:
    """Return the data folder: the given one, otherwise HML_DATA_DIR, otherwise ./data."""
    return expand(data_dir or os.environ.get("HML_DATA_DIR") or "data")


def read_verified(file: RemoteFile, data_dir: Path) -> bytes:
    """Read a pinned file and check its hash before it is parsed.

    Raises:
        DataError: the file is missing, can't be read, or is not the released one.
    """
    path = data_dir / file.name
    content = read_bytes(path)
    digest = hashlib.sha256(content).hexdigest()
    if digest != file.sha256:
        raise DataError(
            f"{path} is not the released file{_resemblance(content)}: its sha256 is {digest}, expected {file.sha256}. "
            "Move it away, then run `hml download`."
        )
    return content


def read_bytes(path: Path) -> bytes:
    """Read a file of the data folder.

    Raises:
        DataError: the file is missing or can't be read. The message has a remedy.
    """
    try:
        return path.read_bytes()
    except OSError as error:
        raise _unreadable(path, error) from error


def exists(path: Path) -> bool:
    """Return whether a file of the data folder exists.

    Raises:
        DataError: this can't be determined, for example without permission to read the folder.
    """
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError as error:
        raise _unreadable(path, error) from error
    return True


def _unreadable(path: Path, error: OSError) -> DataError:
    if isinstance(error, FileNotFoundError):
        remedy = "run `hml download`."
    elif isinstance(error, PermissionError):
        remedy = (
            f"you have no permission to read it. Ask its owner to run `chmod -R a+rX {path.parent}`, or name another "
            "folder by --data.data_dir or HML_DATA_DIR."
        )
    else:
        remedy = "try again, or name another folder by --data.data_dir or HML_DATA_DIR."
    return DataError(f"Can't read {path} ({error.strerror}): {remedy}")


def fetch(files: Iterable[RemoteFile], data_dir: Path) -> None:
    """Download missing files, with a progress bar, and check existing ones.

    A downloaded file gets its name only after its hash was checked. It is kept if another download fails.

    Raises:
        DataError: an existing file is wrong, or files can't be downloaded. The message has their addresses and hashes.
        StorageError: the data folder can't be written to.
    """
    files = list(files)
    if files and exists(data_dir) and not data_dir.is_dir():
        raise DataError(f"{data_dir} is a file, not a folder of data: correct --data.data_dir, or HML_DATA_DIR.")
    failures: dict[RemoteFile, str] = {}
    unknown_hosts: dict[str, str] = {}
    for file in files:
        if exists(data_dir / file.name):
            read_verified(file, data_dir)
        elif reason := _download(file, data_dir, unknown_hosts):
            failures[file] = reason
    if failures:
        raise DataError(_explain(failures, data_dir))


def _explain(failures: Mapping[RemoteFile, str], data_dir: Path) -> str:
    """Describe the missing files, the reasons, and what to do. A reason that all files share is given once."""
    shared = set(failures.values())
    why = f" ({shared.pop()})" if len(shared) == 1 else ""
    lines = [f"Missing in {data_dir}, and could not be downloaded{why}:"]
    for file, reason in failures.items():
        lines += [f"  {file.name}  sha256 {file.sha256}", *(f"    from {address}" for address in file.all_addresses)]
        lines += [f"    failed: {reason}"] if shared else []
    lines += [
        f"On a computer with internet, run `hml download --data_dir DIR`, and copy DIR's files into {data_dir}.",
        "If you have the files already, name their folder by --data.data_dir or HML_DATA_DIR.",
        "To try hml without data, run the demo: hml fit --config sep_conf --config demo",
    ]
    return "\n".join(lines)


def _download(file: RemoteFile, data_dir: Path, unknown_hosts: dict[str, str]) -> str | None:
    """Try each address in order. Return the last error, or None.

    Args:
        file: The file to download.
        data_dir: The data folder.
        unknown_hosts: The errors of hosts whose names can't be resolved, for example without internet. These hosts are
            skipped. New ones are added.
    """
    reason = None
    for address in file.all_addresses:
        host = urlsplit(address).netloc
        if host in unknown_hosts:
            reason = unknown_hosts[host]
            continue
        downloads = pooch.create(
            path=data_dir,
            base_url="",
            registry={file.name: f"sha256:{file.sha256}"},
            urls={file.name: address},
            retry_if_failed=_TRIES - 1,
        )
        progress = _SharedDownloader(progressbar=sys.stderr.isatty(), timeout=_TIMEOUT_SECONDS)
        try:
            downloads.fetch(file.name, downloader=progress)
        except _UnknownHostError as error:
            reason = unknown_hosts[host] = str(error)
        except (requests.RequestException, ValueError) as error:  # pooch raises ValueError for a wrong hash
            reason = f"{type(error).__name__}: {_root(error)}"
        except OSError as error:  # the PermissionError that pooch raises has no strerror
            cause = error.__cause__ if isinstance(error.__cause__, OSError) else error
            raise StorageError(
                f"Can't write {data_dir / file.name}: {cause.strerror}. Free some space, or name a folder that you may "
                "write to by --data.data_dir or HML_DATA_DIR."
            ) from error
        else:
            return None
    return reason


class _UnknownHostError(Exception):
    """A host name can't be resolved. pooch does not retry after this error, unlike after an error of requests."""


class _SharedDownloader(pooch.HTTPDownloader):  # type: ignore[misc]
    """Downloads a file with permissions according to the umask."""

    def __call__(self, url: str, output_file: str, *args: Any) -> None:
        Path(output_file).unlink()  # pooch created it by tempfile, readable by its owner only
        try:
            super().__call__(url, output_file, *args)
        except requests.ConnectionError as error:
            if isinstance(cause := _root(error), socket.gaierror):
                raise _UnknownHostError(f"no connection to the internet: {cause.strerror}") from error
            raise


def _root(error: BaseException) -> BaseException:
    """Return the root cause of an error. requests and urllib3 wrap errors several times, and repeat the address."""
    while error.__context__ is not None:
        error = error.__context__
    return error


def _resemblance(content: bytes) -> str:
    """Describe what a wrong file looks like, which is usually the cause."""
    start = content[:200].lstrip().lower()
    if not content:
        return " (it is empty)"
    if start.startswith((b"<!doctype", b"<html")):
        return " (it is a web page)"
    if start.startswith(b"version https://git-lfs"):
        return " (it is a Git LFS pointer)"
    return ""
