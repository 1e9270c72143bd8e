"""`PredictionWriter`: writes the predictions of `hml predict` as CSV or npz."""

import io
from pathlib import Path
from typing import Any, Literal

import numpy as np
from lightning.pytorch import Callback, LightningModule, Trainer
from torch import Tensor
from typing_extensions import override

from hml.data import HMixDataModule, ImageBank
from hml.evaluation.metrics import GatheredPredictions
from hml.files.atomic import write_atomically
from hml.files.spreadsheets import to_csv

Format = Literal["csv", "npz"]
_COLUMNS = ("image_id", "label")


class PredictionWriter(Callback):
    """Writes `predictions.csv` or `predictions.npz` into the run's folder.

    The file has each image once, in the order of the evaluation split, also with several ranks.

    The CSV file has the columns `image_id`, `label` (the name of the true class), and one column of probabilities for
    each class, named after the class. If a class has the name of another column, such as `label`, its column is
    `p(label)`.

    The npz file has these arrays, for N images and C classes: `image_id`, `index` (in the evaluation split) and `label`
    (of the true class), all (N,); `logits` and `probabilities`, (N, C); and `classes`, the names, (C,).

    Args:
        format: "csv" or "npz".
    """

    def __init__(self, format: Format = "csv") -> None:  # noqa: A002 - the flag's name
        self.format = format
        self._gathered = GatheredPredictions()

    @override
    def on_predict_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._gathered.reset()

    @override
    def on_predict_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, *args: Any, **kwargs: Any
    ) -> None:
        self._gathered.update(outputs, batch["target"], batch["label"], batch["index"])

    @override
    def on_predict_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._gathered.to(pl_module.device)
        gathered = self._gathered.compute()
        data: HMixDataModule = trainer.datamodule  # type: ignore[attr-defined]
        folder = trainer.log_dir  # on every rank, since Lightning broadcasts it from the first rank
        if not trainer.is_global_zero or trainer.fast_dev_run or folder is None:  # type: ignore[attr-defined]
            return
        path = Path(folder) / f"predictions.{self.format}"
        write_atomically(path, (_to_npz if self.format == "npz" else _to_csv)(gathered, data.bank))
        print(f"{len(gathered['index']):,} predictions: {path}")


def _to_csv(gathered: dict[str, Tensor], bank: ImageBank) -> bytes:
    classes = bank.classes
    ids = bank.test_ids[gathered["index"]].tolist()
    probabilities = gathered["logits"].double().softmax(1).tolist()
    rows = (
        [image_id, classes[label], *(f"{value:.8g}" for value in row)]
        for image_id, label, row in zip(ids, gathered["label"].tolist(), probabilities, strict=True)
    )
    columns = [f"p({name})" if name in _COLUMNS else name for name in classes]
    return to_csv([*_COLUMNS, *columns], rows).encode()


def _to_npz(gathered: dict[str, Tensor], bank: ImageBank) -> bytes:
    file = io.BytesIO()
    np.savez(
        file,
        image_id=bank.test_ids[gathered["index"]].numpy(),
        index=gathered["index"].numpy(),
        label=gathered["label"].numpy(),
        logits=gathered["logits"].numpy(),
        probabilities=gathered["logits"].double().softmax(1).float().numpy(),
        classes=np.array(list(bank.classes)),
    )
    return file.getvalue()
