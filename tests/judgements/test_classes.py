import pytest

from hml.errors import InputError
from hml.judgements import parse_pair


def test_pairs_are_read_in_either_order():
    assert parse_pair("Dog/Airplane") == parse_pair("airplane/dog") == (0, 5)
    for text in ("Dog", "Dog/Dog", "Dog/Cat/Bird", "Dog/Zebra"):
        with pytest.raises(InputError, match="no pair of classes"):
            parse_pair(text)
