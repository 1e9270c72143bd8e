"""Simulated people for demo studies, to try everything without real participants."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from hml.elicit.store.conflicts import StudyFullError
from hml.elicit.store.store import Store
from hml.elicit.tasks import GRID, TASKS
from hml.errors import InputError
from hml.judgements import Classes, Stimulus, TaskName
from hml.judgements.hmix_format import FINAL, STARTING, Answer, categories, rating, selection
from hml.judgements.simulation import Array, Design, shared_population


def simulate_people(store: Store, people: int, seed: int = 0, between: Callable[[], object] = lambda: None) -> int:
    """Run a study with simulated people, until all have finished or the images have all their judgements.

    Args:
        store: The study, a demo.
        people: How many people.
        seed: The seed of their answers.
        between: Called after each person.

    Returns:
        The number of their answers.

    Raises:
        InputError: the study is not a demo.
        StudyFullError: the images have all their judgements already.
    """
    if not store.study.is_demo:
        raise InputError(f"{store.study.name} is a real study: use simulated people in a demo only.")
    task, answers = TASKS[store.study.task], 0
    for person in range(people):
        rng = np.random.default_rng((seed, person))
        try:
            code = store.people.enrol(store.study.consent.version)
        except StudyFullError:
            if person:
                break
            raise
        store.people.advance(code, "quiz")
        store.people.advance(code, "trials")
        views = view(store.stimuli, GRID if task.shows_grid else (), int(rng.integers(2**32)))
        count = 0
        while trial := store.trials.next(code):
            lambda_h, omega = views[trial.stimulus.filename].pop(0)
            answer = write_answer(store.study.task, trial.stimulus, store.classes, lambda_h, omega)
            answer = dict(task.mirror(answer) if trial.swapped else answer)  # as the page sends it
            answer |= {"moved": list(task.controls)} if task.controls else {}
            client_id = f"{code}-{trial.number}"
            count = store.trials.answer(code, trial.id, client_id, answer, float(rng.uniform(3_000, 9_000))).count
        store.people.comment(code, "", f"{code}-comment")
        store.people.complete(code, count)
        answers += count
        between()
    return answers


def view(stimuli: Sequence[Stimulus], weights: Sequence[float], seed: int) -> dict[str, list[tuple[Array, Array]]]:
    """Simulate two answers to each image by one person of `shared_population`.

    Args:
        stimuli: The images. Their effects are the same for all people.
        weights: The W weights of the first endpoint at which each pair of endpoints is seen. If empty, the image itself
            is seen.
        seed: The seed of the person.

    Returns:
        By filename, the first and the repeated answer: lambda_h and omega, each of shape (W,), or (1,) without weights.
    """
    blends = [replace(one, lambda_f=weight) for one in stimuli for weight in weights or (one.lambda_f,)]
    image = np.tile(np.arange(len(blends)), 2)
    design = Design(blends, np.zeros_like(image), image, np.arange(len(image)) >= len(blends))
    lambda_h, omega = (said.reshape(2, len(stimuli), -1) for said in shared_population().answer(design, people=seed))
    return {
        one.filename: [(lambda_h[time, place], omega[time, place]) for time in range(2)]
        for place, one in enumerate(stimuli)
    }


def write_answer(task: TaskName, stimulus: Stimulus, classes: Classes, lambda_h: Array, omega: Array) -> Answer:
    """Convert lambda_h and omega of an image, or of the blends in `GRID`, to an answer in H-Mix's terms."""
    first = float(lambda_h[0])
    middle = GRID[int(np.abs(lambda_h - 0.5).argmin())] if len(lambda_h) > 1 else 0.5
    match task:
        case "rate_mixture":
            return rating(first, float(omega[0]))
        case "construct":
            return {FINAL: middle, STARTING: stimulus.lambda_f}
        case "select":
            return selection(middle)
        case "categorical":
            names = [classes[endpoint.label] for endpoint in stimulus.endpoints]
            likely, next_likely = names if first >= 0.5 else names[::-1]
            prob = round(100 * max(first, 1 - first))
            others = [name for name in classes if name not in names]
            return categories(likely, prob, next_likely, 100 - prob, others)
