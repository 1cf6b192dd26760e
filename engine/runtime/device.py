"""What this machine is, and the rules that follow from it (never from a timing)."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn

from engine.contracts.errors import SettingsError
from engine.contracts.networks import Environment, Execution

MOST_THREADS = 4096  # of OMP_NUM_THREADS; a larger number is a mistake
MEMORY_FOR_TWO = 6 * 2**30  # bytes of the machine


def torch_device(execution: Execution) -> torch.device:
    """The device on which an execution runs."""
    return torch.device(execution.device)


def device_of(model: nn.Module) -> torch.device:
    """Where a network's numbers lie."""
    tensors = (*model.parameters(), *model.buffers())
    return tensors[0].device if tensors else torch.device("cpu")


def autocast_dtype(execution: Execution) -> torch.dtype | None:
    """The dtype to which autocast goes, None for float32 throughout."""
    return torch.bfloat16 if execution.autocast == "bfloat16" else None


def choose(device: str = "auto", num_threads: int | None = None) -> Execution:
    """The execution for `--device`: bf16 where the hardware multiplies it fast, else float32.

    Raises SettingsError for a device that is not there.
    """
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    if device.startswith("cuda"):
        if not torch.cuda.is_available():
            raise SettingsError(f"--device {device}: torch sees no CUDA device; use --device cpu")
        index = torch.device(device).index or 0
        if index >= torch.cuda.device_count():
            raise SettingsError(
                f"--device {device}: there are {torch.cuda.device_count()} CUDA devices"
            )
    elif device != "cpu":
        raise SettingsError(f"--device {device!r} is unknown; use auto, cpu, cuda or cuda:N")
    threads = num_threads or num_usable_cores()
    return Execution(device, threads, "bfloat16" if _has_fast_bfloat16(device) else None)


def num_usable_cores() -> int:
    """The cores this process may use: OMP_NUM_THREADS where set, else its affinity mask."""
    # A list is of nested levels, the outermost first; what is no number counts as not set.
    wanted = os.environ.get("OMP_NUM_THREADS", "").split(",")[0].strip()
    if wanted.isdecimal() and 0 < int(wanted) <= MOST_THREADS:
        return int(wanted)
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _has_fast_bfloat16(device: str) -> bool:
    if device.startswith("cuda"):
        return torch.cuda.get_device_capability(device)[0] >= 8
    return "avx512_bf16" in _cpu_flags() or "amx_bf16" in _cpu_flags()


def _cpu_flags() -> frozenset[str]:
    try:
        with open("/proc/cpuinfo") as file:
            for line in file:
                if line.startswith("flags"):
                    return frozenset(line.split(":", 1)[1].split())
    except OSError:
        pass  # not Linux: no flags known, so float32
    return frozenset()


def memory_bytes() -> int | None:
    """What is allocated on the CUDA devices, or this process's resident bytes; None if unknown."""
    if torch.cuda.is_initialized():
        allocated = sum(map(torch.cuda.memory_allocated, range(torch.cuda.device_count())))
        if allocated:
            return allocated
    try:
        with open("/proc/self/statm") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return None  # not Linux


def candidates_at_once(execution: Execution) -> int:
    """How many candidates are recovered at a time, each on its share of the threads.

    A second thread speeds up a small network by a tenth, a second candidate by nearly as much
    again (benchmarks/RESULTS.md). Each takes a gigabyte. On a GPU one, until two are measured.
    """
    roomy = _physical_memory_bytes() >= MEMORY_FOR_TWO
    return 2 if execution.device == "cpu" and execution.num_threads >= 2 and roomy else 1


def _physical_memory_bytes() -> int:
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (ValueError, OSError, AttributeError):
        return 0  # unknown: one at a time


def apply(execution: Execution) -> None:
    """Sets up this process for that execution, deterministic throughout."""
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.set_num_threads(execution.num_threads)
    # What torch.use_deterministic_algorithms(True) does, without importing TorchInductor for it:
    # that takes each process 2.5 s, and networks that are not compiled never meet it.
    torch.set_deterministic_debug_mode("error")
    os.environ.setdefault("TORCHINDUCTOR_DETERMINISTIC", "1")
    torch.backends.cudnn.benchmark = False
    # TF32, which torch takes for a GPU's convolutions unless told, has 10 bits: too few for CKA.
    # torch is told in both its ways. By the older one, convolutions and recurrent layers have no
    # precision of their own, and whatever reads that (torch.export does) gets an answer; they have
    # then that of the newer one, which stands above `torch.backends.fp32_precision`.
    torch.set_float32_matmul_precision("highest")
    torch.backends.cudnn.allow_tf32 = False
    torch.backends.cudnn.fp32_precision = "ieee"
    # With the fast path on, attention bypasses the flop counter and reports zero operations.
    torch.backends.mha.set_fastpath_enabled(False)


@contextmanager
def ranking() -> Iterator[None]:
    """TF32 for convolutions whose results only put structures in an order: a GPU has several times
    as many operations of it, and the order holds (benchmarks/RESULTS.md). A CPU has none."""
    before = torch.backends.cudnn.allow_tf32
    torch.backends.cudnn.allow_tf32 = True
    try:
        yield
    finally:
        torch.backends.cudnn.allow_tf32 = before


def environment_of(execution: Execution) -> Environment:
    """What must be equal for a node to be grown again bit for bit."""
    gpu = torch.cuda.get_device_name(execution.device) if execution.device != "cpu" else None
    return Environment(
        torch=str(torch.__version__),  # a class of its own, which would be pickled by name
        python=platform.python_version(),
        cuda=torch.version.cuda if gpu else None,
        gpu=gpu,
        instruction_set=torch.backends.cpu.get_cpu_capability(),
        platform=platform.machine(),
        device=execution.device,
        num_threads=execution.num_threads,
        autocast=execution.autocast,
        candidates_at_once=candidates_at_once(execution),
    )
