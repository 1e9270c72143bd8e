"""The site: README.md, the guides and results as they are in the repository, and docstrings by folder."""

from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

ROOT = Path(__file__).parents[1]
GUIDES = ("labels", "data", "training", "evaluation", "experiments", "transforms", "analysis", "relabel", "elicit")
OTHERS = {
    "Results": "RESULTS.md",
    "Speed": "tests/benchmarks/RESULTS.md",
    "Faults": "tests/README.md",
    "Contribute": "CONTRIBUTING.md",
    "Changes": "CHANGELOG.md",
}
LINKED = (".github/mixed.png", "LICENSE", "CITATION.cff")
"""What the pages above show or link to."""


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Lay out the navigation."""
    guides = [f"hml/{name}/README.md" for name in GUIDES if (ROOT / f"hml/{name}/README.md").exists()]
    others = [{title: path} for title, path in OTHERS.items()]
    config.nav = [{"hml": "README.md"}, {"Guides": guides}, {"Reference": list(_reference())}, *others]
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the repository's own Markdown files, at the paths that links between them expect, and the reference."""
    for path in ("README.md", *(ROOT / f"hml/{name}/README.md" for name in GUIDES), *OTHERS.values(), *LINKED):
        if (ROOT / path).exists():
            uri = (ROOT / path).relative_to(ROOT).as_posix()
            files.append(File.generated(config, uri, abs_src_path=str(ROOT / path)))
    for page, content in _reference().items():
        files.append(File.generated(config, page, content=content))
    return files


def _reference() -> dict[str, str]:
    """Return a page for each folder of hml: its path and its content."""
    pages = {}
    for init in sorted(ROOT.glob("hml/*/__init__.py")):
        name = f"hml.{init.parent.name}"
        has_all = "__all__" in init.read_text(encoding="utf-8")  # what the folder offers, wherever it is defined
        options = f"    options: {{show_submodules: {str(not has_all).lower()}}}"
        pages[f"reference/{init.parent.name}.md"] = f"# {name}\n\n::: {name}\n{options}\n"
    return pages
