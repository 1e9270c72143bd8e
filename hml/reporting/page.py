"""The page: one HTML file that holds its images, out of sections and a template."""

import base64
from collections.abc import Mapping, Sequence

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape
from markupsafe import Markup, escape

from hml.reporting.sections import Section, write_interval, write_number


def _typeset(text: str) -> Markup:
    """Set λ_f and λ_h with subscripts."""
    return Markup(str(escape(text)).replace("λ_f", "λ<sub>f</sub>").replace("λ_h", "λ<sub>h</sub>"))


def render_page(
    title: str,
    introduction: Sequence[str],
    left_out: Sequence[str],
    sections: Sequence[Section],
    images: Mapping[str, bytes],
    footer: Sequence[str],
    citation: Sequence[str] = (),
) -> str:
    """Write the page: HTML that needs no other file, and links to each figure's files in `figures/`.

    Args:
        title: Its heading.
        introduction: Paragraphs above the summary of findings and the list of sections.
        left_out: What isn't on it, and why.
        sections: What is on it.
        images: Each exhibit's PNG, by name.
        footer: Paragraphs at the end.
        citation: What to cite, listed after them.
    """
    environment = Environment(
        loader=PackageLoader("hml.reporting"),
        autoescape=select_autoescape(default=True),
        undefined=StrictUndefined,
        trim_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["typeset"] = _typeset
    environment.filters["number"] = write_number
    environment.filters["interval"] = write_interval
    encoded = {name: base64.b64encode(png).decode() for name, png in images.items()}
    return environment.get_template("percepts.html.jinja").render(
        title=title,
        introduction=introduction,
        left_out=left_out,
        sections=sections,
        images=encoded,
        footer=footer,
        citation=citation,
    )
