from __future__ import annotations

import json
import math
import threading
import time
from random import Random
from types import SimpleNamespace

import pytest
import torch
from networks import CPU, network

from engine.contracts.codec import encode
from engine.contracts.events import Progress
from engine.measures import latency
from engine.measures.latency import latency_beside, latency_ms
from engine.models import architecture_of_name, build
from engine.runtime.progress import Monitor, Running
from engine.tasks.images import blank


def test_latency_is_that_of_a_single_pass_and_soon_known():
    small = build("cifar_resnet", architecture_of_name("resnet8", width=4).arguments)
    large = build("cifar_resnet", architecture_of_name("resnet56").arguments)
    latency_ms(small, blank((32, 32, 3)), CPU)  # what a process does once is not timed
    started = time.perf_counter()
    fast = latency_ms(small, blank((32, 32, 3)), CPU)
    assert time.perf_counter() - started < 1.5  # 0.15 s on a machine of one's own
    assert 0 < fast < latency_ms(large, blank((32, 32, 3)), CPU) < 10_000


def test_measuring_leaves_the_model_and_the_random_numbers_as_they_were():
    model = network({"stem_width": 4, "stage_widths": [4], "inner_widths": [[5]],
                     "num_classes": 3}).train()  # fmt: skip
    before = {key: value.clone() for key, value in model.state_dict().items()}
    torch.manual_seed(3)
    latency_ms(model, blank((8, 8, 3)), CPU)
    assert torch.initial_seed() == 3 and torch.equal(torch.rand(1), _first_number(3))
    assert model.training
    assert all(torch.equal(value, before[key]) for key, value in model.state_dict().items())


def test_a_network_beside_itself_takes_as_long_and_beside_a_larger_one_less():
    small = build("cifar_resnet", architecture_of_name("resnet8", width=4).arguments)
    large = build("cifar_resnet", architecture_of_name("resnet56").arguments)
    _, itself = latency_beside(small, small, blank((16, 16, 3)), CPU)
    assert itself.low is not None and itself.low <= itself.value <= itself.high
    _, smaller = latency_beside(small, large, blank((16, 16, 3)), CPU)
    assert smaller.value < 0.9
    if smaller.high is not None:  # there were passes enough
        assert smaller.high < 1


@pytest.mark.parametrize("count", [6, 9, 25, 200])
def test_the_interval_of_a_median_holds_it_in_at_least_95_of_100_cases(count):
    random = Random(count)
    held = 0
    for _ in range(2000):
        low, high = latency._interval(sorted(random.expovariate(1) for _ in range(count)))
        held += low <= math.log(2) <= high
    assert held / 2000 > 0.94


def test_of_five_passes_no_interval_is_told():
    assert latency._interval([1.0, 2.0, 3.0, 4.0, 5.0]) == (None, None)


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


def test_work_that_begins_anew_under_its_name_has_a_clock_of_its_own(monkeypatch):
    heard: list[Progress] = []
    monitor = Monitor(heard.append)
    times = iter([0.0, 100.0, 101.0, 102.0])
    clock = SimpleNamespace(monotonic=lambda: next(times))
    monkeypatch.setattr("engine.runtime.progress.time", clock)
    for done in (1, 4, 1, 2):
        monitor.step("validation", done, 4)
    assert heard[-1].eta_seconds == 1.0  # not the hundred seconds of the piece before
