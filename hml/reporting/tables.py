"""Renders tables of text as Markdown, LaTeX and aligned text. The page's template renders them as HTML."""

from collections.abc import Sequence
from dataclasses import dataclass

_LATEX = {
    "\\": r"\textbackslash{}", "_": r"\_", "&": r"\&", "%": r"\%", "#": r"\#", "$": r"\$", "{": r"\{", "}": r"\}",
    "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "<": "$<$", ">": "$>$",
    "±": r"$\pm$", "Δ": r"$\Delta$", "−": "$-$", "–": "--",
}  # fmt: skip


@dataclass(frozen=True)
class Table:
    """A table of text."""

    caption: str
    header: list[str]
    rows: list[list[str]]  # each with as many cells as the header


def to_text(table: Table) -> str:
    """Render aligned columns below the caption, for a terminal."""
    return "\n".join([table.caption, *("  ".join(line).rstrip() for line in _align(table))])


def to_markdown(table: Table, text_columns: int = 1) -> str:
    r"""Render Markdown, with the caption below.

    Args:
        table: The table.
        text_columns: Number of left-aligned text columns, from the left. All others are aligned right.

    Examples:
        >>> print(to_markdown(Table("Errors.", ["model", "error"], [["mixup", "0.1"], ["sep_conf", "0.05"]])))
        | model    | error |
        |----------|------:|
        | mixup    |   0.1 |
        | sep_conf |  0.05 |
        <BLANKLINE>
        Errors.
    """
    lines = _align(table, text_columns)
    header, *rows = (f"| {' | '.join(line)} |" for line in lines)
    rules = ["-" * (len(cell) + 1) + ("-" if place < text_columns else ":") for place, cell in enumerate(lines[0])]
    rule = "|".join(["", *rules, ""])
    return "\n".join([header, rule, *rows, "", table.caption])


def to_latex(table: Table, label: str, text_columns: int = 1) -> str:
    r"""Render a LaTeX float that needs booktabs.

    Args:
        table: The table.
        label: Its label for `\ref`.
        text_columns: Number of left-aligned text columns, from the left. All others are aligned right.
    """
    columns = "l" * text_columns + "r" * (len(table.header) - text_columns)
    header, *rows = (" & ".join(map(_escape, line)) + r" \\" for line in (table.header, *table.rows))
    return "\n".join(
        [
            r"\begin{table}",
            r"\centering",
            r"\footnotesize",
            rf"\caption{{{_escape(table.caption)}}}",
            rf"\label{{{label}}}",
            r"\setlength{\tabcolsep}{2pt}",
            rf"\begin{{tabular}}{{{columns}}}",
            r"\toprule",
            header,
            r"\midrule",
            *rows,
            r"\bottomrule",
            r"\end{tabular}",
            r"\end{table}",
        ]
    )


def _align(table: Table, text_columns: int = 1) -> list[list[str]]:
    """Pad the cells to the widths of their columns: text is aligned left, all others right."""
    lines: Sequence[list[str]] = [table.header, *table.rows]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return [
        [cell.ljust(widths[at]) if at < text_columns else cell.rjust(widths[at]) for at, cell in enumerate(line)]
        for line in lines
    ]


def _escape(text: str) -> str:
    return "".join(_LATEX.get(character, character) for character in text)
