"""YAML without what would cause errors later, or none: repeated keys, the character 0, endless nesting.

It also finds the lines of keys.
"""

from collections.abc import Iterable
from typing import Any

import yaml

# In C, where PyYAML was built so: in Python it takes seconds over a few kilobytes of brackets. (That one is stricter,
# and configs are parsed by it in the end.)
_QUICK_LOADER: type[yaml.SafeLoader] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_MOST_LEVELS = 100
_MOST_VALUES = 100_000  # with every alias written out


def parse_yaml(text: str) -> Any:
    """Read a YAML text.

    Raises:
        yaml.YAMLError: it isn't YAML, a mapping in it names a key twice, or a text has the character 0; says where.
    """
    try:
        _reject_depth(text)
        _check(yaml.compose(text, Loader=yaml.SafeLoader), {})
        return yaml.safe_load(text)
    except ValueError as error:  # a number of 5,000 digits, a 30th of February
        raise yaml.YAMLError(str(error)) from error


def find_line(text: str, key: str) -> int | None:
    """Find the line, counted from 1, of a key such as `a.b.0.c`, whose parts stand within each other or in one."""
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
    """Reject repeated keys, the character 0 and too many values; return how many there are, aliases written out.

    Code that copies the values writes aliases out. No file name and no number can have the character 0.
    """
    if node is None or isinstance(node, yaml.ScalarNode):
        if node is not None and "\0" in node.value:
            raise yaml.constructor.ConstructorError(None, None, "take out the character 0", node.start_mark)
        return 1
    if id(node) not in counted:
        counted[id(node)] = None  # it isn't known yet
        parts = node.value
        if isinstance(node, yaml.MappingNode):
            _reject_repeated_keys(node)
            parts = [part for pair in node.value for part in pair]
        counted[id(node)] = 1 + sum(_check(part, counted) for part in parts)
    count = counted[id(node)]
    if count is None or count > _MOST_VALUES:
        what = "itself" if count is None else f"more than {_MOST_VALUES} values, with its aliases written out"
        raise yaml.constructor.ConstructorError(None, None, f"it holds {what}", node.start_mark)
    return count


def _reject_repeated_keys(mapping: yaml.MappingNode) -> None:
    lines: dict[tuple[str, str], int] = {}
    for key, _ in mapping.value:
        if not isinstance(key, yaml.ScalarNode):
            continue
        name, line = (key.tag, key.value), key.start_mark.line + 1
        if name in lines:
            raise yaml.constructor.ConstructorError(
                None, None, f"{key.value!r} is repeated, in lines {lines[name]} and {line}: leave one", key.start_mark
            )
        lines[name] = line
