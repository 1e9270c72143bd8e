from types import SimpleNamespace

import pytest
import torch
from lightning.pytorch import Callback
from lightning.pytorch.callbacks import ModelCheckpoint
from lightning.pytorch.cli import ReduceLROnPlateau
from torch.optim.lr_scheduler import CosineAnnealingWarmRestarts, CyclicLR, MultiStepLR, OneCycleLR

from hml.data import DemoImages, DemoMixes, HMixDataModule
from hml.errors import InputError
from hml.labels import SeparateLabels
from hml.training.classifier import Classifier
from hml.training.schedules import plan_steps
from tests.training.fitting import linear, make_trainer

STEPS, STEPS_AN_EPOCH = 9, 3


class RateWatcher(Callback):
    """Keeps what each step was trained with and the loss that it had."""

    def __init__(self):
        self.steps = {}

    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx):
        self.steps[trainer.global_step] = (float(outputs["loss"]), batch["index"].tolist())

    def on_before_optimizer_step(self, trainer, pl_module, optimizer):
        self.rates = [*getattr(self, "rates", []), optimizer.param_groups[0]["lr"]]


def train(folder, schedule, *callbacks, interval=None, checkpoint=None, **options):
    """Train for three epochs of three steps."""
    data = HMixDataModule(
        SeparateLabels(),
        DemoImages(60, 33),
        DemoMixes(images_per_pair=1),
        batch_size=32,
        augment="crop_flip",
        **options,
    )
    classifier = Classifier(
        linear(), lambda parameters: torch.optim.SGD(parameters, lr=0.01, momentum=0.9), schedule, interval
    )
    limit = {} if options else {"limit_val_batches": 0}
    trainer = make_trainer(folder, *callbacks, max_epochs=3, **limit)
    trainer.fit(classifier, datamodule=data, ckpt_path=checkpoint, weights_only=False)
    return classifier.network[1].weight.detach(), trainer.optimizers[0].param_groups[0]["lr"]


def one_cycle(optimizer, total=STEPS):
    return OneCycleLR(optimizer, max_lr=0.1, total_steps=total)


def plateau(optimizer, monitor="train/loss"):
    """Divide the rate by ten after every epoch but the first, since no loss is lower by ten."""
    return ReduceLROnPlateau(optimizer, monitor, patience=0, threshold=10.0, threshold_mode="abs")


def multi_step(optimizer):
    return MultiStepLR(optimizer, milestones=[2], gamma=0.5)


@pytest.mark.parametrize(
    ("make", "interval"),
    [
        (one_cycle, "step"),
        (lambda optimizer: CyclicLR(optimizer, base_lr=0.01, max_lr=0.1), "step"),
        (lambda optimizer: CosineAnnealingWarmRestarts(optimizer, T_0=2), "epoch"),
        (multi_step, "epoch"),
    ],
)
def test_a_schedule_is_stepped_as_pytorch_documents_its_class(make, interval):
    def plan(asked):
        optimizer = torch.optim.SGD([torch.ones(3, requires_grad=True)], lr=0.1, momentum=0.9)
        return plan_steps(make(optimizer), asked, None)["interval"]

    assert plan(None) == interval
    assert (plan("step"), plan("epoch")) == ("step", "epoch")


def test_one_cycle_spans_the_run(tmp_path):
    watcher = RateWatcher()
    train(tmp_path, one_cycle, watcher)
    optimizer = torch.optim.SGD([torch.ones(3, requires_grad=True)], lr=0.01, momentum=0.9)
    by_hand, rates = one_cycle(optimizer), []
    for _ in range(STEPS):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        by_hand.step() if len(rates) < STEPS else None
    assert watcher.rates == pytest.approx(rates)
    assert max(rates) == pytest.approx(0.1, rel=0.01)


def test_an_interval_that_is_given_wins(tmp_path):
    watcher = RateWatcher()
    train(tmp_path, multi_step, watcher, interval="step")
    assert watcher.rates == pytest.approx([0.01] * 2 + [0.005] * 7)


