"""A table as LaTeX, to put into a paper."""

from collections.abc import Sequence

from hml.experiments.rendering import caption_of, main_grid, write_p, write_signed
from hml.experiments.table import Row, Table

_PAIRED_HEADER = ("scheme", "metric", "n", "difference", "95 % interval", "p")
_LATEX = {
    "\\": r"\textbackslash{}", "_": r"\_", "&": r"\&", "%": r"\%", "#": r"\#", "$": r"\$", "{": r"\{", "}": r"\}",
    "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "<": "$<$", ">": "$>$",
    "±": r"$\pm$", "Δ": r"$\Delta$", "−": "$-$", "–": "--",
}  # fmt: skip


def to_latex(table: Table) -> str:
    """Render the main table and, where there are any, the paired differences.

    Returns:
        One or two floats with captions and labels, which need booktabs.
    """
    header, rows = main_grid(table, with_difference=False)  # narrow enough for a page
    seeds = ", ".join(map(str, sorted({result.seed for result in table.results})))
    caption = f"{caption_of(table, with_difference=False)} Seeds: {seeds or 'none'}."
    lines = [
        r"% needs \usepackage{booktabs}",
        *_float(caption, "tab:schemes", "l" + "r" * (len(header) - 1), header, rows),
    ]
    if paired := [line for row in table.rows for line in _paired_rows(row)]:
        caption = (
            f"Each scheme minus {table.baseline} at the same seed: mean over n seeds, 95 % t interval, and p value "
            "adjusted by Holm over the schemes of a metric."
        )
        lines += ["", *_float(caption, "tab:differences", "llrrrr", _PAIRED_HEADER, paired)]
    return "\n".join([*lines, ""])


def _paired_rows(row: Row) -> list[list[str]]:
    """Lay out a scheme's differences, a line per metric; only the first line names the scheme."""
    lines: list[list[str]] = []
    for column, cell in row.cells.items():
        if (pair := cell.to_baseline) is None:
            continue
        interval = "–" if pair.low is None else f"[{write_signed(pair.low)}, {write_signed(pair.high)}]"
        scheme = "" if lines else row.scheme
        lines.append([scheme, column, str(pair.n), write_signed(pair.mean), interval, write_p(cell.adjusted_p)])
    return lines


def _float(caption: str, label: str, columns: str, header: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    def lay_out(line: Sequence[str]) -> str:
        return " & ".join(map(_escape, line)) + r" \\"

    return [
        r"\begin{table}",
        r"\centering",
        r"\footnotesize",
        rf"\caption{{{_escape(caption)}}}",
        rf"\label{{{label}}}",
        r"\setlength{\tabcolsep}{2pt}",
        rf"\begin{{tabular}}{{{columns}}}",
        r"\toprule",
        lay_out(header),
        r"\midrule",
        *map(lay_out, rows),
        r"\bottomrule",
        r"\end{tabular}",
        r"\end{table}",
    ]


def _escape(text: str) -> str:
    return "".join(_LATEX.get(character, character) for character in text)
