import errno
import fcntl
import json
import os
import socket

import pytest

from hml.errors import FolderInUseError, StorageError
from hml.experiments.runs import Run, clear
from hml.files.locks import claim, holder_file
from tests.processes import CONTEXT


def claim_and_say(lock, pipe, error=None):
    if error is not None:
        lose_flock(error)
    with claim(lock, "…"):
        pipe.send("mine")
        pipe.recv()


def lose_flock(number):
    """Make flock fail as it does on file systems that lack it."""

    def fail(descriptor, operation):
        raise OSError(number, os.strerror(number))

    fcntl.flock = fail


@pytest.fixture(params=[errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP], ids=["ENOLCK", "ENOSYS", "EOPNOTSUPP"])
def no_flock(request, monkeypatch):
    monkeypatch.setattr(fcntl, "flock", fcntl.flock)
    lose_flock(request.param)
    return request.param


@pytest.fixture
def other_process():
    """Start a process that claims a lock, and wait until it has it."""
    started = []

    def start(lock, error=None):
        ours, theirs = CONTEXT.Pipe()
        process = CONTEXT.Process(target=claim_and_say, args=(lock, theirs, error))
        process.start()
        started.append(process)
        theirs.close()  # or nobody would notice its end
        assert ours.recv() == "mine"
        return process, ours

    yield start
    for process in started:
        process.kill()
        process.join()


def kill(process):
    process.kill()
    process.join()


def test_a_folder_is_one_processs_until_that_ends(tmp_path, other_process):
    lock = tmp_path / "new" / ".lock"
    process, _ = other_process(lock)
    with pytest.raises(FolderInUseError, match="somebody has it") as caught, claim(lock, "somebody has it"):
        pytest.fail("two have it")
    assert f"is held by process {process.pid} on {socket.gethostname()}, since 2" in str(caught.value)
    assert "delete" not in str(caught.value), "the kernel unlocks it"
    kill(process)
    with claim(lock, "…"):
        pass
    with claim(lock, "…"):  # it was released
        pass
    assert [path.name for path in lock.parent.iterdir()] == [".lock"]


def test_without_flock_a_folder_is_one_processs_too(tmp_path, other_process, no_flock):
    lock = tmp_path / ".lock"
    process, _ = other_process(lock, no_flock)
    with pytest.raises(FolderInUseError) as caught, claim(lock, "Somebody has it."):
        pytest.fail("two have it")
    said = str(caught.value)
    assert said.startswith(f"Somebody has it. {holder_file(lock)} is held by process {process.pid} on ")
    assert f"If that process is dead, delete {holder_file(lock)}." in said
    assert process.is_alive()


def test_without_flock_a_lock_is_released(tmp_path, other_process, no_flock):
    lock = tmp_path / ".lock"
    process, pipe = other_process(lock, no_flock)
    pipe.send("done")
    process.join()
    assert not holder_file(lock).exists()
    with claim(lock, "…"), pytest.raises(FolderInUseError), claim(lock, "…"):
        pytest.fail("it was claimed twice")
    with claim(lock, "…"):
        pass


def test_without_flock_a_killed_processs_lock_is_taken_over(tmp_path, other_process, no_flock):
    lock = tmp_path / ".lock"
    process, _ = other_process(lock, no_flock)
    kill(process)
    assert holder_file(lock).exists()
    with claim(lock, "…"):
        assert json.loads(holder_file(lock).read_text())["pid"] == os.getpid()
    assert [path.name for path in tmp_path.iterdir()] == [".lock"]


@pytest.mark.parametrize("has_flock", [True, False])
def test_another_hosts_lock_is_kept_and_says_what_to_delete(tmp_path, monkeypatch, other_process, has_flock):
    lock = tmp_path / ".lock"
    process, _ = other_process(lock, errno.ENOLCK)
    kill(process)
    monkeypatch.setattr(fcntl, "flock", fcntl.flock)
    monkeypatch.setattr(socket, "gethostname", lambda: "node7")
    if not has_flock:
        lose_flock(errno.ENOLCK)
    before = holder_file(lock).read_text()
    with pytest.raises(FolderInUseError) as caught, claim(lock, "Somebody has it."):
        pytest.fail("two have it")
    since = json.loads(before)["since"]
    assert f"process {process.pid} on {os.uname().nodename}, since {since}. If that process is dead, delete" in str(
        caught.value
    )
    assert holder_file(lock).read_text() == before
    holder_file(lock).unlink()
    with claim(lock, "…"):
        pass


@pytest.mark.parametrize("content", ["", "{", '{"pid": 1}', "[]"])
def test_a_lock_that_names_nobody_says_what_to_delete(tmp_path, no_flock, content):
    lock = tmp_path / ".lock"
    holder_file(lock).write_text(content)
    with pytest.raises(FolderInUseError, match=r"If that process is dead, delete .*\.lock\.holder"), claim(lock, "…"):
        pytest.fail("two have it")
    assert holder_file(lock).read_text() == content


def test_a_lock_that_another_process_took_over_is_not_removed(tmp_path, no_flock):
    lock = tmp_path / ".lock"
    with claim(lock, "…"):
        theirs = {"pid": 1, "machine": "node7", "since": "2026-01-01T00:00:00+00:00", "id": "0"}
        holder_file(lock).write_text(json.dumps(theirs))
    assert json.loads(holder_file(lock).read_text()) == theirs


def test_clearing_a_run_keeps_its_lock_without_flock(tmp_path, no_flock):
    run = Run("sep", 3, tmp_path / "seed_3")
    run.folder.mkdir()
    (run.folder / "old").write_text("")
    clear(run)
    assert [path.name for path in run.folder.iterdir()] == [".lock"]


def test_other_errors_of_a_lock_are_not_taken_for_a_claim(tmp_path, monkeypatch):
    monkeypatch.setattr(fcntl, "flock", fcntl.flock)
    lose_flock(errno.ESTALE)
    with pytest.raises(OSError, match="Stale file handle"), claim(tmp_path / ".lock", "…"):
        pytest.fail("nobody has it")


def test_a_lock_in_a_folder_that_is_a_file_says_so(tmp_path):
    (tmp_path / "taken").write_text("")
    with pytest.raises(StorageError, match=r"Can't write .*taken"), claim(tmp_path / "taken" / ".lock", "…"):
        pytest.fail("there is no folder")
