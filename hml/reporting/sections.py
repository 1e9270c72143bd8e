"""The parts of a page and its files: claims, figures with their data, and sections of both."""

from dataclasses import dataclass, field

import pandas as pd
from matplotlib.figure import Figure

from hml.reporting.tables import Table
from hml.statistics.estimates import FEWEST_PEOPLE, Estimate

DECIMALS = 3
"""Decimals of every number on the page. Percentages have two fewer. JSON and CSV files keep full precision."""


@dataclass(frozen=True)
class Claim:
    """A number on the page."""

    name: str  # in `percepts.json`
    text: str  # its description for readers
    estimate: Estimate


@dataclass(frozen=True)
class Exhibit:
    """A figure and the data drawn in it."""

    name: str  # of its files, without a suffix
    title: str
    caption: str
    alt: str  # description for readers who can't see the figure
    figure: Figure
    data: pd.DataFrame


@dataclass(frozen=True)
class Section:
    """A part of the page."""

    name: str  # in `percepts.json` and in links
    title: str
    paragraphs: list[str]
    findings: list[str] = field(default_factory=list)  # sentences for the page's summary
    claims: list[Claim] = field(default_factory=list)
    exhibits: list[Exhibit] = field(default_factory=list)
    tables: list[Table] = field(default_factory=list)


def count(number: int, singular: str, plural: str | None = None) -> str:
    """Write a number with what it counts.

    Examples:
        >>> count(1, "person", "people"), count(1234, "image")
        ('1 person', '1,234 images')
    """
    return f"{number:,} {singular if number == 1 else plural or singular + 's'}"


def write_share(value: float) -> str:
    """Write a share as a percentage.

    Examples:
        >>> write_share(0.0334)
        '3.3 %'
    """
    return f"{100 * value:.{DECIMALS - 2}f} %"


def write_number(value: float | None, digits: int = DECIMALS) -> str:
    """Write a number with a true minus sign, or a dash for None."""
    # Rounding first and adding 0 avoids −0.000 for small negative numbers.
    return "–" if value is None else f"{round(value, digits) + 0.0:.{digits}f}".replace("-", "−")


def write_interval(estimate: Estimate, digits: int = DECIMALS) -> str:
    """Write an interval, or the reason why there is none."""
    if estimate.value is None:
        return "too few judgements"
    if estimate.low is None or estimate.high is None:
        return "no interval: too few people" if estimate.people < FEWEST_PEOPLE else "no interval"
    return f"{write_number(estimate.low, digits)} to {write_number(estimate.high, digits)}"


def write_same_images(estimate: Estimate, digits: int = DECIMALS) -> str:
    """Write the interval for other people and the same images, or a dash where there is none."""
    same = estimate.on_same_images
    return "–" if same.low is None else write_interval(same, digits)


def compare(estimate: Estimate, with_value: float = 0.0) -> str:
    """Return on which side of a value the interval is: "above", "below", "not clear of", or "unknown"."""
    if estimate.low is None or estimate.high is None:
        return "unknown"
    return "above" if estimate.low > with_value else "below" if estimate.high < with_value else "not clear of"
