import math

import pytest
import torch
from lightning.pytorch import Callback
from lightning.pytorch.callbacks import ModelCheckpoint

from hml.data import DemoImages, DemoMixes, HMixDataModule
from hml.errors import InputError, NonFiniteLossError
from hml.evaluation.callbacks import FGSM, Calibration, EvaluationCallback, HumanAlignment, TemperatureScaling
from hml.evaluation.metrics import GatheredPredictions
from hml.labels import SeparateLabels
from hml.models import PreActResNet18
from hml.training.classifier import Classifier
from hml.training.loss_watch import LossWatch
from tests.training.fitting import linear, make_trainer


class LossWatcher(Callback):
    """Works out each step's loss by hand, before the step, beside what the step returns."""

    def __init__(self):
        self.expected, self.actual, self.sizes = [], [], []

    def on_train_batch_start(self, trainer, pl_module, batch, batch_idx):
        with torch.no_grad():
            log_p = pl_module.network(pl_module.normalise(batch["image"])).log_softmax(1)
        self.expected.append(float(-(batch["target"] * log_p).sum(1).mean()))

    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx):
        self.actual.append(float(outputs["loss"]))
        self.sizes.append(len(batch["index"]))


def test_loss_of_a_step_is_soft_cross_entropy(tiny, tmp_path):
    watcher = LossWatcher()
    trainer = make_trainer(tmp_path, watcher, max_epochs=1, limit_val_batches=0)
    trainer.fit(Classifier(linear()), datamodule=tiny())
    assert len(watcher.actual) == 105 // 16
    assert watcher.actual == pytest.approx(watcher.expected, rel=1e-5)
    mean = sum(watcher.actual) / len(watcher.actual)
    assert float(trainer.callback_metrics["train/loss"]) == pytest.approx(mean, rel=1e-5)
    assert 0 <= float(trainer.callback_metrics["train/accuracy"]) <= 1


def test_validation_loss_is_the_mean_over_images(tiny, tmp_path):
    data, classifier = tiny(val_size=5, batch_size=3), Classifier(linear())
    (logged,) = make_trainer(tmp_path, Calibration(1)).validate(classifier, datamodule=data, verbose=False)
    batches = list(data.val_dataloader())
    image, target = (torch.cat([batch[key] for batch in batches]) for key in ("image", "target"))
    with torch.no_grad():
        expected = -(target * classifier.network(classifier.normalise(image)).log_softmax(1)).sum(1).mean()
    assert [len(batch["index"]) for batch in batches] == [3, 2]
    assert logged["val/loss"] == pytest.approx(float(expected), rel=1e-5)


def test_channels_last_gives_the_same_logits():
    torch.manual_seed(0)
    networks = [PreActResNet18(width=2), PreActResNet18(width=2)]
    networks[1].load_state_dict(networks[0].state_dict())
    plain, last = Classifier(networks[0], channels_last=False).eval(), Classifier(networks[1]).eval()
    assert last.network.stages[4].conv_1.weight.is_contiguous(memory_format=torch.channels_last)
    image = torch.rand(4, 3, 32, 32)
    with torch.no_grad():
        torch.testing.assert_close(last(image), plain(image), rtol=0, atol=1e-5)


def test_compiling_leaves_the_names_of_weights():
    network = PreActResNet18(width=1)
    names = [f"network.{name}" for name in network.state_dict()]
    compiled = Classifier(network, compile=True)
    assert network._compiled_call_impl is not None
    assert list(compiled.state_dict()) == [*names, "normalise.mean", "normalise.std"]


@pytest.mark.parametrize(("learning_rate", "step"), [(1e38, 1), (math.inf, 1)])
def test_loss_that_is_not_finite_stops_training_and_names_step_and_images(tiny, tmp_path, learning_rate, step):
    classifier = Classifier(linear(), optimizer=lambda parameters: torch.optim.SGD(parameters, lr=learning_rate))
    trainer = make_trainer(tmp_path, max_epochs=3, limit_val_batches=0)
    data = tiny()
    with pytest.raises(NonFiniteLossError, match=r"--model\.optimizer\.lr") as caught:
        trainer.fit(classifier, datamodule=data)
    assert f"at step {step}, on images" in str(caught.value)
    batches = list(data.train_dataloader())  # of epoch 0
    rows, index = data.train_rows, batches[step]["index"]
    pairs = zip(rows.id_1[index].tolist(), rows.id_2[index].tolist(), strict=True)
    named = ", ".join(str(a) if a == b else f"{a}+{b}" for a, b in pairs)
    assert f"on images {named} (epoch 0)" in str(caught.value)


def test_losses_are_looked_at_every_fifty_steps_and_never_in_between(tiny, tmp_path, monkeypatch):
    looks = []
    look = LossWatch.look
    classifier = Classifier(linear())
    monkeypatch.setattr(LossWatch, "look", lambda self: (looks.append(classifier.global_step), look(self)))
    trainer = make_trainer(tmp_path, max_epochs=2, limit_val_batches=0)
    trainer.fit(classifier, datamodule=tiny(batch_size=2))  # 52 steps per epoch
    assert looks == [49, 52, 101, 104]


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_weights_that_are_not_finite_are_never_saved(tiny, tmp_path, value):
    class Spoiler(Callback):
        def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx):
            if trainer.global_step == 4:
                pl_module.network[1].bias.data[3] = value

    saver = ModelCheckpoint(tmp_path, "{step}", every_n_train_steps=1, save_top_k=-1, auto_insert_metric_name=False)
    trainer = make_trainer(tmp_path, Spoiler(), saver, max_epochs=1, limit_val_batches=0)
    with pytest.raises(NonFiniteLossError, match=r"network\.1\.bias is not finite after step 4"):
        trainer.fit(Classifier(linear()), datamodule=tiny())
    assert sorted(path.stem for path in tmp_path.glob("*.ckpt")) == ["1", "2", "3"]


