import numpy as np
import pytest
import torch

from hml.data import MixingLoader
from hml.data.mixing import Rows
from hml.errors import InputError

N, M = 45, 20


def make_rows(num_rows=N):
    """Rows of 1 to 3 labels each, which name the row and which of its labels they are."""
    rng = np.random.default_rng(0)
    num_labels = torch.from_numpy(rng.integers(1, 4, num_rows))
    names = [(row, which) for row, count in enumerate(num_labels.tolist()) for which in range(count)]
    return Rows(
        torch.from_numpy(rng.integers(0, M, num_rows)),
        torch.from_numpy(rng.integers(0, M, num_rows)),
        torch.from_numpy(rng.random(num_rows, dtype=np.float32)),
        torch.tensor(names, dtype=torch.float32),
        num_labels,
    )


def make_loader(rows=None, batch_size=8, train=True, **options):
    images = torch.from_numpy(np.random.default_rng(1).integers(0, 256, (M, 3, 8, 8), dtype=np.uint8))
    return MixingLoader(
        images, torch.arange(M) % 10, make_rows() if rows is None else rows, batch_size, train, **options
    )


def run_epoch(loader, epoch=0):
    loader.set_epoch(epoch)
    return list(loader)


def indices(batches):
    return torch.cat([batch["index"] for batch in batches]).tolist()


def assert_equal(some, others):
    assert len(some) == len(others)
    for a, b in zip(some, others, strict=True):
        assert all(torch.equal(a[key], b[key]) for key in ("image", "target", "label", "index"))


def test_training_uses_each_row_once_per_epoch_except_the_rest():
    batches = run_epoch(loader := make_loader())
    assert len(batches) == len(loader) == 5
    assert {len(batch["index"]) for batch in batches} == {8}
    assert len(set(indices(batches))) == 40
    assert indices(batches) != sorted(indices(batches))


def test_rows_that_do_not_fill_a_batch_make_one():
    batches = run_epoch(loader := make_loader(batch_size=64))
    assert len(batches) == len(loader) == 1
    assert sorted(indices(batches)) == list(range(N))


@pytest.mark.parametrize("batch_size", [1, 8, 44, 45, 64])
def test_evaluation_uses_every_row_once_in_order(batch_size):
    batches = run_epoch(loader := make_loader(batch_size=batch_size, train=False, crop_flip=True))
    sizes = [len(batch["index"]) for batch in batches]
    assert indices(batches) == list(range(N))
    assert len(batches) == len(loader)
    assert max(sizes) <= batch_size
    assert max(sizes) - min(sizes) <= 1
    assert torch.cat([batch["target"] for batch in batches])[:, 1].tolist() == [0] * N


def test_a_batch_holds_the_mixed_pixels_the_first_class_and_a_label_of_its_row():
    loader, rows = make_loader(), make_rows()
    for batch in run_epoch(loader):
        index = batch["index"]
        weight = rows.lambda_f[index].double().view(-1, 1, 1, 1)
        first, second = (loader.images[ids[index]].double() / 255 for ids in (rows.id_1, rows.id_2))
        torch.testing.assert_close(batch["image"].double(), weight * first + (1 - weight) * second, rtol=0, atol=1e-6)
        assert torch.equal(batch["label"], rows.id_1[index] % 10)
        assert torch.equal(batch["target"][:, 0], index.float())
        assert bool((batch["target"][:, 1] < rows.num_labels[index]).all())


@pytest.mark.parametrize("train", [True, False])
def test_the_shares_of_two_ranks_make_one_ranks_batches(train):
    options = {"train": train, "crop_flip": True, "seed": 3}
    whole = run_epoch(make_loader(**options), epoch=2)
    shares = [run_epoch(make_loader(**options, rank=rank, world_size=2), epoch=2) for rank in (0, 1)]
    merged = []
    for batch, *parts in zip(whole, *shares, strict=True):
        place = {row: number for number, row in enumerate(batch["index"].tolist())}
        order = torch.tensor([place[row] for part in parts for row in part["index"].tolist()]).argsort()
        merged.append({key: torch.cat([part[key] for part in parts])[order] for key in batch})
    assert_equal(whole, merged)


