import pytest

from hml.errors import FolderInUseError
from hml.locks import claim
from tests.processes import CONTEXT


def claim_and_say(lock, pipe):
    with claim(lock, "…"):
        pipe.send("mine")
        pipe.recv()


def test_a_folder_is_one_processs_until_that_ends(tmp_path):
    lock = tmp_path / "new" / ".lock"
    ours, theirs = CONTEXT.Pipe()
    process = CONTEXT.Process(target=claim_and_say, args=(lock, theirs))
    process.start()
    theirs.close()  # or nobody would notice its end
    assert ours.recv() == "mine"
    with pytest.raises(FolderInUseError, match="somebody has it"), claim(lock, "somebody has it"):
        pytest.fail("two have it")
    process.kill()
    process.join()
    with claim(lock, "…"):
        pass
    with claim(lock, "…"):  # it was released
        pass


def test_a_folder_that_was_made_and_stays_empty_goes(tmp_path):
    lock = tmp_path / "runs" / "first" / ".lock"
    with pytest.raises(ZeroDivisionError), claim(lock, "…"):
        _ = 1 / 0
    assert list(tmp_path.iterdir()) == []
    with claim(lock, "…"):
        (tmp_path / "runs" / "second").mkdir()
    assert list((tmp_path / "runs").iterdir()) == [tmp_path / "runs" / "second"]


def test_a_folder_with_something_in_it_or_that_was_there_stays(tmp_path):
    with claim(tmp_path / "run" / ".lock", "…"):
        (tmp_path / "run" / "result").touch()
    assert (tmp_path / "run" / "result").exists()
    (tmp_path / "empty").mkdir()
    with claim(tmp_path / "empty" / ".lock", "…"):
        pass
    assert (tmp_path / "empty").exists()
