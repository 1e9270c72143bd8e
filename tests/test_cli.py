"""The command line as its users call it: real commands, their exit codes, and what they leave behind."""

import csv
import gc
import hashlib
import json
import logging
import math
import os
import re
import signal
import socket
import subprocess
import sys
import time
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml

from hml.cli import main
from hml.errors import InputError
from hml.experiments.schemes import CONTROLS, ON_THE_FLY, PAPER_SCHEMES
from hml.training import run as training
from hml.training.checkpoints import read_checkpoint
from hml.training.hardware import why_not_compile
from tests import processes
from tests.commands import rejected

ROOT = Path(__file__).parent.parent
CONFIGS = sorted((ROOT / "configs").glob("*.yaml"))
SCHEMES = [path for path in CONFIGS if "scheme:" in path.read_text()]
CROWD = ["reliable", "reliable_conf", "shrunk", "shrunk_conf"]
DEMO = ["--config", str(ROOT / "configs" / "demo.yaml")]
QUICK = [
    *("--data.images.num_train", "60", "--data.images.num_test", "33", "--data.mixed.images_per_pair", "1"),
    *("--trainer.max_epochs", "1", "--trainer.enable_progress_bar", "false", "--trainer.accelerator", "cpu"),
    *("--calibration.bin_size", "10"),
]
NARROW = ["--model.network.width", "2"]
TINY = ["--model.network", "tests.networks.Tiny"]
WHY_NOT_COMPILE = why_not_compile(torch.device("cpu"), steps=math.inf)

STUBBORN = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)[0]


def config(scheme):
    return ["--config", str(ROOT / "configs" / f"{scheme}.yaml")]


