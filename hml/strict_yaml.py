"""YAML in which no mapping names a key twice, where the last would win in silence; and where its keys stand."""

from collections.abc import Sequence
from typing import Any

import yaml


def parse_yaml(text: str) -> Any:
    """Read a YAML text.

    Raises:
        yaml.YAMLError: it isn't YAML, or a mapping in it names a key twice; says in which line.
    """
    try:
        _check(text)
        return yaml.safe_load(text)
    except RecursionError as error:
        raise yaml.YAMLError("it is nested too deeply") from error
    except ValueError as error:  # a number of 5,000 digits, a 30th of February
        raise yaml.YAMLError(str(error)) from error


def find_line(text: str, keys: Sequence[str]) -> int | None:
    """Find the line, counted from 1, of a key of a mapping in a mapping in a …, given the way there."""
    node, line = yaml.compose(text, Loader=yaml.SafeLoader), None
    for key in keys:
        pairs = node.value if isinstance(node, yaml.MappingNode) else ()
        found = next(((name, value) for name, value in pairs if name.value == key), None)
        if found is None:
            return None
        node, line = found[1], found[0].start_mark.line + 1
    return line


def _check(text: str) -> None:
    """Refuse repeated keys, and the character 0, which no file's name and no number can have."""
    unseen, seen = [yaml.compose(text, Loader=yaml.SafeLoader)], set()
    while unseen:
        node = unseen.pop()
        if id(node) in seen:  # an alias of what was looked at
            continue
        seen.add(id(node))
        if isinstance(node, yaml.MappingNode):
            _refuse_repeated_keys_of(node)
            unseen += [part for pair in node.value for part in pair]
        elif isinstance(node, yaml.SequenceNode):
            unseen += node.value
        elif isinstance(node, yaml.ScalarNode) and "\0" in node.value:
            raise yaml.constructor.ConstructorError(None, None, "there is a character 0 here", node.start_mark)


def _refuse_repeated_keys_of(mapping: yaml.MappingNode) -> None:
    lines: dict[tuple[str, str], int] = {}
    for key, _ in mapping.value:
        if not isinstance(key, yaml.ScalarNode):
            continue
        name, line = (key.tag, key.value), key.start_mark.line + 1
        if name in lines:
            raise yaml.constructor.ConstructorError(
                None, None, f"{key.value!r} stands twice, in lines {lines[name]} and {line}: leave one", key.start_mark
            )
        lines[name] = line
