"""Human judgements of mixed images: records and readers, which need neither numpy nor torch; `curves` needs numpy."""

from hml.judgements.classes import CLASS_NAMES, pair_name, parse_pair
from hml.judgements.hmix import Cohort, parse_hmix, read_hmix
from hml.judgements.hmix_format import TaskName, name_stimulus
from hml.judgements.midpoints import Midpoint, parse_construct, parse_select
from hml.judgements.schema import (
    FAST_MS,
    NUM_IMAGES,
    Endpoint,
    Judgement,
    Stimulus,
    drop_repeats,
    group_by_stimulus,
)
from hml.judgements.soft_categories import SoftCategories, parse_soft_categories

__all__ = [
    "CLASS_NAMES",
    "FAST_MS",
    "NUM_IMAGES",
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
    "pair_name",
    "parse_construct",
    "parse_hmix",
    "parse_pair",
    "parse_select",
    "parse_soft_categories",
    "read_hmix",
]
