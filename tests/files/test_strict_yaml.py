import pytest
import yaml

from hml.files.strict_yaml import find_line, parse_yaml


def test_what_is_yaml_is_read():
    text = "a: &shared {b: 1, c: [2, 3]}\nd: *shared\ne: [{f: x}, {f: y}]\n"
    assert parse_yaml(text) == {"a": {"b": 1, "c": [2, 3]}, "d": {"b": 1, "c": [2, 3]}, "e": [{"f": "x"}, {"f": "y"}]}
    assert parse_yaml("") is None


def test_the_same_key_may_stand_in_two_places():
    assert parse_yaml("a: {seed: 1}\nb: {seed: 2}\n") == {"a": {"seed": 1}, "b": {"seed": 2}}


@pytest.mark.parametrize(
    "text", ["seed: 1\nother: 2\nseed: 3\n", "x:\n  seed: 1\n\n  'seed': 3\n", "- a\n- {seed: 1,\n\n   seed: 3}\n"]
)
def test_a_key_that_stands_twice_is_rejected_with_its_lines(text):
    first, second = [number for number, line in enumerate(text.splitlines(), 1) if "seed" in line]
    with pytest.raises(yaml.YAMLError, match=f"'seed' is repeated, in lines {first} and {second}"):
        parse_yaml(text)


@pytest.mark.parametrize(
    "text",
    [
        "a: [1",
        "a: b: c",
        "[" * 3000,
        "[" * 200 + "]" * 200,
        "a: {\tb: 1}",
        "a: " + "9" * 5000,
        "a: 2026-02-30",
        'a: "b\\0"',
        '? "\\0"',
    ],
)
def test_what_is_not_yaml_is_rejected(text):
    with pytest.raises(yaml.YAMLError):
        parse_yaml(text)


def test_an_alias_of_itself_is_rejected():
    with pytest.raises(yaml.YAMLError, match="it contains itself"):
        parse_yaml("a: &a [1, *a]\n")


def test_aliases_of_aliases_are_rejected_before_anybody_writes_them_out():
    levels = ["a0: &a0 [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]"]
    levels += [f"a{n + 1}: &a{n + 1} [{', '.join([f'*a{n}'] * 10)}]" for n in range(9)]
    assert parse_yaml("\n".join(levels[:4]))["a3"][9][9][9][9] == 1
    with pytest.raises(yaml.YAMLError, match="more than 100000 values"):
        parse_yaml("\n".join(levels))


@pytest.mark.parametrize(
    ("key", "line"),
    [
        ("a", 1),
        ("a.b", 3),
        ("a.b.c", 3),
        ("d", 4),
        ("e.1.f", 5),
        ("g.h.i", 7),
        ("g.h", None),
        ("b", None),
        ("e.2", None),
    ],
)
def test_a_keys_line_is_found(key, line):
    assert find_line("a:\n  # here\n  b: {c: 1}\nd: x\ne: [1, {f: 2}]\ng:\n  h.i: 3\n", key) == line
