import hashlib

import numpy as np
import pytest
import torch

from hml.data import DemoImages, DemoMixes, HMix, HMixDataModule, MixedSet, MixedSource
from hml.data.demo import TEXTURES
from hml.data.mixing import crop_and_flip_once, mix
from hml.errors import InputError
from hml.judgements import Endpoint, Judgement, Stimulus
from hml.labels import AggregateLabels, ConfidenceWeightedLabels, LabelStrategy, MixupLabels, NoMixed, SeparateLabels


@pytest.fixture(scope="module")
def make_real(data_dir):
    """Make data modules of the real data, whose images are read once."""
    banks = []

    def make(strategy, **options):
        module = HMixDataModule(strategy, data_dir=str(data_dir), **options)
        for bank in banks:
            module.reuse_images(bank)
        module.prepare_data()
        module.setup("fit")
        banks[:] = [module.bank]
        return module

    return make


@pytest.fixture(scope="module")
def real(make_real):
    return make_real(SeparateLabels(gamma=0.005))


def test_the_papers_data_have_their_sizes_and_their_provenance(real, data_dir):
    provenance = real.provenance
    counts = ("train_rows", "test_images", "mixed_images", "judgements", "annotators")
    assert [provenance[name] for name in counts] == [7810, 3000, 810, 1974, 33]
    for name in ("cifar10h-counts.npy", "hmix_infer_mixing_factor.csv", "test_indices.npy", "train_indices.npy"):
        assert provenance["files"][name] == hashlib.sha256((data_dir / name).read_bytes()).hexdigest()
    assert provenance["canonical_pixels"] == ("cifar10_test.npz" not in provenance["files"])


def test_the_split_is_the_authors(real, data_dir):
    train, test = (np.load(data_dir / f"{half}_indices.npy") for half in ("train", "test"))
    assert real.train_rows.id_1[:7000].tolist() == train.tolist()
    assert torch.cat([b["index"] for b in real.test_dataloader()]).tolist() == list(range(3000))
    assert real.bank.test_ids.tolist() == test.tolist()
    assert real.bank.labels[test].bincount().tolist() == [300] * 10


def test_evaluation_targets_are_the_shares_of_cifar_10hs_votes(real, data_dir):
    counts = np.load(data_dir / "cifar10h-counts.npy")[np.load(data_dir / "test_indices.npy")]
    target = torch.cat([batch["target"] for batch in real.test_dataloader()])
    np.testing.assert_allclose(target.numpy(), counts / counts.sum(1, keepdims=True), rtol=1e-6)
    label = torch.cat([batch["label"] for batch in real.test_dataloader()])
    assert (target.argmax(1) == label).float().mean() > 0.98


def test_mixed_images_are_mixed_by_their_filename(real):
    example = next(e for e in real.examples if e.stimulus.filename == "mixed_0.25_Airplane_7428_Dog_5504.png")
    first, second = (real.bank.images[image_id].double() / 255 for image_id in (7428, 5504))
    torch.testing.assert_close(example.image.double(), 0.25 * first + 0.75 * second, rtol=0, atol=1e-6)
    assert example.lambda_h.mean() == pytest.approx(0.415)


def test_every_annotators_label_is_there_in_the_files_order(real):
    rows = real.train_rows
    assert int(rows.num_labels.sum()) == 7000 + 1974 == len(rows.soft_labels)
    assert rows.num_labels[7000:].bincount().tolist() == [0, 0, 539, 197, 65, 9]
    torch.testing.assert_close(rows.soft_labels.sum(1), torch.ones(8974))
    assert torch.equal(rows.soft_labels[:7000], torch.eye(10)[real.bank.labels[rows.id_1[:7000]]])


@pytest.mark.parametrize(
    ("strategy", "options", "rows"),
    [
        (NoMixed(), {}, 7000),
        (MixupLabels(), {}, 7810),
        (SeparateLabels(), {"label_draw": "expand"}, 7000 + 1974),
        (SeparateLabels(), {"label_draw": "expand", "mixed": HMix(include_repeats=False)}, 7000 + 1974 - 66),
        (AggregateLabels(), {"mixed": HMix("all")}, 7000 + 2070),
        (MixupLabels(), {"val_size": 500}, 7810 - 500),
    ],
)
def test_schemes_train_on_as_many_rows_as_they_should(make_real, strategy, options, rows):
    module = make_real(strategy, **options)
    assert len(module.train_rows) == rows
    assert len(module.train_dataloader()) == rows // 128
    assert len(module.val_ids) == options.get("val_size", 0)


def test_plain_images_can_train_on_what_people_say(tiny):
    # Of the made-up images only the test ones are seen in two ways, so they are trained on here.
    class Blends(DemoImages):
        def load(self, data_dir):
            bank = super().load(data_dir)
            bank.human[:60] = torch.full((10,), 0.1)
            return bank

    rows = tiny(images=Blends(60, 33), plain_labels="human").train_rows
    torch.testing.assert_close(rows.soft_labels[:60], torch.full((60, 10), 0.1))
    hard = tiny(images=Blends(60, 33)).train_rows
    assert torch.equal(hard.soft_labels[:60], torch.eye(10)[torch.arange(60) % 10])


def test_a_module_of_synthetic_images_has_batches(tiny):
    module = tiny(augment="crop_flip", val_size=7)
    batch = next(iter(module.train_dataloader()))
    assert {key: tuple(value.shape) for key, value in batch.items()} == {
        "image": (16, 3, 32, 32),
        "target": (16, 10),
        "label": (16,),
        "index": (16,),
    }
    plain = next(iter(tiny(val_size=7).train_dataloader()))
    assert torch.equal(plain["index"], batch["index"])
    assert not torch.equal(plain["image"], batch["image"])
    assert sum(len(b["label"]) for b in module.val_dataloader()) == 7
    assert sum(len(b["label"]) for b in module.predict_dataloader()) == 33
    assert tiny().val_dataloader() == []


