import numpy as np
import pytest
import torch
from sklearn.decomposition import PCA

from hml.data import DemoImages
from hml.relabel.features import appearance, describe_images, hash_images, principal_components, standardise


@pytest.fixture(scope="module")
def bank(tmp_path_factory):
    return DemoImages(100, 20).load(tmp_path_factory.mktemp("data"))


def test_every_image_is_described_and_the_global_generator_is_kept(bank, tmp_path):
    before = torch.get_rng_state()
    table = describe_images(bank, tmp_path, epochs=1)
    assert torch.equal(before, torch.get_rng_state())
    assert table.human.shape == table.network.shape == (120, 10)
    torch.testing.assert_close(table.network.exp().sum(1), torch.ones(120), atol=1e-3, rtol=0)
    again = describe_images(bank, tmp_path, epochs=1)
    assert torch.equal(again.features, table.features)


def test_evaluation_images_teach_the_description_nothing(bank, tmp_path):
    import dataclasses

    images = bank.images.clone()
    images[bank.test_ids] = 0
    without = dataclasses.replace(bank, images=images)
    one, other = (describe_images(b, tmp_path / n, epochs=1) for b, n in ((bank, "a"), (without, "b")))
    train = bank.train_ids
    assert torch.equal(one.network[train], other.network[train])
    assert torch.equal(one.features[train], other.features[train])


def test_a_change_of_anything_changes_the_hash(bank):
    assert len({hash_images(bank, 1, 0), hash_images(bank, 2, 0), hash_images(bank, 1, 1)}) == 3


def test_components_are_sklearns_but_for_their_signs():
    seen = torch.randn(50, 8, generator=torch.Generator().manual_seed(0))
    found = principal_components(seen, torch.arange(40), 3).numpy()
    expected = PCA(3).fit(seen[:40].numpy()).transform(seen.numpy())
    np.testing.assert_allclose(np.abs(found), np.abs(expected), atol=1e-4)


def test_appearance_by_hand():
    images = torch.zeros(2, 3, 2, 2, dtype=torch.uint8)
    images[1, :, 0] = 255  # a bright row above a dark one
    images[0, 0] = 255  # pure red
    found = appearance(images)
    torch.testing.assert_close(found[0], torch.tensor([1 / 3, 0.0, 0.0, 1.0]))
    torch.testing.assert_close(found[1, [0, 2, 3]], torch.tensor([0.5, 1.0, 0.0]))


def test_standardised_features_have_mean_0_and_deviation_1():
    found = standardise(torch.rand(60, 3) * 5 + 2, torch.arange(50))[:50]
    torch.testing.assert_close(found.mean(0), torch.zeros(3), atol=1e-5, rtol=0)
    torch.testing.assert_close(found.std(0), torch.ones(3))
