import csv
from collections import Counter

import pytest

from hml.errors import InputError
from hml.judgements import Endpoint, Midpoint, parse_construct, parse_select

CONSTRUCT = {
    "subject": "ann",
    "class_pair": "Bird_9624_Deer_9585",
    "task": "select_create",
    "final_value": "0.5000000000000001",
    "starting_value": "0.1",
    "rt": "1200",
}
SELECT = {
    "subject": "ann",
    "class_pair": "Bird_9624_Deer_9585",
    "task": "rerun_select_shuffled",
    "response": '{"select":"select0.3"}',
}


def make_csv(*rows):
    lines = [list(rows[0]), *(list(row.values()) for row in rows)]
    return "\n".join(",".join('"' + v.replace('"', '""') + '"' for v in line) for line in lines).encode()


def test_a_built_midpoint_is_read_without_float_noise():
    assert parse_construct(make_csv(CONSTRUCT), "mine.csv") == [
        Midpoint((Endpoint(9624, 2), Endpoint(9585, 4)), "ann", 0.5, start=0.1, reaction_ms=1200)
    ]


def test_a_picked_midpoint_is_read():
    assert parse_select(make_csv(SELECT), "mine.csv") == [
        Midpoint((Endpoint(9624, 2), Endpoint(9585, 4)), "ann", 0.3, is_repeat=True)
    ]


@pytest.mark.parametrize(
    ("parse", "good", "field", "value"),
    [
        (parse_construct, CONSTRUCT, "subject", " "),
        (parse_construct, CONSTRUCT, "class_pair", "Bird_1"),
        (parse_construct, CONSTRUCT, "class_pair", "Birt_1_Deer_2"),
        (parse_construct, CONSTRUCT, "task", "rate_mixture"),
        (parse_construct, CONSTRUCT, "final_value", "half"),
        (parse_construct, CONSTRUCT, "starting_value", ""),
        (parse_construct, CONSTRUCT, "rt", "soon"),
        (parse_select, SELECT, "task", "select_create"),
        (parse_select, SELECT, "response", '{"select":"0.3"}'),
        (parse_select, SELECT, "response", '{"select":"select0.3.1"}'),
        (parse_select, SELECT, "response", "select0.3"),
    ],
)
def test_bad_rows_are_rejected_by_file_row_field_and_value(parse, good, field, value):
    with pytest.raises(InputError) as caught:
        parse(make_csv(good, good | {field: value}), "mine.csv")
    assert str(caught.value).startswith(f"{field}={value!r}"[:60])
    assert "mine.csv, row 3" in str(caught.value)


@pytest.mark.parametrize(
    ("parse", "row"),
    [
        (parse_construct, CONSTRUCT | {"final_value": "1.2"}),
        (parse_construct, CONSTRUCT | {"starting_value": "nan"}),
        (parse_construct, CONSTRUCT | {"rt": "-3"}),
        (parse_select, SELECT | {"response": '{"select":"select7"}'}),
    ],
)
def test_impossible_answers_are_rejected(parse, row):
    with pytest.raises(InputError, match=r"mine\.csv, row 2: .*=.* (is outside \[0, 1\]|is not a time)"):
        parse(make_csv(row), "mine.csv")


def test_the_released_files_have_the_released_sizes(other_tasks):
    construct = parse_construct((other_tasks / "hmix_construct_midpoint.csv").read_bytes(), "construct")
    select = parse_select((other_tasks / "hmix_select_shuffled_midpoint.csv").read_bytes(), "select")
    for midpoints, people in ((construct, 45), (select, 25)):
        assert set(Counter(m.annotator for m in midpoints).values()) == {32}
        assert len({m.annotator for m in midpoints}) == people
        assert sum(m.is_repeat for m in midpoints) == 2 * people
        assert {round(m.lambda_m * 10, 9) for m in midpoints} == set(range(11))
    assert max(Counter((m.annotator, m.lambda_m) for m in construct).values()) == 31
    assert {m.start for m in construct} == {0.1, 0.9}
    with (other_tasks / "hmix_construct_midpoint.csv").open(newline="") as file:
        raw = [float(row["final_value"]) for row in csv.DictReader(file)]
    assert [m.lambda_m for m in construct] == pytest.approx(raw, abs=1e-9)
