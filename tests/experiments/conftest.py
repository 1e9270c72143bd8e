"""Results of made-up runs."""

import numpy as np
import pytest

from hml.data.download import HMIX_INFERENCES
from hml.evaluation.paper import PAPER_LABELS
from hml.evaluation.per_image import PerImage
from hml.training.recipe import Recipe
from hml.training.result import RunResult, Training

HMIX = {HMIX_INFERENCES.name: HMIX_INFERENCES.sha256}


@pytest.fixture
def make_result():
    """Make a result with these metrics, on H-Mix unless told otherwise."""

    def make(
        scheme,
        seed,
        files=HMIX,
        strategy_files=None,
        epochs=65,
        gamma=None,
        mixed_images=810,
        training=None,
        threads=1,
        **metrics,
    ):
        class_path, papers_gamma = PAPER_LABELS.get(scheme, (scheme, None))
        return RunResult(
            scheme,
            seed,
            training=training or Training(epochs, 62 * epochs),
            threads=threads,
            compiled=False,
            processes=1,
            metrics={f"test/{name}": value for name, value in metrics.items()},
            recipe=Recipe(
                data={
                    "strategy": {"class_path": class_path, "init_args": {"gamma": gamma or papers_gamma}},
                    "batch_size": 128,
                },
                trainer={"max_epochs": epochs, "precision": "32-true"},
            ),
            data={
                "files": dict(files),
                "strategy_files": strategy_files or {},
                "canonical_pixels": True,
                "mixed_images": mixed_images,
                "judgements": 1974,
                "annotators": 33,
                "test_images": 3000,
                "train_rows": 7810,
            },
            versions={"hml": "0.1.0", "torch": "2.14", "device": "a CPU", "commit": "abc"},
            seconds={"fit": 100.0, "test": 20.0},
        )

    return make


@pytest.fixture
def make_four(make_result):
    """Make a result with the table's four metrics."""

    def make(scheme, seed, cross_entropy, calibration=0.25, fgsm=12.0, accuracy=0.66, **options):
        return make_result(
            scheme,
            seed,
            cross_entropy=cross_entropy,
            rms_calibration=calibration,
            fgsm_cross_entropy=fgsm,
            accuracy=accuracy,
            **options,
        )

    return make


@pytest.fixture
def give_images():
    """Give runs of the table's four metrics a value for each of some images, whose mean is the metric."""

    def give(results, ids=(70, 71, 90, 91)):
        rng = np.random.default_rng(0)
        given = {}
        for result in results:
            values = {}
            for name, figure in result.metrics.items():
                if figure is not None:
                    noise = rng.normal(size=len(ids))
                    values[name] = figure + noise - noise.mean()
            given[result.scheme, result.seed] = PerImage({"test": np.array(ids)}, values)
        return given

    return give
