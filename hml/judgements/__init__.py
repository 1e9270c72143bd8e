"""Human judgements of mixed images: records and readers. Needs neither torch nor Lightning."""

from hml.judgements.hmix import Cohort, parse_hmix, read_hmix
from hml.judgements.schema import CLASS_NAMES, NUM_IMAGES, Endpoint, Judgement, Stimulus, group_by_stimulus

__all__ = [
    "CLASS_NAMES",
    "NUM_IMAGES",
    "Cohort",
    "Endpoint",
    "Judgement",
    "Stimulus",
    "group_by_stimulus",
    "parse_hmix",
    "read_hmix",
]
