import dataclasses

import pytest

from hml.errors import InputError
from hml.evaluation.paper import COLUMNS
from hml.experiments.runs import Failure
from hml.experiments.table import make_table
from hml.training.result import Training


def test_rows_have_means_errors_and_the_papers_figures(make_four):
    outcomes = [make_four("mixup", seed, value) for seed, value in enumerate([2.0, 2.2, 2.4])]
    (row,) = make_table({"mixup": 3}, outcomes).rows
    cell = row.cells["CE"]
    assert (row.n, row.asked) == (3, 3)
    assert cell.summary.mean == pytest.approx(2.2)
    assert cell.summary.standard_error == pytest.approx(0.2 / 3**0.5)
    assert (cell.paper, cell.to_paper) == (2.19, pytest.approx(0.01))
    assert (row.cells["Calib"].paper, row.cells["FGSM"].paper, row.cells["accuracy"].paper) == (0.28, 14.35, None)
    assert cell.to_baseline is None


def test_differences_to_mixup_are_paired_by_seed_and_adjusted_within_a_column(make_four):
    values = {"mixup": [2.0, 2.5, 2.2], "sep": [1.9, 2.3, 2.0], "agg": [2.1, 2.4, 2.3]}
    outcomes = [make_four(scheme, seed, value) for scheme, own in values.items() for seed, value in enumerate(own)]
    rows = {row.scheme: row.cells["CE"] for row in make_table(dict.fromkeys(values, 3), outcomes).rows}
    assert rows["sep"].to_baseline.mean == pytest.approx(-0.5 / 3)
    smaller, larger = sorted((rows["sep"], rows["agg"]), key=lambda cell: cell.to_baseline.p)
    assert smaller.adjusted_p == pytest.approx(min(1, 2 * smaller.to_baseline.p))
    assert larger.adjusted_p == pytest.approx(max(smaller.adjusted_p, larger.to_baseline.p))


def test_the_papers_figures_go_by_the_columns_names_not_their_order(make_four, monkeypatch):
    monkeypatch.setattr("hml.experiments.table.COLUMNS", dict(reversed(COLUMNS.items())))
    (row,) = make_table({"mixup": 1}, [make_four("mixup", 0, 2.0)]).rows
    papers = {"accuracy": None, "FGSM": 14.35, "Calib": 0.28, "CE": 2.19}
    assert {column: cell.paper for column, cell in row.cells.items()} == papers


def test_any_scheme_can_be_what_the_others_are_compared_to(make_four):
    values = {"sep_conf": [1.8, 1.9], "shuffled": [2.0, 2.3], "mixup": [2.1, 2.2]}
    outcomes = [make_four(scheme, seed, value) for scheme, own in values.items() for seed, value in enumerate(own)]
    table = make_table(dict.fromkeys(values, 2), outcomes, baseline="sep_conf")
    differences = {row.scheme: row.cells["CE"].to_baseline for row in table.rows}
    assert differences["sep_conf"] is None
    assert differences["shuffled"].mean == pytest.approx(0.3)
    assert differences["mixup"].mean == pytest.approx(0.3)
    assert not any("No differences" in note for note in table.notes)


def test_a_table_without_its_baseline_says_so(make_four):
    outcomes = [make_four("mixup_fly", 0, 2.0), make_four("learned_mean", 0, 1.9)]
    said = "No differences between schemes: mixup is not among them. Choose one of them by --baseline."
    assert said in make_table({"mixup_fly": 1, "learned_mean": 1}, outcomes).notes
    assert said not in make_table({"mixup_fly": 1}, outcomes[:1]).notes, "there is nothing to compare"


def test_the_papers_order_is_checked_for_its_own_columns(make_four):
    outcomes = [make_four("mixup", 0, 2.0), make_four("sep_conf", 0, 1.5), make_four("agg", 0, 1.9)]
    orders = make_table(dict.fromkeys(["mixup", "sep_conf", "agg"], 1), outcomes).orders
    assert "accuracy" not in orders
    assert (orders["CE"].agreeing, orders["CE"].pairs, orders["CE"].reversed) == (2, 3, (("mixup", "agg"),))


