"""How a study stands, for its researchers: coverage, pace, quality flags and agreement so far."""

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
from hml.elicit.store.people import read_comments, read_people
from hml.elicit.store.places import count_pending
from hml.elicit.store.records import Person
from hml.elicit.store.store import Store
from hml.elicit.tasks import TASKS, Task
from hml.judgements import CIFAR10, FAST_MS, Stimulus, drop_repeats
from hml.judgements.hmix_format import compact

_SAME_SHARE = 0.5
_UNSTEADY = 0.3
_MANY_WRONG = 3
_ENOUGH = 8


@dataclass(frozen=True)
class Coverage:
    """Who has judged what.

    Args:
        images: How many there are.
        complete: How many have all their people.
        judgements: First judgements so far, repeats left out.
        needed: How many are wanted of all images.
        left: How many are wanted still; what one image has too many of is none of another's.
        pending: Images that somebody has before them now.
        images_by_judgements: How many images have 0, 1, … judgements.
        by_lambda: Judgements by the images' lambda_f.
        by_class_pair: Judgements by class pair, "Cat/Dog".
    """

    images: int
    complete: int
    judgements: int
    needed: int
    left: int
    pending: int
    images_by_judgements: dict[int, int]
    by_lambda: dict[float, int]
    by_class_pair: dict[str, int]


@dataclass(frozen=True)
class Pace:
    """How fast it goes.

    Args:
        enrolled: People who agreed.
        at_trials: Those between the quiz and the end, also if they have left.
        finished: Those who have their code.
        answers: All answers, repeats too.
        last_hour: Those of the last hour.
        median_reaction_ms: Time to answer.
        median_minutes: From agreeing to the code.
        hours_left: Until all judgements are there at the last hour's pace, repeats left out; None: nothing came in it.
    """

    enrolled: int
    at_trials: int
    finished: int
    answers: int
    last_hour: int
    median_reaction_ms: float | None
    median_minutes: float | None
    hours_left: float | None


@dataclass(frozen=True)
class Quality:
    """How one person answers.

    Args:
        subject: What exports call them.
        answers: How many so far.
        quiz_wrong: How often the quiz went wrong.
        median_reaction_ms: Time to answer.
        most_common_share: Share of their most frequent answer, as they gave it: a slider that is always left at one end
            is one answer, whichever class is there.
        retest: Mean difference between their first and second answers to the same images.
        flags: What is out of the ordinary, in words.
    """

    subject: str
    answers: int
    quiz_wrong: int
    median_reaction_ms: float | None
    most_common_share: float
    retest: float | None
    flags: tuple[str, ...]


@dataclass(frozen=True)
class Agreement:
    """How far apart answers to one image are, 0 to 1, on average.

    Args:
        images: Those that two people or more have judged.
        between_people: Mean difference between two of them.
        repeats: Images that somebody judged twice.
        within_person: Mean difference between the two.
    """

    images: int
    between_people: float | None
    repeats: int
    within_person: float | None


@dataclass(frozen=True)
class Overview:
    """How a study stands.

    Args:
        coverage: Who has judged what.
        pace: How fast it goes.
        quality: How each person answers.
        agreement: How far apart answers to one image are.
        comments: What people wrote at the end, sorted.
    """

    coverage: Coverage
    pace: Pace
    quality: list[Quality]
    agreement: Agreement
    comments: list[str]


def overview(store: Store) -> Overview:
    """Look at how a study stands, while people answer."""
    # By a connection of its own: nobody who answers is to wait for it.
    with closing(StudyFolder(store.folder.path, clock=store.folder.clock)) as folder:
        answers, people, comments = read_answers(folder), read_people(folder), read_comments(folder)
        pending = count_pending(folder)
    task, now = TASKS[store.study.task], store.folder.clock()
    covered = coverage(answers, store.stimuli, store.study.people_per_image, pending)
    return Overview(
        coverage=covered,
        pace=pace(answers, people, covered.left, now),
        quality=quality(answers, people, task),
        agreement=agreement(answers, task),
        comments=comments,
    )


def coverage(
    answers: Sequence[KeptAnswer], stimuli: Iterable[Stimulus], people_per_image: int, pending: int
) -> Coverage:
    """Count judgements of images, of which `pending` are before somebody now."""
    counts = dict.fromkeys(stimuli, 0)
    names = {stimulus.filename: stimulus for stimulus in counts}
    for kept in answers:
        if not kept.is_repeat:  # nor where the first was struck out: its place goes to somebody else
            counts[names[kept.filename]] += 1
    by_lambda: Counter[float] = Counter()
    by_pair: Counter[str] = Counter()
    for stimulus, count in counts.items():
        by_lambda[stimulus.lambda_f] += count
        by_pair[CIFAR10.name_pair(*(end.label for end in stimulus.endpoints))] += count
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


def pace(answers: Sequence[KeptAnswer], people: Sequence[Person], left: int, now: datetime) -> Pace:
    """Count people and time; `left` judgements are still wanted."""
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


def quality(answers: Sequence[KeptAnswer], people: Sequence[Person], task: Task) -> list[Quality]:
    """Look at each person's answers."""
    theirs = defaultdict(list)
    for kept in answers:
        theirs[kept.subject].append(kept)
    return [_judge(one.subject, one.quiz_wrong, theirs[one.subject], task) for one in people]


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


def _judge(subject: str, quiz_wrong: int, answers: Sequence[KeptAnswer], task: Task) -> Quality:
    reaction = _median(kept.reaction_ms for kept in answers)
    given = [compact(task.mirror(kept.answer) if kept.swapped else kept.answer) for kept in answers]
    same = max(Counter(given).values(), default=0) / max(len(answers), 1)
    retest = _mean(_retests(answers, task))
    suspicions = {
        f"half of the answers within {FAST_MS / 1000:g} seconds": reaction is not None and reaction < FAST_MS,
        # In the midpoint tasks, and where classes are named, honest people say the same of many images.
        "mostly one answer": task.name == "rate_mixture" and len(answers) >= _ENOUGH and same > _SAME_SHARE,
        "repeats differ": retest is not None and retest > _UNSTEADY,
        "quiz often wrong": quiz_wrong >= _MANY_WRONG,
    }
    flags = tuple(flag for flag, holds in suspicions.items() if holds)
    return Quality(subject, len(answers), quiz_wrong, reaction, same, retest, flags)


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
