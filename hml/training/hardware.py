"""Defaults for the machine: precision, threads, compilation, memory allocation and the fused optimiser."""

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
"""Compiling PreAct ResNet-18 took 25 to 45 s on two CPU cores, and saved 0.1 to 0.2 s per step of 128 images."""
_NARROW = 30_000_000
"""One thread trains if the number of weights times that of images in a batch is smaller. Milliseconds per step of
PreAct ResNet-18 with one and with two threads, on two idle cores: 32 and 27 (5.6 million), 106 and 73 (22 million),
217 and 133 (90 million). On two busy cores, two threads took two to four times as long as one, at every width."""


@functools.cache
def machine_threads() -> int:
    """Return PyTorch's default number of threads: one per core, or the value of OMP_NUM_THREADS.

    The result is cached, so the first call must precede any change of the number.
    """
    return torch.get_num_threads()


def choose_threads(asked: int | None, weights: int, images: int, accelerator: str) -> int:
    """Choose PyTorch's number of threads.

    Threads wait for each other at every operator. For a narrow network, waiting costs about what more threads save. It
    costs far more if other processes use the cores.

    Args:
        asked: The user's choice, if there is one.
        weights: Number of the network's weights.
        images: Number of images in a batch.
        accelerator: The Trainer's accelerator.
    """
    threads = machine_threads()
    if asked is not None:
        return asked
    on_cpu = accelerator == "cpu" or (accelerator == "auto" and not torch.cuda.is_available())
    is_narrow = on_cpu and weights * images < _NARROW
    return 1 if is_narrow and "OMP_NUM_THREADS" not in os.environ else threads


def best_precision(accelerator: str = "auto") -> Literal["bf16-mixed", "32-true"]:
    """Choose a Trainer's precision: bfloat16 if the hardware supports it, else float32.

    Args:
        accelerator: The Trainer's accelerator, such as "auto", "cpu" or "gpu".
    """
    if accelerator in ("auto", "gpu", "cuda") and torch.cuda.is_available():
        return "bf16-mixed" if torch.cuda.is_bf16_supported(including_emulation=False) else "32-true"
    return "bf16-mixed" if accelerator in ("auto", "cpu") and _cpu_multiplies_bfloat16() else "32-true"


def _cpu_multiplies_bfloat16() -> bool:
    info = Path("/proc/cpuinfo")
    return info.exists() and not _BFLOAT16_FLAGS.isdisjoint(info.read_text().split())


def why_not_compile(device: torch.device, steps: float) -> str | None:
    """Return why a network should not be compiled for this number of steps; None if compiling saves time."""
    if steps < _FEWEST_STEPS:
        return f"compiling saves time only from {_FEWEST_STEPS} steps, not in {steps:.0f}"
    if device.type not in ("cpu", "cuda"):
        return f"it was not tested on {device.type}"
    if device.type == "cuda" and importlib.util.find_spec("triton") is None:
        return "Triton isn't installed"
    # On a CPU PyTorch generates C++. On a GPU Triton compiles a launcher in C.
    variable, *names = ("CXX", "g++") if device.type == "cpu" else ("CC", "gcc", "clang")
    if not any(map(shutil.which, [os.environ[variable]] if variable in os.environ else names)):
        return f"there is no {'C++' if device.type == 'cpu' else 'C'} compiler ({names[0]}, or the value of {variable})"
    # Debian's default scheme returns a folder without the headers. Compilers search both folders.
    folders = sysconfig.get_path("include"), sysconfig.get_path("include", "posix_prefix")
    if not any(Path(folder, "Python.h").exists() for folder in folders):
        return "Python's headers aren't installed (python3-dev)"
    return None


def keep_memory() -> bool:
    """Keep freed memory in this process for reuse, if its allocator is glibc's. Return whether that succeeded.

    A step on a CPU frees a gigabyte of features, which the next step allocates again. If it is returned to the system
    in between, a step has 5,000 to 50,000 page faults, which take up to a third of its time, and a sixth of testing.
    """
    if platform.libc_ver()[0] != "glibc":
        return False
    set_option = ctypes.CDLL(None).mallopt
    return bool(set_option(_M_MMAP_MAX, 0)) and bool(set_option(_M_TRIM_THRESHOLD, _MOST))


def fuse(optimizer: Optimizer) -> None:
    """Switch SGD to its fused implementation, unless the user chose `fused` or `foreach`.

    It takes less than half the time and differs in rounding only. SGD constructed with `fused=True` declares that it
    unscales gradients itself, and Lightning then rejects gradient clipping. That doesn't apply here, without a scaler.
    """
    if type(optimizer) is not torch.optim.SGD:
        return
    for group in optimizer.param_groups:
        weights, is_left_open = group["params"], group["fused"] is None and group["foreach"] is None
        if not is_left_open or group["differentiable"] or group["dampening"]:
            continue
        if all(weight.device.type in ("cpu", "cuda") and weight.is_floating_point() for weight in weights):
            group["fused"] = True
            if group["momentum"]:  # PyTorch 2.11 to 2.15 fails if some weights get gradients later than others
                for weight in weights:
                    optimizer.state[weight]["momentum_buffer"] = torch.zeros_like(weight)


def describe_training(precision: str, device: torch.device, compiled: str) -> str:
    """Describe how a network trains, and which flags change that.

    Args:
        precision: The Trainer's precision.
        device: The device that it trains on.
        compiled: Whether it is compiled, and why not, as `Compilation.decide` returns it.
    """
    threads = torch.get_num_threads()
    on_cpu = device.type == "cpu"
    return (
        f"Training in {precision}, "
        + (f"with {threads} {'thread' if threads == 1 else 'threads'}, " if on_cpu else "")
        + f"{compiled} (to change this: --trainer.precision 32-true, {'--threads 1 or more, ' if on_cpu else ''}"
        "--model.compile true or false)."
    )
