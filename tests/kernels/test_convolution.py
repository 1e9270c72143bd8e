import subprocess
import sys

import pytest
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from hml.kernels import use_cpu_kernels


def pair(*args, **options):
    """Make a convolution with CPU kernels, and PyTorch's with the same weights."""
    torch.manual_seed(0)
    ours, theirs = nn.Sequential(nn.Conv2d(*args, **options)), nn.Sequential(nn.Conv2d(*args, **options))
    theirs.load_state_dict(ours.state_dict())
    use_cpu_kernels(ours)
    return ours.to(memory_format=torch.channels_last), theirs.to(memory_format=torch.channels_last)


def features(channels, size):
    return torch.randn(5, channels, size, size).contiguous(memory_format=torch.channels_last)


def backward(conv, x, autocast):
    x = x.clone().requires_grad_(True)
    with torch.autocast("cpu", torch.bfloat16, enabled=autocast):
        y = conv(x)
    y.float().square().sum().backward()
    return [y.detach(), x.grad, *(weight.grad for weight in conv.parameters())]


def operators(conv, x, autocast=True):
    with FlopCounterMode(display=False) as counter, torch.autocast("cpu", torch.bfloat16, enabled=autocast):
        conv(x)
    return {str(operator) for operator in counter.get_flop_counts()["Global"]}


SMALL_MAPS = [
    ((8, 16, 3), {"padding": 1, "bias": False}, 4),
    ((8, 16, 3, 2), {"padding": 1, "bias": False}, 8),
    ((8, 16, 1, 2), {"bias": False}, 8),
    ((8, 16, 3, 2), {"padding": 1, "bias": True}, 7),
    ((8, 16, 1), {"bias": True}, 4),
    ((8, 16, 3), {"padding": 1}, 1),
    ((8, 16, (3, 2), (1, 2)), {"padding": (0, 1)}, 5),
    ((8, 16, 5), {}, 8),
]


@pytest.mark.parametrize(("args", "options", "size"), SMALL_MAPS)
@pytest.mark.parametrize("autocast", [True, False])
def test_matrix_products_equal_pytorchs_convolution(args, options, size, autocast):
    ours, theirs = pair(*args, **options)
    x = features(8, size)
    if not autocast:
        ours, theirs, x = ours.bfloat16(), theirs.bfloat16(), x.bfloat16()
    assert operators(ours, x, autocast) == {"aten.mm"}
    for found, expected in zip(backward(ours, x, autocast), backward(theirs, x, autocast), strict=True):
        assert found.dtype == expected.dtype
        torch.testing.assert_close(found, expected, rtol=0.02, atol=0.02 * float(expected.abs().max()))


@pytest.mark.parametrize(
    "options", [{"groups": 2}, {"dilation": 2}, {"padding": "same"}, {"padding": 1, "padding_mode": "reflect"}]
)
def test_unusual_convolutions_are_pytorchs_own(options):
    ours, theirs = pair(8, 16, 3, **options)
    x = features(8, 5)
    assert operators(ours, x) == {"aten.convolution"}
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(ours(x), theirs(x))


def test_other_precisions_and_larger_maps_are_convolved():
    conv, _ = pair(3, 4, 3, padding=1)
    assert operators(conv, features(3, 4), autocast=False) == {"aten.convolution"}
    assert operators(conv, features(3, 5)) == {"aten.convolution"}


@pytest.mark.parametrize("channels", [1, 2, 7, 15, 16])
@pytest.mark.parametrize(("stride", "size"), [(1, 8), (2, 8), (2, 7), (3, 7)])
def test_one_pixel_kernels_of_few_channels_equal_pytorchs(channels, stride, size):
    ours, theirs = pair(channels, 8, 1, stride)
    x = features(channels, size)
    expected = backward(theirs.double(), x.double(), autocast=False)
    for mine, its in zip(backward(ours, x, autocast=False), expected, strict=True):
        torch.testing.assert_close(mine, its.to(mine.dtype), rtol=1e-4, atol=1e-4)


def test_training_a_narrow_network_leaves_other_memory_alone():
    """oneDNN's gradients of its shortcuts end the process within a few of these steps, where the CPU has AVX2."""
    steps = """
import torch
from hml.kernels import use_cpu_kernels
from hml.models import PreActResNet18
torch.set_num_threads(1)
network = PreActResNet18(width=4).to(memory_format=torch.channels_last)
use_cpu_kernels(network)
for _ in range(40):
    image = torch.rand(16, 3, 32, 32).contiguous(memory_format=torch.channels_last)
    network(image).square().sum().backward()
"""
    done = subprocess.run([sys.executable, "-c", steps], capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
