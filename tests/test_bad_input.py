"""Every reader under files that are spoilt: refused as one message that names the file, or read, and nothing else."""

import io
import json
import random
import resource
import time
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from hml.data import ImageFolder
from hml.data.download import RemoteFile, read_verified
from hml.data.human_labels import read_human_labels
from hml.data.images import _read_stand_in
from hml.errors import DataError, HmlError, InputError
from hml.experiments.runs import read_outcome
from hml.judgements import Classes, parse_construct, parse_hmix, parse_select, parse_soft_categories
from hml.training import run as training
from hml.training.checkpoints import WholeCheckpointIO, read_checkpoint
from hml.training.recipe import Recipe
from hml.training.record import RunRecord
from hml.training.resuming import can_resume, find_unfinished
from tests.mutations import mutate_config, mutations

CONFIGS = Path(__file__).parents[1] / "configs"
SECONDS, BYTES = 1.0, 500_000_000

HMIX = b"""subject,filename,responses,task,rt,study_id,mixtureCoeff,label1,id1,label2,id2
p1,mixed_0.75_Cat_12_Dog_5.png,"{""mixingcoeff"": 30, ""confidence"": 80}",rate_mixture,6000,s,0.75,Cat,12,Dog,5
p2,mixed_0.5_Cat_12_Dog_5.png,"{""mixingcoeff"": 50.5, ""confidence"": 0}",rerun_rate_mixture,,s,0.5,Cat,12,Dog,5
"""
CONSTRUCT = b"""subject,class_pair,task,final_value,starting_value,rt
p1,Cat_12_Dog_5,select_create,0.5000000000000001,0.1,5000
p2,Cat_12_Dog_5,rerun_select_create,0.4,0.9,
"""
SELECT = b"""subject,class_pair,task,response
p1,Cat_12_Dog_5,select_shuffled,"{""select"": ""select0.5""}"
p2,Cat_12_Dog_5,rerun_select_shuffled,"{""select"": ""select0.25""}"
"""
SOFT = b"""trial_type,subject,filename,task,response
consent,,,,
survey-html-form,p1,mixed_0.75_Cat_12_Dog_5.png,spec_conf,"{""classSelect"": ""mostProbCat"", ""prob"": ""80"", \
""classSelect2"": ""secondProbDog"", ""prob2"": ""20"", ""improbClassSelectTruck"": ""1""}"
"""
RESULT = json.dumps(
    {
        "metrics": {"test/cross_entropy": 1.83, "test/nothing": None},
        "scheme": "sep_conf",
        "seed": 0,
        "recipe": {"data": {"batch_size": 16}},
        "data": {"files": {}},
        "training": {"epochs": 1.5, "steps": 9, "stopped_by": "max_steps 9"},
        "versions": {"hml": "0.1"},
        "compiled": False,
        "processes": 1,
        "threads": 2,
        "seconds": {"fit": 1.0, "test": None},
    }
).encode()
PEOPLE = b"image,benign,T-shirt/top\na.png,3,1\n1,0.25,0.75\n"
FAILURE = b'{"error": "The training loss is nan", "exit_code": 4}'
ASKED = RunRecord("sep", 0, Recipe(data={"batch_size": 16}), {"hml": "ab"}, {})
CONFIG = b"""# A config
scheme: mine
seed_everything: 3
data:
  strategy:
    class_path: hml.labels.SeparateLabels
    init_args: {gamma: 0.005}
  batch_size: 32
  images: {class_path: hml.data.DemoImages}
  mixed: {class_path: hml.data.DemoMixes}
model:
  network:
    class_path: hml.models.PreActResNet18
    init_args: {width: 2}
trainer:
  max_epochs: 8
"""


def npz():
    file = io.BytesIO()
    np.savez_compressed(file, images=np.zeros((10_000, 32, 32, 3), np.uint8), labels=np.zeros(10_000, np.uint8))
    return file.getvalue()


def npy():
    file = io.BytesIO()
    np.save(file, np.array([[3, 1], [0.25, 0.75]]))
    return file.getvalue()


def picture():
    file = io.BytesIO()
    Image.fromarray(np.arange(192, dtype=np.uint8).reshape(8, 8, 3)).save(file, "png")
    return file.getvalue()


def read_people(path):
    return read_human_labels(
        path, Classes(("benign", "T-shirt/top")), ["a.png", "b.png"], torch.arange(2), torch.tensor([1])
    )


