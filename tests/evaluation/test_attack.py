import copy

import pytest
import torch
from torch import nn

from hml.errors import InputError
from hml.evaluation.alignment import soft_cross_entropy
from hml.evaluation.attack import evaluating, fgsm
from hml.models import PreActResNet18


class FromPixels(PreActResNet18):
    def forward(self, image):
        return super().forward((image - 0.48) / 0.25)


@pytest.fixture
def batch():
    generator = torch.Generator().manual_seed(0)
    image = torch.rand(8, 3, 32, 32, generator=generator)
    image[0], image[1] = 0, 1  # the edges of what pixels can be
    return image, torch.randn(8, 10, generator=generator).softmax(1)


@pytest.fixture
def linear():
    torch.manual_seed(0)
    return nn.Sequential(nn.Flatten(), nn.Linear(3072, 10))


@pytest.fixture
def resnet():
    torch.manual_seed(0)
    return FromPixels(width=2)


def test_attack_on_a_linear_model_is_the_closed_form(linear, batch):
    image, target = batch
    p = linear(image).softmax(1)
    gradient = ((p - target) @ linear[1].weight).view_as(image).detach()
    expected = (image + 0.03 * gradient.sign()).clamp(0, 1)
    clear = gradient.abs() > 1e-6  # nearer to 0, rounding may choose the sign
    assert clear.float().mean() > 0.99
    torch.testing.assert_close(fgsm(linear, image, target, 0.03)[clear], expected[clear], rtol=0, atol=0)


def test_attack_goes_where_differences_say_that_the_loss_rises(resnet, batch):
    image, target = (x.double() for x in batch)
    resnet = resnet.double().eval()
    step = (fgsm(resnet, image, target, 0.01) - image).sign()
    random = torch.Generator().manual_seed(0)
    compared = 0
    for _ in range(100):
        of, *pixel = (int(torch.randint(n, (), generator=random)) for n in image.shape)
        ahead, behind = image[[of]].clone(), image[[of]].clone()
        ahead[0, *pixel] += 1e-5
        behind[0, *pixel] -= 1e-5
        with torch.no_grad():
            both = resnet(torch.cat([ahead, behind])).log_softmax(1)
        rise = float(-(target[of] * (both[0] - both[1])).sum())
        at_the_edge = image[of, *pixel] in (0.0, 1.0)
        if abs(rise) > 1e-10 and not at_the_edge:
            assert step[of, *pixel] == (1 if rise > 0 else -1)
            compared += 1
    assert compared > 50


def test_attack_stays_within_pixels_and_epsilon(resnet, batch):
    image, target = batch
    attacked = fgsm(resnet, image, target, 0.1)
    assert attacked.min() >= 0
    assert attacked.max() <= 1
    assert 0.099 < (attacked - image).abs().max() <= 0.1 + 1e-6
    assert not attacked.requires_grad


def test_epsilon_of_nothing_changes_nothing(resnet, batch):
    assert torch.equal(fgsm(resnet, *batch, epsilon=0), batch[0])


def test_negative_epsilon_is_refused(resnet, batch):
    with pytest.raises(InputError, match="epsilon"):
        fgsm(resnet, *batch, epsilon=-0.01)


def test_image_that_was_given_is_left_alone(resnet, batch):
    image, target = batch
    before = image.clone()
    fgsm(resnet, image, target)
    assert torch.equal(image, before)
    assert not image.requires_grad


@pytest.mark.parametrize("name", ["linear", "resnet"])
def test_surroundings_change_nothing(name, batch, request):
    model = request.getfixturevalue(name).eval()
    image, target = batch
    plain = fgsm(model, image, target)
    with torch.no_grad():
        assert torch.equal(fgsm(model, image, target), plain)
    with torch.inference_mode():
        # Lightning's batches are made inside of it.
        assert torch.equal(fgsm(model, image.clone(), target.clone()), plain)
    with torch.autocast("cpu", torch.bfloat16):
        model(image)  # fills autocast's cache of weights
        assert torch.equal(fgsm(model, image, target), plain)
        with torch.inference_mode():
            assert torch.equal(fgsm(model, image.clone(), target.clone()), plain)


def test_model_is_left_as_it_was(resnet, batch):
    image, target = batch
    resnet.train()
    resnet.stages[2].eval()
    resnet.head.weight.grad = torch.ones_like(resnet.head.weight)
    state, modes = copy.deepcopy(resnet.state_dict()), [module.training for module in resnet.modules()]
    fgsm(resnet, image, target)
    assert [module.training for module in resnet.modules()] == modes
    assert all(torch.equal(value, state[name]) for name, value in resnet.state_dict().items())
    assert torch.equal(resnet.head.weight.grad, torch.ones_like(resnet.head.weight))
    assert all(p.grad is None for name, p in resnet.named_parameters() if name != "head.weight")
    assert all(p.requires_grad for p in resnet.parameters())


def test_modes_come_back_after_an_error(resnet):
    resnet.train()
    with pytest.raises(RuntimeError), evaluating(resnet):
        resnet(torch.zeros(1, 4, 32, 32))  # one channel too many
    assert all(module.training for module in resnet.modules())


def test_attack_uses_evaluation_mode(resnet, batch):
    attacked = fgsm(resnet.eval(), *batch)
    assert torch.equal(fgsm(resnet.train(), *batch), attacked)


def test_attack_raises_cross_entropy(resnet, batch):
    image, target = batch
    resnet.eval()
    with torch.no_grad():
        resnet.head.weight *= 20
        before = soft_cross_entropy(resnet(image), target)
        after = soft_cross_entropy(resnet(fgsm(resnet, image, target)), target)
    assert after > before + 0.01
