import platform
import resource

import pytest
import torch

from hml.training import hardware
from hml.training import run as training
from hml.training.hardware import best_precision, choose_threads, fuse, keep_memory, why_not_compile
from tests.processes import CONTEXT, QUICK


@pytest.fixture
def cpu(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    return lambda multiplies: monkeypatch.setattr(hardware, "_cpu_multiplies_bfloat16", lambda: multiplies)


@pytest.mark.parametrize(("multiplies", "precision"), [(True, "bf16-mixed"), (False, "32-true")])
def test_a_cpu_that_multiplies_bfloat16_trains_in_it(cpu, multiplies, precision):
    cpu(multiplies)
    assert best_precision("auto") == best_precision("cpu") == precision


def test_other_accelerators_train_in_single_precision(cpu):
    cpu(True)
    assert best_precision("mps") == best_precision("gpu") == "32-true"


@pytest.mark.parametrize(("supported", "precision"), [(True, "bf16-mixed"), (False, "32-true")])
def test_a_gpu_that_multiplies_bfloat16_trains_in_it(monkeypatch, supported, precision):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: supported)
    assert best_precision("auto") == best_precision("gpu") == precision


def test_the_processors_flags_decide(monkeypatch, tmp_path):
    for flags, multiplies in (("fpu amx_bf16 sse", True), ("fpu avx512_bf16", True), ("fpu avx512f", False)):
        info = tmp_path / "cpuinfo"
        info.write_text(f"flags\t\t: {flags}\n")
        monkeypatch.setattr(hardware, "Path", lambda _, info=info: info)
        assert hardware._cpu_multiplies_bfloat16() == multiplies


@pytest.fixture
def compilers(monkeypatch):
    """Let a machine have these compilers alone."""
    monkeypatch.delenv("CC", raising=False)
    monkeypatch.delenv("CXX", raising=False)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: name)  # Triton, where PyTorch has none
    return lambda *names: monkeypatch.setattr("shutil.which", lambda name: name if name in names else None)


@pytest.mark.parametrize(("device", "compiler"), [("cpu", "g++"), ("cuda", "gcc")])
def test_compiling_must_earn_itself_back_and_be_possible(monkeypatch, tmp_path, compilers, device, compiler):
    device = torch.device(device)
    compilers(compiler)
    assert why_not_compile(device, 3965) is None
    assert why_not_compile(device, float("inf")) is None
    assert "from 1000 steps, not in 183" in why_not_compile(device, 183)
    compilers("cl")
    assert f"compiler ({compiler}" in why_not_compile(device, 3965)
    monkeypatch.setenv("CC" if device.type == "cuda" else "CXX", "/opt/own")
    assert "compiler" in why_not_compile(device, 3965)
    compilers("/opt/own")
    assert why_not_compile(device, 3965) is None
    monkeypatch.setattr("sysconfig.get_path", lambda *_: str(tmp_path))
    assert "headers" in why_not_compile(device, 3965)


def test_compiling_needs_triton_on_a_gpu_and_is_untried_elsewhere(monkeypatch, compilers):
    compilers("gcc", "g++")
    assert "mps" in why_not_compile(torch.device("mps"), 3965)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert "Triton" in why_not_compile(torch.device("cuda"), 3965)


def count_faults(keep, pipe):
    """Send how many pages the system had to hand out while 32 MB were filled and freed ten times."""
    if keep:
        assert keep_memory()
    torch.ones(2**23)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(10):
        torch.ones(2**23)
    pipe.send(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)


@pytest.mark.skipif(
    platform.libc_ver()[0] != "glibc", reason="keep_memory asks glibc's allocator, and does nothing elsewhere"
)
def test_kept_memory_is_not_asked_for_again():
    faults = {}
    for keep in (True, False):
        receiver, sender = CONTEXT.Pipe(duplex=False)
        process = CONTEXT.Process(target=count_faults, args=(keep, sender))
        process.start()
        faults[keep] = receiver.recv()
        process.join()
    pages = 2**25 // resource.getpagesize()
    assert faults[True] < 2.1 * pages  # found room once, then kept it; Python itself takes a page or two
    assert faults[False] > 5 * pages


def train_briefly(is_fused, momentum):
    """Train two layers, the second of which is used from the third step on; return their weights."""
    torch.manual_seed(0)
    layers = torch.nn.ModuleList([torch.nn.Linear(512, 10), torch.nn.Linear(512, 10)])
    optimizer = torch.optim.SGD(layers.parameters(), lr=0.1, momentum=momentum, weight_decay=1e-4)
    if is_fused:
        fuse(optimizer)
        assert [group["fused"] for group in optimizer.param_groups] == [True]
    for step in range(6):
        optimizer.zero_grad()
        image = torch.randn(8, 512)
        sum(layer(image).square().mean() for layer in layers[: 1 + (step >= 2)]).backward()
        optimizer.step()
    return [weight.detach() for weight in layers.parameters()]


@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_a_fused_optimiser_makes_the_same_weights(momentum):
    for fused, plain in zip(train_briefly(True, momentum), train_briefly(False, momentum), strict=True):
        torch.testing.assert_close(fused, plain, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize(
    "chosen",
    [
        {"fused": False},
        {"foreach": True},
        {"foreach": False},
        {"differentiable": True},
        {"momentum": 0.9, "dampening": 0.1},
    ],
)
def test_what_was_chosen_of_an_optimiser_stays(chosen):
    optimizer = torch.optim.SGD([torch.ones(3, requires_grad=True)], lr=0.1, **chosen)
    before = dict(optimizer.param_groups[0])
    fuse(optimizer)
    assert optimizer.param_groups[0] == before


@pytest.mark.parametrize("kind", [torch.optim.LBFGS, torch.optim.AdamW])
def test_other_optimisers_are_unchanged(kind):
    optimizer = kind([torch.ones(3, requires_grad=True)])
    before = dict(optimizer.param_groups[0])
    fuse(optimizer)
    assert optimizer.param_groups[0] == before


@pytest.fixture
def eight_threads(monkeypatch):
    """A machine with eight cores and no GPU, where nobody has set a number of threads."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(hardware, "machine_threads", lambda: 8)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)


@pytest.mark.parametrize(
    ("asked", "weights", "images", "accelerator", "threads"),
    [
        (None, 176_000, 32, "auto", 1),  # the demo
        (None, 176_000, 32, "cpu", 1),
        (None, 11_170_000, 128, "auto", 8),  # the paper's network
        (None, 176_000, 512, "auto", 8),
        (None, 176_000, 32, "gpu", 8),
        (3, 176_000, 32, "auto", 3),
        (1, 11_170_000, 128, "auto", 1),
    ],
)
def test_a_narrow_network_takes_one_thread(eight_threads, asked, weights, images, accelerator, threads):
    assert choose_threads(asked, weights, images, accelerator) == threads


def test_threads_that_the_environment_sets_are_kept(eight_threads, monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "8")
    assert choose_threads(None, 176_000, 32, "cpu") == 8
    assert choose_threads(1, 176_000, 32, "cpu") == 1


def test_a_run_sets_the_threads_that_it_chooses(eight_threads, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    chosen = []
    monkeypatch.setattr(torch, "set_num_threads", chosen.append)
    for flags in ([], ["--model.network", "PreActResNet18"], ["--threads", "2"], []):
        training.prepare(["fit", *QUICK, "--data.batch_size", "128", *flags])
    assert chosen == [1, 8, 2, 1]
