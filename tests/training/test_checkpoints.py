"""Checkpoints as files: what is refused, and that no moment of a save leaves none to load."""

import os
import pickle
import random
import re
import time
import warnings
import zipfile
from pathlib import Path

import pytest
import torch

from hml.errors import InputError, StorageError
from hml.training.checkpoints import LAST, PREVIOUS, LatestCheckpoint, WholeCheckpointIO, find_whole, read_checkpoint
from tests.processes import CONTEXT

OTHER_FILE_SYSTEM = Path("/dev/shm")


def make(step=1, size=100):
    state = {"weight": torch.arange(size) + step}
    return {"state_dict": state, "global_step": step, "pytorch-lightning_version": "2.6.6"}


def save(folder, step=1, name=LAST, size=100):
    WholeCheckpointIO().save_checkpoint(make(step, size), folder / "checkpoints" / name)
    return folder / "checkpoints" / name


def assert_is(checkpoint, step):
    assert checkpoint["global_step"] == step
    assert torch.equal(checkpoint["state_dict"]["weight"], make(step)["state_dict"]["weight"])


def test_the_last_two_are_kept_and_torch_itself_reads_them(tmp_path):
    for step in (1, 2, 3):
        path = save(tmp_path, step)
        assert_is(read_checkpoint(path), step)
        assert_is(torch.load(path, weights_only=True), step)
    assert_is(read_checkpoint(path.with_name(PREVIOUS)), 2)
    assert sorted(path.name for path in path.parent.iterdir()) == [LAST, PREVIOUS]
    assert find_whole(tmp_path) == (path, 3)


def test_every_damage_is_rejected_or_changes_nothing(tmp_path):
    path = save(tmp_path)
    good, rng, refused = path.read_bytes(), random.Random(0), 0
    for number in range(1000):
        bad = bytearray(good)
        bad[rng.randrange(len(good))] ^= 1 << rng.randrange(8)
        path.write_bytes(bad[: rng.randrange(len(good))] if number % 50 == 0 else bad)
        try:
            checkpoint = read_checkpoint(path)
        except InputError:
            refused += 1
        else:
            assert_is(checkpoint, 1)
    # The rest are in the mark that says where the hash is.
    assert refused >= 980


@pytest.mark.parametrize("flip", range(0, 400, 40))
def test_damage_to_another_programs_checkpoint_is_seen(tmp_path, flip):
    torch.save(make(), tmp_path / "other.ckpt")
    assert_is(read_checkpoint(tmp_path / "other.ckpt"), 1)
    content = bytearray((tmp_path / "other.ckpt").read_bytes())
    content[content.index((5).to_bytes(8, "little")) + flip] ^= 1  # among the weights
    (tmp_path / "other.ckpt").write_bytes(content)
    with pytest.raises(InputError, match="is damaged"):
        read_checkpoint(tmp_path / "other.ckpt")


class Evil:
    def __reduce__(self):
        return (os.mkdir, ("pwned",))


@pytest.mark.parametrize("zipped", [True, False])
def test_no_code_in_a_checkpoint_is_run(tmp_path, monkeypatch, zipped):
    monkeypatch.chdir(tmp_path)
    torch.save(make() | {"evil": Evil()}, "evil.ckpt", _use_new_zipfile_serialization=zipped)
    with pytest.raises(InputError, match=r"evil\.ckpt"):
        read_checkpoint(Path("evil.ckpt"))
    Path("evil.ckpt").write_bytes(pickle.dumps(Evil()))
    with pytest.raises(InputError, match=r"evil\.ckpt"):
        read_checkpoint(Path("evil.ckpt"))
    assert not Path("pwned").exists()
    with pytest.raises(InputError, match=r"more than plain data: .*mkdir"):
        WholeCheckpointIO().save_checkpoint(make() | {"evil": Evil()}, tmp_path / LAST)
    assert not Path(LAST).exists()


