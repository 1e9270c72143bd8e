"""Faster ways to compute PyTorch's layers on a CPU, which training swaps into any network."""

from torch import nn

from hml.kernels.convolution import CpuConv2d
from hml.kernels.normalisation import CpuBatchNorm2d

__all__ = ["CpuBatchNorm2d", "CpuConv2d", "use_cpu_kernels"]

_KERNELS: dict[type[nn.Module], type[nn.Module]] = {nn.Conv2d: CpuConv2d, nn.BatchNorm2d: CpuBatchNorm2d}


def use_cpu_kernels(network: nn.Module) -> None:
    """Let a network's convolutions and batch normalisations compute in the ways that are fastest on a CPU, in place.

    Parameters, buffers, hooks and the keys of `state_dict` stay. Results differ in rounding only, and on other devices
    not at all. Subclasses of PyTorch's layers stay as they are, since they may compute something else.

    Args:
        network: Any network, such as torchvision's `resnet18`.

    Example:
        >>> network = nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU())
        >>> use_cpu_kernels(network)
        >>> [type(layer).__name__ for layer in network]
        ['CpuConv2d', 'CpuBatchNorm2d', 'ReLU']
    """
    for module in network.modules():
        # A class of the same layout: parameters stay the very tensors that an optimiser may know already.
        module.__class__ = _KERNELS.get(type(module), type(module))
