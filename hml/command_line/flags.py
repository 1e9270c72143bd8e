"""Builds the flags of hml's own verbs from dataclasses. Flags need full names. Mistakes raise one-sentence errors."""

import argparse
import dataclasses
import functools
import pkgutil
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import NoneType
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

import docstring_parser
from jsonargparse import ArgumentParser

from hml.command_line.class_errors import explain_class
from hml.command_line.configs import resolve_configs
from hml.command_line.suggestions import suggest
from hml.errors import InputError
from hml.files.paths import expand

T = TypeVar("T")
_ITEM_ASSIGNMENT = "'str' object does not support item assignment"
"""The message of jsonargparse 4.53 if a config has text for a flag with several values."""


def parse_verb(prog: str, verbs: Mapping[str, type[T]], args: Sequence[str], epilog: str) -> T:
    """Parse a command line whose first word is one of several verbs, such as those of `hml elicit`.

    Args:
        prog: The command before the verb, such as "hml elicit".
        verbs: The options of each verb, as for `parse`.
        args: The verb and its flags.
        epilog: Examples at the end of the help.

    Raises:
        InputError: there is no such verb, or a flag is wrong.
    """
    verb, *flags = args or [""]
    if verb in ("-h", "--help"):
        summaries = "".join(f"  {name:10}{_document(options)[0]}\n" for name, options in verbs.items())
        print(f"usage: {prog} <verb> [flags]\n\n{summaries}\n{epilog}", end="")
        raise SystemExit(0)
    if verb not in verbs:
        hint = suggest(verb, verbs)
        raise InputError(f"{prog} has no verb {verb!r}: {', '.join(verbs)}. See {prog} --help.{hint}")
    return parse(f"{prog} {verb}", verbs[verb], flags)


def parse(prog: str, options: type[T], args: Sequence[str]) -> T:
    """Parse the flags of a verb.

    Args:
        prog: The verb, such as "hml percepts".
        options: A dataclass, as for `make_parser`. Its paths are expanded.
        args: The flags. Configs may be given by name.

    Raises:
        InputError: a flag or a config is wrong. The message suggests the most similar flag.
    """
    try:
        parser = make_parser(prog, options, args)
        values = parser.instantiate(parser.parse_args(resolve_configs(args)))
        own = _fields(options)
        return options(**{field.name: _finish(field, values.get(field.name, field.default)) for field in own})
    except argparse.ArgumentError as error:
        if (explained := explain_class(str(error), functools.partial(_class_names, options))) is not None:
            raise InputError(explained) from error
        text = str(error).replace(_ITEM_ASSIGNMENT, "a config has text instead of a list")
        text = re.sub(r'\s*Parser key "([\w-]+)":?\s*', r"--\1: ", text)
        text = re.sub(r"<class '(\w+)'>|typing\.(?=Literal)", r"\1", text).strip(" .")
        hint = suggest(text, [name.removeprefix("--") for name in flag_names(options)])
        raise InputError(f"{text}. See {prog} --help.{hint}") from error


def make_parser(prog: str, options: type, args: Sequence[str] = ()) -> ArgumentParser:
    """Make a parser with a flag for each field of a dataclass.

    The docstring of the class has the verb's summary and the help of the flags. `EPILOG`, if defined, ends the help. A
    bool becomes a flag without a value, a tuple a flag with several values. A field without a default becomes a
    positional argument, or a required flag if it is keyword-only.

    The metadata of a field may have `flag`, which replaces its name, `base`, the path of the class whose subclasses are
    accepted, and arguments of `add_argument`. A base is imported only if `args` contain its flag or a config.
    """
    summary, texts = _document(options)
    parser = ArgumentParser(
        prog=prog,
        description=summary,
        epilog=getattr(options, "EPILOG", None),
        allow_abbrev=False,
        exit_on_error=False,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--config", "-c", action="config", help="Flags from a YAML file; may be repeated.")
    hints = get_type_hints(options)
    for field in _fields(options):
        settings = _value_settings(hints[field.name], field.default)
        text = texts[field.name].replace("%", "%%")
        if field.default is dataclasses.MISSING:
            settings |= {"required": True} if field.kw_only else {}
        elif str(shown := settings["default"]) not in ("None", "False", "[]"):
            text = f"{text.rstrip('.')} (default: {' '.join(map(str, shown)) if isinstance(shown, list) else shown})"
        more = {name: value for name, value in field.metadata.items() if name not in ("flag", "base")}
        if base := field.metadata.get("base"):
            is_named = any(arg.startswith((_flag(field), "--config", "-c")) for arg in args)
            settings["type"] = pkgutil.resolve_name(base) if is_named else str
        parser.add_argument(_flag(field), help=text, **(settings | more))
    return parser


def flag_names(options: type) -> list[str]:
    """List the flags and positional arguments that `make_parser` creates from a dataclass."""
    return [*map(_flag, _fields(options)), "--config", "--print_config", "--help"]


def _fields(options: type) -> tuple[dataclasses.Field[Any], ...]:
    return dataclasses.fields(options)


def _class_names(options: type) -> list[str]:
    """List the classes that flags may name without their module: those beside each base."""
    modules = [base.rpartition(".")[0] for field in _fields(options) if (base := field.metadata.get("base"))]
    return [name for module in modules for name in pkgutil.resolve_name(module).__all__]


def _flag(field: dataclasses.Field[Any]) -> str:
    is_positional = field.default is dataclasses.MISSING and not field.kw_only
    return str(field.metadata.get("flag", field.name if is_positional else f"--{field.name}"))


def _document(options: type) -> tuple[str, dict[str, str]]:
    """Return the summary of a docstring and the text of each argument in one line, base classes included."""
    documents = [docstring_parser.parse(base.__doc__ or "") for base in options.__mro__]
    params = [param for document in reversed(documents) for param in document.params]
    texts = {param.arg_name: " ".join((param.description or "").split()) for param in params}
    return documents[0].short_description or "", texts


def _value_settings(hint: Any, default: Any) -> dict[str, Any]:
    """Return arguments of `add_argument` for a field's type. jsonargparse accepts None as a default of any type."""
    if hint is bool:
        return {"action": "store_true", "default": default}
    if get_origin(hint) is tuple:
        return {"type": get_args(hint)[0], "nargs": "+", "default": list(default)}
    kind = get_args(hint)[0] if NoneType in get_args(hint) else hint
    return {"type": kind} if default is dataclasses.MISSING else {"type": kind, "default": default}


def _finish(field: dataclasses.Field[Any], value: Any) -> Any:
    """Expand a path, and check values of a config that jsonargparse does not check."""
    if isinstance(field.default, bool) and not isinstance(value, bool):
        raise InputError(f"{_flag(field)} is {value!r} in a config: it must be true or false.")
    if isinstance(value, Path):
        try:
            return expand(str(value))
        except InputError as error:
            raise InputError(f"{_flag(field)}: {error}") from error
    return tuple(value) if isinstance(value, list) else value
