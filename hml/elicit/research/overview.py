"""A study's progress, for its researchers: coverage, pace, quality flags and agreement so far."""

import itertools
import statistics
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime, timedelta

from hml.elicit.store.answers import KeptAnswer, read_answers
from hml.elicit.store.database import stamp
from hml.elicit.store.folder import StudyFolder
from hml.elicit.store.history import read_batches, read_images
from hml.elicit.store.people import read_comments, read_people
from hml.elicit.store.places import count_pending
from hml.elicit.store.records import Person
from hml.elicit.store.store import Store
from hml.elicit.tasks import TASKS, Task
from hml.judgements import FAST_MS, Classes, Stimulus, drop_repeats
from hml.judgements.hmix_format import compact

_SAME_SHARE = 0.5
_UNSTEADY = 0.3
_MANY_WRONG = 3
_ENOUGH = 8


@dataclass(frozen=True)
class Coverage:
    """How many judgements the images have. Repeats don't count."""

    images: int
    complete: int  # images that have all their judgements
    judgements: int
    needed: int  # judgements that all images need
    left: int  # those still needed; an image's extra ones don't count for another
    pending: int  # images that are currently shown
    images_by_judgements: dict[int, int]  # how many images have 0, 1, … judgements
    by_lambda: dict[float, int]  # judgements by the images' lambda_f
    by_class_pair: dict[str, int]  # judgements by class pair, "Cat/Dog"


@dataclass(frozen=True)
class Pace:
    """How fast people answer. Answers include repeats."""

    enrolled: int  # people who agreed
    at_trials: int  # those between the quiz and the end, including those who have left
    finished: int  # those who have their completion code
    answers: int
    last_hour: int  # answers of the last hour
    median_reaction_ms: float | None
    median_minutes: float | None  # from agreeing to the code
    hours_left: float | None  # until the last judgement, at the last hour's pace; None if none arrived in it


@dataclass(frozen=True)
class Quality:
    """How one person answers."""

    subject: str  # their code in exports
    answers: int
    quiz_wrong: int  # how often they failed the quiz
    median_reaction_ms: float | None
    # Share of their most frequent answer, as they saw it. A slider that is always at its left end is one answer,
    # whichever class is there.
    most_common_share: float
    retest: float | None  # mean difference between their first and second answers to the same images
    flags: tuple[str, ...]  # descriptions of what is unusual


@dataclass(frozen=True)
class Agreement:
    """How far apart answers to one image are on average, from 0 to 1."""

    images: int  # those judged by two people or more
    between_people: float | None
    repeats: int  # images that a person judged twice
    within_person: float | None


@dataclass(frozen=True)
class Batch:
    """Images that were added while people took part."""

    images: int
    answers: int  # number of answers when the batch was requested
    acquisition: str | None  # the class that ranked images; None: the default one


@dataclass(frozen=True)
class Overview:
    """A study's progress."""

    coverage: Coverage
    pace: Pace
    quality: list[Quality]  # of each person
    agreement: Agreement
    comments: list[str]  # what people wrote at the end, sorted
    batches: list[Batch]  # images that were added since the study began


def overview(store: Store) -> Overview:
    """Summarise a study's progress, while people answer."""
    # A separate connection, so that people who answer don't wait for it.
    with closing(StudyFolder(store.folder.path, clock=store.folder.clock)) as folder:
        answers, people, comments = read_answers(folder), read_people(folder), read_comments(folder)
        pending, images = count_pending(folder), read_images(folder)
        with folder.database.reading() as rows:
            batches = [Batch(len(one["images"]), one["answers"], one["acquisition"]) for one in read_batches(rows)]
    task, now = TASKS[store.study.task], store.folder.clock()
    covered = _coverage(answers, images, store.classes, store.study.people_per_image, pending)
    theirs = defaultdict(list)
    for kept in answers:
        theirs[kept.subject].append(kept)
    return Overview(
        coverage=covered,
        pace=_pace(answers, people, covered.left, now),
        quality=[_quality(person, theirs[person.subject], task) for person in people],
        agreement=agreement(answers, task),
        comments=comments,
        batches=batches,
    )


