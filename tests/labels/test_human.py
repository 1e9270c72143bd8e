import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from hml.errors import InputError
from hml.labels import AggregateLabels, ConfidenceWeightedLabels, MixupLabels, SeparateLabels, label_checked

UNIT = st.floats(0, 1)
ANSWERS = st.lists(st.tuples(UNIT, UNIT), min_size=1, max_size=5)


def row(cat, dog, others=0.0):
    """Ten classes, of which Cat is the fourth and Dog the sixth."""
    return pytest.approx([others] * 3 + [cat, others, dog] + [others] * 4, abs=1e-6)


@pytest.fixture
def example(make_example):
    return make_example((0.8, 0.5), (0.2, 0.0))


def test_separate_labels_are_what_each_person_said(example):
    assert SeparateLabels().label(example).tolist() == [row(0.8, 0.2), row(0.2, 0.8)]


def test_separate_labels_are_smoothed_by_each_persons_confidence(example):
    # s is 0.25^0.5 = 0.5 for the first person and 1 for the second.
    assert SeparateLabels(gamma=0.25).label(example).tolist() == [row(0.45, 0.15, 0.05), row(0.1, 0.1, 0.1)]


def test_separate_labels_can_be_smoothed_over_the_endpoints_only(example):
    found = SeparateLabels(gamma=0.25, smooth_over="endpoints").label(example)
    assert found.tolist() == [row(0.65, 0.35), row(0.5, 0.5)]


def test_aggregate_labels_are_the_mean(make_example):
    found = AggregateLabels().label(make_example((0.9, 0.1), (0.6, 1.0), (0.3, 0.0)))
    assert found.tolist() == [row(0.6, 0.4)]


def test_aggregate_labels_are_smoothed_before_the_mean_is_taken(example):
    assert AggregateLabels(gamma=0.25).label(example).tolist() == [row(0.275, 0.125, 0.075)]


def test_aggregate_labels_can_be_smoothed_after_the_mean_is_taken(example):
    # The mean label is (0.5, 0.5), the mean confidence 0.25, and s = 0.25^0.25 = 1/√2.
    s = 0.5**0.5
    found = AggregateLabels(gamma=0.25, order="mean_then_smooth").label(example)
    assert found.tolist() == [row((1 - s) * 0.5 + s / 10, (1 - s) * 0.5 + s / 10, s / 10)]
    endpoints = AggregateLabels(gamma=0.25, smooth_over="endpoints", order="mean_then_smooth").label(example)
    assert endpoints.tolist() == [row(0.5, 0.5)]


@pytest.mark.parametrize(
    ("strategy", "expected"),
    [
        # c = 2 · 0.25^0.5 = 1 and c = 2 · 0.25^0 = 2: (label + c / 10) / (1 + c).
        (SeparateLabels(0.25, additive=2), [row(0.45, 0.15, 0.05), row(0.4 / 3, 1 / 3, 0.2 / 3)]),
        (AggregateLabels(0.25, additive=2), [row((0.45 + 0.4 / 3) / 2, (0.15 + 1 / 3) / 2, (0.05 + 0.2 / 3) / 2)]),
        (SeparateLabels(0.25, "endpoints", 2), [row(0.65, 0.35), row(0.4, 0.6)]),
    ],
)
def test_smoothing_can_be_additive(example, strategy, expected):
    assert strategy.label(example).tolist() == expected


def test_additive_smoothing_without_gamma_is_an_error():
    with pytest.raises(InputError, match="additive=50 has no effect without gamma"):
        SeparateLabels(additive=50)


def test_without_smoothing_the_order_makes_no_difference(example):
    torch.testing.assert_close(
        AggregateLabels().label(example), AggregateLabels(order="mean_then_smooth").label(example)
    )


def test_confidence_weighted_labels_divide_by_the_confidences_sum(make_example):
    # (0.9 · 0.25 + 0.1 · 0.75) / (0.25 + 0.75) = 0.3; divided by K = 2 it would be 0.15.
    found = ConfidenceWeightedLabels().label(make_example((0.9, 0.25), (0.1, 0.75)))
    assert found.tolist() == [row(0.3, 0.7)]


def test_where_nobody_is_confident_everyone_counts_alike(make_example):
    found = ConfidenceWeightedLabels().label(make_example((0.9, 0.0), (0.2, 0.0)))
    assert found.tolist() == [row(0.55, 0.45)]


@given(
    answers=ANSWERS,
    gamma=st.none() | st.floats(1e-6, 1),
    over=st.sampled_from(["all", "endpoints"]),
    order=st.sampled_from(["smooth_then_mean", "mean_then_smooth"]),
)
def test_every_strategys_rows_are_probabilities(make_example, answers, gamma, over, order):
    example = make_example(*answers)
    for strategy, rows in (
        (SeparateLabels(gamma, over), len(answers)),
        (AggregateLabels(gamma, over, order), 1),
        (ConfidenceWeightedLabels(), 1),
        (MixupLabels(), 1),
    ):
        label = label_checked(strategy, example)
        assert label.shape == (rows, 10)
        assert bool((label >= 0).all())
        torch.testing.assert_close(label.sum(1), torch.ones(rows))


@given(answers=ANSWERS)
def test_swapped_endpoints_with_one_minus_lambda_give_the_same_labels(make_example, answers):
    swapped = make_example(*((1 - lambda_h, omega) for lambda_h, omega in answers), classes=(5, 3))
    for strategy in (SeparateLabels(0.005), AggregateLabels(0.005), ConfidenceWeightedLabels()):
        label = strategy.label(make_example(*answers))
        torch.testing.assert_close(label, strategy.label(swapped), rtol=0, atol=1e-5)


@pytest.mark.parametrize("strategy", [SeparateLabels, AggregateLabels])
@pytest.mark.parametrize("gamma", [0.0, -1.0, 1.5])
def test_a_strategy_with_gamma_out_of_range_is_an_error(strategy, gamma):
    with pytest.raises(InputError, match=f"gamma={gamma}"):
        strategy(gamma=gamma)