@pytest.fixture(autouse=True)
def stand_in_an_empty_folder(tmp_path, monkeypatch, without_drawing):
    monkeypatch.chdir(tmp_path)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A run folder of `hml fit` on the demo data."""
    root = tmp_path_factory.mktemp("trained")
    assert main(["fit", *config("sep_conf"), *DEMO, *QUICK, *TINY, "--trainer.default_root_dir", str(root)]) == 0
    return root / "lightning_logs" / "sep_conf" / "version_0"


RUN = "lightning_logs/sep_conf/version_0"


def test_every_scheme_and_overlay_is_known():
    assert [path.stem for path in SCHEMES] == sorted([*PAPER_SCHEMES, *CONTROLS, *ON_THE_FLY, *CROWD])
    for path in CONFIGS:
        assert path.read_text().startswith("# ")
    for path in SCHEMES:
        assert len(path.read_text().splitlines()) <= 15
        assert yaml.safe_load(path.read_text())["scheme"] == path.stem
        assert f"hml fit --config configs/{path.name}" in path.read_text().splitlines()[0]


@pytest.mark.parametrize("scheme", [path.stem for path in SCHEMES if path.stem not in ON_THE_FLY])
def test_every_scheme_trains_and_tests(scheme, capsys):
    assert main(["fit", *config(scheme), *DEMO, *QUICK, *TINY, "--seed", "3"]) == 0
    run = Path("lightning_logs") / scheme / "version_0"
    result = json.loads((run / "metrics.json").read_text())
    assert result["scheme"] == scheme
    assert result["seed"] == 3
    assert {"test/cross_entropy", "test/rms_calibration", "test/fgsm_cross_entropy", "test/accuracy"} <= set(
        result["metrics"]
    )
    assert result["data"]["train_rows"] == (60 if scheme.startswith("regular") else 105)
    assert (run / "checkpoints" / "last.ckpt").is_file()
    printed = capsys.readouterr().out
    assert f"{result['metrics']['test/cross_entropy']:.3f}" in printed
    assert "paper" not in printed  # its figures say nothing about made-up data


@pytest.mark.parametrize("precision", ["bf16-mixed", "16-mixed", "bf16-true"])
def test_lightnings_precisions_work(precision):
    # Lightning turns 16-mixed into bf16-mixed on a CPU, and says so.
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*fp16 is not supported on CPU")
        assert main(["fit", *config("sep_conf"), *DEMO, *QUICK, *NARROW, "--trainer.precision", precision]) == 0
    result = json.loads(Path("lightning_logs/sep_conf/version_0/metrics.json").read_text())
    assert result["recipe"]["trainer"]["precision"] == precision
    assert result["metrics"]["test/fgsm_cross_entropy"] > result["metrics"]["test/cross_entropy"]


@pytest.mark.parametrize("args", [[], ["fitt"], ["--config", "configs/sep_conf.yaml", "fit"]])
def test_a_run_out_of_python_without_a_subcommand_is_rejected(args):
    with pytest.raises(InputError, match=r"There is no subcommand .*: use one of fit, validate, test, predict"):
        training.prepare(args)


@pytest.mark.skipif(WHY_NOT_COMPILE is not None, reason=f"hml doesn't compile here: {WHY_NOT_COMPILE}")
def test_a_compiled_runs_checkpoint_loads_without_compiling():
    args = [*config("sep_conf"), *DEMO, *QUICK, *TINY]
    assert main(["fit", *args, "--model.compile", "true"]) == 0
    run = Path("lightning_logs/sep_conf/version_0")
    assert main(["test", *args, "--ckpt_path", str(run / "checkpoints/last.ckpt")]) == 0
    compiled, eager = (json.loads((folder / "metrics.json").read_text()) for folder in (run, run / "test/version_0"))
    assert compiled["metrics"] == pytest.approx(eager["metrics"], abs=1e-3)


def test_a_run_is_a_function_of_its_seed():
    for root, seed in (("a", "1"), ("b", "1"), ("c", "2")):
        assert (
            main(["fit", *config("sep"), *DEMO, *QUICK, *TINY, "--seed", seed, "--trainer.default_root_dir", root]) == 0
        )
    metrics = [
        json.loads((Path(root) / "lightning_logs/sep/version_0/metrics.json").read_text())["metrics"] for root in "abc"
    ]
    assert metrics[0] == metrics[1]
    assert metrics[0]["test/cross_entropy"] != metrics[2]["test/cross_entropy"]


def test_fit_without_a_test_leaves_no_metrics():
    assert main(["fit", *config("mixup"), *DEMO, *QUICK, *TINY, "--eval_after_fit=false"]) == 0
    assert not list(Path().rglob("metrics.json"))
    assert list(Path().rglob("last.ckpt"))


def test_testing_a_checkpoint_gives_what_fit_reported(trained):
    checkpoint = str(trained / "checkpoints/last.ckpt")
    args = ["--ckpt_path", checkpoint, "--run_folder", RUN]
    assert main(["test", *config("sep_conf"), *DEMO, *QUICK, *TINY, *args]) == 0
    again, first = (json.loads((run / "metrics.json").read_text()) for run in (Path(RUN), trained))
    assert again["metrics"] == first["metrics"]
    assert again["training"] == first["training"]
    assert first["training"]["steps"] > 0
    assert again["recipe"]["from"] == {"sha256": hashlib.sha256(Path(checkpoint).read_bytes()).hexdigest()}


def test_predict_writes_ids_and_probabilities_beside_the_run(trained, monkeypatch):
    monkeypatch.chdir(trained / "checkpoints")
    assert main(["predict", "--config", "../config.yaml", "--ckpt_path", "last.ckpt"]) == 0
    rows = list(csv.reader((trained / "predict/version_0/predictions.csv").read_text().splitlines()))
    assert rows[0][:3] == ["image_id", "label", "Vertical stripes"]
    assert [int(row[0]) for row in rows[1:]] == list(range(60, 93))
    assert all(abs(sum(map(float, row[2:])) - 1) < 1e-6 for row in rows[1:])
    asked = ["--format", "npz", "--run_folder", str(trained / "own")]
    assert main(["predict", "--config", "../config.yaml", "--ckpt_path", "last.ckpt", *asked]) == 0
    with np.load(trained / "own/predictions.npz") as arrays:
        np.testing.assert_allclose(arrays["probabilities"], np.array([row[2:] for row in rows[1:]], float), rtol=1e-6)


def test_validate_evaluates_held_out_images(trained, capsys):
    args = [*config("sep_conf"), *DEMO, *QUICK, *TINY, "--ckpt_path", str(trained / "checkpoints/last.ckpt")]
    assert "val_size" in rejected(capsys, 2, "validate", *args)
    # More plain images than endpoints, so that some are left to hold out.
    assert main(["validate", *args, "--data.images.num_train", "300", "--data.val_size", "20"]) == 0
    assert "val/cross_entropy" in capsys.readouterr().out


def test_held_out_images_have_their_figures_too(capsys):
    args = [*config("sep_conf"), *DEMO, *QUICK, *TINY, "--data.images.num_train", "300", "--data.val_size", "20"]
    assert main(["fit", *args]) == 0
    run = Path("lightning_logs/sep_conf/version_0")
    metrics = json.loads((run / "metrics.json").read_text())["metrics"]
    names = {name.removeprefix("test/") for name in metrics if name.startswith("test/")}
    assert {name.removeprefix("val/") for name in metrics if name.startswith("val/")} == names | {"loss"}
    assert main(["validate", *args, "--ckpt_path", str(run / "checkpoints/last.ckpt")]) == 0
    printed = re.search(r"val/cross_entropy\W+(\d\.\d+)", capsys.readouterr().out)
    assert float(printed[1]) == pytest.approx(metrics["val/cross_entropy"], abs=1e-6)


def test_a_strategy_beside_where_one_stands_works_and_names_the_run(caplog):
    assert len(STUBBORN.splitlines()) <= 15
    # An argument that it shares with the config's strategy is kept, which the log says; an earlier table may hide logs.
    caplog.set_level(logging.INFO, "lightning.pytorch")
    Path("my_labels.py").write_text(STUBBORN.replace("threshold: float", "gamma: float = 1, threshold: float"))
    assert main(["fit", *config("sep_conf"), *DEMO, *QUICK, *TINY, "--data.strategy", "my_labels.Stubborn"]) == 0
    result = json.loads(Path("lightning_logs/stubborn/version_0/metrics.json").read_text())
    assert result["scheme"] == "stubborn"
    assert result["recipe"]["data"]["strategy"]["class_path"] == "my_labels.Stubborn"
    assert "gamma=0.005" in caplog.text


def test_logging_and_checkpoints_can_be_switched_off():
    off = ["--trainer.logger", "false", "--trainer.enable_checkpointing", "false"]
    for version in ("version_0", "version_1"):
        assert main(["fit", *config("sep"), *DEMO, *QUICK, *TINY, *off]) == 0
        run = Path("lightning_logs/sep") / version
        assert json.loads((run / "metrics.json").read_text())["scheme"] == "sep"
        names = [".lock", "config.yaml", "metrics.json", "per_image.npz", "run.json"]
        assert sorted(path.name for path in run.iterdir()) == names


DULL = """\
from lightning.pytorch.loggers.logger import Logger
class Dull(Logger):
    name, version, save_dir = "dull", 0, "."
    def log_metrics(self, metrics, step=None):
        pass
    def log_hyperparams(self, params, *args, **kwargs):
        pass
