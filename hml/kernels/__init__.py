"""Faster implementations of PyTorch layers on a CPU, which training applies to any network."""

from torch import nn

from hml.kernels.convolution import CpuConv2d
from hml.kernels.normalisation import CpuBatchNorm2d

__all__ = ["CpuBatchNorm2d", "CpuConv2d", "use_cpu_kernels"]

_KERNELS: dict[type[nn.Module], type[nn.Module]] = {nn.Conv2d: CpuConv2d, nn.BatchNorm2d: CpuBatchNorm2d}


def use_cpu_kernels(network: nn.Module) -> None:
    """Switch a network's convolutions and batch normalisations to implementations that are faster on a CPU, in place.

    Parameters, buffers, hooks and the keys of `state_dict` do not change. On a CPU, results differ in rounding only. On
    other devices they do not differ. Subclasses of PyTorch's layers are left as they are, since they may compute
    something else.

    Args:
        network: Any network, such as torchvision's `resnet18`.

    Examples:
        >>> network = nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU())
        >>> use_cpu_kernels(network)
        >>> [type(layer).__name__ for layer in network]
        ['CpuConv2d', 'CpuBatchNorm2d', 'ReLU']
    """
    for module in network.modules():
        # Changing the class keeps the parameters, to which an optimiser may already refer.
        module.__class__ = _KERNELS.get(type(module), type(module))
