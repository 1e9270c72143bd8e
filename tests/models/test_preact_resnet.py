import pytest
import torch

from hml.errors import InputError
from hml.models import PreActResNet18


@pytest.fixture
def images():
    return torch.rand(3, 3, 32, 32, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize(("final_norm", "count"), [(True, 11_172_170), (False, 11_171_146)])
def test_it_has_the_known_number_of_parameters(final_norm, count):
    assert sum(p.numel() for p in PreActResNet18(final_norm=final_norm).parameters()) == count


@pytest.mark.parametrize("num_classes", [1, 10])
def test_it_maps_images_to_logits(images, num_classes):
    assert PreActResNet18(num_classes, width=4)(images).shape == (3, num_classes)


def test_each_stage_after_the_first_halves_the_image_and_doubles_the_channels(images):
    x, shapes = PreActResNet18(width=4).stem(images), []
    for block in PreActResNet18(width=4).stages:
        x = block(x)
        shapes.append(tuple(x.shape[1:]))
    assert shapes[1::2] == [(4, 32, 32), (8, 16, 16), (16, 8, 8), (32, 4, 4)]


@pytest.mark.parametrize("final_norm", [True, False])
def test_every_parameter_has_a_gradient(images, final_norm):
    network = PreActResNet18(width=4, final_norm=final_norm)
    (network(images) ** 2).sum().backward()
    assert all(p.grad is not None and bool((p.grad != 0).any()) for p in network.parameters())


@pytest.mark.parametrize(
    "options", [{"width": 0}, {"width": -64}, {"width": 10**30}, {"num_classes": 0}, {"num_classes": 10**30}]
)
def test_sizes_out_of_range_are_an_error(options):
    with pytest.raises(InputError, match="must be 1 to"):
        PreActResNet18(**options)
