"""Shows the progress of a study: a line for each finished run and, on a terminal, a bar with the time left."""

import sys
import time

from tqdm import tqdm

from hml.evaluation.paper import COLUMNS
from hml.experiments.runs import Failure, Run
from hml.training.result import RunResult

_FORMAT = "{desc}{percentage:3.0f} %|{bar}| {n:.1f} of {total} runs [{elapsed}, {remaining} left]"


class Progress:
    """A progress bar over runs."""

    def __init__(self, total: int) -> None:
        # None disables the bar if there is no terminal.
        self._bar = tqdm(total=total, bar_format=_FORMAT, dynamic_ncols=True, disable=None)
        self._total = total
        self._started = time.monotonic()
        self._ended = 0

    def close(self) -> None:
        """Leave the bar as it is."""
        self._bar.close()

    def advance(self, share: float) -> None:
        """Show the progress of the current run, from 0 to 1."""
        self._bar.update(self._ended + share - self._bar.n)

    def end(self, run: Run, outcome: RunResult | Failure) -> None:
        """Print the outcome of a run that has ended."""
        if isinstance(outcome, Failure):
            line = str(outcome)
        else:
            figures = {column: outcome.metrics.get(name) for column, name in COLUMNS.items()}
            line = "  ".join(f"{column} {value:.3f}" for column, value in figures.items() if value is not None)
            line += f"  {sum(part or 0 for part in outcome.seconds.values()):.0f} s"
        self._ended += 1
        if self._bar.disable:
            left = (time.monotonic() - self._started) / self._ended * (self._total - self._ended)
            line += f"  ({self._ended} of {self._total} runs, {tqdm.format_interval(left)} left)"
        self._bar.write(f"{run}: {line}")
        sys.stdout.flush()  # so that the line appears at once in a file
        self.advance(0)
