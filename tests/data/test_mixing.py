import numpy as np
import pytest
import torch

from hml.data.mixing import Rows, crop_and_flip, crop_and_flip_once, mix

BANK = torch.from_numpy(np.random.default_rng(0).integers(0, 256, (6, 3, 8, 8), dtype=np.uint8))
FIRST, SECOND = torch.tensor([0, 1, 2, 3]), torch.tensor([5, 4, 0, 3])


def test_lambda_1_gives_the_first_image_and_lambda_0_the_second_to_the_bit():
    assert torch.equal(mix(BANK, FIRST, SECOND, torch.ones(4)), BANK[FIRST].float() / 255)
    assert torch.equal(mix(BANK, FIRST, SECOND, torch.zeros(4)), BANK[SECOND].float() / 255)


def test_mixing_equals_the_formula_in_double_precision():
    lambda_f = torch.tensor([0.1, 0.25, 0.5, 0.9])
    weight = np.array([0.1, 0.25, 0.5, 0.9]).reshape(4, 1, 1, 1)
    first, second = (BANK[ids].numpy().astype(np.float64) / 255 for ids in (FIRST, SECOND))
    found = mix(BANK, FIRST, SECOND, lambda_f)
    np.testing.assert_allclose(found.numpy(), weight * first + (1 - weight) * second, atol=1e-6)
    assert found.dtype == torch.float32


def test_swapped_endpoints_with_one_minus_lambda_give_the_same_image():
    lambda_f = torch.tensor([0.1, 0.25, 0.5, 0.9])
    torch.testing.assert_close(mix(BANK, FIRST, SECOND, lambda_f), mix(BANK, SECOND, FIRST, 1 - lambda_f))


def test_an_image_mixed_with_itself_stays_itself():
    image = mix(BANK, FIRST, FIRST, torch.tensor([0.1, 0.3, 0.5, 0.7]))
    assert torch.equal(image, BANK[FIRST].float() / 255)


IMAGE = torch.zeros(1, 1, 8, 16)
IMAGE[0, 0, 3, 7], IMAGE[0, 0, 3, 6], IMAGE[0, 0, 7, 0] = 1, 2, 3


@pytest.mark.parametrize(
    ("draws", "expected"),
    [  # height 8 shifts by −1, 0 or 1, width 16 by −2 to 2
        ((0.5, 0.5, 0.9), {(3, 7): 1, (3, 6): 2, (7, 0): 3}),
        ((0.5, 0.5, 0.1), {(3, 8): 1, (3, 9): 2, (7, 15): 3}),  # mirrored only
        ((0.0, 0.5, 0.9), {(4, 7): 1, (4, 6): 2}),  # down by one
        ((0.99, 0.5, 0.9), {(2, 7): 1, (2, 6): 2, (6, 0): 3}),  # up by one
        ((0.5, 0.0, 0.9), {(3, 9): 1, (3, 8): 2, (7, 2): 3}),  # right by two
        ((0.5, 0.7, 0.9), {(3, 6): 1, (3, 5): 2}),  # left by one
        ((1.0, 1.0, 0.9), {(2, 5): 1, (2, 4): 2}),  # a draw that was rounded up to 1 is the largest shift
    ],
)
def test_shifts_and_mirrors_equal_those_by_hand(draws, expected):
    found = crop_and_flip(IMAGE, torch.tensor([draws]))[0, 0]
    assert {tuple(place): float(found[tuple(place)]) for place in found.nonzero().tolist()} == expected


def test_cropping_equals_a_loop_over_images():
    image = torch.from_numpy(np.random.default_rng(2).random((32, 3, 32, 24), dtype=np.float32))
    draws = torch.from_numpy(np.random.default_rng(1).random((32, 3), dtype=np.float32))
    expected = []
    for pixels, (down, right, mirror) in zip(image.numpy(), draws.tolist(), strict=True):
        padded = np.pad(pixels, ((0, 0), (4, 4), (3, 3)))
        crop = padded[:, int(down * 9) : int(down * 9) + 32, int(right * 7) : int(right * 7) + 24]
        expected.append(crop[:, :, ::-1] if mirror < 0.5 else crop)
    found = crop_and_flip(image, draws)
    assert np.array_equal(found.numpy(), np.stack(expected))
    assert found.is_contiguous()


def test_rows_are_concatenated_and_expanded_with_their_labels():
    labels = torch.eye(10)[:5]
    plain = Rows.plain(torch.tensor([4, 2]), labels[:2])
    mixed = Rows(torch.tensor([0, 1]), torch.tensor([3, 5]), torch.tensor([0.5, 0.1]), labels[2:], torch.tensor([1, 2]))
    rows = Rows.concatenate(plain, mixed)
    assert len(rows) == 4
    assert rows.lambda_f.tolist() == pytest.approx([1, 1, 0.5, 0.1])
    expanded = rows.expanded()
    assert expanded.id_1.tolist() == [4, 2, 0, 1, 1]
    assert expanded.id_2.tolist() == [4, 2, 3, 5, 5]
    assert expanded.lambda_f.tolist() == pytest.approx([1, 1, 0.5, 0.1, 0.1])
    assert expanded.num_labels.tolist() == [1] * 5
    assert torch.equal(expanded.soft_labels, labels)


def test_one_crop_an_image_depends_only_on_the_seed_and_the_id():
    changed = crop_and_flip_once(BANK, torch.tensor([1, 2, 5]), seed=3)
    assert changed.dtype == torch.uint8
    assert [torch.equal(a, b) for a, b in zip(changed, BANK, strict=True)] == [True, False, False, True, True, False]
    assert torch.equal(crop_and_flip_once(BANK, torch.tensor([5, 2]), seed=3)[[2, 5]], changed[[2, 5]])
    assert not torch.equal(crop_and_flip_once(BANK, torch.tensor([1, 2, 5]), seed=4), changed)


def test_one_crop_an_image_is_a_crop_and_flip():
    bank = torch.arange(1, 193, dtype=torch.uint8).view(1, 3, 8, 8)
    for seed in range(8):  # with an eighth of 8 pixels, a shift is at most one pixel
        (changed,) = crop_and_flip_once(bank, torch.tensor([0]), seed)
        inside = changed[:, 1:-1, 1:-1]
        possible = [
            image[:, 1 + down : 7 + down, 1 + right : 7 + right]
            for image in (bank[0], bank[0].flip(2))
            for down in (-1, 0, 1)
            for right in (-1, 0, 1)
        ]
        assert any(torch.equal(inside, crop) for crop in possible)
