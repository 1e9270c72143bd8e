"""Runs that are killed or stopped at any moment, and go on as if they hadn't been."""

import hashlib
import json
import random
import re
import shutil
import signal
import subprocess
from pathlib import Path

import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from hml.training.checkpoints import read_checkpoint
from tests.processes import DRAWN, OUTPUT, QUICK, STEPS, STEPS_AN_EPOCH, hml, start

RUN = Path("lightning_logs/sep_conf/version_0")
FIT = ["fit", *QUICK]
SLURM_RANKS = ("SLURM_PROCID", "SLURM_LOCALID", "SLURM_NODEID")
MOMENTS = ("start", "backward", "end", "writing", "renaming")
EDGES = [
    (STEPS_AN_EPOCH, "end"),
    (STEPS_AN_EPOCH, "epoch end"),
    (STEPS_AN_EPOCH, "epoch start"),
    (2 * STEPS_AN_EPOCH, "epoch start"),
    (STEPS, "fit end"),
    (STEPS, "test end"),
]


def draw_kills(number, seed=0):
    """Draw moments after the first checkpoint; epochs' edges and the middle of a save are among them."""
    rng = random.Random(seed)
    fixed = [*EDGES, (4, "writing"), (8, "renaming")]
    return fixed + [(rng.randrange(3, STEPS), rng.choice(MOMENTS)) for _ in range(number - len(fixed))]


def drawn(folder):
    """What each step drew; a step that was done twice must have drawn the same."""
    steps = {}
    for line in (folder / DRAWN).read_text().splitlines():
        content = json.loads(line)
        assert steps.setdefault(content["step"], content) == content
    return steps


def scalars(folder, tag):
    events = EventAccumulator(str(folder / RUN)).Reload()
    return [(event.step, event.value) for event in events.Scalars(tag)]


def assert_same(folder, reference):
    """Assert that a run ended as the uninterrupted one did, to the bit."""
    assert drawn(folder) == drawn(reference)
    mine, its = (read_checkpoint(where / RUN / "checkpoints/last.ckpt") for where in (folder, reference))
    assert mine["global_step"] == its["global_step"] == STEPS
    assert mine["epoch"] == its["epoch"]
    for name, weight in its["state_dict"].items():
        assert torch.equal(mine["state_dict"][name], weight), name
    momenta = [state["optimizer_states"][0]["state"] for state in (mine, its)]
    assert momenta[0].keys() == momenta[1].keys()
    for key, state in momenta[1].items():
        assert torch.equal(momenta[0][key]["momentum_buffer"], state["momentum_buffer"])
    assert mine["optimizer_states"][0]["param_groups"] == its["optimizer_states"][0]["param_groups"]
    assert mine["lr_schedulers"] == its["lr_schedulers"]
    assert torch.equal(mine["hml"]["rng"]["cpu"], its["hml"]["rng"]["cpu"])
    results = [json.loads((where / RUN / "metrics.json").read_text()) for where in (folder, reference)]
    for part in ("metrics", "scheme", "seed", "training", "recipe", "data"):
        assert results[0][part] == results[1][part]
    for tag in ("train/loss", "train/accuracy", "lr-SGD"):
        assert scalars(folder, tag) == scalars(reference, tag), tag
    assert not list((folder / RUN / "checkpoints").glob(".*"))


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory):
    folder = tmp_path_factory.mktemp("uninterrupted")
    assert hml(folder, *FIT) == 0, (folder / OUTPUT).read_text()
    return folder


@pytest.fixture(scope="module")
def killed_once(tmp_path_factory):
    """A folder with a run that was killed in its eleventh step."""
    folder = tmp_path_factory.mktemp("killed")
    assert hml(folder, *FIT, kill=(10, "backward")) == -signal.SIGKILL
    return folder


@pytest.fixture
def killed(killed_once, tmp_path):
    """A copy of it."""
    return Path(shutil.copytree(killed_once, tmp_path, dirs_exist_ok=True))


def survives(folder, reference, kill, send=signal.SIGKILL, code=-signal.SIGKILL, env=None):
    """Kill a run, let it go on, compare; return the step that it went on from."""
    assert hml(folder, *FIT, kill=kill, send=send, env=env) == code, (folder / OUTPUT).read_text()
    assert not (folder / RUN / "metrics.json").exists() or kill[1] == "test end"
    (folder / RUN / "metrics.json").unlink(missing_ok=True)
    assert hml(folder, *FIT, "--resume", "auto", env=env) == 0, (folder / OUTPUT).read_text()
    (step,) = re.findall(r"Resuming .* from step (\d+)", (folder / OUTPUT).read_text())
    assert_same(folder, reference)
    assert [path.name for path in (folder / RUN.parent).iterdir()] == [RUN.name]
    return int(step)


