from collections import Counter, defaultdict
from dataclasses import replace

import pytest

from hml.elicit.research.overview import overview
from hml.elicit.store.answers import correct, read_answers
from hml.elicit.store.conflicts import ConflictError, StudyFullError
from hml.elicit.store.trials import draw_swap
from hml.elicit.store.withdrawal import withdraw
from hml.elicit.tasks import GRID
from tests.elicit.people import answer, answer_all, start


@pytest.fixture
def lapse(clock):
    """Let so much time go by that everybody who doesn't answer has left."""
    return lambda: clock.forward(hours=2)


def needs_somebody(store):
    """Return whether somebody new would be taken in; they leave at once."""
    try:
        withdraw(store.folder, store.people.enrol("1"))
    except StudyFullError:
        return False
    return True


def test_images_fill_evenly_in_any_order_of_people(open_store):
    store = open_store(number=10, trials=3, repeats=1, people_per_image=4)
    people = [start(store) for _ in range(13)]
    for turn in range(4):
        for code in people[turn % 2 :] + people[: turn % 2]:
            if trial := store.trials.next(code):
                answer(store, code, trial)
        counts = overview(store).coverage.images_by_judgements
        assert max(counts) - min(counts) <= 1


def test_nobody_is_shown_an_image_twice_but_as_a_repeat(open_store):
    store = open_store(number=7, trials=7, repeats=2, people_per_image=9)
    for _ in range(5):
        shown = Counter(trial.stimulus for trial in answer_all(store, start(store)) if not trial.is_repeat)
        assert sorted(shown.values()) == [1] * 7


def test_people_who_are_there_at_once_get_different_images(open_store):
    store = open_store(people_per_image=4)
    shown = [store.trials.next(start(store)).stimulus for _ in range(6)]
    assert len(set(shown)) == 6


def test_an_image_gets_the_studys_number_of_people(open_store):
    store = open_store(people_per_image=2, trials=6, repeats=0)
    for _ in range(2):
        answer_all(store, start(store))
    assert overview(store).coverage.images_by_judgements == {2: 6}
    with pytest.raises(StudyFullError):
        store.people.enrol("1")


def test_only_as_many_people_are_admitted_as_are_needed(open_store):
    store = open_store(number=8, trials=4, people_per_image=6)  # 8·6/4 = 12 people
    people = [store.people.enrol("1", f"id {n}") for n in range(12)]
    with pytest.raises(StudyFullError):
        store.people.enrol("1", "id 12")
    assert [store.people.enrol("1", f"id {n}") for n in range(12)] == people
    for code in people:  # who was let in finds all the work they came for
        store.people.advance(code, "quiz")
        store.people.advance(code, "trials")
        assert [trial.is_repeat for trial in answer_all(store, code)] == [False] * 4 + [True] * 2
    assert overview(store).coverage.images_by_judgements == {6: 8}


def test_those_who_left_keep_nobody_out_and_those_who_answer_slowly_are_counted_on(open_store, lapse):
    store = open_store(number=4, trials=4, people_per_image=2)
    slow, gone = start(store), start(store)
    answer(store, slow, store.trials.next(slow))
    answer(store, gone, store.trials.next(gone))
    with pytest.raises(StudyFullError):
        store.people.enrol("1")
    lapse()
    store.trials.next(slow)  # 8 wanted, 2 given, and 3 are hers to give
    start(store)
    with pytest.raises(StudyFullError):
        store.people.enrol("1")


def test_more_than_an_image_needs_fills_no_other_images_places(open_store, lapse):
    store = open_store(number=2, trials=1, repeats=0, people_per_image=1)
    shown = defaultdict(list)
    while max(map(len, shown.values()), default=0) < 2:  # people who hold a place, and leave
        code = start(store)
        trial = store.trials.next(code)
        shown[trial.stimulus].append((code, trial))
        lapse()
    for code, trial in max(shown.values(), key=len):  # and answer in the end
        answer(store, code, trial)
    assert overview(store).coverage.images_by_judgements == {0: 1, 2: 1}
    assert store.trials.next(start(store)).stimulus not in {stimulus for stimulus in shown if len(shown[stimulus]) == 2}


def test_who_finds_fewer_images_left_is_asked_for_fewer(open_store):
    store = open_store(people_per_image=1, trials=4)
    answer_all(store, start(store))
    late = start(store)
    trials = answer_all(store, late)
    assert [trial.is_repeat for trial in trials] == [False, False, True, True]
    person = store.people.find(late)
    assert (person.stage, person.answered, person.total) == ("comment", 4, 4)


