"""The addresses of images. They hide filenames, which contain the λ_f that people are asked about."""

import hashlib
import hmac
from collections.abc import Iterable, Sequence

from hml.judgements import Stimulus


class ImageNames:
    """Derives the address of each image that may be shown from a secret key.

    Args:
        key: The key of the addresses.
        stimuli: The images that may be shown, each at its own weight and at 0 and 1.
        weights: Further weights at which each may be shown.
    """

    def __init__(self, key: bytes, stimuli: Iterable[Stimulus], weights: Sequence[float]) -> None:
        self._key = key
        self._weights = (None, 0.0, 1.0, *weights)
        self._images: dict[str, tuple[Stimulus, float | None]] = {}
        self.add(stimuli)

    def add(self, stimuli: Iterable[Stimulus]) -> None:
        """Add images that may be shown."""
        for stimulus in stimuli:
            for lambda_f in self._weights:
                self._images[self._name(stimulus.filename, lambda_f)] = stimulus, lambda_f

    def address(self, stimulus: Stimulus, lambda_f: float | None = None) -> str:
        """Return the address of a stimulus, at its own weight or another."""
        name = self._name(stimulus.filename, lambda_f)
        if name not in self._images:
            raise KeyError(f"{stimulus.filename} at {lambda_f} is not among the images that may be shown")
        return f"/image/{name}.png"

    def find(self, name: str) -> tuple[Stimulus, float | None] | None:
        """Return the stimulus and the weight of a name; None if there is no such image."""
        return self._images.get(name)

    def _name(self, filename: str, lambda_f: float | None) -> str:
        content = f"{filename}\n{'own' if lambda_f is None else format(lambda_f, '.3f')}"
        return hmac.new(self._key, content.encode(), hashlib.sha256).hexdigest()[:32]