def test_one_crop_an_image_comes_before_mixing_and_never_changes(tiny):
    module, plain = tiny(augment="crop_flip_once", seed=2), tiny(seed=2)
    loader = module.train_dataloader()
    for epoch in (0, 1):
        loader.set_epoch(epoch)
        for batch in loader:
            rows = module.train_rows
            id_1, id_2, lambda_f = (column[batch["index"]] for column in (rows.id_1, rows.id_2, rows.lambda_f))
            once = crop_and_flip_once(module.bank.images, module.bank.train_ids, seed=2)
            assert torch.equal(batch["image"], mix(once, id_1, id_2, lambda_f))
    evaluated, expected = next(iter(module.test_dataloader())), next(iter(plain.test_dataloader()))
    assert torch.equal(evaluated["image"], expected["image"])


@pytest.mark.parametrize("strategy", [NoMixed(), MixupLabels(), SeparateLabels()])
@pytest.mark.parametrize(("label_draw", "size"), [("sample", 105 - 7), ("expand", None)])
def test_epochs_of_all_images_have_one_size_for_all_strategies(tiny, strategy, label_draw, size):
    module = tiny(strategy, batch_size=2, val_size=7, label_draw=label_draw, epoch_size="all")
    size = size or 53 + module.provenance["judgements"]
    assert len(module.train_dataloader()) == size // 2
    assert len(tiny(strategy, batch_size=2, epoch_size=20).train_dataloader()) == 10


def test_held_out_images_are_neither_trained_on_nor_endpoints(tiny):
    module = tiny(val_size=7)
    used = set(module.train_rows.id_1.tolist()) | set(module.train_rows.id_2.tolist())
    assert not used & set(module.val_ids.tolist())
    assert not set(module.val_ids.tolist()) & set(module.bank.test_ids.tolist())


def test_the_strategy_changes_only_the_labels(tiny):
    one, other = tiny(MixupLabels()), tiny(ConfidenceWeightedLabels())
    for field in ("id_1", "id_2", "lambda_f", "num_labels"):
        assert torch.equal(getattr(one.train_rows, field), getattr(other.train_rows, field))
    assert not torch.equal(one.train_rows.soft_labels, other.train_rows.soft_labels)


class Given(MixedSource):
    """Judgements of images that the test names by (image id, label)."""

    def __init__(self, *pairs):
        self.pairs = pairs

    def remote_files(self, data_dir):
        return []

    def load(self, data_dir, bank):
        stimuli = [Stimulus(f"mix{n}.png", 0.5, tuple(Endpoint(*end) for end in p)) for n, p in enumerate(self.pairs)]
        return MixedSet([Judgement(stimulus, "ann", 0.5, 1.0) for stimulus in stimuli])


@pytest.mark.parametrize(
    ("pairs", "message"),
    [
        (
            [((3, 3), (65, 5)), ((92, 2), (61, 1))],
            "3 endpoints .* among the 33 evaluation.*: images 61, 65, 92. .* choose a test set",
        ),
        ([((3, 4), (5, 5))], "mix0.png: image 3 is of class Antidiagonal stripes, not Checks"),
        ([((3, 3), (93, 3))], "mix0.png: there is no image 93; ids are 0 to 92"),
    ],
)
def test_judgements_that_do_not_fit_the_images_are_an_error(tiny, pairs, message):
    with pytest.raises(InputError, match=message):
        tiny(mixed=Given(*pairs))


def test_two_images_without_leaks_are_accepted(tiny):
    assert tiny(mixed=Given(((3, 3), (5, 5)), ((5, 5), (3, 3)))).provenance["mixed_images"] == 2


def test_judgements_of_ones_own_are_read_from_a_csv_file(tiny, tmp_path):
    path = tmp_path / "mine.csv"
    names = TEXTURES[3], TEXTURES[5]
    answer = '"{""mixingcoeff"": 20, ""confidence"": 50}"'
    path.write_text(f"subject,filename,responses\nann,mixed_0.5_{names[0]}_3_{names[1]}_5.png,{answer}\n")
    module = tiny(SeparateLabels(), mixed=HMix(judgements=path))
    assert module.train_rows.soft_labels[60].tolist() == pytest.approx([0, 0, 0, 0.8, 0, 0.2, 0, 0, 0, 0])
    assert module.provenance["files"] == {"mine.csv": hashlib.sha256(path.read_bytes()).hexdigest()}
    with pytest.raises(InputError, match=r"nowhere\.csv: No such file"):
        tiny(mixed=HMix(judgements=tmp_path / "nowhere.csv"))


def test_a_strategys_wrong_labels_are_an_error_in_setup(tiny):
    class Unnormalised(LabelStrategy):
        def label(self, example):
            return torch.ones(1, 10)

    with pytest.raises(InputError, match=r"Unnormalised labelled mixed_0.5_Vertical stripes.* sums to 10, not to 1"):
        tiny(Unnormalised())


@pytest.mark.parametrize(
    "options",
    [{"batch_size": 1}, {"seed": -1}, {"val_size": 61}, {"val_size": -1}, {"epoch_size": 1}, {"epoch_size": "most"}],
)
def test_options_out_of_range_are_an_error(tiny, options):
    with pytest.raises(InputError, match=f"{next(iter(options))}={next(iter(options.values()))} must be"):
        tiny(**options)


def test_setting_up_twice_reads_once(tiny):
    module = tiny(mixed=DemoMixes(images_per_pair=1))
    bank = module.bank
    module.setup("test")
    assert module.bank is bank
