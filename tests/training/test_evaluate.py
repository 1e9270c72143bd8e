import math

import pytest
import torch
from torch import nn

import hml
from hml.errors import InputError
from hml.evaluation.metrics import GatheredPredictions


class Largest(GatheredPredictions):
    def compute(self):
        return {"largest": self.gathered()["logits"].amax()}


def test_a_model_is_as_before_after_it_is_evaluated(tiny):
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Flatten(), nn.Dropout(), nn.LazyLinear(10))
    model(torch.rand(2, 3, 32, 32))
    model[1].eval()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    data = tiny()
    figures = hml.evaluate(model, data)
    assert figures == hml.evaluate(model, data)
    assert [module.training for module in model.modules()] == [True, True, False, True, True, True]
    assert [type(layer) for layer in model[:2]] == [nn.Conv2d, nn.BatchNorm2d]
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert all(weight.grad is None and weight.requires_grad for weight in model.parameters())
    assert data.trainer is None


def test_evaluating_prints_only_sentences_about_the_figures(tiny, capfd, caplog):
    hml.evaluate(nn.Sequential(nn.Flatten(), nn.Linear(3072, 10)), tiny())
    assert [record.name for record in caplog.records] == ["hml"]
    assert caplog.messages[0].startswith("33 images are too few for bins of 100, the paper's size: ")
    assert capfd.readouterr().out == ""


def test_a_uniform_guess_has_the_figures_of_a_calculation_by_hand(tiny):
    model = nn.Sequential(nn.Flatten(), nn.Linear(3072, 10, bias=False))
    nn.init.zeros_(model[1].weight)
    figures = hml.evaluate(model, tiny(), callbacks=[hml.EvaluationCallback(Largest())])
    assert figures["test/cross_entropy"] == pytest.approx(math.log(10))
    assert figures["test/fgsm_cross_entropy"] == pytest.approx(math.log(10))
    assert figures["test/largest"] == 0


def test_weights_in_bfloat16_get_images_in_bfloat16(tiny):
    model = nn.Sequential(nn.Flatten(), nn.Linear(3072, 10)).bfloat16()
    data = tiny(val_size=5)
    data.bank.human[data.val_ids] = 0.1  # temperature scaling uses held-out images that people have labelled
    assert math.isfinite(hml.evaluate(model, data)["test/cross_entropy"])
    assert model[1].weight.dtype == torch.bfloat16


def test_a_model_with_other_outputs_than_classes_is_rejected(tiny):
    with pytest.raises(InputError, match="Sequential returns 5 logits, but the data have 10 classes"):
        hml.evaluate(nn.Sequential(nn.Flatten(), nn.Linear(3072, 5)), tiny())