def test_resuming_after_some_batches_gives_the_rest_identically():
    whole = run_epoch(make_loader(crop_flip=True), epoch=1)
    for taken in range(1, 5):
        loader = make_loader(crop_flip=True)
        loader.set_epoch(1)
        iterator = iter(loader)
        for _ in range(taken):
            next(iterator)
        resumed = make_loader(crop_flip=True)
        resumed.load_state_dict(loader.state_dict())
        assert_equal(run_epoch(resumed, epoch=1), whole[taken:])
        assert len(run_epoch(resumed, epoch=2)) == len(whole), "the next epoch is whole again"


def test_a_state_taken_after_an_epochs_last_batch_resumes_with_a_whole_epoch():
    loader = make_loader()
    run_epoch(loader)
    resumed = make_loader()
    resumed.load_state_dict(loader.state_dict())
    assert_equal(run_epoch(resumed, epoch=1), run_epoch(loader, epoch=1))


def test_batches_are_a_pure_function_of_seed_and_epoch():
    loader = make_loader(crop_flip=True, seed=5)
    first, second = run_epoch(loader, 0), run_epoch(loader, 1)
    torch.manual_seed(99)
    np.random.seed(99)
    assert_equal(run_epoch(make_loader(crop_flip=True, seed=5), 0), first)
    assert_equal(run_epoch(loader, 1), second)
    assert indices(first) != indices(second)
    assert indices(run_epoch(make_loader(seed=6), 0)) != indices(first)


def test_the_epoch_may_be_set_after_iter_as_lightning_does():
    loader = make_loader()
    iterator = iter(loader)
    loader.sampler.set_epoch(4)
    assert_equal(list(iterator), run_epoch(make_loader(), 4))


@pytest.mark.parametrize(("size", "most"), [(30, 1), (45, 1), (60, 2), (100, 3)])
def test_an_epoch_of_another_size_uses_each_row_almost_equally_often(size, most):
    batches = run_epoch(loader := make_loader(batch_size=5, epoch_size=size))
    assert len(batches) == len(loader) == size // 5
    counts = np.bincount(indices(batches), minlength=N)
    assert {*counts.tolist()} == ({most} if size == N else {most - 1, most})
    assert indices(run_epoch(loader, 1)) != indices(batches)
    # The rows that are used again differ from epoch to epoch.
    assert size == N or (np.bincount(indices(run_epoch(loader, 1)), minlength=N) != counts).any()


def test_an_epoch_of_the_size_of_the_data_is_the_default():
    assert_equal(run_epoch(make_loader(epoch_size=N), 2), run_epoch(make_loader(), 2))


def test_evaluation_ignores_the_size_of_a_training_epoch():
    assert indices(run_epoch(make_loader(train=False, epoch_size=7))) == list(range(N))


def test_each_of_a_rows_labels_is_drawn_equally_often():
    loader, rows = make_loader(make_rows(12), batch_size=12), make_rows(12)
    epochs = 600
    counts = np.zeros((12, 3))
    for epoch in range(epochs):
        target = run_epoch(loader, epoch)[0]["target"].long().numpy()
        counts[target[:, 0], target[:, 1]] += 1
    for row, count in zip(counts, rows.num_labels.tolist(), strict=True):
        p = 1 / count
        assert abs(row[:count] - epochs * p).max() <= 4.5 * np.sqrt(epochs * p * (1 - p))
        assert row[count:].sum() == 0


def test_augmentation_changes_pixels_and_nothing_else():
    plain, augmented = run_epoch(make_loader()), run_epoch(make_loader(crop_flip=True))
    for a, b in zip(plain, augmented, strict=True):
        assert not torch.equal(a["image"], b["image"])
        assert all(torch.equal(a[key], b[key]) for key in ("target", "label", "index"))


def test_a_batch_that_ranks_cannot_share_is_an_error_in_training_only():
    with pytest.raises(InputError, match=r"batch_size=9 can't be shared evenly by 2 processes.*multiple of 2"):
        make_loader(batch_size=9, world_size=2)
    assert len(make_loader(batch_size=9, world_size=2, train=False)) == 5


def test_no_rows_are_an_error():
    with pytest.raises(InputError, match="0 images are too few"):
        make_loader(make_rows(0))
