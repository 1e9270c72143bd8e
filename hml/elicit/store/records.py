"""People, trials and receipts, as the store returns them."""

from dataclasses import dataclass
from typing import Literal

from hml.judgements import Endpoint, Stimulus

Stage = Literal["instructions", "quiz", "trials", "comment", "done"]
"""What somebody does next, in order."""


@dataclass(frozen=True)
class Person:
    """A person who takes part, and how far they are.

    Args:
        number: From which their draws come; never used twice.
        code: What their session holds.
        subject: What exports call them.
        outside_hash: Of what a recruiting service calls them; None if they came without an id.
        stage: What they do next.
        trials: How many images they get.
        repeats: How many of these they judge again.
        quiz_wrong: How often the quiz went wrong.
        enrolled_at: When they agreed, in UTC.
        completed_at: When they first got their completion code.
        answered: Trials that they have answered.
    """

    number: int
    code: str
    subject: str
    outside_hash: str | None
    stage: Stage
    trials: int
    repeats: int
    quiz_wrong: int
    enrolled_at: str
    completed_at: str | None
    answered: int

    @property
    def total(self) -> int:
        """Trials that they get, repeats included."""
        return self.trials + self.repeats


@dataclass(frozen=True)
class Trial:
    """One image put to one person.

    Args:
        id: Its own, never used again.
        stimulus: The image.
        is_repeat: Whether they have judged it before.
        number: Its place among their trials, from 1.
        total: How many they get.
        start: Where the construct task starts from, a weight of the first image.
        lambdas: By which weights the blends are shown, and in which order, where there are several.
        swapped: Whether the second class is named first, and is at the left.
    """

    id: str
    stimulus: Stimulus
    is_repeat: bool
    number: int
    total: int
    start: float | None
    lambdas: tuple[float, ...]
    swapped: bool

    @property
    def sides(self) -> tuple[Endpoint, Endpoint]:
        """The endpoint that is named first, and is at the left, and the other."""
        first, second = self.stimulus.endpoints
        return (second, first) if self.swapped else (first, second)


@dataclass(frozen=True)
class Receipt:
    """Says that something is on disk; the same again whenever the same is sent again.

    Args:
        client_id: What the browser called it.
        trial_id: The trial answered; None for a comment.
        received_at: When it first came, in UTC.
        count: The person's answers up to and with it.
    """

    client_id: str
    trial_id: str | None
    received_at: str
    count: int
