import pytest
import torch
from torch import nn

from hml.kernels import CpuBatchNorm2d
from hml.kernels.normalisation import normalise


def features(dtype, mean=0.0, seed=0):
    x = mean + torch.randn(6, 5, 4, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
    return x.to(dtype).contiguous(memory_format=torch.channels_last)


def pair(dtype):
    """Make ours and PyTorch's, with the same weights."""
    ours, theirs = CpuBatchNorm2d(5).to(dtype), nn.BatchNorm2d(5).to(dtype)
    with torch.no_grad():
        for parameter in (ours.weight, ours.bias):
            parameter.copy_(torch.randn(5, generator=torch.Generator().manual_seed(1)))
    theirs.load_state_dict(ours.state_dict())
    return ours, theirs


@pytest.mark.parametrize("mean", [0.0, 100.0])
def test_what_is_written_out_is_pytorchs_batch_normalisation(mean):
    ours, theirs = (
        [torch.linspace(0.5, 2, 5, dtype=torch.float64).requires_grad_(), torch.arange(5.0).double().requires_grad_()]
        for _ in range(2)
    )
    inputs = [features(torch.float64, mean).requires_grad_() for _ in range(2)]
    y, found_mean, found_variance = normalise(inputs[0], *ours, 1e-5)
    expected = nn.functional.batch_norm(inputs[1], None, None, *theirs, training=True)
    for outputs in (y, expected):
        (outputs.square() * features(torch.float64, seed=1)).sum().backward()
    variance, its_mean = torch.var_mean(inputs[0], dim=(0, 2, 3), correction=0)
    pairs = [(y, expected), (found_mean, its_mean), (found_variance, variance), (inputs[0].grad, inputs[1].grad)]
    for found, known in [*pairs, *((mine.grad, its.grad) for mine, its in zip(ours, theirs, strict=True))]:
        torch.testing.assert_close(found, known, rtol=1e-9, atol=1e-9)


def test_its_gradients_are_those_of_differences():
    weight, bias = (torch.randn(2, 5, dtype=torch.float64)).requires_grad_()
    x = features(torch.float64).requires_grad_()
    assert torch.autograd.gradcheck(lambda *inputs: normalise(*inputs, 1e-5)[0], (x, weight, bias))


def test_a_mean_far_from_zero_costs_no_precision():
    # All of these are whole numbers, which bfloat16 holds exactly: mean 130, variance 2.
    values = torch.tensor([128.0, 130.0, 130.0, 132.0]).bfloat16()
    x = values.view(4, 1, 1, 1).expand(4, 5, 3, 3).contiguous()
    _, mean, variance = normalise(x, torch.ones(5), torch.zeros(5), 0.0)
    assert mean.tolist() == [130.0] * 5
    assert variance.tolist() == [2.0] * 5


def test_elsewhere_it_is_pytorchs_own():
    ours, theirs = pair(torch.float32)
    for dtype in (torch.float32, torch.bfloat16):  # not compiled
        assert torch.equal(ours(features(dtype)), theirs(features(dtype)))
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
