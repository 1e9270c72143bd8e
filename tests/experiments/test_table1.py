"""`hml table1` as its users call it, on the demo's data with a tiny network."""

import contextlib
import csv
import json
import os
import re
import shutil
import signal
import time
from pathlib import Path
from typing import ClassVar

import pytest

from hml.cli import main
from hml.experiments import slots
from hml.experiments.progress import Progress
from hml.files.locks import claim
from hml.training.hardware import machine_threads
from tests import processes
from tests.commands import rejected

CONFIGS = Path(__file__).parents[2] / "configs"
QUICK = [
    *("--config", str(CONFIGS / "demo.yaml")),
    *("--data.images.num_train", "60", "--data.images.num_test", "33", "--data.mixed.images_per_pair", "1"),
    *("--trainer.max_epochs", "1", "--trainer.accelerator", "cpu", "--calibration.bin_size", "10"),
    *("--model.network", "tests.networks.Tiny", "--trainer.precision", "32-true"),
]
TWO = ["--schemes", "mixup,sep_conf", "--seeds", "0,1", "--root", "study"]

DIES = """\
import os
from torch import nn
class Dies(nn.Linear):
    def forward(self, image):
        os._exit(9)
"""


@pytest.fixture(autouse=True)
def stand_in_an_empty_folder(tmp_path, monkeypatch, without_drawing):
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def tests_importable(tmp_path, monkeypatch):
    """Let Python processes that a test starts import the tiny network, and not search their imports for garbage."""
    (tmp_path / "site").mkdir()
    (tmp_path / "site/sitecustomize.py").write_text("import gc\ngc.disable()\n")
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path / 'site'}{os.pathsep}{CONFIGS.parent}", prepend=os.pathsep)


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A folder with a finished study of two schemes and two seeds."""
    root = tmp_path_factory.mktemp("finished") / "study"
    assert main(["table1", *QUICK, *TWO[:-1], str(root)]) == 0
    return root


@pytest.fixture
def study(finished):
    """A copy of it, called `study`, where one stands."""
    return Path(shutil.copytree(finished, "study"))


def times(root):
    return {path.parent: path.stat().st_mtime_ns for path in root.glob("*/*/metrics.json")}


def metrics(folder):
    return json.loads((folder / "metrics.json").read_text())["metrics"]


def alike(one, other):
    """Tell whether two runs on another number of threads came to the same, but for rounding."""
    names = ("test/cross_entropy", "test/fgsm_cross_entropy", "test/rms_calibration_full")
    return [metrics(one)[name] for name in names] == pytest.approx([metrics(other)[name] for name in names], abs=5e-4)


def test_two_schemes_at_two_seeds_make_a_table(study):
    rows = list(csv.DictReader((study / "table1.csv").read_text().splitlines()))
    row = next(row for row in rows if (row["scheme"], row["metric"]) == ("sep_conf", "test/cross_entropy"))
    values = [metrics(study / "sep_conf" / f"seed_{seed}")["test/cross_entropy"] for seed in (0, 1)]
    assert float(row["mean"]) == pytest.approx(sum(values) / 2, rel=1e-12)
    assert float(row["standard_error"]) == pytest.approx(abs(values[0] - values[1]) / 2, rel=1e-9)
    assert "| sep_conf" in (study / "table1.md").read_text()
    assert r"\bottomrule" in (study / "table1.tex").read_text()
    assert (study / "table1.png").stat().st_size > 10_000
    assert len((study / "runs.csv").read_text().splitlines()) == 5
    over_images = next(row for row in rows if row["random"] == "seeds and images" and row["scheme"] == "sep_conf")
    assert float(over_images["mean"]) == pytest.approx(float(row["mean"]), rel=1e-12)
    assert float(over_images["mean_high"]) >= float(row["mean_high"]) - 1e-9
    assert "No intervals over test images" not in (study / "table1.md").read_text()


def test_a_run_of_a_table_is_what_hml_fit_gives(finished):
    for name in ("mixup", "sep_conf"):
        assert main(["fit", "--config", str(CONFIGS / f"{name}.yaml"), *QUICK, "--seed", "1"]) == 0
        alone = Path("lightning_logs") / name / "version_0"
        assert metrics(alone) == metrics(finished / name / "seed_1")


def test_runs_that_are_done_are_not_run_again(study, capsys):
    before = times(study)
    assert main(["table1", *QUICK, *TWO, "--fgsm.num_pictures", "2"]) == 0  # pictures make no other run
    assert times(study) == before
    assert "4 of 4 runs are already finished" in capsys.readouterr().out


def test_a_study_grows_by_a_seed_and_mends_what_was_cut_short(study, caplog):
    (study / "mixup/seed_0/metrics.json").unlink()
    (study / "mixup/seed_1/metrics.json").write_text('{"metrics": {')
    before = times(study)
    assert main(["table1", *QUICK, *TWO, "--schemes", "mixup", "--seeds", "0..2"]) == 0
    assert re.search(r"seed_1.metrics\.json is damaged", caplog.text)
    after = times(study)
    run_again = {str(folder.relative_to(study)) for folder in after if after[folder] != before.get(folder)}
    assert run_again == {"mixup/seed_0", "mixup/seed_1", "mixup/seed_2"}


def test_another_recipe_is_rejected_with_the_difference_and_redone_with_rerun(study, capsys):
    before = times(study)
    other = [*QUICK, "--model.optimizer.lr", "0.05", *TWO, "--schemes", "mixup", "--seeds", "0"]
    message = rejected(capsys, 2, "table1", *other)
    assert "model.optimizer.init_args.lr: 0.1 recorded, 0.05 requested" in message
    assert "--rerun" in message
    assert times(study) == before
    assert main(["table1", *other, "--rerun"]) == 0
    after = times(study)
    assert [folder for folder in before if after[folder] != before[folder]] == [study / "mixup/seed_0"]


@pytest.mark.parametrize(
    "flags",
    [
        ("--trainer.max_steps", "5"),
        ("--trainer.callbacks+", "EarlyStopping", "--trainer.callbacks.monitor", "train/loss"),
        ("--trainer.limit_train_batches", "1"),
    ],
)
def test_whatever_changes_training_is_another_recipe(flags, study, capsys):
    assert "trainer." in rejected(capsys, 2, "table1", *QUICK, *TWO, *flags)


def test_a_rerun_that_dies_leaves_no_figures_of_the_earlier_recipe(finished, capsys, monkeypatch):
    shutil.copytree(finished, "study")
    monkeypatch.setattr("hml.experiments.worker.Worker.carry_out", lambda *args: None)
    assert main(["table1", *QUICK, *TWO, "--model.optimizer.lr", "0.05", "--rerun"]) == 1
    printed = capsys.readouterr().out
    assert "mixup: n = 0 of 2; seed 0 failed: It left no metrics.json" in printed


def test_testing_a_run_writes_beside_it_and_the_table_stays(study, capsys):
    run = study / "mixup/seed_0"
    before = (run / "metrics.json").read_bytes()
    checkpoint = str(run / "checkpoints/last.ckpt")
    for count in range(2):
        assert main(["test", "--config", str(run / "config.yaml"), "--ckpt_path", checkpoint]) == 0
        assert metrics(run / f"test/version_{count}") == metrics(run)
    assert (run / "metrics.json").read_bytes() == before
    assert not Path("lightning_logs").exists()
    capsys.readouterr()
    assert main(["table1", "--collect", "--root", "study"]) == 0
    assert len((study / "runs.csv").read_text().splitlines()) == 5


def test_other_data_are_another_recipe(study, capsys):
    assert "33 recorded, 34 requested" in rejected(capsys, 2, "table1", *QUICK, *TWO, "--data.images.num_test", "34")


@pytest.mark.usefixtures("study")
def test_a_users_strategy_joins_the_table_and_is_run_anew_when_its_code_changes(tmp_path, capsys):
    code = (
        "import torch\nfrom hml.labels import LabelStrategy\n\n\n"
        "class Always(LabelStrategy):\n"
        "    def label(self, example):\n"
        "        return example.two_hot(torch.tensor([1.0]))\n"
    )
    Path("my_table_labels.py").write_text(code)
    Path("always.yaml").write_text("scheme: always\ndata: {strategy: {class_path: my_table_labels.Always}}\n")
    asked = [*QUICK, "--schemes", "mixup,sep_conf,always.yaml", *TWO[2:]]
    assert main(["table1", *asked]) == 0
    assert "| always" in capsys.readouterr().out
    Path("my_table_labels.py").write_text(code.replace("1.0", "0.9"))
    assert processes.hml(tmp_path, "table1", *asked) == 2
    assert "code.my_table_labels.Always" in Path(processes.OUTPUT).read_text()
    # Within a process what was imported is what runs, so that is what is compared.
    assert main(["table1", *asked]) == 0


def test_a_run_that_fails_stops_no_other_and_is_told(capsys):
    diverges = "model: {optimizer: {class_path: torch.optim.SGD, init_args: {lr: 1.0e+30}}}\n"
    diverges += "trainer: {gradient_clip_val: null}\n"
    Path("diverges.yaml").write_text(f"scheme: diverges\ndata: {{strategy: hml.labels.MixupLabels}}\n{diverges}")
    Path("sep.yaml").write_text("scheme: sep\ndata: {strategy: hml.labels.SeparateLabels}\n")
    asked = [*QUICK, "--schemes", "diverges.yaml,sep.yaml", "--seeds", "5", "--root", "study"]
    assert main(["table1", *asked]) == 4
    printed = capsys.readouterr().out
    assert "diverges: n = 0 of 1; seed 5 failed: The training loss is nan" in printed
    assert metrics(Path("study/sep/seed_5"))
    # Looking again says the same, and trying again tries again.
    assert main(["table1", "--collect", "--root", "study"]) == 4
    assert "diverges: n = 0 of 1; seed 5 failed: The training loss is nan" in capsys.readouterr().out


@contextlib.contextmanager
def in_use(folder):
    """Have a run's folder as another process has it that trains there."""
    folder.mkdir(parents=True)
    (folder / "precious").write_text("")
    with claim(folder / ".lock", "…"):
        yield
    assert {path.name for path in folder.iterdir()} == {"precious", ".lock"}


