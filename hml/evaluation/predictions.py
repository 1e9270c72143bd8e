"""`PredictionWriter`: `hml predict`'s CSV of image ids and probabilities."""

from pathlib import Path
from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer
from typing_extensions import override

from hml.data import HMixDataModule
from hml.evaluation.metrics import GatheredPredictions
from hml.files.atomic import write_atomically
from hml.files.spreadsheets import to_csv

_COLUMNS = ("image_id", "label")


class PredictionWriter(Callback):
    """Writes `predictions.csv` into the run's folder: `image_id`, `label`, and a probability for each class.

    The images of all ranks are in it once each, in the order of the evaluation split. The columns of probabilities have
    the names of their classes; a class that is called as one of the other columns, `label` say, has `p(label)`.
    """

    def __init__(self) -> None:
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
        folder = trainer.log_dir  # every rank must ask, since the first one tells the others
        if not trainer.is_global_zero or trainer.fast_dev_run or folder is None:  # type: ignore[attr-defined]
            return
        classes = data.bank.classes
        ids = data.bank.test_ids[gathered["index"]].tolist()
        probabilities = gathered["logits"].double().softmax(1).tolist()
        rows = (
            [image_id, classes[label], *(f"{value:.8g}" for value in row)]
            for image_id, label, row in zip(ids, gathered["label"].tolist(), probabilities, strict=True)
        )
        path = Path(folder) / "predictions.csv"
        columns = [f"p({name})" if name in _COLUMNS else name for name in classes]
        write_atomically(path, to_csv([*_COLUMNS, *columns], rows))
        print(f"{len(ids):,} predictions: {path}")