def test_a_file_that_is_no_checkpoint_is_rejected_by_name(tmp_path):
    torch.save([1, 2], tmp_path / "list.ckpt")
    with zipfile.ZipFile(tmp_path / "bomb.ckpt", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("archive/data.pkl", bytes(10_000_000))
    (tmp_path / "page.ckpt").write_text("<html>404</html>")
    (tmp_path / "folder.ckpt").mkdir()
    for name in ("list", "bomb", "page", "folder", "missing"):
        with pytest.raises(InputError, match=rf"{name}\.ckpt"):
            read_checkpoint(tmp_path / f"{name}.ckpt")


def test_the_one_before_a_broken_one_is_found_with_a_notice(tmp_path, caplog):
    for step in (1, 2):
        save(tmp_path, step)
    last = tmp_path / "checkpoints" / LAST
    last.write_bytes(last.read_bytes()[:-300])
    with pytest.raises(InputError, match=r"The previous one is .*previous\.ckpt"):
        read_checkpoint(last)
    assert find_whole(tmp_path) == (last.with_name(PREVIOUS), 1)
    assert re.search(r"last\.ckpt.*Resuming from the previous one.*of step 1", caplog.text)
    last.unlink()
    assert find_whole(tmp_path) == (last.with_name(PREVIOUS), 1)
    last.with_name(PREVIOUS).write_bytes(b"")
    with pytest.raises(InputError, match="No checkpoint to resume from"):
        find_whole(tmp_path)
    assert find_whole(tmp_path / "elsewhere") is None


def test_a_file_where_the_folder_should_be_is_a_storage_error(tmp_path):
    (tmp_path / "checkpoints").write_text("in the way")
    with pytest.raises(StorageError, match="checkpoints"):
        save(tmp_path)


@pytest.mark.parametrize("options", [{"minutes": -1}, {"minutes": float("nan")}, {"steps": 0}])
def test_options_out_of_range_are_rejected(options):
    with pytest.raises(InputError, match=r"checkpoint\.minutes"):
        LatestCheckpoint(**options)


def save_for_ever(folder, first):
    os.environ["TMPDIR"] = str(OTHER_FILE_SYSTEM)
    for step in range(first, 10**9):
        save(Path(folder), step, size=200_000)


def kill_while_saving(folder, kills):
    """Kill a process that does nothing but save, again and again; return how many left a checkpoint that loads."""
    rng, survived, mid_save, step = random.Random(0), 0, 0, 1
    for _ in range(kills):
        process = CONTEXT.Process(target=save_for_ever, args=(str(folder), step + 1))
        process.start()
        deadline = time.monotonic() + 60
        while find_step(folder, "ignore") <= step:  # it looks while the other renames
            assert time.monotonic() < deadline
            time.sleep(0.005)
        time.sleep(rng.uniform(0, 0.05))
        process.kill()
        process.join()
        mid_save += bool(list((folder / "checkpoints").glob(".*")))
        for leftover in (folder / "checkpoints").glob(".*"):
            leftover.unlink()
        found = find_step(folder, "error")  # none is broken, at most missing between two renames
        survived += found > step
        step = found
    return survived, mid_save


def find_step(folder, warning):
    with warnings.catch_warnings():
        warnings.simplefilter(warning)
        found = find_whole(folder)
    return found[1] if found else 0


@pytest.mark.parametrize("kills", [3, pytest.param(100, marks=pytest.mark.chaos)])
@pytest.mark.skipif(
    not OTHER_FILE_SYSTEM.is_dir(), reason=f"there is no {OTHER_FILE_SYSTEM}, to put TMPDIR on another file system"
)
def test_a_kill_while_saving_always_leaves_a_checkpoint_that_loads(tmp_path, kills, capsys):
    assert tmp_path.stat().st_dev != OTHER_FILE_SYSTEM.stat().st_dev
    save(tmp_path, 1, size=200_000)
    survived, mid_save = kill_while_saving(tmp_path, kills)
    with capsys.disabled():
        print(f"\n{survived} of {kills} kills while saving left a checkpoint that loads ({mid_save} within a write)")
    assert survived == kills
