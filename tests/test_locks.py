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
