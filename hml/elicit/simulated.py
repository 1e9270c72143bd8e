"""Simulated people who take a demo study, to try everything without real participants."""

from collections.abc import Callable

import numpy as np

from hml.data.demo import simulate_lambda_h
from hml.elicit.store.conflicts import StudyFullError
from hml.elicit.store.store import Store
from hml.elicit.tasks import GRID, TASKS
from hml.errors import InputError
from hml.judgements import Classes, Stimulus, TaskName
from hml.judgements.hmix_format import FINAL, STARTING, Answer, categories, rating, selection


def simulate_people(store: Store, people: int, seed: int = 0, between: Callable[[], object] = lambda: None) -> int:
    """Let simulated people take a study, until they have finished or its images have all their judgements.

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
        raise InputError(f"{store.study.name} is a real study: simulated people answer in demos only.")
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
        noise = rng.uniform(0.02, 0.2)  # some are more consistent than others
        count = 0
        while trial := store.trials.next(code):
            answer = simulate_answer(store.study.task, trial.stimulus, store.classes, noise, rng)
            answer = dict(task.mirror(answer) if trial.swapped else answer)  # as the page sends it
            answer |= {"moved": list(task.controls)} if task.controls else {}
            client_id = f"{code}-{trial.number}"
            count = store.trials.answer(code, trial.id, client_id, answer, float(rng.uniform(3_000, 9_000))).count
        store.people.comment(code, "", f"{code}-comment")
        store.people.complete(code, count)
        answers += count
        between()
    return answers


def simulate_answer(
    task: TaskName, stimulus: Stimulus, classes: Classes, noise: float, rng: np.random.Generator
) -> Answer:
    """Answer in H-Mix's terms, with the curve, noise and confidence of the demo's simulated people."""
    names = [classes[endpoint.label] for endpoint in stimulus.endpoints]
    # Rescaled to labels 0 to 9, from which the demo's simulated people get their preferences.
    first, second = (endpoint.label * 9 / (len(classes) - 1) for endpoint in stimulus.endpoints)
    lambda_h = float(np.clip(simulate_lambda_h(stimulus.lambda_f, first, second) + rng.normal(0, noise), 0, 1))
    middle = min(GRID, key=lambda weight: abs(simulate_lambda_h(weight, first, second) + rng.normal(0, noise) - 0.5))
    match task:
        case "rate_mixture":
            omega = np.clip(0.35 + 1.2 * abs(lambda_h - 0.5) - noise + rng.normal(0, 0.1), 0, 1)
            return rating(lambda_h, float(omega))
        case "construct":
            return {FINAL: middle, STARTING: stimulus.lambda_f}
        case "select":
            return selection(middle)
        case "categorical":
            likely, next_likely = names if lambda_h >= 0.5 else names[::-1]
            prob = round(100 * max(lambda_h, 1 - lambda_h))
            others = [name for name in classes if name not in names]
            return categories(likely, prob, next_likely, 100 - prob, others)
