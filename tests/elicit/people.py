"""People who take a study, for tests."""

from collections import Counter, defaultdict

ANSWERS = {
    "rate_mixture": {"mixingcoeff": 37, "confidence": 56, "moved": ["mixingcoeff", "confidence"]},
    "construct": {"final_value": 0.4, "starting_value": 0.1, "moved": ["final_value"]},
    "select": {"select": "select0.6"},
    "categorical": {
        "classSelect": "mostProbCat",
        "prob": "60",
        "classSelect2": "secondProbDog",
        "prob2": "30",
        "improbClassSelectShip": "1",
    },
}


def start(store, outside_id=None):
    """Agree, read, and pass the quiz; returns the code."""
    code = store.people.enrol(store.study.consent.version, outside_id)
    store.people.advance(code, "quiz")
    store.people.advance(code, "trials")
    return code


def answer(store, code, trial, said=None, reaction_ms=2000.0):
    """Answer a trial in H-Mix's terms, as the task's example does unless told otherwise, on the sides that it shows."""
    if said is None:
        start = {} if trial.start is None else {"starting_value": trial.start}
        said = ANSWERS[store.study.task] | start
    if trial.swapped and "mixingcoeff" in said:
        said = said | {"mixingcoeff": 100 - said["mixingcoeff"]}
    return store.trials.answer(code, trial.id, f"client-{trial.id}", said, reaction_ms)


def answer_all(store, code, say=None):
    """Answer every trial, each by `say(trial)`; returns the trials."""
    trials = []
    while trial := store.trials.next(code):
        answer(store, code, trial, None if say is None else say(trial))
        trials.append(trial)
    return trials


def finish(store, code, comment=""):
    """Answer everything, comment, and return the completion code."""
    answer_all(store, code)
    store.people.comment(code, comment, "client-comment")
    return store.people.complete(code, store.people.find(code).answered)


def out_of_turn(database):
    """Return the trials whose image had more people than another that their person hadn't seen, none having left.

    How far apart images' counts end depends on who comes when: whoever has seen all but the fullest gets one of those.
    """
    images = [name for (name,) in database.execute("SELECT filename FROM image")]
    trials = database.execute("SELECT id, person, filename FROM trial WHERE is_repeat = 0 ORDER BY id").fetchall()
    taken, seen, found = Counter(), defaultdict(set), []
    for trial, person, filename in trials:
        if taken[filename] > min(taken[name] for name in images if name not in seen[person]):
            found.append(trial)
        taken[filename] += 1
        seen[person].add(filename)
    return found
