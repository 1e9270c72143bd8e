"""`Compilation`: compiles a network for training where it pays, and does without where the compiler fails."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext

import torch
from lightning.pytorch.utilities import rank_zero_info
from torch import Tensor, nn

from hml.errors import InputError
from hml.training.fit_to_data import unmoved
from hml.training.hardware import why_not_compile

_REMEDY = "TMPDIR or TORCHINDUCTOR_CACHE_DIR names another folder for the compiler's files"


class Compilation:
    """Whether a network is compiled for training, in place: checkpoints are those of an uncompiled one.

    A `choice` of None leaves it to `decide`.
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
        """Compile the network for so many steps on its device, unless that was chosen already; return what was done."""
        if self._choice is None:
            if why_not := why_not_compile(device, steps):
                return f"not compiled, since {why_not}"
            self._start()
        return "compiled" if self.is_on else "not compiled"

    def stance(self) -> AbstractContextManager[object]:
        """Return the context that the network trains in: a compiler that has failed is not asked again."""
        return torch.compiler.set_stance("force_eager") if self._has_failed else nullcontext()

    def try_once(self, forward: Callable[[], Tensor], device: torch.device) -> None:
        """Compile before the first step, by a pass each way, and go back to the uncompiled network if that fails.

        Compilers write, run and load files, so much can go wrong: a folder where no code may run, a full disk, a
        network that they don't support. Buffers, gradients and random numbers are afterwards as before.

        Args:
            forward: Returns the network's logits of a batch, in training.
            device: Where the network is.

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
            except Exception as error:  # torch has no public class for what its compilers raise
                self.is_on, self._has_failed = False, True
                forward()  # raises what is the network's own fault
                self._report(error)

    def _report(self, error: Exception) -> None:
        # The first paragraph; the others are about debugging the compiler.
        reason = " ".join(str(error).strip().partition("\n\n")[0].split()) or type(error).__name__
        if self._choice:
            raise InputError(
                f"--model.compile true: the compiler failed: {reason}\n"
                f"Leave it out, and training does without. {_REMEDY}."
            ) from error
        rank_zero_info(f"Not compiled, since the compiler failed: {reason} ({_REMEDY}.)")
