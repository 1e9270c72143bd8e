"""Mixed images beside their endpoints, as pixels."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch

from hml.data.images import ImageBank
from hml.data.mixing import mix

Pixels = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Triptych:
    """A mixed image between its endpoints, each (H, W, 3) in [0, 1], and what people said of it.

    Args:
        image: What `image_table` says of it.
        answers: Each judgement's lambda_h.
        first: The first endpoint.
        mixed: The blend.
        second: The second endpoint.
    """

    image: "pd.Series[float]"
    answers: tuple[float, ...]
    first: Pixels
    mixed: Pixels
    second: Pixels


def most_surprising(images: pd.DataFrame, count: int = 6) -> list[str]:
    """Name the images whose mean lambda_h lies farthest from lambda_f, the farthest first.

    The distance is taken times n/(n + 1) for n judgements, so that one careless answer doesn't make the top.

    Args:
        images: What `image_table` made.
        count: How many to name.
    """
    surprise = images["error"] * images["n"] / (images["n"] + 1)
    order = surprise.sort_values(ascending=False, kind="stable").index
    return [str(name) for name in images.loc[order[:count], "filename"]]


def picture(bank: ImageBank, table: pd.DataFrame, images: pd.DataFrame, filenames: Sequence[str]) -> list[Triptych]:
    """Mix images and gather what was said of them.

    Args:
        bank: The original images.
        table: What `judgement_table` made.
        images: What `image_table` made of it.
        filenames: Which; each is in the tables.
    """
    rows = images.set_index("filename", drop=False).loc[list(filenames)]
    id_1, id_2 = (torch.tensor(rows[name].to_numpy(np.int64)) for name in ("id_1", "id_2"))
    lambda_f = torch.tensor(rows["lambda_f"].to_numpy(np.float32))
    one, none = torch.ones_like(lambda_f), torch.zeros_like(lambda_f)
    mixed, first, second = (
        mix(bank.images, id_1, id_2, share).movedim(1, -1).numpy() for share in (lambda_f, one, none)
    )  # (n, H, W, 3)
    return [
        Triptych(
            rows.iloc[i],
            tuple(table.loc[table["filename"] == name, "lambda_h"].tolist()),
            first[i],
            mixed[i],
            second[i],
        )
        for i, name in enumerate(filenames)
    ]
