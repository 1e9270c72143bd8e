"""The network of mixup-cifar10, against its names and shapes, and a computation by the functions of PyTorch."""

import re

import pytest
import torch
from torch.nn import functional

from hml.errors import InputError
from hml.models import MixupCifar10ResNet18

RENAMED = {
    r"^conv1\.": "stem.0.",
    r"^bn1\.": "stem.1.",
    r"\.bn(\d)\.": r".norm_\1.",
    r"\.conv(\d)\.": r".conv_\1.",
    r"\.shortcut\.0\.": ".shortcut.",
    r"^linear\.": "head.",
}
CHANNELS = {1: (64, 64), 2: (64, 128), 3: (128, 256), 4: (256, 512)}


def norm_shapes(name, channels):
    shapes = {f"{name}.{part}": (channels,) for part in ("weight", "bias", "running_mean", "running_var")}
    return shapes | {f"{name}.num_batches_tracked": ()}


def released_shapes():
    """The names and shapes of mixup-cifar10's `ResNet18().state_dict()`."""
    shapes = {"conv1.weight": (64, 3, 3, 3)} | norm_shapes("bn1", 64)
    for stage, (before, after) in CHANNELS.items():
        for block, channels in enumerate((before, after)):
            name = f"layer{stage}.{block}"
            shapes |= norm_shapes(f"{name}.bn1", channels)
            shapes[f"{name}.conv1.weight"] = (after, channels, 3, 3)
            shapes |= norm_shapes(f"{name}.bn2", after)
            shapes[f"{name}.conv2.weight"] = (after, after, 3, 3)
            if channels != after:
                shapes[f"{name}.shortcut.0.weight"] = (after, channels, 1, 1)
    return shapes | {"linear.weight": (10, 512), "linear.bias": (10,)}


def rename(name):
    """Return the name in `MixupCifar10ResNet18` of a part of mixup-cifar10's `ResNet18`."""
    stage = re.match(r"layer(\d)\.(\d)", name)
    if stage is not None:  # two blocks in each of four stages
        name = f"stages.{2 * int(stage[1]) - 2 + int(stage[2])}{name[stage.end() :]}"
    for theirs, ours in RENAMED.items():
        name = re.sub(theirs, ours, name)
    return name


@pytest.fixture(scope="module")
def released():
    """Random weights, which are positive so that variances are."""
    generator = torch.Generator().manual_seed(0)
    return {
        name: torch.zeros((), dtype=torch.int64)
        if name.endswith("tracked")
        else torch.rand(shape, generator=generator).mul(2 / max(1, shape[-1] * len(shape)) ** 2).add(1e-3)
        if len(shape) > 1
        else torch.rand(shape, generator=generator).add(0.5)
        for name, shape in released_shapes().items()
    }


def compute(state, image):
    """Compute the logits from the released weights."""

    def norm(x, name):
        mean, var, weight, bias = (
            state[f"{name}.{part}"] for part in ("running_mean", "running_var", "weight", "bias")
        )
        return functional.relu(functional.batch_norm(x, mean, var, weight, bias))

    x = norm(functional.conv2d(image, state["conv1.weight"], padding=1), "bn1")
    for stage in CHANNELS:
        for block in (0, 1):
            name, stride = f"layer{stage}.{block}", 2 if stage > 1 and block == 0 else 1
            active = norm(x, f"{name}.bn1")
            inner = functional.conv2d(active, state[f"{name}.conv1.weight"], stride=stride, padding=1)
            x = functional.conv2d(norm(inner, f"{name}.bn2"), state[f"{name}.conv2.weight"], padding=1)
            projection = state.get(f"{name}.shortcut.0.weight")
            x = x + (active if projection is None else functional.conv2d(active, projection, stride=stride))
    return functional.linear(x.mean((2, 3)), state["linear.weight"], state["linear.bias"])


def test_released_weights_fit_and_give_the_released_networks_logits(released):
    network = MixupCifar10ResNet18()
    network.load_state_dict({rename(name): weights for name, weights in released.items()})
    image = torch.rand(2, 3, 32, 32, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        torch.testing.assert_close(network.eval()(image), compute(released, image), rtol=1e-4, atol=1e-4)


def test_it_has_the_known_number_of_parameters():
    # 11,172,170 of PreAct ResNet-18, without the last normalisation's 2 × 512, with the stem's 2 × 64.
    assert sum(weight.numel() for weight in MixupCifar10ResNet18().parameters()) == 11_172_170 - 1024 + 128


def test_its_sizes_are_checked():
    with pytest.raises(InputError, match="width=0"):
        MixupCifar10ResNet18(width=0)
    assert MixupCifar10ResNet18(3, width=2)(torch.rand(2, 3, 32, 32)).shape == (2, 3)