def test_a_folder_in_use_is_left_alone_and_stops_no_other_run(finished, capsys):
    run = Path("study/mixup/seed_0")
    for done in ("mixup/seed_1", "sep_conf/seed_0"):
        shutil.copytree(finished / done, Path("study") / done)
    with in_use(run):
        assert main(["table1", *QUICK, *TWO]) == 5
        printed = capsys.readouterr().out
        assert "mixup: n = 1 of 2; seed 0 failed: Another run writes into study/mixup/seed_0" in printed
        assert "| sep_conf | 2 |" in printed
        # It isn't known as failed: what comes of it is the other process's to say.
        assert main(["table1", "--collect", "--root", "study"]) == 0
        assert "mixup: n = 1 of 2; 1 not run" in capsys.readouterr().out
    shutil.copy(finished / "mixup/seed_0/metrics.json", run)
    assert main(["table1", *QUICK, *TWO]) == 0
    assert "4 of 4 runs are already finished" in capsys.readouterr().out


def test_slots_give_what_one_process_gives_and_outlive_a_death(finished, capsys, monkeypatch):
    told = []
    monkeypatch.setattr(slots, "_SECONDS_BETWEEN_LOOKS", 0.02)
    # The other tests' processes are forked from the same one, which has imported more.
    monkeypatch.setattr(processes.CONTEXT, "set_forkserver_preload", lambda modules: None)
    monkeypatch.setattr(Progress, "advance", lambda self, share: told.append(share))
    Path("dies.py").write_text(DIES)
    Path("dies.yaml").write_text(
        "scheme: dies\ndata: {strategy: hml.labels.MixupLabels}\n"
        "model: {network: {class_path: dies.Dies, init_args: {in_features: 1, out_features: 1}}}\n"
    )
    network = QUICK.index("--model.network")
    tiny = (CONFIGS / "sep_conf.yaml").read_text() + "model: {network: tests.networks.Tiny}\n"
    Path("sep_conf.yaml").write_text(tiny)
    overlay = (CONFIGS / "demo.yaml").read_text()
    start = overlay.index("  network:")
    Path("demo.yaml").write_text(overlay[:start] + overlay[overlay.index("  lr_scheduler:") :])
    quick = ["--config", "demo.yaml", *QUICK[2:network], *QUICK[network + 2 :], "--trainer.logger", "false"]
    asked = [*quick, "--schemes", "dies.yaml,sep_conf.yaml", *TWO[2:], "--slots", "2"]
    with in_use(Path("study/dies/seed_1")):
        assert main(["table1", *asked]) == 1
    printed = capsys.readouterr().out
    assert f"2 runs at a time, at most {max(1, machine_threads() // 2)} thread" in printed
    assert "dies: n = 0 of 2; seed 0 failed: Its process was killed" in printed
    assert "; seed 1 failed: Another run writes into" in printed
    assert 1 <= max(told) <= 2, "each run has one epoch"
    for seed in (0, 1):
        assert alike(Path("study/sep_conf") / f"seed_{seed}", finished / "sep_conf" / f"seed_{seed}")
    # Seeds lie farther apart, so that alike means something.
    assert not alike(finished / "sep_conf/seed_0", finished / "sep_conf/seed_1")


