"""The tables in RESULTS.md are those of the published runs."""

import re
import shutil
from pathlib import Path

import pytest

from hml.cli import main

ROOT = Path(__file__).parent.parent
RESULTS = (ROOT / "RESULTS.md").read_text(encoding="utf-8").replace("\\\n", "")
# A command in a block of its own, and the text up to the next block or heading.
SHOWN = re.findall(
    r"^```bash\nhml table1 --collect --root lightning_logs/published/(\S+) ([^\n]*)\n```\n(.*?)(?=^```|^## )",
    RESULTS,
    re.DOTALL | re.MULTILINE,
)


@pytest.mark.parametrize(("study", "flags", "text"), SHOWN, ids=[f"{study} {flags}" for study, flags, _ in SHOWN])
def test_published_runs_give_the_rows_shown(study, flags, text, tmp_path):
    shutil.copytree(ROOT / "lightning_logs" / "published" / study, tmp_path / "study")
    assert main(["table1", "--collect", "--root", str(tmp_path / "study"), *flags.split()]) == 0
    table = (tmp_path / "study" / "table1.md").read_text(encoding="utf-8").splitlines()
    rows = [line for line in text.splitlines() if line.startswith("| ")]
    assert len(rows) > 3
    assert set(rows) <= set(table)


def test_results_have_a_table_of_published_runs():
    assert SHOWN
