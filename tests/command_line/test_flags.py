import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import pytest

import hml.analysis.command
import hml.command_line.download
import hml.elicit.command
import hml.experiments.command
import hml.relabel.command
import hml.sharing.command
from hml.command_line.flags import flag_names, make_parser, parse, parse_verb
from hml.errors import InputError

PARSE = {
    "table1": hml.experiments.command.parse,
    "percepts": hml.analysis.command.parse,
    "relabel": hml.relabel.command.parse,
    "elicit": hml.elicit.command.parse,
    "download": hml.command_line.download.parse,
    "export": hml.sharing.command.parse,
}
OPTIONS = {
    "table1": hml.experiments.command.Options,
    "percepts": hml.analysis.command.Options,
    "download": hml.command_line.download.Options,
    "export": hml.sharing.command.Options,
    **{f"relabel {verb}": options for verb, options in hml.relabel.command.VERBS.items()},
    **{f"elicit {verb}": options for verb, options in hml.elicit.command.VERBS.items()},
}


@dataclass(frozen=True)
class Try:
    """Try it.

    Args:
        file: A file.
        reason: Why, at 100 %.
        seed: A seed.
        cohort: A choice.
        out: A folder.
        pairs: Several.
        job: Several, in several places.
        quick: Whether to hurry.
    """

    file: Path
    reason: str = field(kw_only=True)
    seed: int = 0
    cohort: Literal["paper", "all"] = "paper"
    out: Path | None = None
    pairs: tuple[str, ...] = ()
    job: tuple[str, ...] = field(default=(), metadata={"action": "extend"})
    quick: bool = False


def attempt(*flags):
    return parse("hml try", Try, ["x", "--reason", "r", *flags])


