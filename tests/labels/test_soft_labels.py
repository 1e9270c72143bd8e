import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from hml.errors import InputError
from hml.labels import check_soft_labels, smooth_by_confidence, two_hot
from hml.labels.soft_labels import Smoothing

UNIT = st.floats(0, 1, width=32)
ROW = torch.tensor([[0.5, 0.25, 0.25, 0.0]])


def test_two_hot_shares_each_row_between_its_two_classes():
    found = two_hot(torch.tensor([0.75, 0.0]), torch.tensor([1, 0]), torch.tensor([3, 2]), num_classes=4)
    assert found.tolist() == [[0, 0.75, 0, 0.25], [0, 0, 1, 0]]


def test_two_hot_counts_booleans_as_0_and_1():
    assert two_hot(torch.tensor([0.7, 0.2]) > 0.5, 1, 0, num_classes=2).tolist() == [[0, 1], [1, 0]]


def test_two_hot_of_one_class_twice_is_one_hot():
    assert two_hot(torch.tensor([0.3]), 2, 2, num_classes=4).tolist() == [[0, 0, 1, 0]]


def test_two_hot_of_no_rows_is_empty():
    assert two_hot(torch.empty(0), 1, 2, num_classes=10).shape == (0, 10)


@given(lambda_g=st.lists(UNIT, min_size=1, max_size=5), class_1=st.integers(0, 9), class_2=st.integers(0, 9))
def test_swapped_endpoints_with_one_minus_lambda_give_the_same_label(lambda_g, class_1, class_2):
    weight = torch.tensor(lambda_g, dtype=torch.float64)
    label = two_hot(weight, class_1, class_2, num_classes=10)
    torch.testing.assert_close(label, two_hot(1 - weight, class_2, class_1, num_classes=10))
    torch.testing.assert_close(label.sum(1), torch.ones(len(weight), dtype=torch.float64))


def test_smoothing_equals_a_hand_calculation():
    # omega = 0.5 and gamma = 0.25 make s = 0.5, so each entry becomes half of itself and an eighth.
    found = smooth_by_confidence(ROW, torch.tensor([0.5]), gamma=0.25)
    assert found.tolist() == [[0.375, 0.25, 0.25, 0.125]]


def test_smoothing_over_a_support_does_not_change_other_classes():
    support = torch.tensor([[True, False, False, True]])
    found = smooth_by_confidence(ROW, torch.tensor([0.5]), 0.25, support)
    assert found.tolist() == [[0.5, 0.125, 0.125, 0.25]]


def test_no_confidence_leaves_a_uniform_label():
    assert smooth_by_confidence(ROW, torch.zeros(1), 0.005).tolist() == [[0.25] * 4]


def test_full_confidence_keeps_one_minus_gamma_of_the_label():
    found = smooth_by_confidence(ROW, torch.ones(1), 0.04)
    torch.testing.assert_close(found, torch.tensor([[0.96 * 0.5 + 0.01, 0.25, 0.25, 0.01]]))


def test_as_gamma_goes_to_0_full_confidence_changes_nothing():
    torch.testing.assert_close(smooth_by_confidence(ROW, torch.ones(1), 1e-30), ROW, rtol=0, atol=1e-12)


def test_each_row_is_smoothed_by_its_own_confidence():
    found = smooth_by_confidence(ROW.repeat(2, 1), torch.tensor([0.0, 0.5]), 0.25)
    assert found.tolist() == [[0.25] * 4, [0.375, 0.25, 0.25, 0.125]]


def test_additive_smoothing_equals_a_hand_calculation():
    # c = 2 · 0.25^0.5 = 1, so each entry is itself and a quarter of c, divided by 1 + c.
    found = smooth_by_confidence(ROW, torch.tensor([0.5]), gamma=0.25, additive=2)
    assert found.tolist() == [[0.375, 0.25, 0.25, 0.125]]
    # c = 2, so the label keeps a third.
    found = smooth_by_confidence(ROW, torch.zeros(1), gamma=0.25, additive=2)
    torch.testing.assert_close(found, (ROW + 0.5) / 3)


@given(
    weights=st.lists(UNIT, min_size=2, max_size=6),
    omega=UNIT,
    gamma=st.floats(1e-6, 1),
    additive=st.none() | st.floats(1e-3, 1e3),
)
def test_smoothing_keeps_probabilities_and_moves_towards_uniform(weights, omega, gamma, additive):
    label = torch.tensor([weights], dtype=torch.float64).softmax(1)
    found = smooth_by_confidence(label, torch.tensor([omega]), gamma, additive=additive)
    assert float(found.sum()) == pytest.approx(1)
    assert bool((found >= 0).all())
    assert float((found - 1 / len(weights)).abs().max()) <= float((label - 1 / len(weights)).abs().max()) + 1e-12


@pytest.mark.parametrize(
    ("label", "omega", "gamma", "message"),
    [
        (ROW, 1.4, 0.1, r"omega=\[1.39.* divide by 100"),
        (ROW, float("nan"), 0.1, "omega"),
        (ROW, 0.5, 0.0, "gamma=0.0"),
        (ROW, 0.5, 1.5, "gamma=1.5"),
        (ROW, 0.5, float("nan"), "gamma=nan"),
        (ROW * 2, 0.5, 0.1, "row 0 of the soft labels sums to 2"),
    ],
)
def test_smoothing_rejects_values_out_of_range(label, omega, gamma, message):
    with pytest.raises(InputError, match=message):
        smooth_by_confidence(label, torch.tensor([omega]), gamma)


@pytest.mark.parametrize(
    ("label", "message"),
    [
        (torch.tensor([0.5, 0.5]), r"shape \(2,\), expected \(K, 2\)"),
        (torch.full((1, 4), 0.25), r"shape \(1, 4\), expected \(K, 2\)"),
        (torch.tensor([[1, 0]]), "torch.int64, expected floating point"),
        (torch.tensor([[0.5, 0.5], [-0.5, 1.5]]), "row 1 .* has the entry -0.5"),
        (torch.tensor([[float("nan"), 1.0]]), "row 0 .* has the entry nan"),
        (torch.tensor([[0.5, 0.4]]), "row 0 .* sums to 0.9, not to 1"),
        (torch.tensor([[float("inf"), 0.0]]), "row 0 .* sums to inf"),
    ],
)
def test_rows_that_are_not_probabilities_are_an_error(label, message):
    with pytest.raises(InputError, match=message):
        check_soft_labels(label, 2)


def test_probabilities_may_be_off_by_a_rounding_error():
    assert check_soft_labels(torch.tensor([[0.50005, 0.5], [0.0, 1.0]]), 2) is None


@pytest.mark.parametrize("num_classes", [2, 3, 100])
def test_smoothing_spreads_over_as_many_classes_as_there_are(num_classes):
    label = two_hot(torch.tensor([0.75]), 0, 1, num_classes)
    smoothed = smooth_by_confidence(label, torch.tensor([0.5]), gamma=0.25)  # half of it
    assert float(smoothed[0, 0]) == pytest.approx(0.375 + 0.5 / num_classes)
    assert smoothed[0, 2:].tolist() == pytest.approx([0.5 / num_classes] * (num_classes - 2))
    over_two = Smoothing(0.25, "endpoints").smooth(label, torch.tensor([0.5]), (0, 1))
    assert over_two[0, :2].tolist() == pytest.approx([0.625, 0.375])
    assert not over_two[0, 2:].any()
