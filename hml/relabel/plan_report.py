"""The output of `hml relabel plan`: a table of designs, a figure, and a sentence for a pre-registration."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from hml.relabel.planning import Planned
from hml.reporting.drawing import finish, new_figure
from hml.reporting.exhibits import write_exhibit
from hml.reporting.palette import Color
from hml.reporting.sections import Exhibit, write_number
from hml.reporting.tables import Table, to_text

_COLORS = (Color.BLUE, Color.DARK_ORANGE, Color.GREEN, Color.LIGHT_ORANGE, Color.GREY)
_MARKERS = "osD^v"
FIGURE = "plan"


@dataclass(frozen=True)
class Question:
    """The question that a study should answer.

    Args:
        text: The number that is estimated, such as "the bias of Cat/Dog".
        effect: The wanted half-width of its interval, or the difference to detect.
        power: The wanted probability of detecting the difference. None asks for the half-width.
    """

    text: str
    effect: float
    power: float | None = None

    def is_met(self, planned: Planned) -> bool:
        """Return whether a design is sufficient."""
        return planned.half_width <= self.effect if self.power is None else planned.power >= self.power


def write_plan(question: Question, plans: Sequence[Planned], source: str, studies: int, seed: int, out: Path) -> str:
    """Draw the figure. Return the text for the terminal.

    Args:
        question: The question.
        plans: The designs, with their expected precision.
        source: A description of the relabeller.
        studies: The number of simulated studies of each design.
        seed: The seed of the simulation.
        out: The folder.
    """
    exhibit = _draw(question, plans)
    write_exhibit(exhibit, out)
    origin = f"simulation of {studies:,} data sets from {source}, seed {seed}"
    place = f"The figure is {out / exhibit.name}.png, also as .pdf, with its numbers in .csv."
    return "\n\n".join([to_text(_table(question, plans)), recommend(question, plans, origin), place])


def recommend(question: Question, plans: Sequence[Planned], origin: str) -> str:
    """Write the sentence for a pre-registration, about the sufficient design with the fewest judgements."""
    enough = [planned for planned in plans if question.is_met(planned)]
    if not enough:
        best = min(plans, key=lambda planned: planned.half_width)
        return (
            f"No design is sufficient: with {_describe(best)}, the 95 % interval of {question.text} is "
            f"± {_number(best.half_width)}, and a difference of {question.effect:g} is detected with a power of "
            f"{_percent(best.power)} ({origin}). Allow more --people or --images_each."
        )
    best = min(enough, key=lambda planned: (planned.design.judgements, planned.half_width))
    return (
        f"With {_describe(best)}, the 95 % interval of {question.text} is expected to be ± {_number(best.half_width)}, "
        f"and a difference of {question.effect:g} is detected with a power of {_percent(best.power)} at a level of 5 % "
        f"({origin})."
    )


def _describe(planned: Planned) -> str:
    design = planned.design
    return (
        f"{design.people} people judging {design.each} images each ({design.images:,} images, "
        f"{design.per_image} people per image)"
    )


def _table(question: Question, plans: Sequence[Planned]) -> Table:
    goal = f"± {question.effect:g}" if question.power is None else f"a power of {_percent(question.power)}"
    rows = [
        [
            str(planned.design.people),
            str(planned.design.each),
            f"{planned.design.images:,}",
            f"{planned.design.judgements:,}",
            f"± {_number(planned.half_width)}",
            _percent(planned.power),
            "yes" if question.is_met(planned) else "no",
        ]
        for planned in plans
    ]
    header = ["people", "images each", "images", "judgements", "95 % interval", "power", "sufficient"]
    caption = f"{question.text[0].upper()}{question.text[1:]}: {goal} is wanted; power is for {question.effect:g}"
    return Table(caption, header, rows)


def _draw(question: Question, plans: Sequence[Planned]) -> Exhibit:
    data = pd.DataFrame(
        {
            "people": planned.design.people,
            "images_each": planned.design.each,
            "half_width": planned.half_width,
            "power": planned.power,
        }
        for planned in plans
    )
    figure = new_figure(8, 3.4)
    width, power = figure.subplots(1, 2)
    for number, (each, rows) in enumerate(data.groupby("images_each")):
        style = {"color": _COLORS[number % len(_COLORS)], "marker": _MARKERS[number % len(_MARKERS)], "markersize": 4}
        width.plot(rows["people"], rows["half_width"], label=f"{each} images each", **style)
        power.plot(rows["people"], rows["power"], **style)
    for axes, goal in ((width, question.effect), (power, question.power)):
        if goal is not None:
            axes.axhline(goal, color=Color.GREY, linewidth=0.8, linestyle="--")
    finish(width, xlabel="people", ylabel="half of the 95 % interval")
    finish(power, xlabel="people", ylabel=f"power for a difference of {question.effect:g}", ylim=(0, 1.02))
    width.legend(fontsize=8, frameon=False)
    return Exhibit(
        FIGURE,
        "People and images that are needed",
        f"Precision and power for {question.text}, by the number of people and how many images each of them judges.",
        "Two panels over the number of people: the interval's half-width falls, the power rises.",
        figure,
        data,
    )


def _number(value: float) -> str:
    return write_number(value)


def _percent(value: float) -> str:
    return f"{value:.2f}".removeprefix("0") if value < 0.995 else "1.00"
