"""Citations for a page: the paper, its data and hml."""

import hml
from hml.reporting.versions import UNKNOWN, find_commit

PAPER = (
    "Collins, K. M., Bhatt, U., Liu, W., Piratla, V., Sucholutsky, I., Love, B. and Weller, A. (2023). "
    "Human-in-the-Loop Mixup. Proceedings of the Thirty-Ninth Conference on Uncertainty in Artificial Intelligence, "
    "Proceedings of Machine Learning Research 216, 454–464."
)
HMIX = "H-Mix, the judgements released with this paper: github.com/cambridge-mlg/hill-mixup."


def name_hml() -> str:
    """Return the version of hml and, in a checkout, its commit."""
    commit = find_commit()
    return f"hml {hml.__version__}" + ("" if commit == UNKNOWN else f", commit {commit}")


def cite(with_hmix: bool) -> list[str]:
    """List the citations, with H-Mix if the judgements are from it."""
    return [PAPER, *([HMIX] if with_hmix else []), f"{name_hml()}."]
