"""Strict YAML: no repeated keys, no NUL characters, limited nesting. These would cause later errors, or wrong values.

It also finds the lines of keys.
"""

from collections.abc import Iterable
from typing import Any

import yaml

# The C loader if PyYAML has it: the Python loader takes seconds for a few kilobytes of brackets. (The Python loader is
# stricter, and configs are finally parsed by it.)
_QUICK_LOADER: type[yaml.SafeLoader] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_MOST_LEVELS = 100
_MOST_VALUES = 100_000  # with aliases expanded


def parse_yaml(text: str) -> Any:
    """Read a YAML text.

    Raises:
        yaml.YAMLError: the text is not YAML, repeats a key, or has a NUL character. The message has the line.
    """
    try:
        _reject_depth(text)
        loader = yaml.SafeLoader(text)
        node = loader.get_single_node()
        _check(node, {})
        return None if node is None else loader.construct_document(node)
    except ValueError as error:  # a number of 5,000 digits, a 30th of February
        raise yaml.YAMLError(str(error)) from error


def find_line(text: str, key: str) -> int | None:
    """Find the line, from 1, of a key such as `a.b.0.c`. Its parts may be nested or written as one key."""
    return _find_line(yaml.compose(text, Loader=yaml.SafeLoader), key)


def _find_line(node: yaml.Node | None, key: str) -> int | None:
    pairs: Iterable[tuple[str, yaml.Node, yaml.Node]] = ()
    if isinstance(node, yaml.MappingNode):
        pairs = ((str(name.value), name, value) for name, value in node.value)
    elif isinstance(node, yaml.SequenceNode):
        pairs = ((str(index), value, value) for index, value in enumerate(node.value))
    for name, at, value in pairs:
        if name == key:
            return int(at.start_mark.line) + 1
        if key.startswith(f"{name}.") and (line := _find_line(value, key.removeprefix(f"{name}."))) is not None:
            return line
    return None


def _reject_depth(text: str) -> None:
    level = 0
    for event in yaml.parse(text, Loader=_QUICK_LOADER):
        level += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if level > _MOST_LEVELS:
            raise yaml.YAMLError(f"it is nested deeper than {_MOST_LEVELS} levels")


def _check(node: yaml.Node | None, counted: dict[int, int | None]) -> int:
    """Reject repeated keys, NUL characters and too many values. Return the number of values, with aliases expanded.

    Code that copies the values expands aliases. File names and numbers can't contain NUL characters.
    """
    if node is None or isinstance(node, yaml.ScalarNode):
        if node is not None and "\0" in node.value:
            raise yaml.constructor.ConstructorError(None, None, "remove the character 0", node.start_mark)
        return 1
    if id(node) not in counted:
        counted[id(node)] = None  # not known yet
        parts = node.value
        if isinstance(node, yaml.MappingNode):
            _reject_repeated_keys(node)
            parts = [part for pair in node.value for part in pair]
        counted[id(node)] = 1 + sum(_check(part, counted) for part in parts)
    count = counted[id(node)]
    if count is None or count > _MOST_VALUES:
        what = "itself" if count is None else f"more than {_MOST_VALUES} values, with its aliases expanded"
        raise yaml.constructor.ConstructorError(None, None, f"it contains {what}", node.start_mark)
    return count


def _reject_repeated_keys(mapping: yaml.MappingNode) -> None:
    lines: dict[tuple[str, str], int] = {}
    for key, _ in mapping.value:
        if not isinstance(key, yaml.ScalarNode):
            continue
        name, line = (key.tag, key.value), key.start_mark.line + 1
        if name in lines:
            raise yaml.constructor.ConstructorError(
                None, None, f"{key.value!r} is repeated, in lines {lines[name]} and {line}: keep one", key.start_mark
            )
        lines[name] = line