def test_a_failed_run_counts_among_those_asked_for(make_four):
    table = make_table({"mixup": 2}, [make_four("mixup", 0, 2.0), Failure("mixup", 1, "diverged", 4)])
    assert (table.rows[0].n, table.rows[0].asked) == (1, 2)
    assert [failure.error for failure in table.failures] == ["diverged"]


def test_a_scheme_without_any_result_has_empty_cells(make_four):
    table = make_table({"mixup": 1, "sep": 1}, [make_four("mixup", 0, 2.0)])
    assert table.rows[1].cells["CE"].summary is None
    assert make_table({"sep": 1}, []).rows[0].cells["CE"].to_paper is None


def test_values_that_are_not_finite_are_left_out_and_told(make_four):
    table = make_table({"mixup": 2}, [make_four("mixup", 0, 2.0), make_four("mixup", 1, None)])
    assert table.rows[0].cells["CE"].summary.n == 1
    assert "mixup has no finite CE at seed 1." in table.notes


def test_a_figure_that_does_not_exist_has_its_reason_in_the_notes(make_four):
    reason = "33 images fill fewer than two bins of 100"
    without = [
        dataclasses.replace(make_four("mixup", seed, 2.0, None), undefined={"test/rms_calibration": reason})
        for seed in (0, 1)
    ]
    table = make_table({"mixup": 2}, without)
    assert f"mixup has no finite Calib at seed 0, 1: {reason}." in table.notes


def test_the_notes_say_what_predictions_are_compared_with(make_four):
    truth = {"test/cross_entropy": "people's labels", "test/fgsm_cross_entropy": "people's labels"}
    truth |= {"test/rms_calibration": "people's majority", "test/accuracy": "true class"}
    notes = make_table({"mixup": 1}, [dataclasses.replace(make_four("mixup", 0, 2.0), truth=truth)]).notes
    assert (
        "Predictions are compared: CE, FGSM with people's labels; Calib with people's majority; "
        "accuracy with true class." in notes
    )


def test_made_up_data_stand_beside_no_paper(make_four):
    table = make_table({"mixup": 1}, [make_four("mixup", 0, 2.0, files={})])
    assert table.rows[0].cells["CE"].paper is None
    assert table.orders == {}


def test_ones_own_judgements_stand_beside_no_paper_whatever_their_file_is_called(make_four):
    outcomes = [make_four("mixup", 0, 2.0, files={"hmix_infer_mixing_factor.csv": "1f"})]
    assert make_table({"mixup": 1}, outcomes).rows[0].cells["CE"].paper is None


def test_a_scheme_of_the_papers_name_with_other_labels_is_told(make_four):
    note = "sep is hml.labels.SeparateLabels with gamma 0.005, the paper's hml.labels.SeparateLabels without gamma."
    assert note in make_table({"sep": 1}, [make_four("sep", 0, 2.0, gamma=0.005)]).notes
    assert not any("gamma" in told for told in make_table({"sep": 1}, [make_four("sep", 0, 2.0)]).notes)
    on_other_data = make_table({"sep": 1}, [make_four("sep", 0, 2.0, gamma=0.005, files={})])
    assert note not in on_other_data.notes, "no figure of the paper's is there"


@pytest.mark.parametrize("other", [{"mixed_images": 2070}, {"epochs": 8}])
def test_what_the_papers_figures_are_for_is_told_beside_another_study(make_four, other):
    note = "The paper's figures are for 65 epochs and 810 mixed images."
    table = make_table({"mixup": 1}, [make_four("mixup", 0, 2.0, **other)])
    assert table.rows[0].cells["CE"].paper == 2.19
    assert note in table.notes
    assert note not in make_table({"mixup": 1}, [make_four("mixup", 0, 2.0)]).notes


