from __future__ import annotations

import json
import threading
import time
from types import SimpleNamespace

import torch
from networks import CPU, network

from engine.contracts.codec import encode
from engine.contracts.events import Progress
from engine.measures.latency import latency_ms
from engine.models import architecture_of_name, build
from engine.runtime.progress import Monitor, Running


def test_latency_is_that_of_a_single_pass_and_soon_known():
    small = build("cifar_resnet", architecture_of_name("resnet8", width=4).arguments)
    large = build("cifar_resnet", architecture_of_name("resnet56").arguments)
    latency_ms(small, (32, 32, 3), CPU)  # what a process does once is not timed
    started = time.perf_counter()
    fast = latency_ms(small, (32, 32, 3), CPU)
    assert time.perf_counter() - started < 1.5  # 0.15 s on a machine of one's own
    assert 0 < fast < latency_ms(large, (32, 32, 3), CPU) < 10_000


def test_measuring_leaves_the_model_and_the_random_numbers_as_they_were():
    model = network({"stem_width": 4, "stage_widths": [4], "inner_widths": [[5]],
                     "num_classes": 3}).train()  # fmt: skip
    before = {key: value.clone() for key, value in model.state_dict().items()}
    torch.manual_seed(3)
    latency_ms(model, (8, 8, 3), CPU)
    assert torch.initial_seed() == 3 and torch.equal(torch.rand(1), _first_number(3))
    assert model.training
    assert all(torch.equal(value, before[key]) for key, value in model.state_dict().items())


def _first_number(seed: int) -> torch.Tensor:
    return torch.rand(1, generator=torch.Generator().manual_seed(seed))


def test_progress_tells_the_memory_in_use_as_json():
    heard: list[Progress] = []
    monitor = Monitor(heard.append, threading.Event())
    monitor.step("recovery", 3, 3, lambda: Running(1, 2, 0.5, 0.3, 90.0, 700.0))
    event = json.loads(json.dumps(encode(heard[0])))
    assert 10_000_000 < event["memory_bytes"] < 10**12  # an interpreter with torch in it
    assert event["phase"] == "recovery" and event["epoch"] == 1 and event["accuracy"] == 90.0


def test_the_memory_is_looked_at_once_a_second_at_most(monkeypatch):
    looked: list[int] = []
    monkeypatch.setattr("engine.runtime.progress.memory_bytes", lambda: looked.append(1) or 5)
    heard: list[Progress] = []
    monitor = Monitor(heard.append)
    times = iter([50.0, 50.2, 50.9, 51.1])
    clock = SimpleNamespace(monotonic=lambda: next(times))
    monkeypatch.setattr("engine.runtime.progress.time", clock)
    for done in range(1, 5):
        monitor.step("recovery", done, 4)
    assert [event.memory_bytes for event in heard] == [5, 5, 5, 5] and len(looked) == 2
