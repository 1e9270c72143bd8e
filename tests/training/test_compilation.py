import logging

import pytest
import torch
from torch import nn

from hml.errors import InputError
from hml.training.classifier import Classifier
from tests.training.fitting import linear, make_trainer


def failing(graph, inputs):
    raise OSError("/tmp/kernel.so: failed to map segment\n\nmore that nobody reads")


def failing_backward(graph, inputs):
    """Compile a network whose backward pass fails."""

    class Failing(torch.autograd.Function):
        @staticmethod
        def forward(context, output):
            return output.clone()

        @staticmethod
        def backward(context, gradient):
            raise OSError("/tmp/kernel.so: failed to map segment")

    return lambda *given: tuple(Failing.apply(part) for part in graph(*given))


@pytest.fixture
def compiler(monkeypatch):
    """Let `nn.Module.compile` use a compiler of the test's, wherever there is one."""
    compile_network = nn.Module.compile
    monkeypatch.setattr("hml.training.compilation.why_not_compile", lambda device, steps: None)

    def use(backend):
        torch.compiler.reset()
        monkeypatch.setattr(nn.Module, "compile", lambda network: compile_network(network, backend=backend))

    yield use
    torch.compiler.reset()


def network():
    return nn.Sequential(nn.BatchNorm2d(3), nn.Dropout(0.1), linear())


def train(tiny, folder, compile):  # noqa: A002
    torch.manual_seed(1)
    classifier = Classifier(network(), compile=compile)
    make_trainer(folder, max_epochs=1, limit_val_batches=0).fit(classifier, datamodule=tiny())
    return classifier


@pytest.mark.parametrize("backend", [failing, failing_backward])
def test_training_does_without_a_compiler_that_fails(tiny, tmp_path, compiler, caplog, backend):
    compiler(backend)
    with caplog.at_level(logging.INFO, logger="lightning.pytorch"):
        fallen_back = train(tiny, tmp_path, compile=None)
    (line,) = [message for message in caplog.messages if message.startswith("Not compiled")]
    assert "/tmp/kernel.so: failed to map segment" in line
    assert "\n" not in line
    assert not fallen_back.compiled
    plain = train(tiny, tmp_path, compile=False)
    for name, value in plain.state_dict().items():
        assert torch.equal(fallen_back.state_dict()[name], value), name


def test_trying_the_compiler_changes_nothing(tiny, tmp_path, compiler):
    compiler("eager")
    compiled = train(tiny, tmp_path, compile=None)
    assert compiled.compiled
    plain = train(tiny, tmp_path, compile=False)
    for name, value in plain.state_dict().items():
        assert torch.equal(compiled.state_dict()[name], value), name


def test_a_compiler_that_was_asked_for_fails_in_words(tiny, tmp_path, compiler):
    compiler(failing)
    with pytest.raises(InputError, match=r"--model\.compile true: the compiler failed: .*map segment"):
        train(tiny, tmp_path, compile=True)


def test_a_networks_own_error_is_not_the_compilers(tiny, tmp_path, compiler):
    compiler("eager")

    class FailsInTraining(nn.Sequential):
        def forward(self, image):
            return super().forward(image[:, :1] if self.training else image)

    classifier = Classifier(FailsInTraining(nn.Flatten(), nn.Linear(3072, 10)))
    with pytest.raises(RuntimeError, match="mat1 and mat2"):
        make_trainer(tmp_path, max_epochs=1, limit_val_batches=0).fit(classifier, datamodule=tiny())
