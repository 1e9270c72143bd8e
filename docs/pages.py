"""The site: README.md, the guides and results as they are in the repository, and docstrings by folder."""

from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

ROOT = Path(__file__).parents[1]
ORDER = (
    "labels",
    "data",
    "training",
    "evaluation",
    "sharing",
    "experiments",
    "transforms",
    "analysis",
    "relabel",
    "elicit",
)
GUIDES = [f"hml/{name}/README.md" for name in ORDER]
OTHERS = {
    "Results": "RESULTS.md",
    "Speed": "tests/benchmarks/RESULTS.md",
    "Faults": "tests/README.md",
    "Contribute": "CONTRIBUTING.md",
    "Changes": "CHANGELOG.md",
}
TUTORIALS = sorted(path.relative_to(ROOT).as_posix() for path in ROOT.glob("docs/tutorials/*.py"))
LINKED = (
    *(".github/mixed.png", "LICENSE", "CITATION.cff"),
    *(path.relative_to(ROOT).as_posix() for path in ROOT.glob("configs/elicit/*")),
    *TUTORIALS,
)
"""What the pages show or link to."""


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Lay out the navigation."""
    others = [{title: path} for title, path in OTHERS.items()]
    pages = {"Guides": GUIDES, "Tutorials": [_page(path) for path in TUTORIALS], "Reference": list(_reference())}
    config.nav = [{"hml": "README.md"}, *({title: paths} for title, paths in pages.items()), *others]
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the repository's own Markdown files, at the paths that links between them expect, and the reference."""
    for path in ("README.md", *GUIDES, *OTHERS.values(), *LINKED):
        files.append(File.generated(config, path, abs_src_path=str(ROOT / path)))
    for page, content in (_reference() | {_page(path): _render(path) for path in TUTORIALS}).items():
        files.append(File.generated(config, page, content=content))
    return files


def _page(tutorial: str) -> str:
    return tutorial.removesuffix(".py") + ".md"


def _render(tutorial: str) -> str:
    """Return a tutorial's page: the text of its docstring, then each cell below its title."""
    introduction, *cells = (ROOT / tutorial).read_text(encoding="utf-8").split("\n# %% ")
    _, docstring, setup = introduction.split('"""', 2)
    title, _, text = docstring.partition("\n")
    parts = [f"# {title.removesuffix('.')}\n{text}\n", f"```python\n{setup.strip()}\n```\n"]
    parts += [
        f"## {heading}\n\n```python\n{code.strip()}\n```\n"
        for heading, _, code in (cell.partition("\n") for cell in cells)
    ]
    return "\n".join(parts)


def _reference() -> dict[str, str]:
    """Return a page for each folder of hml: its path and its content."""
    pages = {}
    for init in sorted(ROOT.glob("hml/*/__init__.py")):
        name = f"hml.{init.parent.name}"
        has_all = "__all__" in init.read_text(encoding="utf-8")  # what the folder offers, wherever it is defined
        options = f"    options: {{show_submodules: {str(not has_all).lower()}}}"
        pages[f"reference/{init.parent.name}.md"] = f"# {name}\n\n::: {name}\n{options}\n"
    return pages
