"""The names that `import hml` provides, and their modules.

The stub `hml/__init__.pyi` is the only list of these names. Type checkers and editors read it too.
"""

import ast
from collections.abc import Mapping
from functools import cache
from pathlib import Path

_STUB = Path(__file__).with_name("__init__.pyi")


@cache
def modules() -> Mapping[str, str]:
    """Return the module of each name, such as `hml.data` for `HMixDataModule`."""
    imports = [node for node in ast.parse(_STUB.read_text(encoding="utf-8")).body if isinstance(node, ast.ImportFrom)]
    return {alias.name: str(node.module) for node in imports for alias in node.names}


def module_path(path: str) -> str:
    """Return the full import path of a class that is named by its short path, such as `hml.SeparateLabels`.

    Other paths are returned unchanged.

    Examples:
        >>> module_path("hml.SeparateLabels"), module_path("torch.optim.SGD")
        ('hml.labels.SeparateLabels', 'torch.optim.SGD')
    """
    package, _, name = path.rpartition(".")
    return f"{modules()[name]}.{name}" if package == "hml" and name in modules() else path