def _coverage(
    answers: Sequence[KeptAnswer], stimuli: Iterable[Stimulus], classes: Classes, people_per_image: int, pending: int
) -> Coverage:
    """Count the images' judgements. `pending` images are currently shown."""
    # A repeat doesn't count even if the first answer was struck out: somebody else is asked instead.
    judged = Counter(kept.filename for kept in answers if not kept.is_repeat)
    counts = {stimulus: judged[stimulus.filename] for stimulus in stimuli}
    by_lambda: Counter[float] = Counter()
    by_pair: Counter[str] = Counter()
    for stimulus, count in counts.items():
        by_lambda[stimulus.lambda_f] += count
        by_pair[classes.name_pair(*(end.label for end in stimulus.endpoints))] += count
    return Coverage(
        images=len(counts),
        complete=sum(count >= people_per_image for count in counts.values()),
        judgements=sum(counts.values()),
        needed=len(counts) * people_per_image,
        left=sum(max(people_per_image - count, 0) for count in counts.values()),
        pending=pending,
        images_by_judgements=dict(sorted(Counter(counts.values()).items())),
        by_lambda=dict(sorted(by_lambda.items())),
        by_class_pair=dict(sorted(by_pair.items())),
    )


def _pace(answers: Sequence[KeptAnswer], people: Sequence[Person], left: int, now: datetime) -> Pace:
    """Count people and time; `left` judgements are still needed."""
    hour_ago = stamp(now - timedelta(hours=1))
    recent = [kept for kept in answers if kept.received_at >= hour_ago]
    firsts = sum(not kept.is_repeat for kept in recent)
    minutes = [
        (datetime.fromisoformat(one.completed_at) - datetime.fromisoformat(one.enrolled_at)).total_seconds() / 60
        for one in people
        if one.completed_at
    ]
    return Pace(
        enrolled=len(people),
        at_trials=sum(one.stage in ("trials", "comment") for one in people),
        finished=len(minutes),
        answers=len(answers),
        last_hour=len(recent),
        median_reaction_ms=_median(kept.reaction_ms for kept in answers),
        median_minutes=_median(minutes),
        hours_left=left / firsts if firsts else None,
    )


def agreement(answers: Sequence[KeptAnswer], task: Task) -> Agreement:
    """Compare people with each other, and with themselves."""
    groups = defaultdict(list)
    for kept in drop_repeats(answers, lambda kept: (kept.subject, kept.filename)):
        groups[kept.filename].append(kept.answer)
    differences = [
        statistics.fmean(task.difference(one, other) for one, other in itertools.combinations(group, 2))
        for group in groups.values()
        if len(group) > 1
    ]
    retests = _retests(answers, task)
    return Agreement(len(differences), _mean(differences), len(retests), _mean(retests))


def _quality(person: Person, answers: Sequence[KeptAnswer], task: Task) -> Quality:
    reaction = _median(kept.reaction_ms for kept in answers)
    given = [compact(task.mirror(kept.answer) if kept.swapped else kept.answer) for kept in answers]
    same = max(Counter(given).values(), default=0) / max(len(answers), 1)
    retest = _mean(_retests(answers, task))
    suspicions = {
        f"half of the answers within {FAST_MS / 1000:g} seconds": reaction is not None and reaction < FAST_MS,
        # In the other tasks, careful people give the same answer to many images.
        "mostly one answer": task.name == "rate_mixture" and len(answers) >= _ENOUGH and same > _SAME_SHARE,
        "repeats differ": retest is not None and retest > _UNSTEADY,
        "quiz often wrong": person.quiz_wrong >= _MANY_WRONG,
    }
    flags = tuple(flag for flag, holds in suspicions.items() if holds)
    return Quality(person.subject, len(answers), person.quiz_wrong, reaction, same, retest, flags)


def _retests(answers: Iterable[KeptAnswer], task: Task) -> list[float]:
    """Compare each repeat with the same person's first answer."""
    by_trial = {(kept.subject, kept.filename, kept.is_repeat): kept.answer for kept in answers}
    return [
        task.difference(by_trial[subject, filename, False], answer)
        for (subject, filename, is_repeat), answer in by_trial.items()
        if is_repeat and (subject, filename, False) in by_trial
    ]


def _median(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return statistics.median(known) if known else None


def _mean(values: Sequence[float]) -> float | None:
    return statistics.fmean(values) if values else None
