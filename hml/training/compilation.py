"""`Compilation`: compiles a network for training if that saves time. Training runs uncompiled if that fails."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext

import torch
from lightning.pytorch.utilities import rank_zero_info
from torch import Tensor, nn

from hml.errors import InputError
from hml.training.fit_to_data import unmoved
from hml.training.hardware import why_not_compile

_REMEDY = "TMPDIR or TORCHINDUCTOR_CACHE_DIR sets another folder for the compiler's files"


class Compilation:
    """Compiles a network for training, in place. Checkpoints equal those of an uncompiled network.

    With a `choice` of None, `decide` chooses.
    """

    def __init__(self, network: nn.Module, choice: bool | None) -> None:
        self.is_on = False
        self._network = network
        self._choice = choice
        self._is_tried = self._has_failed = False
        if choice:
            self._start()

    def _start(self) -> None:
        self._network.compile()
        self.is_on = True

    def decide(self, device: torch.device, steps: float) -> str:
        """Compile the network if that saves time over `steps` training steps. Return a description of the choice."""
        if self._choice is None:
            if why_not := why_not_compile(device, steps):
                return f"not compiled because {why_not}"
            self._start()
        return "compiled" if self.is_on else "not compiled"

    def stance(self) -> AbstractContextManager[object]:
        """Return the context that the network trains in. It turns the compiler off after a failure."""
        return torch.compiler.set_stance("force_eager") if self._has_failed else nullcontext()

    def try_once(self, forward: Callable[[], Tensor], device: torch.device) -> None:
        """Compile before the first step, by one forward and backward pass. Fall back to the uncompiled network.

        Compilation can fail in many ways: a folder that forbids execution, a full disk, an unsupported network.
        Buffers, gradients and the state of random number generators are left unchanged.

        Args:
            forward: Returns the network's logits of a batch, in training mode.
            device: The network's device.

        Raises:
            InputError: the compiler fails, and the user chose to compile.
        """
        if self._is_tried or not self.is_on:
            return
        self._is_tried = True
        weights = [weight for weight in self._network.parameters() if weight.requires_grad]
        with unmoved(self._network, device):
            try:
                torch.autograd.grad(forward().float().square().mean(), weights, allow_unused=True)
            except Exception as error:  # torch has no public base class for compilers' errors
                self.is_on, self._has_failed = False, True
                forward()  # raises the network's own errors
                self._report(error)

    def _report(self, error: Exception) -> None:
        # Only the first paragraph: the others explain how to debug the compiler.
        reason = " ".join(str(error).strip().partition("\n\n")[0].split()) or type(error).__name__
        if self._choice:
            raise InputError(
                f"--model.compile true: the compiler failed: {reason}\nOmit the flag to train uncompiled. {_REMEDY}."
            ) from error
        rank_zero_info(f"Not compiled because the compiler failed: {reason} ({_REMEDY}.)")
