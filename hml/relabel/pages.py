"""Writes a page, its numbers and its figures."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import hml
from hml.files.atomic import write_atomically
from hml.reporting.citation import name_hml
from hml.reporting.exhibits import to_json, write_exhibit
from hml.reporting.page import render_page
from hml.reporting.sections import Section


def write_page(
    name: str,
    title: str,
    introduction: str,
    sections: Sequence[Section],
    content: Mapping[str, object],
    out: Path,
    left_out: Sequence[str] = (),
) -> str:
    """Write <name>.html, <name>.json and figures/ into a folder, and return a line that names them.

    Args:
        name: The name of the files.
        title: The page's heading.
        introduction: The paragraph below the heading.
        sections: The page's sections, with their figures.
        content: What the JSON file contains, beside hml's version.
        out: The folder.
        left_out: The parts that the page leaves out, with reasons.
    """
    exhibits = [exhibit for section in sections for exhibit in section.exhibits]
    images = {exhibit.name: write_exhibit(exhibit, out / "figures") for exhibit in exhibits}
    page = render_page(title, [introduction], left_out, sections, images, [f"Made with {name_hml()}."])
    write_atomically(out / f"{name}.html", page)
    write_atomically(out / f"{name}.json", to_json({**content, "version": hml.__version__}))
    return f"{out / name}.html (numbers in {name}.json, figures in figures/)"
