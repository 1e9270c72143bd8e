"""The checkpoint: a relabeller, class pairs' curves fitted to the same judgements, and where all of it came from."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from hml.errors import InputError
from hml.files.sealed import write_sealed
from hml.relabel.encoding import ImageTable
from hml.relabel.network import AnswerNetwork, Shape
from hml.relabel.relabeller import Relabeller
from hml.relabel.storage import load_tensors

FORMAT = 1

_FIELDS = ("format", "shape", "members", "table", "annotators", "judged", "curves", "provenance")
_REMEDY = (
    "Fit one first: hml relabel fit. For the demo, run `hml relabel fit --demo`, and give the overlay demo_fly instead "
    "of demo: hml fit --config learned_conf --config demo_fly"
)


@dataclass(frozen=True)
class Checkpoint:
    """What `hml relabel fit` leaves.

    Args:
        relabeller: What people would say.
        curves: Parameters of class pairs' curves, (bias, slope, lapse) by both classes, shape (C, C, 3).
        provenance: The data's hashes, what was judged, the options, the versions.
    """

    relabeller: Relabeller
    curves: Tensor
    provenance: Mapping[str, Any]

    def save(self, path: Path) -> None:
        """Write it, whole or not at all."""
        relabeller = self.relabeller
        content = {
            "format": FORMAT,
            "shape": asdict(relabeller.networks[0].shape),
            "members": [network.state_dict() for network in relabeller.networks],
            "table": vars(relabeller.table.to(torch.device("cpu"))),
            "annotators": list(relabeller.annotators),
            "judged": list(relabeller.judged),
            "curves": self.curves,
            "provenance": dict(self.provenance),
        }
        write_sealed(path, content)

    @classmethod
    def load(cls, path: Path) -> "Checkpoint":
        """Read it, without running any code in it.

        Raises:
            InputError: it isn't there, is damaged, or another version's.
        """
        content = load_tensors(path, _FIELDS, _REMEDY)
        if content["format"] != FORMAT:
            raise InputError(f"{path} has format {content['format']}, and this hml reads {FORMAT}. {_REMEDY}")
        try:
            networks = []
            for state in content["members"]:
                network = AnswerNetwork(Shape(**content["shape"]))
                network.load_state_dict(state)
                networks.append(network.eval())
            table = ImageTable(**content["table"])
            judged = (float(content["judged"][0]), float(content["judged"][1]))
            relabeller = Relabeller(networks, table, tuple(content["annotators"]), judged)
            curves = content["curves"].reshape(table.num_classes, table.num_classes, 3)
        except (TypeError, RuntimeError, ValueError, KeyError, IndexError, AttributeError) as error:
            raise InputError(f"{path} is no relabeller of this version of hml. {_REMEDY}") from error
        return cls(relabeller, curves, content["provenance"])


def curve_at(curves: Tensor, class_1: Tensor, class_2: Tensor, lambda_f: Tensor) -> Tensor:
    """Evaluate class pairs' curves, (C, C, 3), at lambda_f: lambda_h, shape (N,); lambda_f itself within one class."""
    bias, slope, lapse = curves[class_1, class_2].unbind(-1)
    seen = lapse / 2 + (1 - lapse) * torch.sigmoid(slope * (lambda_f - 0.5 - bias))
    return torch.where(class_1 == class_2, lambda_f, seen)
