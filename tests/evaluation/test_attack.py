import copy

import pytest
import torch
from torch import nn

from hml.errors import InputError
from hml.evaluation.alignment import soft_cross_entropy
from hml.evaluation.attack import InFloat64, evaluating, fgsm, input_gradient, pgd
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


def test_negative_epsilon_is_rejected(resnet, batch):
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


def draw_starts(count, image):
    return 2 * torch.rand(count, *image.shape, generator=torch.Generator().manual_seed(1)) - 1


def test_pgd_on_two_linear_classes_ends_where_fgsm_does(batch):
    image, _ = batch
    torch.manual_seed(0)
    linear = nn.Sequential(nn.Flatten(), nn.Linear(3072, 2))
    target = torch.eye(2)[torch.arange(8) % 2]
    corner = fgsm(linear, image, target, 0.03)  # the sign of the gradient is the same everywhere
    for starts in (None, draw_starts(3, image)):
        torch.testing.assert_close(pgd(linear, image, target, 0.03, steps=10, starts=starts), corner)


def pgd_as_published(model, image, target, epsilon, alpha, steps, start):
    """Compute as torchattacks 3.5 documents its PGD: step, clip the change, clip the pixels."""
    attacked = torch.clamp(image + start, min=0, max=1).detach()
    for _ in range(steps):
        attacked.requires_grad = True
        loss = nn.CrossEntropyLoss()(model(attacked), target)
        (grad,) = torch.autograd.grad(loss, attacked)
        attacked = attacked.detach() + alpha * grad.sign()
        delta = torch.clamp(attacked - image, min=-epsilon, max=epsilon)
        attacked = torch.clamp(image + delta, min=0, max=1).detach()
    return attacked


def test_pgd_takes_the_published_steps_and_the_strongest_restart(resnet, batch):
    image, target = (x.double() for x in batch)
    resnet = resnet.double().eval()
    starts = draw_starts(3, image)
    ends = [pgd_as_published(resnet, image, target, 0.02, 0.003, 4, 0.02 * start) for start in starts]
    losses = torch.stack([soft_cross_entropy(resnet(end), target, "none") for end in ends])  # (3, 8)
    expected = torch.stack([ends[int(best)][place] for place, best in enumerate(losses.argmax(0))])
    assert len(set(losses.argmax(0).tolist())) > 1
    actual = pgd(resnet, image, target, 0.02, steps=4, step_size=0.003, starts=starts)
    torch.testing.assert_close(actual, expected)
    by_one = pgd(resnet, image, target, 0.02, steps=20)
    torch.testing.assert_close(by_one, pgd_as_published(resnet, image, target, 0.02, 0.0025, 20, 0))


def test_pgd_stays_within_pixels_and_epsilon(resnet, batch):
    image, target = batch
    with torch.inference_mode():  # as in Lightning's tests
        attacked = pgd(resnet, image.clone(), target, 0.1, steps=3, starts=draw_starts(2, image))
    assert attacked.min() >= 0
    assert attacked.max() <= 1
    assert (attacked - image).abs().max() <= 0.1 + 1e-6
    assert torch.equal(pgd(resnet, image, target, epsilon=0, steps=2), image)
    with pytest.raises(InputError, match="steps=0"):
        pgd(resnet, image, target, steps=0)


def test_double_precision_has_the_gradients_that_are_0_in_single(linear, batch):
    image, _ = batch
    linear[1].weight.data *= 60  # logits that differ by hundreds
    target = torch.eye(10)[linear(image).argmax(1)]
    with torch.no_grad():
        top = linear(image).topk(2).values
    is_sure = (top[:, 0] - top[:, 1] > 110) & (top[:, 0] - top[:, 1] < 600)  # exp(−110) is 0 in single precision
    assert is_sure.sum() > 2
    single = input_gradient(linear, image, target)
    double = input_gradient(InFloat64(linear), image.double(), target)
    assert (single[is_sure] == 0).all()
    assert (double[is_sure] != 0).all()
    assert linear[1].weight.dtype == torch.float32
    torch.testing.assert_close(InFloat64(linear)(image), linear.double()(image.double()))


def test_attack_raises_cross_entropy(resnet, batch):
    image, target = batch
    resnet.eval()
    with torch.no_grad():
        resnet.head.weight *= 20
        before = soft_cross_entropy(resnet(image), target)
        after = soft_cross_entropy(resnet(fgsm(resnet, image, target)), target)
    assert after > before + 0.01