def read_picture(folder, content):
    for name in ("a/1.png", "a/2.png", "b/1.png", "b/2.png"):
        if not (path := folder / "own" / name).exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(picture())
    (folder / "own/b/1.png").write_bytes(content)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Pillow's, of images that are far too large
        return ImageFolder(folder / "own", size=8).load(folder)


def checkpoint(tmp_path):
    state = {"w": torch.arange(40.0)}
    WholeCheckpointIO().save_checkpoint({"state_dict": state, "global_step": 3}, tmp_path / "good.ckpt")
    return (tmp_path / "good.ckpt").read_bytes()


def read_result(folder, content, name):
    (folder / name).write_bytes(content)
    outcome = read_outcome(folder, "sep_conf", 0)
    (folder / name).unlink()
    if outcome is None and name == "metrics.json":  # damaged, so the run counts as not finished
        raise InputError(f"{name} is damaged")
    return outcome


def read_record(folder, content):
    (folder / "runs/version_0").mkdir(parents=True, exist_ok=True)
    (folder / "runs/version_0/run.json").write_bytes(content)
    can_resume(folder / "runs/version_0", ASKED)
    return find_unfinished("auto", None, folder / "runs", ASKED)


def read_config(folder, content):
    (folder / "mine.yaml").write_bytes(content)
    return training.prepare(["fit", "--config", str(folder / "mine.yaml"), "--trainer.accelerator", "cpu"])


def write_and(read, folder, name, content):
    (folder / name).write_bytes(content)
    return read(folder / name)


READERS = {
    "hmix.csv": (lambda folder: HMIX, lambda folder, content: parse_hmix(content, "hmix.csv", "all")),
    "construct.csv": (lambda folder: CONSTRUCT, lambda folder, content: parse_construct(content, "construct.csv")),
    "select.csv": (lambda folder: SELECT, lambda folder, content: parse_select(content, "select.csv")),
    "soft.csv": (lambda folder: SOFT, lambda folder, content: parse_soft_categories(content, "soft.csv")),
    "metrics.json": (lambda folder: RESULT, lambda folder, content: read_result(folder, content, "metrics.json")),
    "failed.json": (lambda folder: FAILURE, lambda folder, content: read_result(folder, content, "failed.json")),
    "run.json": (lambda folder: json.dumps(ASKED.to_json()).encode(), read_record),
    "images.npz": (lambda folder: npz(), lambda f, content: write_and(_read_stand_in, f, "images.npz", content)),
    "people.csv": (lambda f: PEOPLE, lambda f, content: write_and(read_people, f, "people.csv", content)),
    "people.npy": (lambda f: npy(), lambda f, content: write_and(read_people, f, "people.npy", content)),
    "b/1.png": (lambda folder: picture(), read_picture),
    "a.ckpt": (checkpoint, lambda folder, content: write_and(read_checkpoint, folder, "a.ckpt", content)),
}


def refusal(read, *args):
    """Read something; return what it was refused with, or None."""
    try:
        read(*args)
    except HmlError as error:
        return str(error)
    return None


