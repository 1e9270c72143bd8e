import copy

import pytest
import torch
import torchvision
from lightning.pytorch import Trainer
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from hml.kernels import CpuBatchNorm2d, CpuConv2d, use_cpu_kernels
from hml.models import PreActResNet18
from hml.training.classifier import Classifier

NETWORKS = {
    "PreAct": (lambda: PreActResNet18(width=4), 32),
    "torchvision": (lambda: torchvision.models.resnet18(num_classes=10), 64),
}


@pytest.fixture(params=NETWORKS)
def networks(request):
    """Make a network with CPU kernels, the same without, and images."""
    make, size = NETWORKS[request.param]
    torch.manual_seed(0)
    theirs = make().to(memory_format=torch.channels_last)
    ours = copy.deepcopy(theirs)
    use_cpu_kernels(ours)
    return ours, theirs, torch.rand(8, 3, size, size).contiguous(memory_format=torch.channels_last)


def train(network, image, steps=4):
    optimizer = torch.optim.SGD(network.parameters(), lr=0.002)
    losses = []
    for _ in range(steps):
        with torch.autocast("cpu", torch.bfloat16):
            loss = nn.functional.cross_entropy(network(image).float(), torch.arange(len(image)) % 10)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


def test_a_network_trains_as_with_pytorchs_layers(networks):
    ours, theirs, image = networks
    found, expected = train(ours, image), train(theirs, image)
    assert found == pytest.approx(expected, rel=0.03)
    assert found[-1] < found[0]


def test_a_network_keeps_its_weights_and_their_names(networks):
    ours, theirs, image = networks
    assert list(ours.state_dict()) == list(theirs.state_dict())
    assert [type(layer) for layer in ours.modules()] != [type(layer) for layer in theirs.modules()]
    theirs.load_state_dict(ours.state_dict())
    torch.testing.assert_close(ours.eval()(image), theirs.eval()(image), rtol=1e-5, atol=1e-5)


def test_the_last_stage_is_multiplied_as_matrices(networks):
    ours, _, image = networks
    with FlopCounterMode(depth=10, display=False) as counter, torch.autocast("cpu", torch.bfloat16):
        ours(image)
    last = [name for name, module in ours.named_modules() if isinstance(module, CpuConv2d)][-1]
    counts = counter.get_flop_counts()
    assert {str(op) for op in counts[f"{type(ours).__name__}.{last}"]} == {"aten.mm"}


def test_layers_that_users_changed_are_left_as_they_are():
    class Doubled(nn.Conv2d):
        def forward(self, x):
            return 2 * super().forward(x)

    constrained = torch.nn.utils.parametrizations.weight_norm(nn.Conv2d(3, 4, 3))
    network = nn.Sequential(Doubled(3, 4, 3), constrained, nn.Conv2d(4, 4, 3))
    before = [type(layer) for layer in network]
    use_cpu_kernels(network)
    assert [type(layer) for layer in network] == [*before[:2], CpuConv2d]


def test_training_on_a_cpu_uses_them(tiny, tmp_path):
    layers = nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 10)
    trainer = Trainer(
        accelerator="cpu",
        default_root_dir=tmp_path,
        logger=False,
        max_steps=1,
        limit_val_batches=0,
        enable_progress_bar=False,
        enable_model_summary=False,
        enable_checkpointing=False,
    )
    trainer.fit(Classifier(nn.Sequential(*layers), compile=False), datamodule=tiny())
    assert [type(layer) for layer in layers[:2]] == [CpuConv2d, CpuBatchNorm2d]
