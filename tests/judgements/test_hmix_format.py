import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hml.judgements import (
    CIFAR10,
    Endpoint,
    Judgement,
    Midpoint,
    SoftCategories,
    name_stimulus,
    parse_construct,
    parse_hmix,
    parse_select,
    parse_soft_categories,
)
from hml.judgements.hmix_format import FINAL, FORMATS, STARTING, Categories, categories, rating, selection, write_row
from hml.judgements.rows import write_rows
from hml.judgements.soft_categories import spread
from hml.judgements.stimulus_names import parse_stimulus

weights = st.floats(0, 1)
per_cents = st.integers(0, 100)
endpoints = st.builds(Endpoint, st.integers(0, 9999), st.integers(0, 9))
pairs = st.tuples(endpoints, endpoints).filter(lambda pair: pair[0].image_id != pair[1].image_id)
stimuli = st.builds(lambda weight, pair: name_stimulus(CIFAR10, weight, *pair), weights, pairs)
# Any text on one line; spaces around it don't count.
names = st.text(st.characters(codec="utf-8", exclude_categories=["Cc"])).map(str.strip).filter(bool)
times = st.none() | st.integers(0, 10**7).map(lambda tenths: tenths / 10)


def write(task, *cells):
    """A file of one answer, in the released file's columns."""
    return write_rows(FORMATS[task].columns, [write_row(CIFAR10, task, *cells)]).encode()


@given(stimuli)
def test_a_name_that_is_written_is_read_as_the_same_stimulus(stimulus):
    assert parse_stimulus(CIFAR10, stimulus.filename, "here") == stimulus


@given(stimuli, names, per_cents, per_cents, times, st.booleans())
def test_a_rating_that_is_written_is_read_as_the_same_judgement(stimulus, who, share, sure, reaction, again):
    judgement = Judgement(stimulus, who, 1 - share / 100, sure / 100, reaction, again)
    content = write("rate_mixture", stimulus, who, rating(judgement.lambda_h, judgement.omega), reaction, again)
    assert parse_hmix(content, "mine.csv", "all") == [judgement]


@given(stimuli, names, weights, weights, times, st.booleans())
def test_a_built_midpoint_that_is_written_is_read_as_the_same(stimulus, who, middle, start, reaction, again):
    content = write("construct", stimulus, who, {FINAL: middle, STARTING: start}, reaction, again)
    expected = Midpoint(stimulus.endpoints, who, round(middle, 9), start, reaction, again)
    assert parse_construct(content, "mine.csv") == [expected]


@given(stimuli, names, per_cents, times, st.booleans())
def test_a_picked_midpoint_that_is_written_is_read_as_the_same(stimulus, who, share, reaction, again):
    content = write("select", stimulus, who, selection(share / 100), reaction, again)
    expected = Midpoint(stimulus.endpoints, who, share / 100, None, reaction, again)
    assert parse_select(content, "mine.csv") == [expected]


@given(stimuli, names, st.permutations(range(10)), per_cents, st.none() | per_cents, st.integers(0, 8), st.booleans())
def test_classes_that_are_written_are_read_as_the_same(stimulus, who, order, prob, prob2, ruled_out, again):
    first, *improbable = order[: ruled_out + 1]
    second, prob2 = (None, 0) if prob2 is None else (order[-1], prob2)
    spelled = [CIFAR10[label] for label in improbable]
    answer = categories(CIFAR10[first], prob, None if second is None else CIFAR10[second], prob2, spelled)
    said = Categories(first, prob / 100, second, prob2 / 100, frozenset(improbable))
    content = write("categorical", stimulus, who, answer, None, again)
    assert parse_soft_categories(content, "mine.csv") == [SoftCategories(stimulus, who, spread(said, 10), again)]


@pytest.mark.parametrize("task", FORMATS)
def test_the_writer_fills_columns_of_the_released_file_only(task):
    answers = {
        "rate_mixture": rating(0.5, 1),
        "construct": {FINAL: 0.5, STARTING: 0.1},
        "select": selection(0.5),
        "categorical": categories("Cat", 80, None, 0, []),
    }
    content = write(task, name_stimulus(CIFAR10, 0.1, Endpoint(1, 3), Endpoint(2, 5)), "ann", answers[task], 1.0, False)
    (row,) = csv.DictReader(io.StringIO(content.decode()))
    answer = {"construct": {"final_value", "start_value", "starting_value"}, "rate_mixture": {"responses"}}
    assert answer.get(task, {"response"}) <= {column for column, cell in row.items() if cell}
    assert all(row[column] for column in ("trial_type", "subject", "task", "rt"))