@pytest.mark.parametrize("kill", [(7, "backward"), (8, "renaming"), (9, "writing"), *EDGES[:2]], ids=str)
def test_a_killed_run_resumes_as_if_it_had_not_been(kill, uninterrupted, tmp_path):
    assert survives(tmp_path, uninterrupted, kill) > 0


@pytest.mark.chaos
def test_twenty_kills_of_twenty_are_survived(uninterrupted, tmp_path, capsys):
    survived = []
    for number, kill in enumerate(draw_kills(20)):
        folder = tmp_path / str(number)
        folder.mkdir()
        survived.append((survives(folder, uninterrupted, kill), *kill))
    assert all(step > 0 for step, *_ in survived)
    with capsys.disabled():
        print(f"\n{len(survived)} of 20 kills survived, 0 differences: " + "; ".join(map(str, survived)))


@pytest.mark.parametrize("moment", [(5, "start"), *EDGES[:2]], ids=str)
def test_sigterm_saves_and_exits_with_143(moment, uninterrupted, tmp_path):
    step = survives(tmp_path, uninterrupted, moment, signal.SIGTERM, 143)
    assert step == moment[0] + (moment[1] == "start"), "it goes on from the very step that it was stopped after"


def test_usr1_in_a_slurm_job_saves_the_run_and_no_stray_file_is_loaded(uninterrupted, tmp_path):
    job = {f"SLURM_{name}": "0" for name in ("PROCID", "LOCALID", "NODEID")} | {
        "SLURM_JOB_ID": "7",
        "SLURM_NTASKS": "1",
    }
    # Lightning would start every run in this folder from it, and load it before the test after fit.
    shutil.copy(uninterrupted / RUN / "checkpoints/previous.ckpt", tmp_path / "hpc_ckpt_1.ckpt")
    assert survives(tmp_path, uninterrupted, (8, "start"), signal.SIGUSR1, 143, job) == 9
    assert [path.name for path in tmp_path.rglob("hpc*")] == ["hpc_ckpt_1.ckpt"]


def test_a_run_that_its_time_limit_stopped_resumes_exactly(uninterrupted, tmp_path):
    assert hml(tmp_path, *FIT, "--trainer.max_time", "00:00:00:00") == 7
    told = (tmp_path / OUTPUT).read_text()
    assert "max_time 00:00:00:00 is up after 0.167 epochs, 1 steps" in told
    assert "--resume auto" in told
    assert not (tmp_path / RUN / "metrics.json").exists()
    assert hml(tmp_path, *FIT, "--resume", "must", "--trainer.max_time", "00:00:00:00") == 7
    assert "is up after 0.333 epochs, 2 steps" in (tmp_path / OUTPUT).read_text(), "each process has the whole time"
    assert hml(tmp_path, *FIT, "--resume", "must") == 0
    assert_same(tmp_path, uninterrupted)


def test_a_run_that_stopped_early_does_not_train_on_when_its_test_is_repeated(tmp_path):
    stop = {"monitor": "train/loss", "stopping_threshold": "1e9", "check_on_train_epoch_end": "true"}
    flags = [part for key, value in stop.items() for part in (f"--trainer.callbacks.{key}", value)]
    early = [*FIT, "--trainer.callbacks", "EarlyStopping", *flags]
    assert hml(tmp_path, *early, kill=(STEPS_AN_EPOCH, "fit end")) == -signal.SIGKILL
    assert hml(tmp_path, *early, "--resume", "must") == 0
    training = json.loads((tmp_path / RUN / "metrics.json").read_text())["training"]
    assert training == {"epochs": 1.0, "steps": STEPS_AN_EPOCH, "stopped_by": "EarlyStopping (train/loss)"}
    assert max(drawn(tmp_path)) == STEPS_AN_EPOCH


def test_a_run_that_is_killed_twice_resumes_twice(uninterrupted, killed):
    assert hml(killed, *FIT, "--resume", "must", kill=(14, "end")) == -signal.SIGKILL
    assert hml(killed, *FIT, "--resume", "must") == 0
    assert_same(killed, uninterrupted)


