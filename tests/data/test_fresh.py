import numpy as np
import pytest
import torch
from scipy import stats

from hml.data import DemoImages, FreshMixes, MixingLoader
from hml.data.fresh import draw_lambda_f
from hml.errors import InputError
from hml.labels import LabelStrategy, MixupLabels, SeparateLabels, UniformLabels
from hml.randomness import Draws


@pytest.fixture
def fresh(tiny):
    return lambda strategy=None, **options: tiny(strategy, **({"mixed": FreshMixes()} | options))


def run_epoch(loader, epoch=0):
    loader.set_epoch(epoch)
    return list(loader)


def test_an_epoch_has_each_training_image_once_and_nothing_else(fresh):
    module = fresh(val_size=5)
    batches = run_epoch(loader := module.train_dataloader())
    assert len(module.train_rows) == 55
    assert sum(len(batch["index"]) for batch in batches) == 48  # the incomplete batch is left out
    rows = loader.remix(loader.rows, Draws(0, 0, np.arange(55)))
    train = set(module.bank.train_ids.tolist()) - set(module.val_ids.tolist())
    assert sorted(rows.id_1.tolist()) == sorted(train)
    assert set(rows.id_2.tolist()) <= train
    assert module.provenance["train_rows"] == 55
    assert module.provenance["mixed_images"] == 0


def test_pixels_and_labels_are_mixed_by_lambda_f(fresh):
    module = fresh(MixupLabels())
    loader = module.train_dataloader()
    rows = loader.remix(loader.rows, Draws(0, 3, np.arange(60)))
    for batch in run_epoch(loader, 3):
        for at, index in enumerate(batch["index"].tolist()):
            first, second, weight = int(rows.id_1[index]), int(rows.id_2[index]), float(rows.lambda_f[index])
            pixels = module.bank.images[[first, second]].double() / 255
            blended = weight * pixels[0] + (1 - weight) * pixels[1]
            torch.testing.assert_close(batch["image"][at].double(), blended, atol=1e-6, rtol=0)
            expected = torch.zeros(10)
            expected[module.bank.labels[first]] += weight
            expected[module.bank.labels[second]] += 1 - weight
            torch.testing.assert_close(batch["target"][at], expected, atol=1e-6, rtol=0)
            assert batch["label"][at] == module.bank.labels[first]


def test_mixes_differ_by_epoch_and_seed_and_can_be_repeated(fresh):
    one, again, other_seed = (fresh(seed=seed).train_dataloader() for seed in (1, 1, 2))
    first = run_epoch(one, 0)[0]["image"]
    assert torch.equal(first, run_epoch(again, 0)[0]["image"])
    assert not torch.equal(first, run_epoch(one, 1)[0]["image"])
    assert not torch.equal(first, run_epoch(other_seed, 0)[0]["image"])


def test_rows_depend_only_on_seed_epoch_and_index(fresh):
    loader = fresh().train_dataloader()
    whole = loader.remix(loader.rows, Draws(5, 2, np.arange(60)))
    some = loader.remix(loader.rows, Draws(5, 2, np.array([41, 7])))
    for name in ("id_1", "id_2", "lambda_f", "soft_labels"):
        assert torch.equal(getattr(whole, name)[[41, 7]], getattr(some, name))


def test_an_epoch_is_resumed_with_the_very_next_batch(fresh):
    loader = fresh().train_dataloader()
    expected = run_epoch(loader, 4)
    stopped, resumed = fresh().train_dataloader(), fresh().train_dataloader()
    stopped.set_epoch(4)
    iterator = iter(stopped)
    next(iterator)
    resumed.load_state_dict(stopped.state_dict())
    rest = run_epoch(resumed, 4)
    assert len(rest) == len(expected) - 1
    assert all(
        torch.equal(a[key], b[key]) for a, b in zip(rest, expected[1:], strict=True) for key in ("image", "target")
    )


def test_evaluation_images_are_never_mixed(fresh):
    module = fresh()
    images = torch.cat([batch["image"] for batch in module.test_dataloader()])
    assert torch.equal(images, module.bank.images[module.bank.test_ids].float() / 255)


