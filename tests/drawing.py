"""Keeps pages and runs from drawing, which takes most of their time where tests make them."""

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.backends.backend_pdf import FigureCanvasPdf
from matplotlib.figure import Figure
from PIL import Image
from torch.utils.tensorboard import SummaryWriter

RUNS_FIGURES = (
    "hml.evaluation.callbacks.attack_grid",
    "hml.evaluation.callbacks.reliability_diagram",
    "hml.training.report.mixed_grid",
)


def skip_drawing(patch):
    """Make files of figures a single pixel, figures of few panels without intervals, a run's pictures empty."""
    pixel, add_subplot = Image.new("L", (1, 1)), Figure.add_subplot
    patch.setattr(FigureCanvasAgg, "print_png", lambda self, file: pixel.save(file, "png"))
    patch.setattr(FigureCanvasPdf, "print_pdf", lambda self, file, metadata: pixel.save(file, "png"))

    def add_or_reuse(self, *args, **options):
        return add_subplot(self, *args, **options) if len(self.axes) < 6 else self.axes[-1]

    patch.setattr(Figure, "add_subplot", add_or_reuse)
    for owner, name in ((Axes, "errorbar"), (Axes, "legend"), (Figure, "legend")):
        patch.setattr(owner, name, lambda self, *args, **options: None)
    patch.setattr(SummaryWriter, "add_figure", lambda self, *args, **options: None)
    for name in RUNS_FIGURES:
        patch.setattr(name, lambda *args: Figure())
