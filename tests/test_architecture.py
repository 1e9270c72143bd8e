import ast
import subprocess
import sys
from pathlib import Path

import pytest

import hml

ROOT = Path(hml.__file__).parent
FILES = sorted(ROOT.rglob("*.py"))
# Lowest first. Imports go to lower floors only; what is on hml's ground may also use its neighbours there.
FLOORS = {
    "hml": (
        {"hml", "command_line", "errors", "files", "kernels", "memory", "notices", "offered", "randomness"},
        {"judgements", "models", "statistics"},
        {"labels", "reporting"},
        {"data", "transforms"},
        {"evaluation"},
        {"training"},
        {"experiments", "analysis", "elicit", "sharing"},
        {"relabel"},
        {"cli"},
        {"__main__"},
    ),
    "hml.elicit": (
        {"tasks"},
        {"study"},
        {"command", "stimuli", "store"},
        {"research", "simulated"},
        {"refresh"},
        {"web"},
        {"serving"},
        {"upkeep"},
    ),
    "hml.elicit.store": (
        {"conflicts", "database", "identities", "records"},
        {"payments"},
        {"folder"},
        {"places"},
        {"history", "people"},
        {"answers"},
        {"backup", "trials"},
        {"store", "withdrawal"},
    ),
}


def is_in(module, folder):
    return module.startswith(f"{folder}.") or module == folder == "hml"


def part_of(module, folder):
    """Name the part of a folder that a module is in: `hml.data.loader` is in `data` of `hml`, `hml` itself in `hml`."""
    return module.removeprefix(f"{folder}.").partition(".")[0]


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
            found += [f"{module}.{alias.name}" for alias in node.names] if module in FLOORS else [module]
    return [name for name in found if name == "hml" or name.startswith("hml.")]


@pytest.mark.parametrize("path", FILES, ids=module_name)
def test_imports_only_go_down(path):
    name = module_name(path)
    package = name if path.name == "__init__.py" else name.rpartition(".")[0]
    imported = imports(ast.parse(path.read_text(encoding="utf-8")), package)
    for folder in (folder for folder in FLOORS if is_in(name, folder)):
        floor_of = {part: floor for floor, parts in enumerate(FLOORS[folder]) for part in parts}
        part = part_of(name, folder)
        assert part in floor_of, f"{name} is on no floor of {folder}: give it one here and in CONTRIBUTING.md"
        others = {other: part_of(other, folder) for other in imported if is_in(other, folder)}
        is_ground = folder == "hml" and floor_of[part] == 0
        limit = 1 if is_ground else floor_of[part]
        assert [other for other, its in others.items() if its != part and floor_of[its] >= limit] == []


def test_imports_are_found_wherever_they_hide():
    source = "import hml.cli\nfrom hml import data, __version__\ndef f():\n    from ..labels import base\n"
    found = imports(ast.parse(source), "hml.data")
    assert found == ["hml.cli", "hml.data", "hml.__version__", "hml.labels"]


@pytest.mark.parametrize("path", FILES, ids=module_name)
def test_module_says_what_it_is(path):
    docstring = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))
    assert docstring
    assert docstring.splitlines()[0].endswith((".", ":"))


def test_hml_and_its_judgements_are_imported_without_torch():
    found = "sorted({'torch', 'lightning', 'torchvision'} & set(sys.modules))"
    code = f"import sys, hml.judgements; dir(hml); print({found})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
