"""Races training steps with `hml.kernels` against the same steps with PyTorch's own layers, on a CPU.

    python -m tests.benchmarks.kernels --networks PreAct torchvision --pairs 7 --steps 4

Steps are of 128 images in bfloat16 (autocast), channels last, in windows that alternate, in one process.
"""

import argparse
import copy
import time

import torch
import torchvision
from torch import nn

from hml.kernels import use_cpu_kernels
from hml.models import PreActResNet18
from hml.training.hardware import keep_memory
from tests.benchmarks.racing import compare

_NETWORKS = {
    "PreAct": (PreActResNet18, 32),
    "torchvision": (lambda: torchvision.models.resnet18(num_classes=10), 64),
}
_IMAGES = 128


def window(network: nn.Module, image: torch.Tensor, target: torch.Tensor, steps: int) -> float:
    """Take steps; return the seconds they took."""
    optimizer = torch.optim.SGD(network.parameters(), lr=0.01)
    started = time.perf_counter()
    for _ in range(steps):
        with torch.autocast("cpu", torch.bfloat16):
            loss = nn.functional.cross_entropy(network(image).float(), target)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return time.perf_counter() - started


def race(name: str, compiled: bool, pairs: int, steps: int) -> str:
    """Race one network with the kernels and without."""
    make, size = _NETWORKS[name]
    torch.manual_seed(0)
    theirs = make().to(memory_format=torch.channels_last)
    ours = copy.deepcopy(theirs)
    use_cpu_kernels(ours)
    if compiled:
        ours.compile()
        theirs.compile()
    image = torch.rand(_IMAGES, 3, size, size).contiguous(memory_format=torch.channels_last)
    target = torch.arange(_IMAGES) % 10
    seconds: dict[nn.Module, list[float]] = {ours: [], theirs: []}
    for network in seconds:
        window(network, image, target, 2)  # compiles
    for pair in range(pairs):
        for network in (ours, theirs) if pair % 2 == 0 else (theirs, ours):
            seconds[network].append(window(network, image, target, steps))
    step = min(seconds[ours]) / steps
    return (
        f"{name}{', compiled' * compiled}: {compare(*seconds.values())}; {1000 * step:.0f} ms a step with the kernels"
    )


def main() -> None:
    """Race every network that is named, eager and compiled."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--networks", nargs="+", choices=list(_NETWORKS), default=list(_NETWORKS))
    parser.add_argument("--pairs", type=int, default=7)
    parser.add_argument("--steps", type=int, default=4, help="steps a window")
    options = parser.parse_args()
    keep_memory()
    for name in options.networks:
        for compiled in (False, True):
            print(race(name, compiled, options.pairs, options.steps), flush=True)


if __name__ == "__main__":
    main()
