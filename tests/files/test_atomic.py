import errno
import os
import stat

import pytest

from hml.errors import FolderInUseError, StorageError
from hml.files.atomic import new_folder, write_atomically


def test_a_file_is_replaced_whole_and_its_folder_made(tmp_path):
    path = tmp_path / "new" / "report.csv"
    write_atomically(path, "a much longer text\n" * 100)
    write_atomically(path, "λ\r\n")
    assert path.read_bytes() == "λ\r\n".encode()
    assert [p.name for p in path.parent.iterdir()] == ["report.csv"]


def test_a_private_file_is_its_owners_alone_from_the_first_byte(tmp_path, monkeypatch):
    modes = []
    fsync = os.fsync
    monkeypatch.setattr(os, "fsync", lambda file: (modes.append(os.fstat(file).st_mode & 0o777), fsync(file)))
    write_atomically(tmp_path / "file", "x", mode=0o600)
    assert modes[0] == 0o600


def test_a_file_is_readable_by_those_whom_the_umask_lets(tmp_path):
    umask = os.umask(0o022)
    try:
        write_atomically(tmp_path / "report.csv", "text")
    finally:
        os.umask(umask)
    assert (tmp_path / "report.csv").stat().st_mode & 0o777 == 0o644


def test_a_failure_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch):
    path = tmp_path / "report.csv"
    write_atomically(path, "old")

    def fail(*args):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("hml.files.atomic.os.fsync", fail)
    with pytest.raises(StorageError, match=r"Can't write .*report.csv: No space left on device"):
        write_atomically(path, "new")
    assert path.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["report.csv"]


def test_an_interruption_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch):
    path = tmp_path / "report.csv"
    write_atomically(path, "old")

    def interrupt(*args):
        raise KeyboardInterrupt

    monkeypatch.setattr("hml.files.atomic.os.replace", interrupt)
    with pytest.raises(KeyboardInterrupt):
        write_atomically(path, "new")
    assert path.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["report.csv"]


def test_a_folder_that_is_a_file_is_rejected(tmp_path):
    (tmp_path / "taken").write_text("")
    with pytest.raises(StorageError, match="taken"):
        write_atomically(tmp_path / "taken" / "report.csv", "text")
    assert (tmp_path / "taken").read_text() == ""


def test_a_path_that_is_a_folder_is_rejected(tmp_path):
    (tmp_path / "report.csv").mkdir()
    with pytest.raises(StorageError, match=r"report\.csv"):
        write_atomically(tmp_path / "report.csv", "text")
    assert [p.name for p in tmp_path.iterdir()] == ["report.csv"]


def test_a_file_system_that_cannot_sync_folders_is_written_to(tmp_path, monkeypatch):
    fsync = os.fsync

    def sync_files_only(descriptor):
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
        fsync(descriptor)

    monkeypatch.setattr("hml.files.atomic.os.fsync", sync_files_only)
    write_atomically(tmp_path / "report.csv", "text")
    assert (tmp_path / "report.csv").read_text() == "text"


def test_new_folder_is_whole_or_not_there(tmp_path):
    with new_folder(tmp_path / "deep/out") as folder:
        (folder / "one.txt").write_text("1")
        assert not (tmp_path / "deep/out").exists()
    assert (tmp_path / "deep/out/one.txt").read_text() == "1"
    with pytest.raises(StorageError), new_folder(tmp_path / "deep/other") as folder:
        write_atomically(folder / ("x" * 300), "")
    assert [path.name for path in (tmp_path / "deep").iterdir()] == ["out"]
    with pytest.raises(FolderInUseError, match="out exists already"), new_folder(tmp_path / "deep/out"):
        pass
    (tmp_path / "file").touch()
    with pytest.raises(StorageError, match="Can't write"), new_folder(tmp_path / "file/out"):
        pass
