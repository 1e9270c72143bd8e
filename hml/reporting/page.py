"""Renders sections as a page: one HTML file that contains its images."""

import base64
from collections.abc import Mapping, Sequence

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape
from markupsafe import Markup, escape

from hml.reporting.sections import Section, write_interval, write_number, write_same_images


def _typeset(text: str) -> Markup:
    """Typeset λ_f and λ_h with subscripts."""
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
    """Render a self-contained HTML page, with links to the files of each figure in `figures/`.

    Args:
        title: The heading.
        introduction: Paragraphs above the summary of findings and the list of sections.
        left_out: The parts that the page leaves out, with reasons.
        sections: The sections.
        images: The PNG of each exhibit, by name.
        footer: Paragraphs at the end.
        citation: Citations, listed after the footer.
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
    environment.filters["same_images"] = write_same_images
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