PREEMPTED = """\
import os
import signal
from pathlib import Path
from lightning.pytorch import Callback
class Once(Callback):
    def on_train_batch_end(self, trainer, *args):
        strategy = type(trainer.datamodule.strategy).__name__
        with Path(strategy).open("a") as file:
            file.write(f"{trainer.global_step} ")
        if strategy == "SeparateLabels" and trainer.global_step == 2 and not Path("preempted").exists():
            Path("preempted").touch()
            os.kill(os.getpid(), signal.SIGUSR2)
"""


@pytest.mark.usefixtures("tests_importable")
def test_a_cluster_job_that_is_preempted_resumes_where_it_was(finished):
    Path("preempted_once.py").write_text(PREEMPTED)
    asked = [*QUICK, "--schemes", "mixup,sep_conf", "--seeds", "0", "--root", "study"]
    asked += ["--cluster", "local", "--chunk", "2", "--job", "timeout_min=5"]
    asked += ["--checkpoint.minutes", "0", "--checkpoint.steps", "1", "--trainer.callbacks", "preempted_once.Once"]
    asked += ["--trainer.logger", "CSVLogger", "--trainer.logger.save_dir", "csv", "--fgsm.num_pictures", "0"]
    assert main(["table1", *asked]) == 0
    for run in ("mixup/seed_0", "sep_conf/seed_0"):
        assert alike(Path("study") / run, finished / run)
    # The job that was preempted in its second run is requeued, keeps the first, and resumes the second.
    assert Path("MixupLabels").read_text().split() == ["1", "2", "3"]
    assert Path("SeparateLabels").read_text().split() in (["1", "2", "2", "3"], ["1", "2", "3"])
    assert list(Path("csv").rglob("metrics.csv"))


