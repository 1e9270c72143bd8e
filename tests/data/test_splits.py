import pytest
import torch

from hml.data.splits import hold_out
from hml.errors import InputError

LABELS = torch.arange(300) % 10
TRAIN = torch.arange(200).flip(0)
ENDPOINTS = torch.tensor([0, 0, 5, 17, 250])


@pytest.mark.parametrize("size", [0, 10, 50, 105])
def test_images_are_held_out_evenly_over_classes_and_never_endpoints(size):
    train, val = hold_out(TRAIN, LABELS, ENDPOINTS, size)
    counts = LABELS[val].bincount(minlength=10)
    assert len(val) == size
    assert int(counts.max() - counts.min()) <= 1
    assert not torch.isin(val, ENDPOINTS).any()
    assert sorted([*train.tolist(), *val.tolist()]) == list(range(200))
    assert train.tolist() == [i for i in TRAIN.tolist() if i not in val.tolist()]
    assert val.tolist() == sorted(val.tolist())


def test_the_same_images_are_held_out_whatever_the_global_seed():
    torch.manual_seed(1)
    first = hold_out(TRAIN, LABELS, ENDPOINTS, 40)[1]
    torch.manual_seed(2)
    assert torch.equal(first, hold_out(TRAIN, LABELS, ENDPOINTS, 40)[1])
    assert set(first.tolist()) != set(range(160, 200))


@pytest.mark.parametrize("size", [-1, 198])
def test_more_images_than_there_are_is_an_error(size):
    with pytest.raises(InputError, match=f"val_size={size} must be 0 to 197"):
        hold_out(TRAIN, LABELS, ENDPOINTS, size)
