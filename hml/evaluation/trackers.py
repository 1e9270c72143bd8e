"""Logs figures and hyperparameters to experiment trackers: TensorBoard, CSV files, Weights & Biases or MLflow."""

import io
from collections.abc import Mapping
from pathlib import Path

from lightning.pytorch import Trainer
from lightning.pytorch.loggers import CSVLogger, Logger, MLFlowLogger, TensorBoardLogger, WandbLogger
from matplotlib.figure import Figure
from PIL import Image

from hml.reporting.drawing import to_png

Choices = Mapping[str, str | int | float | bool]


def takes_figures(trainer: Trainer) -> bool:
    """Return whether this process has a tracker for figures. Only the first rank may have one."""
    return trainer.is_global_zero and any(isinstance(logger, _WITH_FIGURES) for logger in trainer.loggers)


def log_figure(trainer: Trainer, name: str, figure: Figure) -> None:
    """Log a figure to every tracker that supports figures. For CSV files, write a PNG into their folder `figures`."""
    for logger in trainer.loggers:
        match logger:
            case TensorBoardLogger():
                logger.experiment.add_figure(name, figure, global_step=trainer.global_step)
            case WandbLogger():
                logger.log_image(name, [_draw(figure)])
            case MLFlowLogger():
                logger.experiment.log_image(logger.run_id, _draw(figure), f"{name}.png")
            case CSVLogger():
                path = Path(logger.log_dir, "figures", f"{name}.png")
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(to_png(figure))


def log_choices(logger: Logger, choices: Choices) -> None:
    """Log hyperparameters. Skip TensorBoard, whose logger already logs them with the metrics for comparing runs."""
    if not isinstance(logger, TensorBoardLogger):
        logger.log_hyperparams(dict(choices))


def _draw(figure: Figure) -> Image.Image:
    return Image.open(io.BytesIO(to_png(figure)))


_WITH_FIGURES = (TensorBoardLogger, WandbLogger, MLFlowLogger, CSVLogger)