def test_a_broken_checkpoint_is_passed_over_loudly(uninterrupted, killed):
    last = killed / RUN / "checkpoints/last.ckpt"
    content = bytearray(last.read_bytes())
    content[len(content) // 2] ^= 1
    last.write_bytes(content)
    assert hml(killed, *FIT, "--resume", "auto") == 0
    told = (killed / OUTPUT).read_text()
    assert "last.ckpt: it was damaged: its sha256 is wrong" in told
    assert "Resuming from the previous one" in told
    assert_same(killed, uninterrupted)


def test_without_an_intact_checkpoint_nothing_is_resumed(killed):
    for name in ("last.ckpt", "previous.ckpt"):
        (killed / RUN / "checkpoints" / name).write_bytes(b"")
    assert hml(killed, *FIT, "--resume", "auto") == 2
    assert "No checkpoint to resume from" in (killed / OUTPUT).read_text()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (["--model.optimizer.lr", "0.05"], "recipe.model.optimizer.init_args.lr: 0.1 recorded, 0.05 requested"),
        (["--seed", "1"], "seed: 0 recorded, 1 requested"),
        (["--data.images.num_test", "34"], "recipe.data.images.init_args.num_test: 33 recorded, 34 requested"),
    ],
)
def test_another_config_is_rejected_with_the_difference(change, said, killed):
    before = sorted((killed / RUN / "checkpoints").iterdir())
    for resume in (["must"], ["auto", "--run_folder", str(RUN)]):
        assert hml(killed, *FIT, *change, "--resume", *resume) == 2
        told = (killed / OUTPUT).read_text()
        assert said in told
        assert "Traceback" not in told
        (killed / OUTPUT).unlink()
    assert sorted((killed / RUN / "checkpoints").iterdir()) == before


@pytest.mark.parametrize("part", ["code", "data"])
def test_other_code_and_other_data_are_rejected_with_the_difference(part, killed):
    record = json.loads((killed / RUN / "run.json").read_text())
    record[part] |= {"hml": "0"} if part == "code" else {"files": {"hmix.csv": "0"}}
    (killed / RUN / "run.json").write_text(json.dumps(record))
    assert hml(killed, *FIT, "--resume", "auto") == 2
    told = (killed / OUTPUT).read_text()
    said = {"code": "code.hml: '0' recorded", "data": "data.files.hmix.csv: '0' recorded, nothing requested"}
    assert said[part] in told
    assert "--ckpt_path" in told


def test_a_run_can_be_resumed_with_another_config_on_request(killed):
    checkpoint = killed / RUN / "checkpoints/last.ckpt"
    args = ["--trainer.gradient_clip_val", "2.0", "--ckpt_path", str(checkpoint)]
    assert hml(killed, *FIT, *args) == 0
    recipe = json.loads((killed / RUN.parent / "version_1/metrics.json").read_text())["recipe"]
    assert recipe["from"] == {"sha256": hashlib.sha256(checkpoint.read_bytes()).hexdigest()}
    assert min(drawn(killed)) == 1


def test_another_optimiser_than_the_checkpoints_is_rejected(killed):
    checkpoint = ["--ckpt_path", str(RUN / "checkpoints/last.ckpt")]
    for other in (["--model.optimizer.lr", "0.05"], ["--model.optimizer", "torch.optim.Adam"]):
        assert hml(killed, *FIT, *other, *checkpoint) == 2
    told = (killed / OUTPUT).read_text()
    assert "init_args.lr: 0.1 recorded, 0.05 requested" in told
    assert "Traceback" not in told


def test_a_resumed_run_is_compared_by_its_threads_and_uses_as_many(killed):
    record = json.loads((killed / RUN / "run.json").read_text())
    assert record["threads"] == 1
    (killed / RUN / "run.json").write_text(json.dumps(record | {"threads": 3}))
    assert hml(killed, *FIT, "--resume", "auto", "--threads", "1") == 2
    told = (killed / OUTPUT).read_text()
    assert "threads: 3 recorded, 1 requested" in told
    assert "set --threads 3" in told
    assert hml(killed, *FIT, "--resume", "auto", env={"OMP_NUM_THREADS": None}) == 0
    assert "Using 3 threads, as this run did before." in (killed / OUTPUT).read_text()
    assert json.loads((killed / RUN / "metrics.json").read_text())["threads"] == 3


def test_a_damaged_run_json_is_reported(killed):
    (killed / RUN / "run.json").write_text("{")
    assert hml(killed, *FIT, "--resume", "auto", "--trainer.max_epochs", "1") == 0
    assert "run.json is damaged" in (killed / OUTPUT).read_text()


@pytest.mark.parametrize("done", [True, False])
def test_another_runs_folder_is_rejected_before_anything_is_written(done, uninterrupted, killed):
    run = (uninterrupted if done else killed) / RUN
    before = times(run)
    assert hml(killed, *FIT, "--run_folder", str(run)) == 5
    told = (killed / OUTPUT).read_text()
    assert ("a finished run" in told) == done
    assert ("--resume auto" in told) != done
    assert times(run) == before


def test_auto_takes_up_no_run_that_is_done_or_another_and_must_wants_one(uninterrupted, tmp_path):
    shutil.copytree(uninterrupted, tmp_path, dirs_exist_ok=True)
    assert hml(tmp_path, *FIT, "--resume", "must") == 2
    assert "no unfinished run of this recipe and seed" in (tmp_path / OUTPUT).read_text()
    assert hml(tmp_path, *FIT, "--resume", "auto", "--trainer.max_epochs", "1") == 0
    assert (tmp_path / RUN.parent / "version_1/metrics.json").is_file()


