"""A mistake in the path or the arguments of a class is explained by what to do."""

import sys
from pathlib import Path

import pytest

from hml.analysis import command as percepts
from hml.errors import InputError
from hml.relabel import command as relabel
from hml.training.flags import parse

CODE = """
from hml.labels import LabelStrategy

class Stubborn(LabelStrategy):
    def __init__(self, threshold: float = 0.5):
        self.threshold = threshold

    def label(self, example):
        return example.two_hot(0.5)

class Nothing(LabelStrategy):
    pass
"""


@pytest.fixture(autouse=True)
def module(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    Path("own_classes.py").write_text(CODE, encoding="utf-8")
    yield
    sys.modules.pop("own_classes", None)


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["own_classes.Stuborn"], "the module own_classes has no class Stuborn.\nDid you mean Stubborn?"),
        (["own_class.Stubborn"], "there is no module own_class. Put own_class.py where you run hml"),
        (["own_classes.py"], "name a class by its module and name, such as my_module.MyClass."),
        (["SeperateLabels"], "such as my_module.MyClass.\nDid you mean SeparateLabels?"),
        (["own_classes.Nothing"], "the class lacks label. Define what it lacks."),
        (["hml.LabelStrategy"], "hml.LabelStrategy is abstract. Name a subclass before its arguments: "),
        (
            ["own_classes.Stubborn", "--data.strategy.treshold", "0.4"],
            "no such argument. It has: threshold.\nDid you mean threshold?",
        ),
        (["torch.nn.Linear"], "--data.strategy torch.nn.Linear: this is not a subclass of LabelStrategy"),
        (
            ["NoMixed", "--data.wrap", "own_classes.Stubborn"],
            "--data.wrap own_classes.Stubborn: this is not a subclass",
        ),
        (["NoMixed", "--data.wrap", "MixupLabels"], "--data.wrap MixupLabels: the flag needs another kind of class"),
        (["NoMixed", "--data.wrap", "own_classes.Rund"], "--data.wrap own_classes.Rund: the module own_classes has no"),
        (
            ["NoMixed", "--data.wrap", "Rounded", "--data.wrap.to", "1"],
            "hml.Rounded has no such argument. It has: none.",
        ),
        (["NoMixed", "--model.optimizer", "torch.optim.SGDD"], "the module torch.optim has no class SGDD."),
        (["own_classes.Stubborn", "--data.images", "hml.data.ImageFolder"], "--data.images.root is missing: hml.data"),
    ],
)
def test_class_errors_say_what_to_do(flags, said):
    with pytest.raises(InputError) as caught:
        parse(["fit", "--config", "demo", "--data.strategy", *flags])
    assert said in str(caught.value)
    assert "Parser key" not in str(caught.value)


@pytest.mark.parametrize("verb", [percepts, relabel])
def test_other_verbs_explain_class_errors_alike(verb):
    for name, said in (
        ("own_classes.Stuborn", "--source own_classes.Stuborn: the module own_classes has no class Stuborn."),
        ("own_classes.py", "--source own_classes.py: name a class by its module and name, such as my_module.MyClass."),
        ("own_classes.Stubborn", "--source own_classes.Stubborn: this is not a subclass of ImageSource, which"),
    ):
        with pytest.raises(InputError) as caught:
            verb.parse([*(["fit"] if verb is relabel else []), "--source", name])
        assert str(caught.value).startswith(said)
