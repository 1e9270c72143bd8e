import copy
import subprocess
import sys

import pytest
import torch
from torch import nn

from hml.models import PreActResNet18
from hml.models.convolution import Conv2d


def backward(conv, x, autocast):
    x = x.clone().requires_grad_(True)
    with torch.autocast("cpu", torch.bfloat16, enabled=autocast):
        y = conv(x)
    y.float().square().sum().backward()
    return y, x.grad, conv.weight.grad


@pytest.fixture
def multiplied(monkeypatch):
    """Count the convolutions that were multiplied as matrices."""
    calls = []
    original = Conv2d._multiply
    monkeypatch.setattr(Conv2d, "_multiply", lambda self, *args: calls.append(1) or original(self, *args))
    return calls


@pytest.mark.parametrize(
    ("kernel", "stride", "size"), [(3, 1, 4), (3, 2, 8), (1, 2, 8), (3, 2, 7), (1, 1, 4), (3, 1, 1)]
)
@pytest.mark.parametrize("autocast", [True, False])
def test_matrices_give_what_pytorchs_convolution_gives(kernel, stride, size, autocast, multiplied):
    torch.manual_seed(0)
    ours = Conv2d(8, 16, kernel, stride)
    theirs = nn.Conv2d(8, 16, kernel, stride, padding=kernel // 2, bias=False)
    theirs.load_state_dict(ours.state_dict())
    x = torch.randn(5, 8, size, size).contiguous(memory_format=torch.channels_last)
    if not autocast:
        ours, theirs, x = ours.bfloat16(), theirs.bfloat16(), x.bfloat16()
    for found, expected in zip(backward(ours, x, autocast), backward(theirs, x, autocast), strict=True):
        found, expected = found.detach(), expected.detach()
        assert found.dtype == expected.dtype
        torch.testing.assert_close(found, expected, rtol=0.02, atol=0.02 * float(expected.abs().max()))
    assert multiplied


def test_other_precisions_and_larger_maps_are_convolved(multiplied):
    conv = Conv2d(3, 4, 3)
    conv(torch.randn(2, 3, 4, 4))
    with torch.autocast("cpu", torch.bfloat16):
        conv(torch.randn(2, 3, 5, 4))
    assert not multiplied


@pytest.mark.parametrize("channels", [1, 2, 7, 15, 16])
@pytest.mark.parametrize(("stride", "size"), [(1, 8), (2, 8), (2, 7), (3, 7)])
def test_one_pixel_kernels_of_few_channels_give_what_pytorch_gives_in_double_precision(channels, stride, size):
    torch.manual_seed(0)
    ours = Conv2d(channels, 8, 1, stride).to(memory_format=torch.channels_last)
    theirs = nn.Conv2d(channels, 8, 1, stride, bias=False).double()
    theirs.load_state_dict(ours.state_dict())
    x = torch.randn(5, channels, size, size)
    found = backward(ours, x.contiguous(memory_format=torch.channels_last), autocast=False)
    for mine, its in zip(found, backward(theirs, x.double(), autocast=False), strict=True):
        torch.testing.assert_close(mine, its.float(), rtol=1e-4, atol=1e-4)


def test_training_a_narrow_network_leaves_other_memory_alone():
    """oneDNN's way with its shortcuts ends the process within a few of these steps, where the CPU has AVX2."""
    steps = """
import torch
from hml.models import PreActResNet18
torch.set_num_threads(1)
network = PreActResNet18(width=4).to(memory_format=torch.channels_last)
for _ in range(40):
    image = torch.rand(16, 3, 32, 32).contiguous(memory_format=torch.channels_last)
    network(image).square().sum().backward()
"""
    done = subprocess.run([sys.executable, "-c", steps], capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr


def test_the_last_stage_of_the_network_is_multiplied(multiplied):
    with torch.autocast("cpu", torch.bfloat16):
        PreActResNet18(width=2)(torch.rand(2, 3, 32, 32))
    assert len(multiplied) == 5  # two blocks of two, and a shortcut


def test_the_networks_steps_are_those_of_plain_convolutions():
    torch.manual_seed(0)
    ours = PreActResNet18(width=4)
    theirs = copy.deepcopy(ours)
    for module in theirs.modules():
        if isinstance(module, Conv2d):
            module.__class__ = nn.Conv2d
    image, label = torch.rand(16, 3, 32, 32), torch.arange(16) % 10
    losses = {}
    for name, network in (("ours", ours), ("theirs", theirs)):
        optimizer = torch.optim.SGD(network.parameters(), lr=0.05)
        losses[name] = []
        for _ in range(5):
            with torch.autocast("cpu", torch.bfloat16):
                loss = nn.functional.cross_entropy(network(image).float(), label)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses[name].append(loss.item())
    assert losses["ours"] == pytest.approx(losses["theirs"], rel=0.01)
    assert losses["ours"][-1] < losses["ours"][0]