def test_who_comes_when_no_image_is_left_gets_no_code_for_nothing(open_store, lapse):
    store = open_store(number=2, trials=2, people_per_image=1)
    early = start(store)
    lapse()
    late = start(store)
    answer_all(store, early)
    with pytest.raises(StudyFullError):
        store.trials.next(late)
    assert store.people.find(late).stage == "trials"
    with pytest.raises(ConflictError, match="trials is left to do"):
        store.people.complete(late, 0)
    withdraw(store.folder, early)
    assert len(answer_all(store, late)) == 4  # a place that comes back is theirs


def test_who_leaves_gives_the_place_back_after_the_time_limit(open_store, lapse):
    store = open_store(number=1, trials=1, repeats=0, people_per_image=1)
    store.trials.next(start(store))
    with pytest.raises(StudyFullError):
        store.people.enrol("1")
    lapse()
    assert store.trials.next(start(store)) is not None


def test_an_answer_that_comes_after_its_place_was_given_back_is_kept(open_store, lapse):
    store = open_store(number=1, trials=1, repeats=0, people_per_image=1)
    slow = start(store)
    trial = store.trials.next(slow)
    lapse()
    quick = start(store)
    answer(store, quick, store.trials.next(quick))
    assert answer(store, slow, trial).count == 1
    assert overview(store).coverage.images_by_judgements == {2: 1}


def test_an_answer_that_is_struck_out_gives_its_place_back_until_it_is_restored(open_store):
    store = open_store(number=1, trials=1, repeats=0, people_per_image=1)
    answer_all(store, start(store))
    (kept,) = read_answers(store.folder)
    for said, is_free in ((None, True), ({"mixingcoeff": 1, "confidence": 2}, False), (None, True)):
        correct(store.folder, kept.subject, 1, said, "asked to")
        assert is_free == needs_somebody(store)
    assert store.trials.next(start(store)).stimulus.filename == kept.filename


def test_who_comes_back_finds_the_same_trial_and_holds_its_place_again(open_store, lapse):
    store = open_store(number=1, trials=1, repeats=0, people_per_image=1)
    code = start(store)
    trial = store.trials.next(code)
    lapse()
    assert store.trials.next(code) == trial
    with pytest.raises(StudyFullError):
        store.people.enrol("1")


def test_the_order_is_a_function_of_the_seed_and_the_persons_number(open_store):
    def names(store):
        return [[trial.stimulus.filename for trial in answer_all(store, start(store))] for _ in range(2)]

    one, again = names(open_store("one", number=40)), names(open_store("again", number=40))
    assert one == again
    assert one[0] != one[1]
    assert one != names(open_store("other", number=40, stimuli=type(open_store().study.stimuli)(seed=4)))


def test_sides_are_drawn_by_seed_person_and_trial():
    def draw():
        people = [(person, seed) for person in range(1, 11) for seed in (0, 1)]
        return [tuple(draw_swap(person, number, seed) for number in range(40)) for person, seed in people]

    drawn = draw()
    assert drawn == draw()
    assert len(set(drawn)) == 20
    for swaps in drawn:
        assert {one + other for one, other in zip(swaps[::2], swaps[1::2], strict=True)} == {1}  # each order once
    first = sum(sum(swaps[::2]) for swaps in drawn)
    assert 150 < first < 250  # of 400, five standard deviations to either side


def test_a_repeat_draws_its_side_again(open_store):
    store = open_store(number=30, trials=30, repeats=30)
    trials = answer_all(store, start(store))
    first = {trial.stimulus: trial.swapped for trial in trials if not trial.is_repeat}
    again = Counter(trial.swapped == first[trial.stimulus] for trial in trials if trial.is_repeat)
    assert min(again[True], again[False]) > 5


def test_a_list_of_classes_keeps_one_order_for_a_person(open_store):
    store = open_store(task="categorical", people_per_image=20)
    orders = [{trial.swapped for trial in answer_all(store, start(store))} for _ in range(12)]
    assert sorted(map(len, orders)) == [1] * 12
    assert set.union(*orders) == {True, False}


def test_the_side_that_was_recorded_is_shown_again(open_store):
    store = open_store()
    code = start(store)
    trial = store.trials.next(code)
    with store.folder.database.writing() as rows:
        rows.execute("UPDATE trial SET swapped = NOT swapped")  # as if drawn by another version of hml
    assert open_store().trials.next(code) == replace(trial, swapped=not trial.swapped)


def test_shuffled_blends_are_all_there_and_stay_where_they_are(open_store):
    store = open_store(task="select")
    code = start(store)
    trial = store.trials.next(code)
    assert sorted(trial.lambdas) == list(GRID)
    assert store.trials.next(code).lambdas == trial.lambdas
    orders = {trial.lambdas, *(trial.lambdas for trial in answer_all(store, code))}
    assert len(orders) == 6


def test_the_construct_task_starts_at_its_images_weight(open_store):
    store = open_store(task="construct")
    trial = store.trials.next(start(store))
    assert trial.start == trial.stimulus.lambda_f
    assert trial.lambdas == GRID
