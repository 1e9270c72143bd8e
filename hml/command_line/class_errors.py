"""Explains what is wrong with a class that a flag or a config names, which jsonargparse reports in its own terms."""

import importlib
import inspect
import pydoc
import re
from collections.abc import Callable, Collection

from hml.command_line.suggestions import suggest

_CLASS = r"Problem with given class_path '([\w.]+)':\s*"


def explain_class(complaint: str, list_known_words: Callable[[], Collection[str]]) -> str | None:
    r"""Return what is wrong with a class or its arguments, and what to do; None if the error is about something else.

    Args:
        complaint: The error of jsonargparse 4.53.
        list_known_words: Returns the names that may be written without their module, such as hml's strategies. It is
            called only for a name without a module, since it may import torch.

    Examples:
        >>> complaint = "Parser key \"source\": Problem with given class_path 'own.Cats': No module named 'own'"
        >>> explain_class(complaint, list)
        '--source own.Cats: there is no module own. Put own.py where you run hml, or install the package.'
    """
    key = re.match(r'Parser key "([\w.]+)"', complaint)
    if key is None:
        return None
    flag = f"--{key[1].removesuffix('.init_args')}"
    as_class = _as_of_a_class(complaint)
    supplied = int(as_class != complaint)  # hml itself passes the first argument, such as the parameters
    complaint = as_class
    if found := re.search(_CLASS + r"module '([\w.]+)' has no attribute '(?!py')(\w+)'", complaint):
        path, module, name = found.groups()
        classes = inspect.getmembers(importlib.import_module(module), inspect.isclass)
        return f"{flag} {path}: the module {module} has no class {name}.{suggest(name, [one for one, _ in classes])}"
    if found := re.search(_CLASS + r"No module named '([\w.]+)'", complaint):
        file = f"{found[2].replace('.', '/')}.py"
        return (
            f"{flag} {found[1]}: there is no module {found[2]}. Put {file} where you run hml, or install the package."
        )
    if found := re.search(_CLASS + r"Option '(\w+)' is not accepted", complaint):
        arguments = list(inspect.signature(pydoc.locate(found[1])).parameters)[supplied:]  # type: ignore[arg-type]
        hint = suggest(found[2], arguments)
        return f"{flag}.{found[2]}: {found[1]} has no such argument. It has: {', '.join(arguments) or 'none'}.{hint}"
    if found := re.search(_CLASS + r"the following arguments are required: (\w+)", complaint):
        return f"{flag}.{found[2]} is missing: {found[1]} needs it."
    if found := re.search(r"but ([\w.]+) is abstract", complaint):
        if found[1].startswith("hml."):  # what jsonargparse assumes if an argument comes before the class
            return f"{flag}: {found[1]} is abstract. Name a subclass before its arguments: {flag} my_module.MyClass"
        missing = " and ".join(sorted(getattr(pydoc.locate(found[1]), "__abstractmethods__", ())))
        return f"{flag} {found[1]}: the class lacks {missing}. Define what it lacks."
    if found := re.search(r"path ([\w.]+) does not correspond to a subclass of (\w+)", complaint) or re.search(
        r"Expected '([\w.]+)' to be a subclass of (?:<class '|Union\[)?(\w+)", complaint
    ):
        return f"{flag} {found[1]}: this is not a subclass of {found[2]}, which the flag needs."
    if found := re.search(
        r"Expected a dot import path string: (\S+)|(?:sub-config file |path ')(\S+\.py)\b", complaint
    ):
        name, known_words = found[1] or found[2], list_known_words()
        if name in known_words:
            return f"{flag} {name}: the flag needs another kind of class, and --help lists them."
        hint = suggest(name, known_words)
        return f"{flag} {name}: name a class by its module and name, such as my_module.MyClass.{hint}"
    return None


def _as_of_a_class(complaint: str) -> str:
    """Rewrite the error about a flag that takes a function or a class as the error about a flag that takes a class."""
    problem = re.search(r"a function or a callable class: (.*)", complaint)
    path = re.search(r"(?:class_path='|Got value: (?!Namespace)|Given value: (?!NestedArg))([\w.]+)", complaint)
    if problem is None or path is None:
        return complaint
    return f"Problem with given class_path '{path[1]}': {problem[1]}"
