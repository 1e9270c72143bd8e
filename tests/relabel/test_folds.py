import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hml.errors import InputError
from hml.relabel.folds import choose_splits, group_by_pair, grouped_folds, groups_of


@given(st.lists(st.integers(0, 12), min_size=30, max_size=80), st.integers(2, 4), st.integers(0, 3))
@settings(max_examples=40, deadline=None)
def test_nothing_of_a_group_is_on_both_sides_and_each_judgement_is_held_out_once(groups, folds, seed):
    group = np.array(groups)
    if len(np.unique(group)) < folds:
        return
    held_out = []
    for learn, test in grouped_folds(group, folds, seed):
        assert not set(group[learn]) & set(group[test])
        assert sorted([*learn, *test]) == list(range(len(group)))
        held_out += test.tolist()
    assert sorted(held_out) == list(range(len(group)))


def test_a_pair_is_the_same_in_either_order_whatever_lambda_f():
    table = pd.DataFrame({"id_1": [4, 7, 4, 4], "id_2": [7, 4, 7, 8], "lambda_f": [0.1, 0.9, 0.5, 0.5]})
    group = group_by_pair(table)
    assert group[0] == group[1] == group[2] != group[3]


def test_of_the_released_judgements_no_pair_and_no_person_is_on_both_sides(data_dir):
    from hml.judgements import read_hmix
    from hml.judgements.tables import judgement_table

    table = judgement_table(read_hmix(data_dir / "hmix_infer_mixing_factor.csv", cohort="all"))
    pairs = [frozenset(ids) for ids in zip(table["id_1"], table["id_2"], strict=True)]
    assert len(set(pairs)) == 1530
    for learn, test in grouped_folds(group_by_pair(table), 5, 0):
        assert not {pairs[i] for i in learn} & {pairs[i] for i in test}
    for learn, test in grouped_folds(table["person"].to_numpy(), 5, 0):
        assert not set(table["annotator"].iloc[learn]) & set(table["annotator"].iloc[test])


def test_more_folds_than_groups_are_rejected():
    with pytest.raises(InputError, match="folds=3"):
        list(grouped_folds(np.array([0, 1, 0]), 3, 0))


def judge(*pairs_of_each_person):
    """A table in which each person judged these image pairs."""
    rows = [
        {"id_1": pair, "id_2": 100 + pair, "person": person}
        for person, pairs in enumerate(pairs_of_each_person)
        for pair in pairs
    ]
    return pd.DataFrame(rows)


@pytest.mark.parametrize(
    ("table", "folds", "chosen"),
    [
        (judge([0, 1, 2, 3]), 2, ["pair"]),
        (judge([0, 1], [0, 1]), 2, ["annotator"]),  # without one of two pairs, one is left
        (judge([0, 1, 2, 3], [0, 1, 2, 3]), 2, ["pair", "annotator"]),
        (judge([0, 1, 2, 3], [0]), 2, ["pair"]),  # of the second person, one pair is left to learn from
        (judge([0, 1, 2]), 3, ["pair"]),
    ],
)
def test_splits_that_leave_two_pairs_to_learn_from_are_chosen(table, folds, chosen):
    splits = choose_splits(table, folds, seed=0)
    assert splits.chosen == chosen
    assert len(splits.left_out) == 2 - len(chosen)
    for split in splits.chosen:
        for learn, _ in grouped_folds(groups_of(table, split), folds, 0):
            assert len(np.unique(group_by_pair(table.iloc[learn]))) >= 2


@pytest.mark.parametrize(
    ("table", "folds", "said"),
    [
        (judge([0], [0], [0]), 2, "3 image pairs or more"),
        (judge([0, 1]), 2, "of 2 image pairs by 1 person"),
        (judge([0, 1, 2]), 2, "Set --folds higher"),
        (judge([0, 1, 2], [0, 1, 2]), 3, "--folds 3 must be 2:"),
    ],
)
def test_what_no_split_can_be_made_of_is_rejected(table, folds, said):
    with pytest.raises(InputError, match=said):
        choose_splits(table, folds, seed=0)
