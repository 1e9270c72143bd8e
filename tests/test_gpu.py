"""What a GPU is asked to do, on machines without one.

PyTorch's fake tensors know their shape and device but hold nothing: they refuse to be read, which would wait for a real
GPU, and to meet tensors of another device. Copies between devices they make, so those are watched for. Gradients and
fused optimisers need a driver, and are left out.
"""

import itertools
from contextlib import ExitStack

import pytest
import torch
from torch._subclasses.fake_tensor import DataDependentOutputException, FakeTensorMode
from torch.nn.utils import clip_grad_norm_
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from hml.data.loader import MixingLoader
from hml.evaluation.callbacks import Calibration, HumanAlignment
from hml.labels import SeparateLabels
from hml.models import PreActResNet18
from hml.training.classifier import Classifier

GPU = torch.device("cuda:0")


class NothingCrosses(TorchDispatchMode):
    """Refuses operators that take or give tensors of a GPU and of the CPU both; a CPU's scalar may be an argument."""

    def __torch_dispatch__(self, operator, types, args=(), kwargs=None):
        given = operator(*args, **(kwargs or {}))
        tensors = [leaf for leaf in tree_leaves((args, kwargs, given)) if isinstance(leaf, torch.Tensor)]
        is_copy = operator in (torch.ops.aten._to_copy.default, torch.ops.aten.copy_.default)
        devices = {tensor.device.type for tensor in tensors if tensor.ndim or is_copy}
        assert len(devices) < 2, f"{operator} copies between devices"
        return given


@pytest.fixture
def on_gpu(tiny):
    """Make a loader of synthetic images with one label per person, and a classifier, on a fake GPU."""
    data = tiny(SeparateLabels())

    def make(**options):
        loader = MixingLoader(data.bank.images, data.bank.labels, data.train_rows, batch_size=16, **options)
        classifier = Classifier(PreActResNet18(width=4))
        fake.enter_context(FakeTensorMode(allow_non_fake_inputs=True))
        loader.images, loader.labels, loader.rows = (
            part.to(GPU) for part in (loader.images, loader.labels, loader.rows)
        )
        for module in classifier.modules():  # `to` would change real weights in place
            for name, weight in module.named_parameters(recurse=False):
                setattr(module, name, torch.nn.Parameter(weight.detach().to(GPU)))
            for name, buffer in module.named_buffers(recurse=False):
                setattr(module, name, buffer.to(GPU))
        return loader, classifier

    with ExitStack() as fake:
        yield make


def test_a_fake_gpu_notices_waiting_and_mixed_devices(on_gpu):
    loader, _ = on_gpu(train=True)
    image = next(iter(loader))["image"]
    assert image.device == GPU
    for wait in (lambda: image.sum().item(), image.tolist, lambda: bool((image > 0).all())):
        with pytest.raises(DataDependentOutputException):
            wait()
    with pytest.raises(RuntimeError, match=r"same device|different devices"):
        image + torch.zeros(16, 3, 32, 32)
    index = torch.tensor([1, 0])
    for copy in (image.cpu, lambda: image.sum().to("cpu"), lambda: index.to(GPU), lambda: image[index]):
        copy()
        with pytest.raises(AssertionError, match="copies between devices"), NothingCrosses():
            copy()


@pytest.mark.parametrize("crop_flip", [False, True])
def test_no_training_step_waits_for_a_gpu(on_gpu, crop_flip):
    loader, classifier = on_gpu(train=True, crop_flip=crop_flip)
    batches = iter(loader)
    first = next(batches)  # an epoch's draws are copied at its begin
    steps = 0
    with NothingCrosses():
        for steps, batch in enumerate(itertools.chain([first], batches), start=1):
            loss = classifier.training_step(batch, steps)
            assert loss.device == GPU
            for weight in classifier.parameters():
                weight.grad = torch.empty_like(weight)
            clip_grad_norm_(classifier.parameters(), 1.0)
    assert steps == len(loader) > 3


def test_no_test_step_waits_for_a_gpu(on_gpu):
    loader, classifier = on_gpu(train=False)
    classifier.eval()
    callbacks = [HumanAlignment(), Calibration()]
    batches = iter(loader)
    first = next(batches)
    with torch.inference_mode(), NothingCrosses():
        for step, batch in enumerate(itertools.chain([first], batches)):
            logits = classifier.test_step(batch, step)["logits"]
            assert logits.device == GPU
            for callback in callbacks:
                callback.observe(classifier, batch, logits)
