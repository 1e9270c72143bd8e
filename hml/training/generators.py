"""The states of PyTorch's random number generators, for checkpoints."""

from collections.abc import Mapping

import torch
from torch import Tensor


def state(device: torch.device) -> dict[str, Tensor]:
    """Return the states of the CPU's and the device's generators."""
    cuda = {"cuda": torch.cuda.get_rng_state(device)} if device.type == "cuda" else {}
    return {"cpu": torch.get_rng_state(), **cuda}


def restore(states: Mapping[str, Tensor], device: torch.device) -> None:
    """Set the generators to states that `state` returned. A generator without a state is left unchanged."""
    if "cpu" in states:
        torch.set_rng_state(states["cpu"])
    if device.type == "cuda" and "cuda" in states:
        torch.cuda.set_rng_state(states["cuda"], device)
