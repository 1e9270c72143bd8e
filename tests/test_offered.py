import inspect
from importlib import import_module

import pytest

import hml
import hml.data
import hml.labels
from hml.offered import modules
from hml.training.flags import parse
from hml.training.recipe import make_recipe


def test_every_offered_name_is_the_one_of_its_module():
    for name, module in modules().items():
        assert getattr(hml, name) is getattr(import_module(module), name)
    assert {*modules()} <= {*dir(hml)}


def test_every_strategy_and_source_is_offered():
    for package, bases in ((hml.labels, (hml.LabelStrategy,)), (hml.data, (hml.ImageSource, hml.MixedSource))):
        named = {name: getattr(package, name) for name in package.__all__}
        classes = {name for name, value in named.items() if inspect.isclass(value) and issubclass(value, bases)}
        assert classes <= {*modules()}


def test_name_that_is_not_offered_is_an_attribute_error():
    with pytest.raises(AttributeError, match="module 'hml' has no attribute 'SeparateLables'"):
        _ = hml.SeparateLables


@pytest.mark.parametrize("path", ["SeparateLabels", "hml.SeparateLabels"])
def test_recipe_has_one_name_for_a_strategy(path):
    hml.SeparateLabels  # noqa: B018 - offered by hml, and so jsonargparse would name it
    settings = parse(["fit", "--config=demo", f"--data.strategy={path}"]).settings
    recipe = make_recipe(settings.as_dict())
    assert recipe.data["strategy"]["class_path"] == "hml.labels.SeparateLabels"