class Done:
    """A job of submitit's that has ended."""

    def __init__(self, number, ended):
        self.job_id, self.ended = str(number), ended

    def done(self):
        return True

    def exception(self):
        return None

    def result(self):
        return self.ended


class InProcess:
    """What hml uses of submitit's executor; carries jobs out at once, in this process."""

    chunks: ClassVar[list[int]] = []

    def __init__(self, folder, cluster):
        assert (Path(folder).name, cluster) == ("jobs", "slurm")

    def update_parameters(self, **parameters):
        assert parameters == {"timeout_min": 5, "gpus_per_node": 1}

    def map_array(self, job, chunks):
        InProcess.chunks = [len(runs) for runs in chunks]
        return [Done(number, job(runs)) for number, runs in enumerate(chunks)]


def test_jobs_of_a_cluster_are_given_their_share_of_the_runs(finished, capsys, monkeypatch):
    monkeypatch.setattr("submitit.AutoExecutor", InProcess)
    asked = [*QUICK, *TWO, "--cluster", "slurm", "--chunk", "2", "--job", "timeout_min=5", "--job", "gpus_per_node=1"]
    with in_use(Path("study/sep_conf/seed_1")):
        assert main(["table1", *asked]) == 5
    assert InProcess.chunks == [2, 1]  # without the run that is in use
    assert "sep_conf: n = 1 of 2; seed 1 failed: Another run writes into" in capsys.readouterr().out
    for run in ("mixup/seed_0", "mixup/seed_1", "sep_conf/seed_0"):
        assert metrics(Path("study") / run) == metrics(finished / run)