def test_resuming_is_not_done_unasked(killed):
    assert hml(killed, *FIT, "--trainer.max_epochs", "1") == 0
    assert "Resuming" not in (killed / OUTPUT).read_text()
    assert (killed / RUN.parent / "version_1/metrics.json").is_file()
    assert not (killed / RUN / "metrics.json").exists()


def test_a_run_stopped_before_its_first_checkpoint_starts_again_in_its_folder(uninterrupted, tmp_path):
    folder = ["--run_folder", str(RUN), "--resume", "auto"]
    assert hml(tmp_path, *FIT, *folder, kill=(1, "backward")) == -signal.SIGKILL
    assert hml(tmp_path, *FIT, *folder) == 0
    assert_same(tmp_path, uninterrupted)


def is_stopped(process):
    """Tell whether a process has stopped itself, and so writes no more."""
    return Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()[0] == "T"


def times(folder):
    """Tell when each of a folder's files was last written, but for the lock, which is empty."""
    return {path: path.stat().st_mtime_ns for path in folder.rglob("*") if path.name != ".lock"}


def test_the_second_run_in_a_folder_exits_with_5_and_the_first_continues(uninterrupted, tmp_path):
    # The first stops itself in the middle of a step, and so has the folder for as long as it takes.
    first = start(tmp_path, *FIT, "--run_folder", str(RUN), kill=(7, "backward"), send=signal.SIGSTOP)
    try:
        while not is_stopped(first):
            first.join(0.1)
            assert first.is_alive()
        before = times(tmp_path / RUN)
        for resume in ("never", "auto"):
            assert hml(tmp_path, *FIT, "--run_folder", str(RUN), "--resume", resume) == 5
        assert hml(tmp_path, *FIT, "--resume", "must") == 2, "a run that is going on isn't unfinished"
        assert times(tmp_path / RUN) == before
        told = (tmp_path / OUTPUT).read_text()
        assert "Another run writes into" in told
        assert "Traceback" not in told
    finally:
        first.kill()
        first.join()
    # A process that dies lets go of its folder.
    assert hml(tmp_path, *FIT, "--run_folder", str(RUN), "--resume", "must") == 0
    assert_same(tmp_path, uninterrupted)


def test_two_runs_started_at_once_take_folders_of_their_own(tmp_path):
    both = [start(tmp_path, *FIT, "--seed", seed, "--trainer.max_epochs", "1") for seed in "12"]
    for process in both:
        process.join(120)
    assert [process.exitcode for process in both] == [0, 0]
    results = [json.loads(path.read_text()) for path in sorted(tmp_path.rglob("metrics.json"))]
    assert sorted(result["seed"] for result in results) == [1, 2]


def test_a_full_disk_exits_with_6_and_the_earlier_checkpoint_stays(uninterrupted, killed):
    last = killed / RUN / "checkpoints/last.ckpt"
    before, limit = last.read_bytes(), last.stat().st_size - 10_000
    assert hml(killed, *FIT, "--resume", "auto", limit_bytes=limit) == 6
    told = (killed / OUTPUT).read_text()
    assert "Can't write" in told
    assert "File too large" in told
    assert "Traceback" not in told
    assert last.read_bytes() == before
    assert hml(killed, *FIT, "--resume", "auto") == 0
    assert_same(killed, uninterrupted)


def test_a_disk_mounted_read_only_exits_with_6_and_the_earlier_checkpoint_stays(tmp_path):
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "none", disk], capture_output=True, check=False)
    if mounted.returncode != 0:
        pytest.skip(f"mounting needs root: {mounted.stderr.decode().strip()}")
    try:
        args = [*FIT, "--trainer.default_root_dir", str(disk)]
        assert hml(tmp_path, *args, kill=(10, "backward")) == -signal.SIGKILL
        subprocess.run(["mount", "-o", "remount,ro", disk], check=True)
        before = (disk / RUN / "checkpoints/last.ckpt").read_bytes()
        assert hml(tmp_path, *args, "--resume", "auto") == 6
        assert "Traceback" not in (tmp_path / OUTPUT).read_text()
        assert (disk / RUN / "checkpoints/last.ckpt").read_bytes() == before
    finally:
        subprocess.run(["umount", "-l", disk], check=True)


def test_a_file_where_the_checkpoints_go_exits_with_6(tmp_path):
    (tmp_path / RUN).mkdir(parents=True)
    (tmp_path / RUN / "checkpoints").write_text("in the way")
    assert hml(tmp_path, *FIT, "--run_folder", str(RUN)) == 6
    assert "Traceback" not in (tmp_path / OUTPUT).read_text()
    assert (tmp_path / RUN / "checkpoints").read_text() == "in the way"
