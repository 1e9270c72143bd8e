"""README.md and the guides: hml understands every command, its flags and their values, and links lead somewhere."""

import re
import shlex
import shutil
import sys
from pathlib import Path

import pytest

import hml
import hml.command_line.labels
from hml.command_line.configs import configs_among
from hml.command_line.flags import flag_names
from hml.experiments.schemes import find_configs
from hml.training import flags
from tests.command_line.test_flags import OPTIONS, PARSE

ROOT = Path(hml.__file__).parents[1]
GUIDES = [ROOT / "README.md", *sorted(ROOT.glob("hml/*/README.md"))]
PARSERS = PARSE | {"labels": hml.command_line.labels.parse}
BLOCK = re.compile(r"((?:^(?!```).+\n)*)\n```(\w+)\n((?:.*\n)*?)```", re.MULTILINE)  # with the paragraph before


def name(guide):
    return str(guide.relative_to(ROOT))


def read_blocks(guide):
    """The fenced blocks of a guide: the paragraph before each, its language and its content."""
    return BLOCK.findall(guide.read_text(encoding="utf-8"))


def write_files(guide):
    """Write each block whose paragraph names a file, as "Put this into `my_labels.py`" does, to that file."""
    for before, _, content in read_blocks(guide):
        if names := re.findall(r"`([\w/]+\.(?:py|ya?ml))`", before):
            Path(names[-1]).write_text(content, encoding="utf-8")


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """An empty folder, whose modules can be imported in this test only."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    before = set(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - before:
        if str(getattr(sys.modules[name], "__file__", "")).startswith(str(tmp_path)):
            del sys.modules[name]


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize("guide", [guide for guide in GUIDES if guide.parent.name != "data"], ids=name)
def test_every_command_parses(guide):  # tests/data runs those of the guide to data
    shutil.copytree(ROOT / "configs", "configs")
    write_files(guide)
    run = "lightning_logs/sep_conf/version_0"
    Path(run, "checkpoints").mkdir(parents=True)
    shutil.copy("configs/sep_conf.yaml", f"{run}/config.yaml")
    Path(run, "checkpoints/last.ckpt").touch()
    for label in ("benign", "malignant"):
        Path("scans", label).mkdir(parents=True)
    tables = []
    shell = "".join(content for _, kind, content in read_blocks(guide) if kind in ("bash", "sh")).replace("\\\n", " ")
    for line in shell.replace("$run", run).splitlines():
        program, *args = shlex.split(line.rpartition("&& ")[2], comments=True) or [""]
        if program == "cp":
            shutil.copy(*args)
        if program == "hml":
            if args[0] in PARSERS:
                options = PARSERS[args[0]](args[1:])
                tables += [options] if args[0] == "table1" else []
            else:
                flags.parse(args)
    parse_runs(tables)


def parse_runs(tables):
    """Parse the flags of tables' runs. Those that fit one another and any scheme are parsed at once, to save time."""
    shared = []
    for table in tables:
        if any(flag.startswith("--data.strategy") for flag in table.flags):
            for config in find_configs(table.schemes):
                flags.parse(["fit", "--config", str(config), *table.flags])
        elif configs_among(table.flags):
            flags.parse(["fit", "--config", str(find_configs(table.schemes)[0]), *table.flags])
        else:
            shared += table.flags
    flags.parse(["fit", "--config", "regular", *shared])


@pytest.mark.parametrize("guide", GUIDES, ids=name)
def test_flags_in_the_text_exist(guide):
    own = {flag for options in OPTIONS.values() for flag in flag_names(options)}
    of_runs = {"--ckpt_path", "--config", "--help", "--print_config", "--resume", "--run_folder", "--scheme", "--seed"}
    text = re.sub(r"```.*?```", "", guide.read_text(encoding="utf-8"), flags=re.DOTALL)
    # Those with a dot belong to a class that the text around them chooses.
    assert {*re.findall(r"`(--[a-z][\w-]*)(?=[` =])", text)} <= own | of_runs


@pytest.mark.parametrize(
    "guide", [*GUIDES[1:], *ROOT.glob("*.md"), *ROOT.glob(".github/*.md"), ROOT / "tests/README.md"], ids=name
)
def test_links_lead_to_files_that_exist(guide):
    for link in re.findall(r"\]\((?!https?:|#)([^)#]+)", guide.read_text(encoding="utf-8")):
        assert (guide.parent / link).exists(), link