def read_spoilt(name, folder, contents):
    """Read each file; return how many were read, refused, and the longest that took."""
    _, read = READERS[name]
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    accepted = refused = 0
    longest = 0.0
    for content in contents:
        started = time.process_time()  # so that what else the machine does doesn't count
        message = refusal(read, folder, content)
        accepted += message is None
        refused += message is not None
        assert message is None or (name in message and len(message) < 2000), message
        longest = max(longest, time.process_time() - started)
    assert longest < SECONDS
    assert (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024 < BYTES
    return accepted, refused, longest


@pytest.mark.parametrize("name", READERS)
def test_spoilt_files_are_read_or_rejected_by_name(name, tmp_path):
    good, _ = READERS[name]
    accepted, refused, _ = read_spoilt(name, tmp_path, mutations(good(tmp_path), 150))
    assert accepted + refused == 178


@pytest.mark.chaos
@pytest.mark.parametrize("name", READERS)
def test_ten_thousand_spoilt_files_are_read_or_rejected_by_name(name, tmp_path, capsys):
    good, _ = READERS[name]
    accepted, refused, longest = read_spoilt(name, tmp_path, mutations(good(tmp_path), 10_000, seed=1))
    with capsys.disabled():
        print(f"\n{name}: {accepted + refused} tried, {refused} refused, {accepted} read, at most {longest:.3f} s")


@given(content=st.binary(max_size=300), at=st.integers(0, 400), length=st.integers(0, 20))
@settings(max_examples=100, deadline=1000)
@pytest.mark.parametrize("name", ["hmix.csv", "construct.csv", "select.csv", "soft.csv"])
def test_whatever_hypothesis_puts_into_a_csv_is_read_or_rejected(name, content, at, length):
    good, read = READERS[name]
    file = good(None)
    message = refusal(read, None, file[:at] + content + file[at + length :])
    assert message is None or name in message


@given(st.recursive(st.none() | st.booleans() | st.floats() | st.integers() | st.text(), st.lists, max_leaves=5))
@settings(max_examples=100, deadline=1000)
def test_whatever_hypothesis_answers_is_read_or_rejected(value):
    answer = json.dumps({"mixingcoeff": value, "confidence": 80}).replace('"', '""')
    file = HMIX.split(b"\n")[0] + f'\np1,mixed_0.75_Cat_12_Dog_5.png,"{answer}",rate_mixture,,s,,,,,\n'.encode()
    if (message := refusal(parse_hmix, file, "hmix.csv", "all")) is None:
        assert parse_hmix(file, "hmix.csv", "all")[0].lambda_h == 1 - value / 100
    else:
        assert "hmix.csv, row 2" in message


@pytest.mark.parametrize("number", [20, pytest.param(5000, marks=pytest.mark.chaos)])
def test_spoilt_configs_are_read_or_rejected(number, tmp_path, capsys):
    refused = tried = 0
    longest = 0.0
    rng = random.Random(number)
    for content in (*mutations(CONFIG, number), *(mutate_config(CONFIG, rng) for _ in range(number))):
        started = time.process_time()  # so that what else the machine does doesn't count
        tried += 1
        message = refusal(read_config, tmp_path, content)
        refused += message is not None
        assert message is None or "Traceback" not in message
        longest = max(longest, time.process_time() - started)
        assert longest < 10 * SECONDS, "a whole run is put together, which takes its time"
    with capsys.disabled():
        print(f"\nconfigs: {tried} tried, {refused} refused, at most {longest:.3f} s")
    assert refused > tried / 4


@pytest.mark.parametrize("seed", [0, 1])
def test_every_flipped_byte_of_a_pinned_file_is_caught(tmp_path, seed):
    import hashlib

    good, rng = np.random.default_rng(seed).bytes(5000), random.Random(seed)
    file = RemoteFile("pinned.npy", hashlib.sha256(good).hexdigest(), ())
    caught = 0
    for _ in range(500):
        content = bytearray(good)
        content[rng.randrange(len(good))] ^= 1 << rng.randrange(8)
        (tmp_path / file.name).write_bytes(content)
        with pytest.raises(DataError, match=r"pinned\.npy is not the released file"):
            read_verified(file, tmp_path)
        caught += 1
    assert caught == 500


def test_na_is_a_name_like_any_other():
    judgements = parse_hmix(HMIX.replace(b"p1,", b"NA,"), "hmix.csv", "all")
    assert [judgement.annotator for judgement in judgements] == ["NA", "p2"]


def test_a_byte_order_mark_and_windows_lines_mean_the_same():
    expected = parse_hmix(HMIX, "hmix.csv", "all")
    assert parse_hmix(b"\xef\xbb\xbf" + HMIX.replace(b"\n", b"\r\n"), "hmix.csv", "all") == expected


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (b"p1", b"x" * 200_000, "hmix.csv, line 2"),
        (b"30,", b"9" * 5000 + b",", 'responses=\'{"mixingcoeff": 999'),
        (b"30,", b"NaN,", "row 2"),
        (b"30,", b'30, ""mixingcoeff"": 31,', "row 2"),
        (b"30,", b"1e999,", "row 2"),
    ],
)
def test_what_is_known_to_go_wrong_is_rejected_with_its_place(old, new, said):
    with pytest.raises(HmlError) as caught:
        parse_hmix(HMIX.replace(old, new, 1), "hmix.csv", "all")
    assert said in str(caught.value)
    assert len(str(caught.value)) < 1000


def test_a_bomb_of_an_npz_is_rejected_unopened(tmp_path):
    np.savez_compressed(tmp_path / "images.npz", images=np.zeros((40_000, 32, 32, 3), np.uint8), labels=np.zeros(3))
    with pytest.raises(DataError, match=r"images\.npz"):
        _read_stand_in(tmp_path / "images.npz")


def test_the_good_config_is_good(tmp_path):
    assert read_config(tmp_path, CONFIG).settings.scheme == yaml.safe_load(CONFIG)["scheme"]
