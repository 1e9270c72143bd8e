import pytest

from hml.errors import InputError
from hml.judgements.rows import parse_object, read_rows, reject


def test_rows_know_where_they_stand():
    rows = list(read_rows(b"\xef\xbb\xbfa,b\n1,2\n\n3,4\n", "mine.csv", ("a",)))
    assert rows == [("mine.csv, row 2", {"a": "1", "b": "2"}), ("mine.csv, row 4", {"a": "3", "b": "4"})]


def test_a_missing_column_is_named_with_the_hint():
    with pytest.raises(InputError, match=r"mine\.csv has no column c \(its columns: a, b\)\. Add it\."):
        list(read_rows(b"a,b\n1,2\n", "mine.csv", ("a", "c"), "Add it."))


def test_refusing_names_field_value_place_and_remedy():
    with pytest.raises(InputError, match=r"^age=-1 in mine\.csv, row 2: give years\.$"):
        reject("mine.csv, row 2", "age", -1, "give years.")


def test_an_object_is_read_and_anything_else_rejected():
    assert parse_object('{"a": 1}', "here", "field", "mend it.") == {"a": 1}
    for text in ("[1]", "1", "", '{"a": NaN}', '{"a": 1, "a": 2}', "[" * 100_000):
        with pytest.raises(InputError, match=r"field=.* in here: mend it"):
            parse_object(text, "here", "field", "mend it.")
