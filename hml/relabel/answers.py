"""Judgements as the tensors that the relabeller learns from."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from hml.labels import MixedBatch
from hml.relabel.encoding import take
from hml.statistics.estimates import Index


@dataclass(frozen=True)
class Answers:
    """What people said of mixed images, N judgements.

    Args:
        batch: The images.
        slider: The first endpoint's share, whole per cents, shape (N,).
        confidence: Confidence, whole per cents, shape (N,).
        person: Who answered, shape (N,), counted from 1.
    """

    batch: MixedBatch
    slider: Tensor
    confidence: Tensor
    person: Tensor

    def __len__(self) -> int:
        return len(self.slider)

    @classmethod
    def of(cls, table: pd.DataFrame, num_classes: int) -> "Answers":
        """Read a `judgement_table` about C classes; answers between two of the slider's positions are rounded."""

        def column(name: str) -> Tensor:
            return torch.from_numpy(table[name].to_numpy(np.int64).copy())

        lambda_f = torch.from_numpy(table["lambda_f"].to_numpy(np.float32).copy())
        return cls(
            MixedBatch(column("id_1"), column("id_2"), column("class_1"), column("class_2"), lambda_f, num_classes),
            per_cent(table["lambda_h"]),
            per_cent(table["omega"]),
            torch.from_numpy(table["person"].to_numpy(np.int64) + 1),
        )

    def __getitem__(self, rows: Index) -> "Answers":
        at = torch.from_numpy(rows)
        return Answers(take(self.batch, at), self.slider[at], self.confidence[at], self.person[at])


def per_cent(values: "pd.Series[float]") -> Tensor:
    """Round shares to the slider's positions, whole per cents, shape (N,)."""
    return torch.from_numpy((100 * values.to_numpy(float)).round().astype(np.float32))
