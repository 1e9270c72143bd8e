"""The four tasks: their questions, and the checks of their answers."""

import re
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import ClassVar

from typing_extensions import override

from hml.errors import InputError
from hml.judgements import Classes, Stimulus, TaskName
from hml.judgements.hmix_format import (
    CONFIDENCE,
    FINAL,
    IMPROBABLE,
    MOST,
    MOST_PREFIX,
    NO,
    PROB,
    PROB2,
    SECOND,
    SECOND_PREFIX,
    SELECT,
    SLIDER,
    STARTING,
    Answer,
    categories,
    selection,
)

GRID = tuple(step / 10 for step in range(11))
"""The weights of the first image that the midpoint tasks offer, as in H-Mix."""

_NO_TRICKS = "There are no right answers, and no image is a trick."


class Task(ABC):
    """A task: its question, and the check of its answers.

    A browser's answer has H-Mix's keys. If the task's controls have an initial position, it also has a list `moved`:
    the controls that the person moved, or set with "Exactly half". A control that was not moved is not an answer.

    The browser sends positions as the person saw them. Stored answers are in H-Mix's terms, which count from the class
    that comes first in the filename. For a `swapped` trial, `mirror` converts between the two.
    """

    name: ClassVar[TaskName]
    prompt: ClassVar[str]  # the question, asked of every image
    instructions: ClassVar[str]  # shown before the examples, unless the study has its own
    example: ClassVar[str]  # a stored answer, in JSON
    shows_grid: ClassVar[bool] = False  # whether a trial shows a pair's blends at all weights of `GRID`
    shuffles: ClassVar[bool] = False  # whether each trial shows them in a random order
    controls: ClassVar[tuple[str, ...]] = ()  # keys whose controls have an initial position
    reserved: ClassVar[str] = ""  # a name that no class may have, because it has a meaning in answers
    keeps_order: ClassVar[bool] = False  # whether a person sees the same order in all trials

    def check(self, sent: Mapping[str, object], stimulus: Stimulus, classes: Classes, swapped: bool = False) -> Answer:
        """Check an answer from a browser, and return it in its stored form.

        Args:
            sent: The answer, with `moved`.
            stimulus: The image that was judged.
            classes: The images' classes.
            swapped: Whether the image's second class was on the left.

        Returns:
            The answer in H-Mix's terms, without `moved`.

        Raises:
            InputError: the answer is invalid, or a control was not moved.
        """
        answer = dict(sent)
        if self.controls:
            moved = answer.pop("moved", None)
            if left := [name for name in self.controls if not isinstance(moved, list) or name not in moved]:
                raise InputError(f"{', '.join(left)} was not moved, and an initial position is not an answer: move it.")
        checked = self.check_values(answer, stimulus, classes)
        return self.mirror(checked) if swapped else checked

    def mirror(self, answer: Answer) -> Answer:
        """Swap left and right in an answer. Answers that name classes or a weight stay as they are."""
        return answer

    @abstractmethod
    def check_values(self, answer: Mapping[str, object], stimulus: Stimulus, classes: Classes) -> Answer:
        """Check an answer's keys and values; raise an InputError if one is wrong."""

    @abstractmethod
    def difference(self, one: Answer, other: Answer) -> float:
        """Return the distance between two answers to one image, from 0 to 1."""


class RateMixture(Task):
    """Two sliders: `mixingcoeff`, 0 ("100 % class 1") to 100 ("100 % class 2"), and `confidence`, 0 to 100.

    The browser sends `mixingcoeff` as the slider's distance from its left end, whichever class is there.
    """

    name = "rate_mixture"
    prompt = "If 100 other people saw this image, what mix of the two would they say it is, on average?"
    instructions = f"""\
You will see images that were blended out of two. For each, think of 100 other people who see it: what mix of the two
would they say it is, on average?

Then say how sure you are of that. {_NO_TRICKS}"""
    example = '{"mixingcoeff":37,"confidence":56}'
    controls = (SLIDER, CONFIDENCE)

    @override
    def check_values(self, answer: Mapping[str, object], stimulus: Stimulus, classes: Classes) -> Answer:
        _check_keys(answer, self.controls)
        return {name: _percent(answer, name) for name in self.controls}

    @override
    def mirror(self, answer: Answer) -> Answer:
        return {**answer, SLIDER: 100 - _percent(answer, SLIDER)}

    @override
    def difference(self, one: Answer, other: Answer) -> float:
        return abs(_percent(one, SLIDER) - _percent(other, SLIDER)) / 100


class Construct(Task):
    """A blend that is moved through `GRID` until it looks half and half: `final_value`, `starting_value`.

    It starts from the stimulus's lambda_f.
    """

    name = "construct"
    instructions = f"""\
You will see images that were blended out of two. Each can be made more like the one or the other. Move until you think
that 100 other people would say, on average, that it is half of each.

{_NO_TRICKS}"""
    prompt = "Move until 100 other people would say, on average, that this image is half of each."
    example = '{"final_value":0.4,"starting_value":0.1}'
    controls = (FINAL,)
    shows_grid = True

    @override
    def check_values(self, answer: Mapping[str, object], stimulus: Stimulus, classes: Classes) -> Answer:
        _check_keys(answer, (FINAL, STARTING))
        if answer[STARTING] != stimulus.lambda_f:
            raise InputError(f"{STARTING} must be {stimulus.lambda_f}, where {stimulus.filename} starts.")
        return {FINAL: _weight(answer[FINAL]), STARTING: stimulus.lambda_f}

    @override
    def difference(self, one: Answer, other: Answer) -> float:
        return abs(_weight(one[FINAL]) - _weight(other[FINAL]))