def test_a_share_stays_plain_with_its_plain_label(fresh):
    module = fresh(UniformLabels(), mixed=FreshMixes(share=0.5), images=DemoImages(1000, 10))
    loader = module.train_dataloader()
    rows = loader.remix(loader.rows, Draws(0, 0, np.arange(1000)))
    plain = rows.lambda_f == 1
    assert 0.45 < plain.double().mean() < 0.55
    assert torch.equal(rows.id_1[plain], rows.id_2[plain])
    assert torch.equal(rows.soft_labels[plain].argmax(1), module.bank.labels[rows.id_1[plain]])
    assert bool((rows.soft_labels[~plain] == 0.1).all())


def test_peoples_labels_of_plain_images_need_some_that_stay_plain(fresh):
    with pytest.raises(InputError, match=r"plain_labels=human has no effect.*--data\.mixed\.share"):
        fresh(plain_labels="human")
    with pytest.raises(InputError, match="plain_labels=human would train on true classes"):
        fresh(mixed=FreshMixes(share=0.5), plain_labels="human")

    class Doubted(DemoImages):
        def load(self, data_dir):
            bank = super().load(data_dir)
            bank.human[:] = 0.1
            return bank

    module = fresh(mixed=FreshMixes(share=0.5), plain_labels="human", images=Doubted(60, 33))
    assert len(module.train_rows) == 60


@pytest.mark.parametrize("alpha", [0.2, 1.0, 3.0])
def test_lambda_f_is_betas(alpha):
    drawn = draw_lambda_f(Draws(0, 0, np.arange(5000)), alpha, None)
    assert stats.kstest(drawn, stats.beta(alpha, alpha).cdf).pvalue > 0.01


def test_lambda_f_comes_evenly_from_a_grid():
    drawn = draw_lambda_f(Draws(0, 0, np.arange(5000)), 1.0, [0.1, 0.25, 0.5, 0.75, 0.9])
    values, counts = np.unique(drawn, return_counts=True)
    np.testing.assert_allclose(values, [0.1, 0.25, 0.5, 0.75, 0.9], rtol=1e-6)
    assert stats.chisquare(counts).pvalue > 0.01


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"alpha": 0}, "alpha=0"),
        ({"alpha": float("nan")}, "alpha=nan"),
        ({"lambdas": []}, r"lambdas=\[\]"),
        ({"lambdas": [0.5, 1.5]}, "1.5"),
        ({"share": 0}, "share=0"),
        ({"share": 1.1}, "share=1.1"),
    ],
)
def test_arguments_out_of_range_are_an_error(options, said):
    with pytest.raises(InputError, match=said):
        FreshMixes(**options)


def test_a_strategy_that_needs_judgements_is_an_error_in_setup(fresh):
    with pytest.raises(InputError, match="SeparateLabels needs people's judgements"):
        fresh(SeparateLabels())


def test_an_error_about_labels_names_the_strategy(fresh):
    class Wrong(LabelStrategy):
        answer = None

        def label(self, example):
            return torch.empty(0, 10)

        def label_batch(self, batch, draws):
            return self.answer(batch)

    class Doubled(Wrong):
        answer = staticmethod(lambda batch: torch.full((len(batch.id_1), 10), 0.2))

    class Short(Wrong):
        answer = staticmethod(lambda batch: torch.full((1, 10), 0.1))

    with pytest.raises(InputError, match=r"Doubled.label_batch .* sums to 2"):
        fresh(Doubled())
    with pytest.raises(InputError, match=r"Short.label_batch returned \(1, 10\)"):
        fresh(Short())


def test_ranks_share_the_same_mixes(fresh):
    loader = fresh().train_dataloader()
    ranks = [
        MixingLoader(loader.images, loader.labels, loader.rows, 16, True, rank=rank, world_size=2, remix=loader.remix)
        for rank in range(2)
    ]
    for whole, *shares in zip(*(run_epoch(each, 3) for each in (loader, *ranks)), strict=True):
        for rank, share in enumerate(shares):
            for key in ("image", "target", "index"):
                assert torch.equal(share[key], whole[key][rank::2])
