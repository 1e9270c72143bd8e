from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from hml.data import DemoImages, DemoMixes
from hml.data.demo import simulate_lambda_h
from hml.judgements import group_by_stimulus

NOWHERE = Path("nowhere")


@pytest.fixture(scope="module")
def bank():
    return DemoImages(60, 33).load(NOWHERE)


def test_images_are_the_same_every_time(bank):
    again = DemoImages(60, 33).load(NOWHERE)
    for field in ("images", "labels", "human", "train_ids", "test_ids"):
        assert torch.equal(getattr(bank, field), getattr(again, field))
    assert not bank.canonical_pixels


def test_images_are_pixels_of_ten_kinds_with_what_people_see(bank):
    assert (bank.images.shape, bank.images.dtype) == ((93, 3, 32, 32), torch.uint8)
    assert bank.labels.bincount().tolist() == [10] * 3 + [9] * 7
    assert int(bank.images.min()) < 30
    assert int(bank.images.max()) > 225
    assert bool((bank.images.flatten(1).float().std(1) > 10).all())
    torch.testing.assert_close(bank.human.sum(1), torch.ones(93))
    assert torch.equal(bank.human[:60], torch.eye(10)[bank.labels[:60]])
    assert bool((bank.human[-10:].max(1).values < 1).all()), "of the test images half are blends"


def test_mixes_are_the_same_every_time_and_of_training_images_only(bank):
    mixes = DemoMixes(images_per_pair=3).load(NOWHERE, bank)
    assert mixes == DemoMixes(images_per_pair=3).load(NOWHERE, bank)
    groups = group_by_stimulus(mixes.judgements)
    assert len(groups) == 45 * 3
    assert {len({j.annotator for j in group}) for group in groups.values()} == {3}
    for stimulus in groups:
        assert all(end.image_id < 60 and end.label == bank.labels[end.image_id] for end in stimulus.endpoints)


def test_the_demo_needs_no_files():
    assert DemoImages().remote_files(NOWHERE) == DemoMixes().remote_files(NOWHERE) == []


@given(
    lambda_f=st.floats(0.001, 0.999) | st.sampled_from([0.0, 1.0]), class_1=st.integers(0, 9), class_2=st.integers(0, 9)
)
def test_people_judge_swapped_endpoints_alike(lambda_f, class_1, class_2):
    one, other = simulate_lambda_h(lambda_f, class_1, class_2), simulate_lambda_h(1 - lambda_f, class_2, class_1)
    assert 0 <= one <= 1
    assert one + other == pytest.approx(1, abs=1e-9)


def test_people_bend_lambda_and_favour_a_class():
    assert simulate_lambda_h(0.5, 4, 4) == 0.5
    assert simulate_lambda_h(0.75, 4, 4) == pytest.approx(27**0.5 / (1 + 27**0.5))  # odds of 3, to the power 1.5
    assert simulate_lambda_h(0.5, 0, 9) < 0.2
    assert (simulate_lambda_h(0, 0, 9), simulate_lambda_h(1, 0, 9)) == (0, 1)
