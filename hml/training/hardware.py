"""What suits a machine: precision, threads, whether compiling pays, kept memory, the optimiser's passes."""

import ctypes
import functools
import importlib.util
import os
import platform
import shutil
import sysconfig
from pathlib import Path
from typing import Literal

import torch
from torch.optim import Optimizer

_BFLOAT16_FLAGS = {"amx_bf16", "avx512_bf16"}  # as Linux lists them
_M_TRIM_THRESHOLD, _M_MMAP_MAX = -1, -4  # as glibc's malloc.h numbers them
_MOST = 2**31 - 1
_FEWEST_STEPS = 1000
"""Compiling PreAct ResNet-18 took 25 to 45 s on two CPU cores and saved .1 to .2 s a step of 128 images."""
_NARROW = 30_000_000
"""Weights × images of a batch below which one thread trains. Milliseconds a step of PreAct ResNet-18 with one and with
two threads, on two idle cores: 32 and 27 (5.6 million), 106 and 73 (22 million), 217 and 133 (90 million). On two cores
which other processes used, two threads took two to four times as long as one, at every width."""


@functools.cache
def machine_threads() -> int:
    """Return how many threads PyTorch computes with by itself: one a core, or what OMP_NUM_THREADS says.

    The first call decides, so it must come before anything sets another number.
    """
    return torch.get_num_threads()


def choose_threads(asked: int | None, weights: int, images: int, accelerator: str) -> int:
    """Choose how many threads PyTorch computes with.

    Threads wait for each other at every operator. For a narrow network that costs about what they gain, and far more
    where other processes use the cores.

    Args:
        asked: What the user chose; None leaves it open.
        weights: How many weights the network has.
        images: How many images a batch has.
        accelerator: As the Trainer takes it.
    """
    threads = machine_threads()
    if asked is not None:
        return asked
    on_cpu = accelerator == "cpu" or (accelerator == "auto" and not torch.cuda.is_available())
    is_narrow = on_cpu and weights * images < _NARROW
    return 1 if is_narrow and "OMP_NUM_THREADS" not in os.environ else threads


def best_precision(accelerator: str = "auto") -> Literal["bf16-mixed", "32-true"]:
    """Choose a Trainer's precision: bfloat16 where the hardware multiplies it, else float32.

    Args:
        accelerator: As the Trainer takes it, such as "auto", "cpu" or "gpu".
    """
    if accelerator in ("auto", "gpu", "cuda") and torch.cuda.is_available():
        return "bf16-mixed" if torch.cuda.is_bf16_supported(including_emulation=False) else "32-true"
    return "bf16-mixed" if accelerator in ("auto", "cpu") and _cpu_multiplies_bfloat16() else "32-true"


def _cpu_multiplies_bfloat16() -> bool:
    info = Path("/proc/cpuinfo")
    return info.exists() and not _BFLOAT16_FLAGS.isdisjoint(info.read_text().split())


def why_not_compile(device: torch.device, steps: float) -> str | None:
    """Explain why a network that trains for so many steps should not be compiled; None where compiling pays."""
    if steps < _FEWEST_STEPS:
        return f"{steps:.0f} steps don't earn it back"
    if device.type not in ("cpu", "cuda"):
        return f"it is untried on {device.type}"
    if device.type == "cuda" and importlib.util.find_spec("triton") is None:
        return "Triton isn't installed"
    # PyTorch writes C++ for a CPU. For a GPU Triton compiles its own way to the driver, in C.
    variable, *names = ("CXX", "g++") if device.type == "cpu" else ("CC", "gcc", "clang")
    if not any(map(shutil.which, [os.environ[variable]] if variable in os.environ else names)):
        return f"there is no {'C++' if device.type == 'cpu' else 'C'} compiler ({names[0]}, or what {variable} names)"
    # Debian's own scheme names another folder than the one where its headers are; compilers look into both.
    folders = sysconfig.get_path("include"), sysconfig.get_path("include", "posix_prefix")
    if not any(Path(folder, "Python.h").exists() for folder in folders):
        return "Python's headers aren't installed (python3-dev)"
    return None


def keep_memory() -> bool:
    """Keep what this process frees for its next use, where glibc manages its memory; return whether it does.

    A step on a CPU frees a gigabyte of features that the next one needs again. Given back to the system meanwhile, it
    returns page by page: 5,000 to 50,000 page faults a step, and up to a third of its time. Testing gains a sixth.
    """
    if platform.libc_ver()[0] != "glibc":
        return False
    set_option = ctypes.CDLL(None).mallopt
    return bool(set_option(_M_MMAP_MAX, 0)) and bool(set_option(_M_TRIM_THRESHOLD, _MOST))


def fuse(optimizer: Optimizer) -> None:
    """Let SGD update each weight in one pass, where who made it left that open.

    It takes less than half the time, and differs in rounding alone. SGD that is *made* fused declares that it divides
    gradients by a scaler's factor itself, and Lightning refuses to clip them; this one is never asked to.
    """
    if type(optimizer) is not torch.optim.SGD:
        return
    for group in optimizer.param_groups:
        weights, is_left_open = group["params"], group["fused"] is None and group["foreach"] is None
        if not is_left_open or group["differentiable"] or group["dampening"]:
            continue
        if all(weight.device.type in ("cpu", "cuda") and weight.is_floating_point() for weight in weights):
            group["fused"] = True
            if group["momentum"]:  # PyTorch 2.11 to 2.15 fails where some weights' first gradients come after others'
                for weight in weights:
                    optimizer.state[weight]["momentum_buffer"] = torch.zeros_like(weight)


def describe_training(precision: str, device: torch.device, compiled: str) -> str:
    """Say how a network trains, and which flags choose otherwise.

    Args:
        precision: The Trainer's.
        device: Where it trains.
        compiled: Whether it is compiled, and why, as `Compilation.decide` says it.
    """
    threads = torch.get_num_threads()
    on_cpu = device.type == "cpu"
    return (
        f"Trains in {precision}, "
        + (f"with {threads} {'thread' if threads == 1 else 'threads'}, " if on_cpu else "")
        + f"{compiled} (--trainer.precision 32-true{', --threads 1 or more' if on_cpu else ''} and --model.compile "
        "true or false choose otherwise)."
    )
