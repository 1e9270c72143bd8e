"""`hml relabel propose`, on the demo."""

import copy
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from hml.cli import main
from hml.data import DemoImages
from hml.errors import InputError
from hml.judgements.stimuli_file import parse_stimuli
from hml.relabel.candidates import draw_mixes, find_originals
from hml.relabel.checkpoint import Checkpoint
from hml.relabel.command import Propose
from hml.relabel.proposal import find_new, propose
from tests.relabel.test_acquisition import mix

CLASSES = DemoImages().classes(Path())


@pytest.fixture(scope="module")
def ensemble(learned, tmp_path_factory):
    """A relabeller of the demo with a second member, which differs by chance."""
    path = tmp_path_factory.mktemp("ensemble") / "relabeller.pt"
    checkpoint = Checkpoint.load(learned / "relabeller.pt")
    (network,) = checkpoint.relabeller.networks
    other = copy.deepcopy(network)
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in other.parameters():
            parameter += 0.3 * torch.randn(parameter.shape, generator=generator)
    checkpoint.relabeller.networks.append(other)
    checkpoint.save(path)
    return path


@pytest.fixture
def run(ensemble, tmp_path):
    """Run `hml relabel propose --demo`; returns the stimuli file's bytes."""

    def run_(*flags):
        out = tmp_path / "proposed.csv"
        flags = ["--demo", "--relabeller", str(ensemble), "--candidates", "400", "--out", str(out), *flags]
        assert main(["relabel", "propose", *flags]) == 0
        return out.read_bytes()

    return run_


def test_a_proposal_is_a_function_of_seed_and_inputs(run, capsys):
    one, same = (run("--count", "30", "--seed", "0") for _ in range(2))
    assert one == same
    proposals = parse_stimuli(one, "proposed.csv", CLASSES)
    assert len(proposals) == 30
    bank = DemoImages(20, 1).load(Path())
    drawn = [draw_mixes(bank, bank.classes.pairs, 9, None, (seed, "candidates")).id_1.tolist() for seed in (0, 0, 1)]
    assert drawn[0] == drawn[1] != drawn[2]
    assert all("bits of information about the model; " in proposal.reason for proposal in proposals)
    assert proposals[0].score == max(proposal.score for proposal in proposals)
    assert "Proposed 30 images of " in capsys.readouterr().out


def test_only_what_is_wanted_is_proposed(run):
    label = 3
    own = [str(image) for image in range(label, 200, 10)] + [str(image) for image in range(label + 2, 200, 10)]
    pair = CLASSES.name_pair(label, label + 2)
    flags = ["--pairs", pair, "--images", *own, "--lambdas", "0.3", "0.6", "--per-image", "1", "--count", "12"]
    text = run(*flags, "--acquisition", "hml.relabel.acquisition.Random")
    for proposal in parse_stimuli(text, "proposed.csv", CLASSES):
        first, second = proposal.stimulus.endpoints
        assert (first.label, second.label) == (label, label + 2)
        assert {str(first.image_id), str(second.image_id)} <= set(own)
        assert proposal.stimulus.lambda_f in (0.3, 0.6)
        assert proposal.reason == "drawn at random; new image"


def test_more_than_there_is_cannot_be_proposed(ensemble):
    checkpoint = Checkpoint.load(ensemble)
    row = {"id_1": 3, "id_2": 5, "class_1": 3, "class_2": 5, "lambda_f": 0.5, "lambda_h": 0.5, "omega": 0.5}
    table = pd.DataFrame([row | {"person": 0, "image": 0}])
    pairs = (CLASSES.name_pair(3, 5),)
    options = Propose(count=5, pairs=pairs, images=("3", "5", "13"), candidates=50, lambdas=(0.5,))
    bank = DemoImages(20, 1).load(Path())
    with pytest.raises(InputError, match="--count 5: only 2 different images may be proposed"):
        propose(checkpoint.relabeller, bank, table, options)
    with pytest.raises(InputError, match="--images 20: these are no training images"):
        find_originals(bank, ["0", "20"])
    with pytest.raises(InputError, match="no training images of Checks"):
        draw_mixes(bank, [(3, 4)], 9, None, (0, "candidates"), np.array([3, 5]))


@pytest.mark.parametrize(
    ("wrong", "said"),
    [({"count": 0}, "--count 0"), ({"per_image": 0}, "--per-image 0"), ({"lambdas": (0.5, 1.0)}, r"--lambdas \[1.0\]")],
)
def test_numbers_out_of_range_are_rejected(wrong, said):
    with pytest.raises(InputError, match=said):
        Propose(**wrong)


def test_a_new_mix_duplicates_no_judged_image():
    judged = mix([1, 12], [12, 3], [0.5, 0.25])
    fresh = mix([1, 12, 12, 1, 3], [12, 1, 1, 13, 12], [0.6, 0.55, 0.75, 0.5, 0.75])
    assert find_new(fresh, judged).tolist() == [0, 2, 3]
