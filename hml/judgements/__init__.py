"""Human judgements of mixed images. Records and readers need neither numpy nor torch; `curves` needs numpy."""

from hml.judgements.classes import CIFAR10, Classes
from hml.judgements.formats import parse_judgements
from hml.judgements.hmix import Cohort, parse_hmix, read_hmix
from hml.judgements.hmix_format import TaskName
from hml.judgements.midpoints import Midpoint, parse_construct, parse_select
from hml.judgements.plain_format import write_plain
from hml.judgements.schema import (
    FAST_MS,
    Endpoint,
    Judgement,
    Stimulus,
    drop_repeats,
    group_by_stimulus,
)
from hml.judgements.soft_categories import SoftCategories, parse_soft_categories
from hml.judgements.stimulus_names import name_stimulus

__all__ = [
    "CIFAR10",
    "FAST_MS",
    "Classes",
    "Cohort",
    "Endpoint",
    "Judgement",
    "Midpoint",
    "SoftCategories",
    "Stimulus",
    "TaskName",
    "drop_repeats",
    "group_by_stimulus",
    "name_stimulus",
    "parse_construct",
    "parse_hmix",
    "parse_judgements",
    "parse_select",
    "parse_soft_categories",
    "read_hmix",
    "write_plain",
]
