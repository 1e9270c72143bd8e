"""People, trials and receipts, as the store returns them."""

from dataclasses import dataclass
from typing import Literal

from hml.judgements import Endpoint, Stimulus

Stage = Literal["instructions", "quiz", "trials", "comment", "done"]
"""A person's next step, in order."""


@dataclass(frozen=True)
class Person:
    """A participant and their progress. Times are in UTC."""

    number: int  # seeds their random draws; never reused
    code: str  # in their session's cookie
    subject: str  # their code in exports
    outside_hash: str | None  # of their id at a recruiting service; None if they came without one
    stage: Stage
    trials: int  # how many images they judge
    repeats: int  # how many of these they judge again
    quiz_wrong: int  # how often they failed the quiz
    enrolled_at: str
    completed_at: str | None  # when they first got their completion code
    answered: int  # answered trials, including repeats

    @property
    def total(self) -> int:
        """The number of their trials, including repeats."""
        return self.trials + self.repeats


@dataclass(frozen=True)
class Trial:
    """One image shown to one person."""

    id: str  # never reused
    stimulus: Stimulus
    is_repeat: bool  # whether they have judged the image before
    number: int  # its position among their trials, from 1
    total: int  # the number of their trials
    start: float | None  # in the construct task, the initial weight of the first image
    lambdas: tuple[float, ...]  # the weights of the blends, in their order, if several are shown
    swapped: bool  # whether the second class is named first, and is on the left

    @property
    def sides(self) -> tuple[Endpoint, Endpoint]:
        """The endpoint that is named first and is on the left, and the other one."""
        first, second = self.stimulus.endpoints
        return (second, first) if self.swapped else (first, second)


@dataclass(frozen=True)
class Receipt:
    """Confirms that an answer is on disk. The same answer sent again gets the same receipt."""

    client_id: str  # the browser's id of the answer
    trial_id: str
    count: int  # the number of the person's answers, including this one
