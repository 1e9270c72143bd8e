"""Pictures and choices in whatever tracks a run: TensorBoard, CSV files, Weights & Biases or MLflow."""

import io
from collections.abc import Mapping
from pathlib import Path

from lightning.pytorch import Trainer
from lightning.pytorch.loggers import CSVLogger, Logger, MLFlowLogger, TensorBoardLogger, WandbLogger
from matplotlib.figure import Figure
from PIL import Image

Choices = Mapping[str, str | int | float | bool]


def takes_figures(trainer: Trainer) -> bool:
    """Whether this process has a tracker to draw figures for: on other ranks than the first, there is none."""
    return trainer.is_global_zero and any(isinstance(logger, _WITH_FIGURES) for logger in trainer.loggers)


def log_figure(trainer: Trainer, name: str, figure: Figure) -> None:
    """Show a figure in every tracker that can show one; with CSV files, it is a PNG in their folder `figures`."""
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
                figure.savefig(path)


def log_choices(logger: Logger, choices: Choices) -> None:
    """Log a run's choices as hyperparameters. TensorBoard logs its own, with the figures that runs are compared by."""
    if not isinstance(logger, TensorBoardLogger):
        logger.log_hyperparams(dict(choices))


def _draw(figure: Figure) -> Image.Image:
    file = io.BytesIO()
    figure.savefig(file, format="png")
    return Image.open(file)


_WITH_FIGURES = (TensorBoardLogger, WandbLogger, MLFlowLogger, CSVLogger)
