import pytest
import torch
from torch import nn

from hml.models.normalisation import BatchNorm2d, _Normalise


def features(dtype, mean=0.0, seed=0):
    x = mean + torch.randn(6, 5, 4, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
    return x.to(dtype).contiguous(memory_format=torch.channels_last)


def pair(dtype):
    """Make ours and PyTorch's, with the same weights."""
    ours, theirs = BatchNorm2d(5).to(dtype), nn.BatchNorm2d(5).to(dtype)
    with torch.no_grad():
        for parameter in (ours.weight, ours.bias):
            parameter.copy_(torch.randn(5, generator=torch.Generator().manual_seed(1)))
    theirs.load_state_dict(ours.state_dict())
    return ours, theirs


@pytest.mark.parametrize("mean", [0.0, 100.0])
def test_what_is_written_out_is_pytorchs_batch_normalisation(mean):
    ours, theirs = pair(torch.float64)
    for step in range(3):
        inputs = [features(torch.float64, mean, step).requires_grad_() for _ in range(2)]
        outputs = [ours._normalise(inputs[0]), theirs(inputs[1])]
        for y in outputs:
            (y.square() * features(torch.float64)).sum().backward()
        torch.testing.assert_close(*outputs, rtol=1e-9, atol=1e-9)
        torch.testing.assert_close(inputs[0].grad, inputs[1].grad, rtol=1e-9, atol=1e-9)
    assert ours.state_dict().keys() == theirs.state_dict().keys()
    for name, value in theirs.state_dict().items():
        torch.testing.assert_close(ours.state_dict()[name], value, rtol=1e-9, atol=1e-9)
    for found, expected in zip(ours.parameters(), theirs.parameters(), strict=True):
        torch.testing.assert_close(found.grad, expected.grad, rtol=1e-9, atol=1e-9)


def test_its_gradients_are_those_of_differences():
    weight, bias = (torch.randn(2, 5, dtype=torch.float64)).requires_grad_()
    x = features(torch.float64).requires_grad_()
    assert torch.autograd.gradcheck(lambda *inputs: _Normalise.apply(*inputs, 1e-5)[0], (x, weight, bias))


def test_a_mean_far_from_zero_costs_no_precision():
    # All of these are whole numbers, which bfloat16 holds exactly: mean 130, variance 2.
    values = torch.tensor([128.0, 130.0, 130.0, 132.0]).bfloat16()
    x = values.view(4, 1, 1, 1).expand(4, 5, 3, 3).contiguous()
    _, mean, variance = _Normalise.apply(x, torch.ones(5), torch.zeros(5), 0.0)
    assert mean.tolist() == [130.0] * 5
    assert variance.tolist() == [2.0] * 5


def test_elsewhere_it_is_pytorchs_own(monkeypatch):
    ours, theirs = pair(torch.float32)
    monkeypatch.setattr(ours, "_normalise", lambda x: pytest.fail("was written out"))
    for dtype in (torch.float32, torch.bfloat16):  # not compiled
        torch.testing.assert_close(ours(features(dtype)), theirs(features(dtype)), rtol=0, atol=0)
    assert torch.equal(ours.eval()(features(torch.float32)), theirs.eval()(features(torch.float32)))


def test_compiled_for_bfloat16_on_a_cpu_it_is_written_out():
    graphs = []

    def look(graph, inputs):
        graphs.append(graph.print_readable(print_output=False))
        return graph.forward

    for dtype, written_out in ((torch.bfloat16, True), (torch.float32, False)):
        ours, theirs = pair(torch.float32)
        x = features(dtype)
        torch._dynamo.reset()
        y = torch.compile(ours, backend=look)(x)
        assert ("batch_norm" not in graphs[-1]) == written_out
        torch.testing.assert_close(y, theirs(x), rtol=0.02, atol=0.02)
        torch.testing.assert_close(ours.running_mean, theirs.running_mean)
        torch.testing.assert_close(ours.running_var, theirs.running_var)
        assert ours.num_batches_tracked == theirs.num_batches_tracked == 1
    assert len(graphs) == 2
