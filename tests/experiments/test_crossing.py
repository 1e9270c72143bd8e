import numpy as np
import pytest

from hml.evaluation.per_image import PerImage
from hml.experiments.table import make_table
from hml.statistics.crossed import crossed_mean

VALUES = {"mixup": [2.0, 2.5, 2.2], "sep": [1.9, 2.3, 2.0], "agg": [2.1, 2.4, 2.3]}


@pytest.fixture
def outcomes(make_four):
    return [make_four(scheme, seed, value) for scheme, own in VALUES.items() for seed, value in enumerate(own)]


def tabulate(outcomes, per_images, **options):
    table = make_table(dict.fromkeys(VALUES, 3), outcomes, per_images=per_images, **options)
    return table, {row.scheme: row.cells["CE"] for row in table.rows}


def test_means_and_differences_pair_seeds_and_images(outcomes, give_images):
    given = give_images(outcomes)
    _, cells = tabulate(outcomes, given)
    values = {
        scheme: np.stack([given[scheme, seed].values["test/cross_entropy"] for seed in range(3)]) for scheme in VALUES
    }
    mean, difference = crossed_mean(values["sep"]), crossed_mean(values["sep"] - values["mixup"])
    for found, expected in ((cells["sep"].crossed.mean, mean), (cells["sep"].crossed.to_baseline, difference)):
        assert (found.seeds, found.images, found.random) == (3, 4, "seeds and images")
        assert (found.low, found.high, found.p) == pytest.approx((expected.low, expected.high, expected.p))
    assert cells["sep"].crossed.to_baseline.mean == pytest.approx(cells["sep"].to_baseline.mean)
    smaller, larger = sorted((cells["sep"].crossed, cells["agg"].crossed), key=lambda own: own.to_baseline.p)
    assert smaller.adjusted_p == pytest.approx(min(1, 2 * smaller.to_baseline.p))
    assert larger.adjusted_p == pytest.approx(max(smaller.adjusted_p, larger.to_baseline.p))
    assert cells["mixup"].crossed.to_baseline is None


def test_half_precision_moves_no_mean(outcomes, give_images):
    given = {
        run: PerImage(own.images, {name: values.astype(np.float16) for name, values in own.values.items()})
        for run, own in give_images(outcomes).items()
    }
    _, cells = tabulate(outcomes, given)
    for cell in cells.values():
        assert cell.crossed.mean.mean == pytest.approx(cell.summary.mean, abs=1e-12)


def test_one_seed_has_an_interval_over_images(outcomes, give_images):
    first = [outcome for outcome in outcomes if outcome.seed == 0]
    _, cells = tabulate(first, give_images(first))
    assert cells["sep"].to_baseline.low is None
    assert cells["sep"].crossed.to_baseline.random == "images"
    assert cells["sep"].crossed.to_baseline.low < cells["sep"].to_baseline.mean


def test_runs_without_values_are_named_with_the_reason(outcomes, give_images):
    given = give_images(outcomes)
    del given["sep", 1]
    table, cells = tabulate(outcomes, given)
    reason = "there are runs without per_image.npz, which earlier versions of hml did not write"
    assert f"No intervals over test images for sep: {reason}." in table.notes
    assert cells["sep"].crossed.mean is None
    assert cells["agg"].crossed.to_baseline is not None
    table, cells = tabulate(outcomes, {})
    assert f"No intervals over test images for mixup, sep, agg: {reason}." in table.notes
    assert cells["sep"].to_baseline.low is not None, "over seeds there is one as before"


def test_schemes_tested_on_other_images_are_not_paired(outcomes, give_images):
    given = give_images(outcomes) | give_images([own for own in outcomes if own.scheme == "sep"], ids=(1, 2, 3))
    table, cells = tabulate(outcomes, given)
    assert "No intervals over test images for sep: it was not tested on the same images as mixup." in table.notes
    assert cells["sep"].crossed.to_baseline is None
    assert cells["sep"].crossed.mean.images == 3


def test_seeds_tested_on_different_images_share_no_interval(outcomes, give_images):
    given = give_images(outcomes) | give_images(outcomes[:1], ids=(1, 2, 3))
    table, cells = tabulate(outcomes, given)
    assert "No intervals over test images for mixup: its seeds were tested on different images." in table.notes
    assert [cell.crossed.to_baseline for cell in cells.values()] == [None] * 3, "there is no baseline"


def test_a_file_that_is_not_its_runs_is_not_used(outcomes, give_images):
    given = give_images(outcomes)
    given["sep", 2] = given["sep", 1]
    table, _ = tabulate(outcomes, given)
    said = "No intervals over test images for sep in CE: the per_image.npz of seed 2 does not match its metrics.json."
    assert said in table.notes


def test_a_metric_without_values_is_named(make_result, give_images):
    outcomes = [make_result("mixup", 0, cross_entropy=2.0, loss=2.1)]
    given = give_images(outcomes)
    given["mixup", 0].values.pop("test/loss")
    notes = make_table({"mixup": 1}, outcomes, ["CE", "loss"], per_images=given).notes
    assert "No intervals over test images for mixup in loss: the metric has no per-image values." in notes


def test_a_metric_that_is_finite_at_no_seed_needs_no_reason(make_four):
    table = make_table({"mixup": 1}, [make_four("mixup", 0, None, None, None, None)])
    assert not any("over test images" in note for note in table.notes)


def test_findings_for_these_images_only_are_named(make_four):
    # About the same at every seed, so that it is clear over seeds. Three images gain by it, one loses.
    outcomes = [
        make_four(scheme, seed, value) for scheme, value in (("mixup", 2.0), ("sep", 1.9)) for seed in (0, 1, 2)
    ]
    outcomes[0] = make_four("mixup", 0, 2.001)
    gain = np.array([-0.5, -0.4, -0.3, 1.2])
    given = {
        (run.scheme, run.seed): PerImage(
            {"test": np.arange(4)},
            {"test/cross_entropy": run.metrics["test/cross_entropy"] + gain * (run.scheme == "sep")},
        )
        for run in outcomes
    }
    notes = make_table({"mixup": 3, "sep": 3}, outcomes, ["CE"], per_images=given).notes
    said = (
        "The interval of the difference to mixup excludes 0 over seeds, but not over seeds and test images: CE of sep."
    )
    assert said in notes