def test_epochs_are_those_trained_not_those_asked_for(make_four):
    def notes_of(*epochs):
        trained = [None if n is None else Training(n, int(62 * n), "max_steps 124") for n in epochs]
        outcomes = [make_four("mixup", seed, 2.0, training=training) for seed, training in enumerate(trained)]
        return make_table({"mixup": len(outcomes)}, outcomes).notes

    assert notes_of(None, None)[0].startswith("65 epochs in 32-true")
    assert not any("max_epochs" in note for note in notes_of(None, None))
    notes = notes_of(2, 2.5)
    assert notes[0].startswith("2 to 2.5 epochs in 32-true")
    assert notes[1] == "max_steps 124 ended 2 of 2 runs before max_epochs."
    assert "The paper's figures are for 65 epochs and 810 mixed images." in notes
    assert notes_of(2, None)[1] == "max_steps 124 ended 1 of 2 runs before max_epochs: mixup 0, by scheme and seed."


def test_schemes_trained_for_different_epochs_are_named(make_four):
    stopped = make_four("sep", 0, 2.0, training=Training(12, 744, "EarlyStopping (val/loss)"))
    notes = make_table({"mixup": 1, "sep": 1}, [make_four("mixup", 0, 2.0), stopped]).notes
    assert notes[0].startswith("mixup 65 epochs, sep 12 epochs in 32-true")


def test_runs_with_other_threads_are_named(make_four):
    def notes_of(*threads):
        outcomes = [make_four("mixup", seed, 2.0, threads=number) for seed, number in enumerate(threads)]
        return make_table({"mixup": len(outcomes)}, outcomes).notes

    assert "threads: 2." in notes_of(2, 2)
    assert any("threads" in note and "1 (mixup 1); 2 (mixup 0, mixup 2)" in note for note in notes_of(2, 1, 2))


def test_one_row_of_two_recipes_is_rejected(make_four):
    with pytest.raises(InputError, match=r"trainer\.max_epochs is 65 at seed 0 and 8 at seed 1"):
        make_table({"mixup": 2}, [make_four("mixup", 0, 2.0), make_four("mixup", 1, 2.0, epochs=8)])


def test_schemes_that_differ_in_more_than_labels_are_told(make_four):
    outcomes = [make_four("mixup", 0, 2.0), make_four("sep", 0, 2.0, epochs=8)]
    notes = make_table({"mixup": 1, "sep": 1}, outcomes).notes
    assert "mixup and sep differ in more than labels: trainer.max_epochs (65 and 8)." in notes
    alike = make_table({"mixup": 1, "sep": 1}, [make_four("mixup", 0, 2.0), make_four("sep", 0, 2.0)]).notes
    assert not any("differ" in note for note in alike)


def test_what_a_scheme_learned_its_labels_from_is_its_own_but_one_for_all_its_seeds(make_four):
    learned = [make_four("learned", seed, 2.0, strategy_files={"relabeller.pt": "2d"}) for seed in (0, 1)]
    notes = make_table({"mixup": 1, "learned": 2}, [make_four("mixup", 0, 2.0), *learned]).notes
    assert not any("differ" in note for note in notes)
    other = make_four("learned", 2, 2.0, strategy_files={"relabeller.pt": "3e"})
    with pytest.raises(InputError, match=r"strategy_files\.relabeller\.pt is 2d at seed 0 and 3e at seed 2"):
        make_table({"learned": 3}, [*learned, other])


def test_any_logged_metric_makes_a_column(make_result):
    outcomes = [make_result("mixup", 0, cross_entropy=2.0, ece=0.1)]
    assert make_table({"mixup": 1}, outcomes, ["ece", "CE"]).columns == {"ece": "test/ece", "CE": "test/cross_entropy"}
    assert make_table({"mixup": 1}, outcomes, ["test/ece"]).rows[0].cells["ece"].summary.mean == 0.1
    with pytest.raises(InputError, match=r"'nll'\. The logged metrics are test/cross_entropy, test/ece"):
        make_table({"mixup": 1}, outcomes, ["nll"])


def test_a_note_has_the_bins_of_calibration_errors(make_four):
    own = dataclasses.replace(make_four("mixup", 0, 2.0), bin_size={"test/rms_calibration": 6})
    said = "Calibration errors are in bins of 6 images."
    assert said in make_table({"mixup": 1}, [own]).notes
    assert said not in make_table({"mixup": 1}, [own], metrics=["accuracy"]).notes
