import ast
import subprocess
import sys
from pathlib import Path

import pytest

import hml

ROOT = Path(hml.__file__).parent
FILES = sorted(ROOT.rglob("*.py"))
# What stands on the ground may use its neighbours there; above it, imports go to lower floors only.
FLOORS = (
    {
        "hml",
        "choices",
        "compilation",
        "configs",
        "errors",
        "flags",
        "hardware",
        "interrupts",
        "kernels",
        "locks",
        "paths",
        "randomness",
        "schedules",
        "spreadsheets",
        "storage",
        "strict_json",
        "strict_yaml",
        "versions",
    },
    {"judgements", "models"},
    {"labels"},
    {"data"},
    {"evaluation"},
    {"checkpoints", "classifier", "mistakes", "run_folder", "time_limit"},
    {"arguments", "callbacks", "help", "progress_bar", "recipes", "resuming", "slow_steps"},
    {"training"},
    {"experiments", "analysis", "elicit"},
    {"relabel"},
    {"cli"},
    {"__main__"},
)
FLOOR_OF = {part: floor for floor, parts in enumerate(FLOORS) for part in parts}


def part_of(module):
    """Tell which part of hml a dotted name lies in: `hml.data.loader` in data, `hml` itself in hml."""
    return [*module.split("."), "hml"][1] if "." in module else "hml"


def module_name(path):
    return ".".join(("hml", *path.relative_to(ROOT).with_suffix("").parts)).removesuffix(".__init__")


def imports(tree, package):
    """List the hml modules that a file imports, also within its functions."""
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
            module = ".".join([*base, *([node.module] if node.module else [])])
            # `from hml import data` imports hml.data.
            found += [f"hml.{alias.name}" for alias in node.names] if module == "hml" else [module]
    return [name for name in found if name == "hml" or name.startswith("hml.")]


@pytest.mark.parametrize("path", FILES, ids=module_name)
def test_imports_only_go_down(path):
    name = module_name(path)
    part = part_of(name)
    assert part in FLOOR_OF, f"{name} stands on no floor: give it one here and in DESIGN.md"
    package = name if path.name == "__init__.py" else name.rpartition(".")[0]
    upward = [
        imported
        for imported in imports(ast.parse(path.read_text(encoding="utf-8")), package)
        if part_of(imported) != part
        and not FLOOR_OF[part_of(imported)] < FLOOR_OF[part]
        and not FLOOR_OF[part_of(imported)] == FLOOR_OF[part] == 0
    ]
    assert upward == []


def test_imports_are_found_wherever_they_hide():
    source = "import hml.cli\nfrom hml import data, __version__\ndef f():\n    from ..labels import base\n"
    found = imports(ast.parse(source), "hml.data")
    assert found == ["hml.cli", "hml.data", "hml.__version__", "hml.labels"]


@pytest.mark.parametrize("path", FILES, ids=module_name)
def test_module_says_what_it_is(path):
    docstring = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))
    assert docstring
    assert docstring.splitlines()[0].endswith((".", ":"))


def test_judgements_can_be_read_without_torch():
    code = "import sys, hml.judgements; print(sorted({'torch', 'lightning', 'torchvision'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