def test_a_total_of_other_steps_than_the_runs_is_rejected(tmp_path):
    for total in (STEPS - 1, STEPS + 1):
        with pytest.raises(InputError, match=f"total_steps={total}, but the run steps it 9 times, once per batch"):
            train(tmp_path, lambda optimizer, total=total: one_cycle(optimizer, total))


def test_what_a_schedule_is_made_of_is_rejected_in_words(tmp_path):
    with pytest.raises(InputError, match=r"^model\.lr_scheduler: .*total_steps"):
        train(tmp_path, lambda optimizer: OneCycleLR(optimizer, max_lr=0.1))


@pytest.mark.parametrize("options", [{}, {"val_size": 5}], ids=["train", "val"])
def test_a_plateau_of_the_metric_it_watches_lowers_the_rate(tmp_path, options):
    watcher = RateWatcher()
    monitor = "val/loss" if options else "train/loss"
    train(tmp_path, lambda optimizer: plateau(optimizer, monitor), watcher, **options)
    assert watcher.rates == pytest.approx([0.01] * 6 + [0.001] * 3)


def test_validation_every_other_epoch_is_watched_every_other(tmp_path):
    trainer = make_trainer(tmp_path, check_val_every_n_epoch=2)
    module = SimpleNamespace(trainer=trainer)
    trainer.fit_loop.epoch_loop.val_loop.trainer.limit_val_batches = 1.0
    optimizer = torch.optim.SGD([torch.ones(3, requires_grad=True)], lr=0.1)
    trainer.strategy.connect(Classifier(linear()))
    assert plan_steps(plateau(optimizer, "train/loss"), None, module)["frequency"] == 1
    assert plan_steps(plateau(optimizer, "val/loss"), None, module)["frequency"] == 2


@pytest.mark.parametrize(
    ("schedule", "interval", "said"),
    [
        (lambda optimizer: plateau(optimizer, "val/loss"), None, r"'val/loss', which isn't logged.*--data\.val_size"),
        (lambda optimizer: plateau(optimizer, "loss"), None, "from train/loss, train/accuracy"),
        (torch.optim.lr_scheduler.ReduceLROnPlateau, None, r"lightning\.pytorch\.cli\.ReduceLROnPlateau with"),
        (plateau, "step", "lr_interval step"),
    ],
)
def test_a_metric_that_is_not_logged_is_rejected_before_training(tmp_path, schedule, interval, said):
    with pytest.raises(InputError, match=said):
        train(tmp_path, schedule, interval=interval)


@pytest.fixture(scope="module", params=[one_cycle, plateau], ids=["step", "plateau"])
def uninterrupted(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("checkpoints")
    saver = ModelCheckpoint(folder, "{step}", every_n_train_steps=1, save_top_k=-1, auto_insert_metric_name=False)
    watcher = RateWatcher()
    return request.param, folder, watcher, train(folder, request.param, saver, watcher)


@pytest.mark.filterwarnings("ignore:Be aware that when using `ckpt_path`")  # resumed without the saver
@pytest.mark.parametrize("step", [1, 2, 4, 8])  # `LatestCheckpoint` saves none after an epoch's last batch
def test_a_resumed_schedule_ends_as_if_it_had_not_stopped(uninterrupted, tmp_path, step):
    schedule, folder, reference, (weight, rate) = uninterrupted
    watcher = RateWatcher()
    resumed_weight, resumed_rate = train(tmp_path, schedule, watcher, checkpoint=folder / f"{step}.ckpt")
    assert watcher.steps == {number: seen for number, seen in reference.steps.items() if number > step}
    assert torch.equal(resumed_weight, weight)
    assert resumed_rate == rate


@pytest.mark.parametrize(("milestones", "said"), [([3, 5], "milestones are [3, 5]"), ([2, 5], ""), ([], "")])
def test_milestones_after_the_last_epoch_are_reported(milestones, said, tmp_path, caplog):
    train(tmp_path, lambda optimizer: MultiStepLR(optimizer, milestones))
    messages = [record.getMessage() for record in caplog.records if record.name == "hml"]
    assert [said in message for message in messages if "learning rate" in message] == ([True] if said else [])
