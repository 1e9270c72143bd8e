"""The checkpoint: a relabeller, class pairs' curves fitted to the same judgements, and their provenance."""

from collections.abc import Mapping
from dataclasses import asdict, astuple, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from hml.errors import InputError
from hml.files.sealed import write_sealed
from hml.judgements import Classes
from hml.judgements.curves import PairCurves
from hml.relabel.encoding import ImageTable
from hml.relabel.network import AnswerNetwork, Shape
from hml.relabel.relabeller import Relabeller
from hml.relabel.storage import load_tensors

FORMAT = 2

_FIELDS = ("format", "shape", "members", "table", "classes", "annotators", "judged", "curves", "provenance")
_REMEDY = (
    "Fit one first: hml relabel fit. For the demo, run `hml relabel fit --demo`. Training on it needs the overlay "
    "demo_fly instead of demo: hml fit --config learned_conf --config demo_fly"
)


@dataclass(frozen=True)
class Checkpoint:
    """The result of `hml relabel fit`.

    Args:
        relabeller: The model.
        curves: Parameters of class pairs' curves, (bias, slope, lapse) by both classes, shape (C, C, 3).
        classes: The classes of the images that it learned from.
        provenance: Hashes of the data, the judgements, the options and the versions.
    """

    relabeller: Relabeller
    curves: Tensor
    classes: Classes
    provenance: Mapping[str, Any]

    def save(self, path: Path) -> None:
        """Write the checkpoint atomically."""
        relabeller = self.relabeller
        content = {
            "format": FORMAT,
            "shape": asdict(relabeller.networks[0].shape),
            "members": [network.state_dict() for network in relabeller.networks],
            "table": vars(relabeller.table.to(torch.device("cpu"))),
            "classes": list(self.classes),
            "annotators": list(relabeller.annotators),
            "judged": list(relabeller.judged),
            "curves": self.curves,
            "provenance": dict(self.provenance),
        }
        write_sealed(path, content)

    @classmethod
    def load(cls, path: Path) -> "Checkpoint":
        """Read a checkpoint, without running code in it.

        Raises:
            InputError: the file is missing or damaged, or is of another version.
        """
        content = load_tensors(path, _FIELDS, _REMEDY)
        if content["format"] != FORMAT:
            raise InputError(f"{path} has format {content['format']}. This version of hml reads {FORMAT}. {_REMEDY}")
        try:
            networks = []
            for state in content["members"]:
                network = AnswerNetwork(Shape(**content["shape"]))
                network.load_state_dict(state)
                networks.append(network.eval())
            table = ImageTable(**content["table"])
            judged = (float(content["judged"][0]), float(content["judged"][1]))
            relabeller = Relabeller(networks, table, tuple(content["annotators"]), judged)
            classes = Classes(tuple(content["classes"]))
            curves = content["curves"].reshape(len(classes), len(classes), 3)
        except (InputError, TypeError, RuntimeError, ValueError, KeyError, IndexError, AttributeError) as error:
            raise InputError(f"{path} is no relabeller of this version of hml. {_REMEDY}") from error
        return cls(relabeller, curves, classes, content["provenance"])


def tabulate_curves(curves: PairCurves, num_classes: int) -> Tensor:
    """Tabulate the parameters of the curve of every two classes, shape (C, C, 3)."""
    parameters = np.full((num_classes, num_classes, 3), astuple(curves.overall))
    for (first, second), curve in curves.curves.items():
        parameters[first, second] = parameters[second, first] = astuple(curve)
    parameters[np.tril_indices(num_classes)] *= (-1, 1, 1)  # mirrored
    return torch.from_numpy(parameters).float()


def curve_at(curves: Tensor, class_1: Tensor, class_2: Tensor, lambda_f: Tensor) -> Tensor:
    """Return lambda_h by class pairs' curves, (C, C, 3), at lambda_f, shape (N,). Within one class it is lambda_f."""
    bias, slope, lapse = curves[class_1, class_2].unbind(-1)
    seen = lapse / 2 + (1 - lapse) * torch.sigmoid(slope * (lambda_f - 0.5 - bias))
    return torch.where(class_1 == class_2, lambda_f, seen)