def printed(verb, args, capsys):
    """Return what a verb's --print_config prints."""
    name, *more = verb.split()
    with pytest.raises(SystemExit) as stop:
        PARSE[name]([*more, *args, "--print_config"])
    assert stop.value.code == 0
    return capsys.readouterr().out


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["--see=3"], "unrecognized arguments: --see=3. See hml try --help.\nDid you mean seed?"),
        (["--coh", "all"], "unrecognized arguments: --coh all. See"),
        (["--seed", "x"], "--seed: Expected a int. Got value: x. See"),
        (["--cohort", "both"], "--cohort: Expected a Literal['paper', 'all']. Got value: both. See"),
        (["--config", "mine.yaml"], "Option 'sed' is not accepted. See hml try --help.\nDid you mean seed?"),
        (["--config", "text.yaml"], "a config has text instead of a list. See"),
        (["--config", "number.yaml"], "--quick is 3 in a config: it must be true or false."),
        (["--config", "none.yaml"], "There is no config none.yaml"),
    ],
)
def test_wrong_flags_are_one_sentence_with_what_may_be_meant(args, said, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name, text in {"mine": "sed: 3", "text": "pairs: Cat/Dog", "number": "quick: 3"}.items():
        Path(f"{name}.yaml").write_text(text)
    with pytest.raises(InputError) as caught:
        attempt(*args)
    assert said in str(caught.value)


def test_what_is_missing_is_named():
    with pytest.raises(InputError, match="the following arguments are required: file, reason"):
        parse("hml try", Try, [])


def test_an_unknown_verb_is_named_with_the_nearest():
    for args, said in (["evalute"], "no verb 'evalute': fit, evaluate."), ([], "no verb '': fit, evaluate."):
        with pytest.raises(InputError) as caught:
            parse_verb("hml try", {"fit": Try, "evaluate": Try}, args, "")
        assert said in str(caught.value)
        assert str(caught.value).endswith("Did you mean evaluate?") == bool(args)


def test_values_are_kept_as_they_are_written():
    options = attempt("--job", "a=1", "--pairs", "1", "null", "~", "--out", "007", "--job=b: [2]", "--quick")
    assert options == Try(
        Path("x"), reason="r", out=Path("007"), pairs=("1", "null", "~"), job=("a=1", "b: [2]"), quick=True
    )


def test_flags_come_after_configs_and_later_configs_after_earlier_ones(tmp_path):
    for name, text in {"one": "{seed: 1, pairs: [a], job: [j]}", "two": "{seed: 2}"}.items():
        (tmp_path / f"{name}.yaml").write_text(text)
    configs = [f"--config={tmp_path / name}.yaml" for name in ("one", "two")]
    assert (attempt(*configs).seed, attempt(*configs).pairs) == (2, ("a",))
    assert attempt(*configs, "--seed", "3", "--pairs", "b").pairs == ("b",)
    assert attempt(*configs, "--job", "k").job == ("j", "k")


CHANGED = {
    "table1": ["--schemes", "sep,mixup", "agg", "--seeds", "7", "--job", "a=1", "--job", "b=2", "--cluster", "local"],
    "percepts": ["--cohort", "all", "--out", "$HOME/x", "--pairs", "Cat/Dog", "Bird/Cat"],
    "relabel fit": ["--demo", "--judgements", "~/a b.csv"],
    "relabel evaluate": ["--pairs", "Cat/Dog", "--folds", "3"],
    "export": ["$HOME/run", "--out", "007"],
    "elicit serve": ["--no-browser", "--study", "cifar10", "--port", "0"],
    "elicit export": ["~/x.csv"],
    "elicit backup": ["007"],
    "elicit withdraw": ["123456"],
    "elicit correct": ["P7", "3", "--reason", "typo: 40", "--answer", '{"mixingcoeff": 40}', "--folder", "x"],
    "elicit payments": ["--delete", "--out", "x.csv"],
}


@pytest.mark.parametrize("verb", OPTIONS)
def test_a_printed_config_gives_the_same_options(verb, capsys, tmp_path):
    name, *more = verb.split()
    runs = ["--trainer.max_epochs", "3", "--config", "demo"] if verb == "table1" else []
    for args in ([], [*CHANGED.get(verb, []), *runs]):
        if not args and verb in ("export", "elicit export", "elicit backup", "elicit withdraw", "elicit correct"):
            continue  # which need an argument
        (tmp_path / "printed.yaml").write_text(printed(verb, args, capsys))
        assert PARSE[name]([*more, "--config", str(tmp_path / "printed.yaml")]) == PARSE[name]([*more, *args])


@pytest.mark.parametrize("verb", ["percepts", "relabel fit", "relabel evaluate"])
def test_a_source_of_images_is_a_class_with_its_arguments(verb, capsys, tmp_path):
    name, *more = verb.split()
    args = ["--source", "hml.data.DemoImages", "--source.num_train", "40"]
    (tmp_path / "printed.yaml").write_text(printed(verb, args, capsys))
    for given in (args, ["--config", str(tmp_path / "printed.yaml")]):
        source = PARSE[name]([*more, *given]).source
        assert (type(source).__name__, source.num_train) == ("DemoImages", 40)
    assert PARSE[name](more).source is None
    for wrong, said in (
        (["--source", "hml.data.HMix"], "--source hml.data.HMix: this is not a subclass of ImageSource"),
        (["--source", "DemoImage"], "name a class by its module and name.*Did you mean DemoImages"),
        ([*args[:2], "--source.num", "4"], "--source.num: hml.data.DemoImages has no such argument. It has: num_train"),
        ([*args[:3], "4"], "num_train=4"),
    ):
        with pytest.raises(InputError, match=f"(?s){said}"):
            PARSE[name]([*more, *wrong])


@pytest.mark.parametrize("verb", OPTIONS)
def test_help_names_every_flag_with_a_text(verb, capsys):
    name, *more = verb.split()
    with pytest.raises(SystemExit):
        PARSE[name]([*more, "--help"])
    shown = capsys.readouterr().out
    for flag in flag_names(OPTIONS[verb]):
        text = re.search(rf"^  (?:-h, )?{re.escape(flag)}\b[^\n]*?(?:  |\n {{20,}})(\w.*)", shown, re.MULTILINE)
        assert text, flag
    assert make_parser("hml", OPTIONS[verb]).description.endswith(".")


def test_flags_of_runs_are_kept_apart_and_configs_come_first(tmp_path):
    (tmp_path / "mine.yaml").write_text("{seeds: 0..1, flags: [--seed, '1']}")
    others = ["--fgsm.epsilon", "-0.1", "--config", str(tmp_path / "runs.yaml"), "--model.compile=false"]
    (tmp_path / "runs.yaml").write_text("{seed_everything: 3}")
    options = PARSE["table1"](["--schemes", "sep", "agg", *others, "-c", str(tmp_path / "mine.yaml"), "--rerun"])
    assert (options.schemes, options.seeds, options.rerun) == (("sep", "agg"), "0..1", True)
    assert options.flags == ("--seed", "1", *others[2:4], *others[:2], *others[4:])
