"""PyTorch's own generators of random numbers, as checkpoints keep them."""

from collections.abc import Mapping

import torch
from torch import Tensor


def state(device: torch.device) -> dict[str, Tensor]:
    """Return the states of the CPU's generator and of the device's."""
    cuda = {"cuda": torch.cuda.get_rng_state(device)} if device.type == "cuda" else {}
    return {"cpu": torch.get_rng_state(), **cuda}


def restore(states: Mapping[str, Tensor], device: torch.device) -> None:
    """Set the generators to states that `state` returned, as far as there are any for them."""
    if "cpu" in states:
        torch.set_rng_state(states["cpu"])
    if device.type == "cuda" and "cuda" in states:
        torch.cuda.set_rng_state(states["cuda"], device)
