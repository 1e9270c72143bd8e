"""People, trials and receipts, as the store returns them."""

from dataclasses import dataclass
from typing import Literal

from hml.judgements import Endpoint, Stimulus

Stage = Literal["instructions", "quiz", "trials", "comment", "done"]
"""What somebody does next, in order."""


@dataclass(frozen=True)
class Person:
    """A person who takes part, and how far they are. Times are in UTC."""

    number: int  # from which their draws come; never used twice
    code: str  # what their session holds
    subject: str  # what exports call them
    outside_hash: str | None  # of what a recruiting service calls them; None if they came without an id
    stage: Stage
    trials: int  # how many images they get
    repeats: int  # how many of these they judge again
    quiz_wrong: int  # how often the quiz went wrong
    enrolled_at: str
    completed_at: str | None  # when they first got their completion code
    answered: int  # trials, repeats included

    @property
    def total(self) -> int:
        """Trials that they get, repeats included."""
        return self.trials + self.repeats


@dataclass(frozen=True)
class Trial:
    """One image shown to one person."""

    id: str  # never used again
    stimulus: Stimulus
    is_repeat: bool  # whether they have judged the image before
    number: int  # its place among their trials, from 1
    total: int  # how many they get
    start: float | None  # where the construct task starts from, a weight of the first image
    lambdas: tuple[float, ...]  # the weights of the blends that are shown, in their order, where there are several
    swapped: bool  # whether the second class is named first, and is at the left

    @property
    def sides(self) -> tuple[Endpoint, Endpoint]:
        """The endpoint that is named first, and is at the left, and the other."""
        first, second = self.stimulus.endpoints
        return (second, first) if self.swapped else (first, second)


@dataclass(frozen=True)
class Receipt:
    """Confirms that an answer is on disk. The same answer sent again gets the same receipt."""

    client_id: str  # what the browser called the answer
    trial_id: str
    count: int  # the person's answers up to and with it
