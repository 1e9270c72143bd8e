import pytest

from hml.elicit.research.overview import agreement, overview
from hml.elicit.store.answers import correct
from hml.elicit.tasks import TASKS
from tests.elicit.people import answer, answer_all, finish, start


def rate(slider, confidence=50):
    return {"mixingcoeff": slider, "confidence": confidence, "moved": ["mixingcoeff", "confidence"]}


def test_coverage_counts_first_judgements_and_what_is_before_people_now(open_store):
    store = open_store(people_per_image=1, number=6, trials=4, repeats=2)
    answer_all(store, start(store))
    store.trials.next(start(store))
    coverage = overview(store).coverage
    assert (coverage.images, coverage.complete, coverage.judgements, coverage.needed) == (6, 4, 4, 6)
    assert coverage.pending == 1
    assert coverage.images_by_judgements == {0: 2, 1: 4}
    assert sum(coverage.by_lambda.values()) == 4
    assert coverage.by_class_pair == {"Cat/Dog": 4}


def test_pace_counts_people_where_they_are(store):
    store.people.enrol("1")
    start(store)
    finish(store, start(store))
    pace = overview(store).pace
    assert (pace.enrolled, pace.at_trials, pace.finished) == (3, 1, 1)
    assert (pace.answers, pace.last_hour, pace.median_reaction_ms) == (6, 6, 2000)
    assert pace.hours_left == pytest.approx((18 - 4) / 4)  # of the 6 answers, 2 are repeats
    assert pace.median_minutes < 1


def test_judgements_beyond_what_an_image_needs_leave_those_of_another_wanted(open_store):
    store = open_store(number=2, trials=1, repeats=0, people_per_image=1)
    people = [start(store), start(store)]
    first, _ = (store.trials.next(code).stimulus for code in people)
    with store.folder.database.writing() as rows:
        rows.execute("UPDATE trial SET filename = ?", (first.filename,))  # as where a place was given back
    for code in people:
        answer_all(store, code)
    coverage = overview(store).coverage
    assert (coverage.judgements, coverage.needed, coverage.left) == (2, 2, 1)
    assert overview(store).pace.hours_left == pytest.approx(1 / 2)


def test_pace_of_an_empty_study_is_unknown(store):
    assert (overview(store).pace.hours_left, overview(store).pace.median_reaction_ms) == (None, None)


def test_agreement_is_the_mean_difference_of_people_and_of_repeats(open_store):
    store = open_store(number=1, trials=1, repeats=1)
    for first, again in ((10, 30), (50, 50), (90, 80)):
        code = start(store)
        answer(store, code, store.trials.next(code), rate(first))
        answer(store, code, store.trials.next(code), rate(again))
    found = overview(store).agreement
    # |.1 − .5|, |.1 − .9|, |.5 − .9| and |.1 − .3|, |.5 − .5|, |.9 − .8|
    assert (found.images, found.repeats) == (1, 3)
    assert found.between_people == pytest.approx((0.4 + 0.8 + 0.4) / 3)
    assert found.within_person == pytest.approx((0.2 + 0 + 0.1) / 3)


def test_a_repeat_replaces_a_first_answer_that_was_struck_out(open_store):
    store = open_store(number=1, trials=1, repeats=1)
    for first, again in ((10, 30), (90, 80)):
        code = start(store)
        answer(store, code, store.trials.next(code), rate(first))
        answer(store, code, store.trials.next(code), rate(again))
    correct(store.folder, overview(store).quality[0].subject, 1, None, "looked away")
    found = overview(store).agreement
    assert (found.images, found.repeats) == (1, 1)
    assert found.between_people == pytest.approx(0.9 - 0.3)
    assert overview(store).coverage.judgements == 1  # a place is free again


def test_agreement_of_an_empty_study_is_unknown(store):
    assert agreement([], TASKS[store.study.task]).between_people is None


def test_quality_flags_what_is_out_of_the_ordinary(open_store):
    store = open_store(number=10, trials=8, repeats=1, people_per_image=4)
    careful, careless = start(store), start(store)
    while trial := store.trials.next(careful):
        answer(store, careful, trial, rate(10 * trial.number if not trial.is_repeat else 11), reaction_ms=3500.0)
    first = {}
    while trial := store.trials.next(careless):  # always at the left end, and then sure of the contrary
        meant = 100 - first[trial.stimulus] if trial.is_repeat else 100 * trial.swapped
        first[trial.stimulus] = meant
        answer(store, careless, trial, rate(meant, 99 if trial.is_repeat else 50), reaction_ms=2900.0)
    assert set(first.values()) == {0, 100}
    for _ in range(3):
        late = store.people.enrol("1")
        store.people.advance(late, "quiz")
        store.people.advance(late, "instructions")
    good, bad, *_ = overview(store).quality
    assert (good.answers, good.median_reaction_ms, good.flags) == (9, 3500, ())
    assert bad.most_common_share == pytest.approx(8 / 9)
    assert bad.retest == 1.0
    assert bad.flags == ("half of the answers within 3 seconds", "mostly one answer", "repeats differ")


def test_who_finds_the_middle_again_and_again_is_not_flagged_for_it(open_store):
    store = open_store(task="select", number=10, trials=8, repeats=1)
    code = start(store)
    while trial := store.trials.next(code):
        answer(store, code, trial, reaction_ms=3500.0)
    (person,) = overview(store).quality
    assert (person.answers, person.most_common_share, person.flags) == (9, 1.0, ())


def test_a_quiz_that_often_goes_wrong_is_flagged(store):
    code = store.people.enrol("1")
    for _ in range(3):
        store.people.advance(code, "quiz")
        store.people.advance(code, "instructions")
    (person,) = overview(store).quality
    assert (person.quiz_wrong, person.flags) == (3, ("quiz often wrong",))