class Select(Task):
    """Eleven blends in shuffled order, one of which is chosen: `select`, "select" and its weight of the first image."""

    name = "select"
    instructions = f"""\
You will see images that were blended out of two: the same two in eleven mixes. Choose the one that you think 100 other
people would say, on average, is half of each.

{_NO_TRICKS}"""
    prompt = "Which of these would 100 other people say, on average, is half of each?"
    example = '{"select":"select0.6"}'
    shows_grid = True
    shuffles = True

    @override
    def check_values(self, answer: Mapping[str, object], stimulus: Stimulus, classes: Classes) -> Answer:
        _check_keys(answer, (SELECT,))
        return selection(_selected(answer))

    @override
    def difference(self, one: Answer, other: Answer) -> float:
        return abs(_selected(one) - _selected(other))


class Categorical(Task):
    """Soft labels.

    `classSelect` is "mostProb" and the most likely class, `prob` its percentage as text; `classSelect2` "secondProb"
    and the next class, or "No", and `prob2` its percentage, or ""; `improbClassSelect` and a class is "1" for each
    impossible class.

    The list of classes is shown from A to Z, or from Z to A where the trial is swapped.
    """

    name = "categorical"
    instructions = f"""\
You will see images that were blended out of two. For each, think of 100 other people who see it: which class would most
of them name, which would come next, and how many would name each? Then mark the classes that nobody would name.

{_NO_TRICKS}"""
    prompt = "If 100 other people saw this image, which classes would they say it shows, and how many would say each?"
    example = (
        '{"classSelect":"mostProbCat","prob":"60","classSelect2":"secondProbDog","prob2":"30",'
        '"improbClassSelectShip":"1"}'
    )
    reserved = NO
    keeps_order = True  # people learn where a class is in the list

    @override
    def check_values(self, answer: Mapping[str, object], stimulus: Stimulus, classes: Classes) -> Answer:
        ruled_out = [name for name in classes if f"{IMPROBABLE}{name}" in answer]
        flags = [f"{IMPROBABLE}{name}" for name in ruled_out]
        _check_keys(answer, (MOST, PROB, SECOND, PROB2, *flags))
        first = _named_class(answer, MOST, MOST_PREFIX, classes.names)
        second = _named_class(answer, SECOND, SECOND_PREFIX, (*classes, NO))
        prob, prob2 = _percent_text(answer, PROB), 0
        if second == NO:
            if answer[PROB2] != "":
                raise InputError("prob2 is given without a second class: name one, or leave it out.")
        else:
            prob2 = _percent_text(answer, PROB2)
        if any(answer[flag] != "1" for flag in flags):
            raise InputError("Mark an impossible class with 1, and leave out the others.")
        if first == second:
            raise InputError(f"{first} is named twice: name another second class, or none.")
        if prob2 > prob or prob + prob2 > 100:
            raise InputError(f"{prob} and {prob2} %: the second can't be larger, and the sum can't exceed 100 %.")
        if both := {first, second} & set(ruled_out):
            raise InputError(f"{', '.join(sorted(both))} can't be both likely and impossible.")
        return categories(first, prob, None if second == NO else second, prob2, ruled_out)

    @override
    def difference(self, one: Answer, other: Answer) -> float:
        return float(one[MOST] != other[MOST])


TASKS: dict[TaskName, Task] = {task.name: task for task in (RateMixture(), Construct(), Select(), Categorical())}


def _check_keys(answer: Mapping[str, object], keys: Sequence[str]) -> None:
    if set(answer) != set(keys):
        raise InputError(f"An answer must have {', '.join(keys)}; this one has {', '.join(sorted(answer))[:200]}.")


def _percent(answer: Mapping[str, object], name: str) -> int:
    value = answer[name]
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= 100:
        raise InputError(f"{name}={str(value)[:40]} must be a whole number from 0 to 100.")
    return value


def _percent_text(answer: Mapping[str, object], name: str) -> int:
    value = answer[name]
    if not isinstance(value, str) or not re.fullmatch("[0-9]{1,3}", value):
        raise InputError(f"{name}={str(value)[:40]!r} must be a whole number from 0 to 100, as text.")
    return _percent({name: int(value)}, name)


def _weight(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or value not in GRID:
        raise InputError(f"{str(value)[:40]} must be one of {', '.join(map(str, GRID))}.")
    return float(value)


def _selected(answer: Mapping[str, object]) -> float:
    by_name = {str(selection(weight)[SELECT]): weight for weight in GRID}
    name = answer[SELECT]
    if not isinstance(name, str) or name not in by_name:
        raise InputError(f"{SELECT}={str(name)[:40]!r} must be one of {', '.join(by_name)}.")
    return by_name[name]


def _named_class(answer: Mapping[str, object], key: str, prefix: str, names: Sequence[str]) -> str:
    if answer[key] not in [f"{prefix}{name}" for name in names]:
        raise InputError(f"{key}={str(answer[key])[:40]!r} must be {prefix} and one of {', '.join(names)[:200]}.")
    return str(answer[key]).removeprefix(prefix)