"""


@pytest.mark.parametrize("folder", [[], ["--run_folder", "mine"]], ids=["numbered", "named"])
def test_hmls_own_files_are_in_its_own_folder_whatever_loggers_there_are(folder):
    Path("dull.py").write_text(DULL)
    loggers = "[{class_path: dull.Dull}, {class_path: CSVLogger, init_args: {save_dir: csv}}]"
    args = ["fit", *config("sep"), *DEMO, *QUICK, *TINY, "--trainer.logger", loggers, *folder]
    assert main(args) == 0
    run = Path(folder[1] if folder else "lightning_logs/sep/version_0")
    own = {".lock", "config.yaml", "run.json", "checkpoints", "metrics.json", "per_image.npz"}
    assert {path.name for path in run.iterdir()} == own
    assert {path.name for path in Path().iterdir()} - {"dull.py", "__pycache__"} == {"csv", run.parts[0]}
    (run / "metrics.json").unlink()
    assert main([*args, "--resume", "must"]) == 0
    assert {path.name for path in run.iterdir()} == own
    if not folder:
        assert main(args) == 0
        assert Path("lightning_logs/sep/version_1/metrics.json").is_file()


def test_a_slurm_job_of_several_tasks_without_srun_is_rejected_in_words(capsys, monkeypatch):
    for name, value in {"JOB_ID": "7", "NTASKS": "2", "PROCID": "0", "LOCALID": "0", "NODEID": "0"}.items():
        monkeypatch.setenv(f"SLURM_{name}", value)
    assert "--ntasks-per-node=2" in rejected(capsys, 2, "fit", *config("sep"), *DEMO, *QUICK, *TINY)


def test_a_scheme_given_on_the_command_line_is_kept():
    assert main(["fit", *config("sep"), *DEMO, *QUICK, *TINY, "--scheme", "mine", "--eval_after_fit=false"]) == 0
    assert Path("lightning_logs/mine/version_0").is_dir()


def test_configs_may_be_given_in_words_and_name_others():
    Path("few.yaml").write_text("batch_size: 16\nstrategy: hml.labels.SeparateLabels\n")
    Path("mine.yaml").write_text("scheme: mine\ndata: few.yaml\n")
    asked = [*DEMO, "--config", "mine.yaml", *QUICK, *TINY, "--config", "{seed_everything: 3}"]
    assert main(["fit", *asked, "--eval_after_fit=false"]) == 0
    record = json.loads(Path("lightning_logs/mine/version_0/run.json").read_text())
    assert (record["scheme"], record["seed"], record["recipe"]["data"]["batch_size"]) == ("mine", 3, 16)


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (
            ["--model.network.num_classes", "5"],
            "returns 5 logits, but the data have 10 classes: set --model.network.num_cl",
        ),
        (["--data.bath_size", "3"], "data.batch_size"),
        (["--data.strategy", "SeperateLabels"], "SeparateLabels"),
        (["--data.strategy", "nowhere.Stubborn"], "nowhere"),
        (["--data.strategy.gamma", "3"], "gamma=3"),
        (["--data.batch_size", "many"], "data.batch_size"),
        (["--data.label_draw", "smaple"], "sample"),
        (["--optimizer.lr", "0.5"], "model.optimizer"),
        (["--fgsm.epsilon", "-1"], "fgsm.epsilon"),
        (["--seed", "-1"], "seed=-1"),
        (["--config", "nowhere.yaml"], "nowhere.yaml"),
        (["--ckpt_path", "nowhere.ckpt"], "nowhere.ckpt"),
        (["--ckpt_path", "last"], "no checkpoint last"),
        (["--data.images.num_train", "3"], "num_train=3"),
        (["--data.mixed", "HMix", "--data.mixed.judgements", "nowhere.csv"], "nowhere.csv"),
        (["--data.val_size", "9999"], "val_size=9999"),
        (["--trainer.gradient_clip_val", ".inf"], "gradient_clip_val=inf is not a finite number"),
        (["--fgsm.epsilon", ".nan"], "epsilon=nan"),
        (["--trainer.limit_train_batches", "0"], "limit_train_batches 0"),
        (["--trainer.limit_test_batches", "0"], "limit_test_batches 0"),
        (["--trainer.accumulate_grad_batches", "0"], "accumulate_grad_batches 0"),
        (["--trainer.max_epochs", "0"], "max_epochs 0 trains nothing"),
        (["--trainer.max_steps", "0"], "max_steps 0 trains nothing"),
        (["--trainer.overfit_batches", "2"], "overfit_batches would use different images"),
        (["--trainer.accelerator", "bad"], "bad"),
        (["--trainer.devices", "x"], "The Trainer can't be created"),
        (["--trainer.max_time", "soon"], "not a valid duration"),
        (
            ["--trainer.max_time", "00:01:00:00", "--trainer.enable_checkpointing", "false"],
            "max_time needs checkpoints",
        ),
    ],
)
def test_wrong_input_exits_with_2_says_what_and_leaves_nothing(args, said, capsys):
    assert said in rejected(capsys, 2, "fit", *config("sep_conf"), *DEMO, *QUICK, *TINY, *args)
    assert list(Path().iterdir()) == []


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["--model.optimizer.lr", "-1"], "Invalid learning rate: -1"),
        (
            ["--model.optimizer.fused", "true"],
            "lightning: The current optimizer, SGD, does not allow",
        ),
        (["--trainer.callbacks", "EarlyStopping", "--trainer.callbacks.monitor", "nothing"], "metric `nothing` which"),
        (["--data.val_size", "5", "--trainer.val_check_interval", "500"], "`val_check_interval` (500) must be less"),
    ],
)
def test_what_only_training_finds_wrong_exits_with_2_too(args, said, capsys):
    assert said in rejected(capsys, 2, "fit", *config("sep_conf"), *DEMO, *QUICK, *TINY, *args)
    assert not list(Path().rglob("metrics.json"))


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"seed_everything: 1\nscheme: x\nseed_everything: 2\n", "'seed_everything' is repeated, in lines 1 and 3"),
        (b"data: {batch_size: [1}\n", "is not a config"),
        (b"scheme: \xff\n", "is not text in UTF-8"),
        (b"# to be written\n", "contains nothing"),
        (b"<html>404</html>\n", "contains '<html>404</html>'"),
        (b"data:\n  batch_size: many\n", "mine.yaml, line 2"),
        (b"data:\n  bath_size: 3\n", "mine.yaml, line 2"),
    ],
)
def test_a_config_that_is_not_one_is_named(content, said, tmp_path, capsys):
    (tmp_path / "mine.yaml").write_bytes(content)
    assert main(["fit", "--config", str(ROOT / "configs" / "sep_conf.yaml"), f"--config={tmp_path / 'mine.yaml'}"]) == 2
    error = capsys.readouterr().err
    assert said in error
    assert "mine.yaml" in error


@pytest.mark.parametrize("group", ["trainer", "data", "fgsm", "checkpoint"])
def test_a_group_left_empty_in_a_config_is_rejected(group, capsys):
    Path("mine.yaml").write_text(f"seed_everything: 1\n{group}:\n")
    assert main(["fit", *config("sep_conf"), *DEMO, "--config", "mine.yaml", "--trainer.accelerator", "cpu"]) == 2
    assert f"mine.yaml, line 2: {group} is empty. Give it a value, or remove it." in capsys.readouterr().err


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("data:\n  batch_size:\n", 'line 2: Parser key "data.batch_size"'),
        ("model:\n  network:\n    init_args:\n      width:\n", 'line 4: Parser key "model.network.init_args.width"'),
        ("trainer: {max_epochs: 3}\nfgsm: {epsilon: null}\n", 'line 2: Parser key "fgsm.epsilon"'),
    ],
)
def test_a_value_left_empty_in_a_config_is_rejected(content, said, tmp_path, capsys):
    (tmp_path / "mine.yaml").write_text(content)
    assert (
        main(["fit", "--config", str(ROOT / "configs" / "sep_conf.yaml"), "--config", str(tmp_path / "mine.yaml")]) == 2
    )
    error = capsys.readouterr().err
    assert f"mine.yaml, {said}" in error
    assert "None" in error


@pytest.mark.parametrize(
    "flags", [["--data.batch_size", "many"], ["--seed", "many"], ["--config", '{"data": {"batch_size": "many"}}']]
)
def test_a_config_is_not_blamed_for_a_flag(flags, capsys):
    Path("mine.yaml").write_text("seed_everything: 0\ndata: {batch_size: 4}\n")
    error = rejected(capsys, 2, "fit", *config("sep_conf"), "--config", "mine.yaml", *flags)
    assert "Got value: many" in error
    assert ".yaml" not in error


def test_where_two_configs_have_a_key_both_are_named(capsys):
    Path("one.yaml").write_text("data:\n  batch_size: many\n")
    Path("two.yaml").write_text("data.batch_size: 4\n")
    error = rejected(capsys, 2, "fit", *config("sep_conf"), "-c", "one.yaml", "--config=two.yaml")
    assert error.startswith("hml: one.yaml, line 2, or two.yaml, line 1: Parser key")


def test_a_file_of_callbacks_is_no_config():
    Path("mine.yaml").write_text("- class_path: lightning.pytorch.callbacks.LambdaCallback\n")
    callbacks = ["--trainer.callbacks", str(Path("mine.yaml").absolute())]
    assert main(["fit", *config("sep"), *DEMO, *QUICK, *TINY, *callbacks, "--eval_after_fit=false"]) == 0


def test_a_config_that_can_be_read_only_once_is_rejected(capsys):
    os.mkfifo("config")
    assert "save the config as a file" in rejected(capsys, 2, "fit", *config("sep"), "--config", "config")


def test_a_network_that_diverges_after_its_last_loss_exits_with_4(capsys):
    args = [*config("sep_conf"), *DEMO, *QUICK, *NARROW, "--model.optimizer.lr", "1e5"]
    assert "test/cross_entropy is nan" in rejected(capsys, 4, "fit", *args)
    assert not list(Path().rglob("metrics.json"))


def test_a_data_folder_that_is_a_file_is_rejected_by_name(capsys, tmp_path):
    (tmp_path / "data").write_text("")
    assert "HML_DATA_DIR" in rejected(capsys, 3, "download", "--data_dir", str(tmp_path / "data"))


NOBODY = "hml stopped, since the program that read its output has ended"


@pytest.mark.parametrize("flag", ["--help", "--version"])
def test_a_reader_that_goes_away_gets_no_traceback(flag):
    subprocess.run(["bash", "-c", f"{sys.executable} -m hml {flag} 2> errors | true"], check=False, timeout=120)
    errors = Path("errors").read_text()
    assert NOBODY in errors
    assert not re.search("Traceback|Exception", errors)


def test_a_table_that_nobody_reads_exits_with_6(tmp_path, capsys, monkeypatch):
    (tmp_path / "sep/seed_0").mkdir(parents=True)
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "w") as pipe:
        monkeypatch.setattr(sys, "stdout", pipe)
        assert NOBODY in rejected(capsys, 6, "table1", "--collect", "--root", str(tmp_path))


@pytest.mark.parametrize(("part", "content"), [("recipe", {}), ("data", {}), ("data", {"files": 3})])
def test_a_result_that_lacks_what_a_table_tells_is_rejected(part, content, trained, capsys):
    result = json.loads((trained / "metrics.json").read_text()) | {"scheme": "sep", part: content}
    Path("r/sep/seed_0").mkdir(parents=True)
    Path("r/sep/seed_0/metrics.json").write_text(json.dumps(result))
    assert "Move it away" in rejected(capsys, 2, "table1", "--collect", "--root", "r")


def test_fit_without_a_config_asks_for_one(capsys):
    assert "--config configs/sep_conf.yaml" in rejected(capsys, 2, "fit", "--trainer.max_epochs", "1")
    assert "--config configs/sep_conf.yaml" in rejected(capsys, 2, "fit", *DEMO)


def test_a_misspelt_key_in_a_config_names_the_nearest(capsys):
    Path("mine.yaml").write_text("data: {stratgy: hml.labels.SeparateLabels}")
    assert "data.strategy" in rejected(capsys, 2, "fit", *config("sep"), "--config", "mine.yaml")


@pytest.mark.parametrize("verb", ["test", "validate", "predict"])
def test_verbs_that_need_weights_ask_for_them(verb, capsys):
    assert "--ckpt_path" in rejected(capsys, 2, verb, *config("sep"), *DEMO, *QUICK, *TINY)


@pytest.mark.parametrize(
    ("verb", "args", "said"),
    [
        ("test", [*config("mixup")], "scheme: 'sep_conf' recorded, 'mixup' requested"),
        ("validate", [*config("sep_conf"), "--seed", "7"], "seed: 0 recorded, 7 requested"),
        (
            "predict",
            [*config("sep_conf"), "--data.strategy.gamma", "0.1"],
            "strategy.init_args.gamma: 0.005 recorded, 0.1 requested",
        ),
    ],
)
def test_weights_are_not_reported_under_the_name_of_another_run(verb, args, said, trained, capsys):
    checkpoint = trained / "checkpoints/last.ckpt"
    val = ["--data.val_size", "10"] if verb == "validate" else []
    error = rejected(capsys, 2, verb, *args, *DEMO, *QUICK, *TINY, *val, "--ckpt_path", str(checkpoint))
    assert said in error
    assert f"--config {trained / 'config.yaml'}" in error
    assert not Path("lightning_logs").exists()


def test_a_checkpoint_of_another_network_is_rejected(trained, capsys):
    args = [*config("sep_conf"), *DEMO, *QUICK, *TINY, "--ckpt_path", str(trained / "checkpoints/last.ckpt")]
    assert "network differs" in rejected(capsys, 2, "test", *args, "--model.network.channels", "3")


@pytest.mark.parametrize(
    ("verb", "damage"),
    [
        *(("test", damage) for damage in ("cut off", "a flipped bit", "not Lightning's", "a pickle")),
        *((verb, "a flipped bit") for verb in ("fit", "predict")),
    ],
)
def test_a_broken_checkpoint_is_rejected(verb, damage, trained, capsys):
    content = bytearray((trained / "checkpoints/last.ckpt").read_bytes())
    content[len(content) // 2] ^= 1
    Path("broken.ckpt").write_bytes(b"PK\x03\x04 cut off" if damage == "cut off" else bytes(content))
    if damage == "not Lightning's":
        torch.save({"weight": torch.ones(3)}, "broken.ckpt")
    elif damage == "a pickle":
        torch.save({"state_dict": {}, "global_step": 1, "path": Path()}, "broken.ckpt")
    assert "broken.ckpt" in rejected(
        capsys, 2, verb, *config("sep"), *DEMO, *QUICK, *TINY, "--ckpt_path", "broken.ckpt"
    )


def test_missing_data_exits_with_3_and_lists_each_file(capsys, monkeypatch, tmp_path):
    monkeypatch.setattr("hml.data.download._TRIES", 1)
    monkeypatch.setattr("pooch.HTTPDownloader.__call__", _unreachable)
    message = rejected(capsys, 3, "fit", *config("sep"), "--data.data_dir", str(tmp_path / "data"))
    for name in ("cifar-10-python.tar.gz", "cifar10h-counts.npy", "train_indices.npy", "hmix_infer_mixing_factor.csv"):
        assert name in message
    assert "6d958be074577803d12ecdefd02955f39262c83c16fe9348329d7fe0b5c001ce" in message
    assert "https://" in message
    assert rejected(capsys, 3, "download", "--data_dir", str(tmp_path / "data"))


def _unreachable(*args, **kwargs):
    import requests

    raise requests.ConnectionError("no internet")


def test_a_folder_that_cannot_be_written_exits_with_6(capsys):
    Path("file").write_text("in the way")
    args = ["fit", *config("sep"), *DEMO, *QUICK, *TINY, "--trainer.default_root_dir", "file"]
    assert "file" in rejected(capsys, 6, *args)


def test_a_diverging_run_exits_with_4_and_keeps_its_last_finite_checkpoint(capsys):
    args = ["--model.optimizer.lr", "1e6", "--trainer.gradient_clip_val", "null", "--trainer.max_epochs", "9"]
    args += ["--checkpoint.minutes", "0", "--checkpoint.steps", "1"]
    message = rejected(capsys, 4, "fit", *config("sep"), *DEMO, *QUICK, *TINY, *args)
    assert "diverged" in message
    assert re.search(r"(at step \d+, on images \d+|not finite after step \d+)", message)
    assert not list(Path().rglob("metrics.json"))
    (path,) = Path().rglob("last.ckpt")
    assert all(bool(weight.isfinite().all()) for weight in read_checkpoint(path)["state_dict"].values())


@pytest.mark.parametrize(("name", "codes"), [("SIGINT", processes.INTERRUPTED), ("SIGTERM", (143,))])
def test_a_stopped_run_says_so_by_its_exit_code(name, codes, tmp_path):
    args = ["fit", *config("sep"), *DEMO, *QUICK, *TINY, "--trainer.max_epochs", "9999"]
    # SIGTERM ends a run after a step, and compiling before the first one takes a minute on a busy machine.
    run = processes.start(tmp_path, *args, "--model.compile", "false")
    try:
        deadline = time.monotonic() + 600
        while not Path(processes.DRAWN).exists():  # from its first step on
            assert run.is_alive(), Path(processes.OUTPUT).read_text()
            assert time.monotonic() < deadline
            time.sleep(0.05)
        os.kill(run.pid, getattr(signal, name))
        run.join(60)
        assert run.exitcode in codes, Path(processes.OUTPUT).read_text()
    finally:
        run.kill()
        run.join()
    assert not Path("lightning_logs/sep/version_0/metrics.json").exists()


@pytest.mark.parametrize("verb", ["table1", "export", "percepts", "relabel", "elicit", "download"])
def test_every_verb_of_hmls_own_is_in_the_help_and_has_one(verb, capsys):
    assert main(["--help"]) == 0
    assert f"\n  {verb} " in capsys.readouterr().out
    with pytest.raises(SystemExit) as stop:
        main([verb, "--help"])
    assert stop.value.code == 0
    assert f"usage: hml {verb} " in capsys.readouterr().out


def test_help_on_fit_is_short_and_begins_with_hmls_own_flags(capsys):
    shown = []
    for flag in ("--help", "--help=all"):
        with pytest.raises(SystemExit) as stop:
            main(["fit", flag])
        assert stop.value.code == 0
        shown.append(capsys.readouterr().out)
    short, everything = shown
    assert len(short.splitlines()) < 200
    flags, every_flag = (re.findall(r"^  (?:-c CONFIG, )?(--\w[\w.]*)", text, re.MULTILINE) for text in shown)
    own = [flag for flag in every_flag if "." not in flag or not flag.startswith("--trainer.")]
    values = [flag for flag in own if not flag.endswith(".help") and f"  {flag} CONFIG" not in everything]
    assert [flag for flag in flags if not flag.startswith("--trainer.")] == [
        flag for flag in values if flag != "--weights_only"
    ]
    assert flags.index("--fgsm.epsilon") < flags.index("--trainer.max_epochs")
    assert "--trainer.barebones" in set(every_flag) - set(flags)
    assert "hml fit --help=all" in short


def test_help_and_what_is_wrong_at_first_sight_need_no_torch():
    wrong = [
        *(
            "fit --config sep_cnf",
            "test --config=configs/mixpu.yaml",
            "fit --config mine.yaml",
            "fit --config ~/x.yaml",
        ),
        *("table1 --schemes mixpu", "table1 --config demmo", "table1 --collect --rerun"),
        *("percepts --help", "percepts --replicate 3", "percepts --out $NOWHERE/x", "elicit serve --study cifar"),
        *("table1 --help", "download --help", "download --data-dir x"),
    ]
    Path("mine.yaml").write_text("scheme: [a\n")
    code = "import sys\nfrom hml.cli import main\nfor args in sys.argv[1:]:\n"
    code += "    try: print(args, main(args.split()))\n    except SystemExit as stop: print(args, stop.code)\n"
    code += "assert 'torch' not in sys.modules"
    done = subprocess.run([sys.executable, "-c", code, *wrong], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    for args in wrong:
        assert f"{args} {0 if 'help' in args else 2}\n" in done.stdout
    for said in ("did you mean sep_conf?", "did you mean mixup?", "mine.yaml is not a config", "did you mean demo?"):
        assert said in done.stderr


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["--trainer.max_epoch", "1"], "--trainer.max_epoch 1\nDid you mean trainer.max_epochs?"),
        (["--data.strat", "MixupLabels"], "Did you mean data.strategy?"),
        (["--see", "1"], "--see 1\nDid you mean seed?"),
        (["--epochs", "1"], "Did you mean trainer.max_epochs or trainer.min_epochs?"),
        (["--model.network.wid", "3"], "--model.network.wid: hml.models.PreActResNet18 has no such argument. It has: "),
    ],
)
def test_flags_can_not_be_abbreviated(args, said, capsys):
    assert said in rejected(capsys, 2, "fit", *config("sep"), *DEMO, *args)


def test_configs_are_found_by_name_where_there_are_none():
    args = ["--config", "sep_conf", "--config=configs/demo.yaml", *QUICK, *NARROW, "--eval_after_fit=false"]
    assert main(["fit", *args]) == 0
    assert Path("lightning_logs/sep_conf/version_0/config.yaml").is_file()


def test_help_and_version_need_no_torch():
    for flag, said in (("--help", "hml fit --config"), ("--version", "hml 0.")):
        code = f"import sys; from hml.cli import main; main([{flag!r}]); assert 'torch' not in sys.modules"
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=ROOT)
        assert done.returncode == 0, done.stderr
        assert said in done.stdout


def test_imports_are_no_longer_searched_for_garbage(tmp_path, monkeypatch):
    monkeypatch.setattr("hml.data.download._TRIES", 1)
    monkeypatch.setattr("pooch.HTTPDownloader.__call__", _unreachable)
    monkeypatch.delitem(sys.modules, "hml.data.command", raising=False)
    before = gc.get_freeze_count()
    assert main(["download", "--data_dir", str(tmp_path)]) == 3
    assert gc.get_freeze_count() > before
    assert gc.isenabled()


def test_an_unknown_verb_is_rejected(capsys):
    assert "download" in rejected(capsys, 2, "trian")


def test_print_config_shows_the_recipe(capsys):
    with pytest.raises(SystemExit) as stop:
        main(["fit", *config("sep_conf"), "--print_config"])
    assert stop.value.code == 0
    printed = yaml.safe_load(capsys.readouterr().out)
    assert printed["scheme"] == "sep_conf"
    assert printed["model"]["optimizer"]["init_args"]["lr"] == 0.1
    assert printed["trainer"]["max_epochs"] == 65
    assert printed["trainer"]["devices"] == 1
    assert printed["data"]["strategy"]["init_args"]["gamma"] == 0.005


def test_download_asks_only_for_what_is_missing(data_dir, capsys, monkeypatch):
    monkeypatch.setattr("hml.data.download._TRIES", 1)
    monkeypatch.setattr("pooch.HTTPDownloader.__call__", _unreachable)
    has_archive = (data_dir / "cifar-10-python.tar.gz").exists()
    assert main(["download", "--data_dir", str(data_dir)]) == (0 if has_archive else 3)
    printed = capsys.readouterr()
    assert ("cifar-10-python.tar.gz" in printed.err) != has_archive
    assert "hmix_infer_mixing_factor.csv" not in printed.err


def test_the_real_data_trains_and_stands_beside_the_papers_row(data_dir, capsys):
    limits = [
        *("--trainer.max_epochs", "1", "--trainer.limit_train_batches", "2", "--trainer.limit_test_batches", "2"),
        *("--model.network.width", "2", "--trainer.enable_progress_bar", "false"),
    ]
    assert main(["fit", *config("sep_conf"), "--data.data_dir", str(data_dir), *limits]) == 0
    printed = capsys.readouterr().out
    assert re.search(r"paper.* 1\.83 +0\.24 +11\.81", printed)
    data = json.loads(Path("lightning_logs/sep_conf/version_0/metrics.json").read_text())["data"]
    assert (data["train_rows"], data["mixed_images"], data["judgements"], data["annotators"]) == (7810, 810, 1974, 33)


def run_on(devices, command):
    """Run a command here, or in one process per device, as a cluster starts them.

    That Lightning starts the second by itself is shown by `table1` on several devices.
    """
    if devices == "1":
        assert main(command) == 0
        return
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    shared = {"GLOO_SOCKET_IFNAME": "lo", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "WORLD_SIZE": devices}
    ranks = [
        processes.start(Path.cwd(), *command, env=shared | {"NODE_RANK": "0", "LOCAL_RANK": str(rank)})
        for rank in range(int(devices))
    ]
    for rank in ranks:
        rank.join(300)
    assert [rank.exitcode for rank in ranks] == [0] * len(ranks), Path(processes.OUTPUT).read_text()


def test_two_processes_report_what_one_does(tmp_path):
    """A network without batch normalisation sees the same gradients however a batch is shared."""
    Path("linear.py").write_text(
        "from torch import nn\n\n\n"
        "class Linear(nn.Sequential):\n"
        "    def __init__(self):\n"
        "        super().__init__(nn.Flatten(), nn.Linear(3072, 10))\n"
    )
    metrics = []
    for devices in ("1", "2"):
        command = ["fit", *config("sep_conf"), *DEMO, *QUICK]
        command += ["--model.network", "linear.Linear", "--model.optimizer.lr", "0.01"]
        command += ["--trainer.precision", "32-true"]
        command += ["--trainer.devices", devices, "--trainer.strategy", "auto" if devices == "1" else "ddp"]
        command += ["--trainer.default_root_dir", devices]
        run_on(devices, command)
        metrics.append(
            json.loads((Path(devices) / "lightning_logs/sep_conf/version_0/metrics.json").read_text())["metrics"]
        )
    assert metrics[0].keys() == metrics[1].keys()
    for name, value in metrics[0].items():
        assert metrics[1][name] == pytest.approx(value, abs=1e-5), name


@pytest.mark.parametrize("n", [37, *(pytest.param(n, marks=pytest.mark.chaos) for n in (33, 1001))])
def test_two_processes_test_a_checkpoint_as_one_does(trained, n):
    """Two gloo processes, each with its share of the images, report every figure of one within 1e-6."""
    metrics = []
    for devices in ("1", "2"):
        command = ["test", *config("sep_conf"), *DEMO, *QUICK, *TINY]
        command += ["--ckpt_path", str(trained / "checkpoints/last.ckpt"), "--data.images.num_test", str(n)]
        command += ["--trainer.devices", devices, "--trainer.strategy", "auto" if devices == "1" else "ddp"]
        command += ["--run_folder", devices]
        run_on(devices, command)
        content = json.loads((Path(devices) / "metrics.json").read_text())
        assert content["processes"] == int(devices)
        metrics.append(content["metrics"])
    assert metrics[0].keys() == metrics[1].keys()
    for name, value in metrics[0].items():
        assert metrics[1][name] == pytest.approx(value, abs=1e-6), name