@pytest.mark.usefixtures("tests_importable")
def test_a_run_on_several_devices_is_a_process_of_its_own(monkeypatch):
    monkeypatch.setenv("GLOO_SOCKET_IFNAME", "lo")
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    asked = [*QUICK, "--schemes", "mixup", "--seeds", "0", "--root", "study", "--trainer.logger", "false"]
    assert main(["table1", *asked, "--trainer.devices", "2", "--trainer.strategy", "ddp"]) == 0
    recipe = json.loads(Path("study/mixup/seed_0/metrics.json").read_text())["recipe"]
    assert recipe["trainer"]["devices"] == "2"


def test_collect_reads_what_is_there(study, capsys):
    shutil.rmtree(study / "mixup/seed_1")
    for lock in study.glob("*/seed_*/.lock"):
        lock.unlink()
    before, files = times(study), sorted(study.glob("*/**/*"))
    assert main(["table1", "--collect", "--root", "study", "--metric", "brier_score"]) == 0
    assert sorted(study.glob("*/**/*")) == files
    printed = capsys.readouterr().out
    assert "brier_score" in printed
    assert "mixup: n = 1 of 2; 1 not run" in printed
    assert times(study) == before
    assert main(["table1", "--collect", "--root", "study", "--schemes", "sep_conf", "--seeds", "1"]) == 0
    assert "| sep_conf | 1 |" in capsys.readouterr().out


def test_collect_compares_to_the_baseline_that_is_named(study, capsys):
    assert main(["table1", "--collect", "--root", "study", "--baseline", "sep_conf"]) == 0
    assert "| minus sep_conf |" in capsys.readouterr().out
    rows = csv.DictReader((study / "table1.csv").read_text().splitlines())
    assert {row["scheme"] for row in rows if row["minus_sep_conf"]} == {"mixup"}
    message = rejected(capsys, 2, "table1", "--collect", "--root", "study", "--baseline", "sep")
    assert "--baseline sep is not one of the table's schemes: mixup, sep_conf." in message


@pytest.mark.parametrize(
    "flags",
    [
        ("--cohort", "paper"),
        ("--config", "x.yaml"),
        ("--rerun",),
        ("--slots", "0"),
        ("--cluster", "local"),
        ("--chunk", "5"),
        ("--job", "timeout_min=5"),
        ("--data.batch_size", "3"),
    ],
)
def test_collecting_rejects_flags_of_running(flags, capsys):
    Path("study/mixup/seed_0").mkdir(parents=True)
    assert f"remove {flags[0]}" in rejected(capsys, 2, "table1", "--collect", "--root", "study", *flags)


