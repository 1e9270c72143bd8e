"""Judgements as tensors, for the relabeller."""

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
    """N judgements of mixed images.

    Args:
        batch: The images.
        slider: lambda_h in whole per cents, shape (N,).
        confidence: omega in whole per cents, shape (N,).
        person: The numbers of the people, counted from 1, shape (N,).
    """

    batch: MixedBatch
    slider: Tensor
    confidence: Tensor
    person: Tensor

    def __len__(self) -> int:
        return len(self.slider)

    @classmethod
    def of(cls, table: pd.DataFrame, num_classes: int) -> "Answers":
        """Convert a `judgement_table`. Answers are rounded to the slider's positions."""

        def column(name: str) -> Tensor:
            return torch.from_numpy(table[name].to_numpy(np.int64).copy())

        lambda_f = torch.from_numpy(table["lambda_f"].to_numpy(np.float32).copy())
        return cls(
            MixedBatch(column("id_1"), column("id_2"), column("class_1"), column("class_2"), lambda_f, num_classes),
            torch.from_numpy(per_cent(table["lambda_h"])).float(),
            torch.from_numpy(per_cent(table["omega"])).float(),
            torch.from_numpy(table["person"].to_numpy(np.int64) + 1),
        )

    def __getitem__(self, rows: Index) -> "Answers":
        at = torch.from_numpy(rows)
        return Answers(take(self.batch, at), self.slider[at], self.confidence[at], self.person[at])


def per_cent(values: "pd.Series[float]") -> Index:
    """Round shares to the slider's positions, whole per cents, shape (N,)."""
    return (100 * values.to_numpy(float)).round().astype(np.int64)