def test_recipe_by_default_is_the_papers():
    classifier = Classifier(linear())
    configured = classifier.configure_optimizers()
    optimizer, scheduler = configured["optimizer"], configured["lr_scheduler"]["scheduler"]
    assert isinstance(optimizer, torch.optim.SGD)
    assert len(optimizer.param_groups) == 1
    group = optimizer.param_groups[0]
    assert len(group["params"]) == 2
    assert (group["lr"], group["momentum"], group["weight_decay"], group["nesterov"]) == (0.1, 0.9, 1e-4, False)
    rates = []
    for _ in range(65):
        rates.append(group["lr"])
        optimizer.step()
        scheduler.step()
    assert rates == pytest.approx([0.1] * 51 + [0.01] * 5 + [0.001] * 9)


def test_schedule_steps_each_epoch(tiny, tmp_path):
    def schedule(optimizer):
        return torch.optim.lr_scheduler.MultiStepLR(optimizer, milestones=[2], gamma=0.1)

    rates = []

    class RateWatcher(Callback):
        def on_train_epoch_start(self, trainer, pl_module):
            rates.append(trainer.optimizers[0].param_groups[0]["lr"])

    classifier = Classifier(linear(), lr_scheduler=schedule)
    trainer = make_trainer(tmp_path, RateWatcher(), max_epochs=3, limit_val_batches=0)
    trainer.fit(classifier, datamodule=tiny())
    assert rates == pytest.approx([0.1, 0.1, 0.01])


def _trained(tiny, folder, *callbacks, checkpoint=None):
    """Train for three epochs of three steps, with all that is drawn and scheduled; return weights and optimiser."""

    def schedule(optimizer):
        return torch.optim.lr_scheduler.MultiStepLR(optimizer, milestones=[1, 2], gamma=0.5)

    def optimizer(parameters):
        return torch.optim.SGD(parameters, lr=0.01, momentum=0.9)

    classifier = Classifier(linear(), optimizer, schedule)
    data = tiny(SeparateLabels(), batch_size=32, augment="crop_flip", seed=3)
    trainer = make_trainer(folder, *callbacks, max_epochs=3, limit_val_batches=0)
    trainer.fit(classifier, datamodule=data, ckpt_path=checkpoint, weights_only=False)
    return classifier.network[1].weight.detach(), trainer.optimizers[0].param_groups[0]["lr"], trainer.global_step


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory):
    def tiny(strategy, **options):
        return HMixDataModule(strategy, DemoImages(60, 33), DemoMixes(images_per_pair=1), **options)

    folder = tmp_path_factory.mktemp("checkpoints")
    saver = ModelCheckpoint(folder, "{step}", every_n_train_steps=1, save_top_k=-1, auto_insert_metric_name=False)
    return tiny, folder, _trained(tiny, folder, saver)


@pytest.mark.filterwarnings("ignore:Be aware that when using `ckpt_path`")  # resumed without the saver
@pytest.mark.parametrize("step", range(1, 10))
def test_run_resumed_after_any_step_ends_as_if_it_had_not_stopped(uninterrupted, tmp_path, step):
    tiny, folder, (weight, rate, steps) = uninterrupted
    resumed_weight, resumed_rate, resumed_steps = _trained(tiny, tmp_path, checkpoint=folder / f"{step}.ckpt")
    assert resumed_steps == steps == 9
    assert torch.equal(resumed_weight, weight)
    assert resumed_rate == rate


class GradientNorms(Callback):
    """Collects the norm of the gradients that each step of the optimiser used."""

    def __init__(self):
        self.norms = []

    def on_train_batch_end(self, trainer, pl_module, *args):
        self.norms.append(float(torch.cat([weight.grad.flatten() for weight in pl_module.parameters()]).norm()))


@pytest.mark.parametrize(
    ("own", "trainers", "largest"),
    [(0.01, None, 0.01), (0.01, 0.02, 0.02), (0.01, 0, math.inf), (None, None, math.inf), (0, None, math.inf)],
)
def test_gradients_are_clipped_unless_the_trainer_chooses(tiny, tmp_path, own, trainers, largest):
    watcher = GradientNorms()
    trainer = make_trainer(tmp_path, watcher, max_epochs=1, limit_val_batches=0, gradient_clip_val=trainers)
    trainer.fit(Classifier(linear(), gradient_clip_val=own), datamodule=tiny())
    assert max(watcher.norms) == pytest.approx(largest, rel=1e-3) if largest < 1 else max(watcher.norms) > 0.1


def test_negative_norm_and_data_without_a_module_are_rejected(tiny, tmp_path):
    with pytest.raises(InputError, match="gradient_clip_val=-1 must be 0 or more"):
        Classifier(linear(), gradient_clip_val=-1)
    with pytest.raises(InputError, match="needs an HMixDataModule"):
        make_trainer(tmp_path).test(Classifier(linear()), tiny().test_dataloader())


def test_evaluations_that_a_trainer_has_stay_and_the_others_are_added(tiny, tmp_path):
    class OwnCalibration(Calibration):
        pass

    own = EvaluationCallback(GatheredPredictions()), OwnCalibration(10)
    own[0].metric.compute = dict
    trainer = make_trainer(tmp_path, *own)
    for _ in range(2):
        trainer.test(Classifier(linear()), datamodule=tiny(), verbose=False)
    kinds = [type(callback) for callback in trainer.callbacks if isinstance(callback, EvaluationCallback)]
    assert kinds == [EvaluationCallback, OwnCalibration, HumanAlignment, FGSM, TemperatureScaling]
    assert set(own) <= set(trainer.callbacks)