def test_collecting_needs_no_data(study, capsys):
    assert "no runs in elsewhere" in rejected(capsys, 2, "table1", "--collect", "--root", "elsewhere")
    assert "brier_score" in rejected(capsys, 2, "table1", "--collect", "--root", "study", "--metric", "nll")


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["--schemes", "mixpu"], "mixup"),
        (["--seeds", "4..0"], "seeds="),
        (["--seed", "3"], "--seeds"),
        (["--data.bath_size", "3"], "data.batch_size"),
        (["--slots", "0"], "--slots 0"),
        (["--cohort", "all"], "cohort"),
        (["--eval_after_fit", "false"], "--eval_after_fit"),
        (["--config", "untested.yaml"], "eval_after_fit"),
        (["--config", "escape.yaml"], "scheme='../escape'"),
        (["--slots", "2", "--trainer.devices", "2"], "--slots"),
        (["--baseline", "sep"], "--baseline sep is not one of the table's schemes: mixup."),
        (["--job", "timeout_min=5"], "--job has no effect without --cluster"),
        (["--chunk", "5", "--job", "timeout_min=5"], "--chunk --job has no effect without --cluster"),
        (["--slots", "2", "--cluster", "local"], "--slots has no effect with --cluster"),
        (["--chunk", "0", "--cluster", "local"], "--chunk 0"),
        (["--job", "timeout", "--cluster", "local"], "KEY=VALUE"),
        (["--job", "comment=[", "--cluster", "local"], "--job comment=[: its value is not YAML"),
        (["--job", "nonsense=3", "--cluster", "local"], "nonsense"),
    ],
)
def test_wrong_input_is_rejected_before_anything_runs(args, said, capsys):
    Path("untested.yaml").write_text("eval_after_fit: false")
    Path("escape.yaml").write_text("scheme: ../escape")
    assert said in rejected(capsys, 2, "table1", *QUICK, "--root", "study", "--schemes", "mixup", "--seeds", "0", *args)
    assert not list(Path().rglob("metrics.json"))


def test_a_root_that_is_a_file_is_rejected(capsys):
    Path("study").write_text("in the way")
    assert "study" in rejected(capsys, 6, "table1", *QUICK, *TWO)


def test_two_configs_of_one_name_are_rejected(capsys):
    Path("mine.yaml").write_text((CONFIGS / "mixup.yaml").read_text())
    assert "mine.yaml" in rejected(capsys, 2, "table1", *QUICK, "--schemes", "mixup,mine.yaml", "--root", "study")


def test_a_second_study_in_the_same_folder_is_rejected(capsys):
    Path("study").mkdir()
    with claim(Path("study/.lock"), "…"):
        assert "--root" in rejected(capsys, 5, "table1", *QUICK, *TWO)


NAMED = """\
import os
from pathlib import Path
from lightning.pytorch import Callback
class Named(Callback):
    def on_train_batch_end(self, *args):
        Path(f"{os.getpid()}.pid").touch()
"""


@contextlib.contextmanager
def start_endless_study(folder, number):
    """Start a study of two runs that don't end by themselves, and wait until each slot's process trains."""
    Path("named.py").write_text(NAMED)
    endless = ["--trainer.max_epochs", "9999", "--trainer.logger", "false", "--trainer.callbacks", "named.Named"]
    asked = [*QUICK, "--schemes", "mixup,sep_conf", "--seeds", "0", "--root", "study", "--slots", number]
    study = processes.start(folder, "table1", *asked, *endless)
    try:
        deadline = time.monotonic() + 600
        while len(list(Path().glob("*.pid"))) < int(number):
            assert study.is_alive(), Path(processes.OUTPUT).read_text()
            assert time.monotonic() < deadline
            time.sleep(0.2)
        yield study
    finally:
        study.kill()
        study.join()


@pytest.mark.parametrize("number", ["1", pytest.param("2", marks=pytest.mark.chaos)])
def test_ctrl_c_stops_a_study(number, tmp_path):
    with start_endless_study(tmp_path, number) as study:
        os.killpg(study.pid, signal.SIGINT)  # as a terminal does
        study.join(60)
        printed = Path(processes.OUTPUT).read_text()
        assert study.exitcode in processes.INTERRUPTED, printed
    assert "Traceback" not in printed
    assert not list(Path("study").glob("*/*/metrics.json"))


def test_no_slot_outlives_the_study_and_a_killed_slot_takes_only_its_run(tmp_path):
    with start_endless_study(tmp_path, "2") as study:
        first, *others = (int(path.stem) for path in Path().glob("*.pid"))
        os.kill(first, signal.SIGKILL)
        deadline = time.monotonic() + 60
        while not list(Path("study").glob("*/*/failed.json")):
            assert time.monotonic() < deadline
            time.sleep(0.2)
        (failed,) = Path("study").glob("*/*/failed.json")
        assert "killed" in failed.read_text()
        study.terminate()
        study.join(60)
        assert study.exitcode in (-signal.SIGTERM, 143)
        deadline = time.monotonic() + 60
        while any(Path(f"/proc/{child}").exists() for child in others):
            assert time.monotonic() < deadline, "a slot goes on without its study"
            time.sleep(0.2)


@pytest.fixture(scope="module")
def cut_short(tmp_path_factory):
    """A folder with a study of one run that was killed in its eleventh step of twelve, and the study's flags."""
    folder = tmp_path_factory.mktemp("cut_short")
    asked = ["table1", "--config", str(CONFIGS / "demo.yaml"), *processes.QUICK[4:], "--schemes", "sep", "--seeds", "0"]
    asked += ["--trainer.max_epochs", "2"]
    assert processes.hml(folder, *asked, kill=(10, "start")) == -signal.SIGKILL
    (folder / processes.DRAWN).unlink()
    return folder, asked


def resume(cut_short, folder, *others):
    """Give the study again, with these flags too, in a copy of its folder; return the first step that is trained."""
    stopped, asked = cut_short
    shutil.copytree(stopped, folder, dirs_exist_ok=True)
    assert processes.hml(folder, *asked, *others) == 0
    return json.loads((folder / processes.DRAWN).read_text().splitlines()[0])["step"]


def test_a_run_that_was_cut_short_goes_on_in_the_next_study(cut_short, tmp_path):
    assert resume(cut_short, tmp_path / "study") == 10, "the last save was after step 9"
    (tmp_path / "whole").mkdir()
    assert processes.hml(tmp_path / "whole", *cut_short[1]) == 0
    run = Path("lightning_logs/table1/sep/seed_0")
    assert metrics(tmp_path / "study" / run) == metrics(tmp_path / "whole" / run)


def test_a_run_that_was_cut_short_under_another_recipe_starts_anew(cut_short, tmp_path):
    assert resume(cut_short, tmp_path, "--model.optimizer.lr", "0.05") == 1


def test_a_run_that_its_time_limit_stopped_is_unfinished_and_resumed(capsys):
    asked = ["table1", *QUICK, "--schemes", "sep", "--seeds", "0", "--root", "study"]
    assert main([*asked, "--trainer.max_time", "00:00:00:00"]) == 7
    assert "sep: n = 0 of 1; seed 0 unfinished: --trainer.max_time 00:00:00:00 is up after" in capsys.readouterr().out
    begun = Path("study/sep/seed_0/run.json").stat().st_mtime_ns
    assert main(asked) == 0
    assert Path("study/sep/seed_0/run.json").stat().st_mtime_ns == begun, "it was resumed, not started again"
    assert "1 epoch in 32-true" in capsys.readouterr().out
