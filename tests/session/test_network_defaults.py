"""The criterion of a new run where nobody chose one: what the network bears."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import pytest
from small import write_data, write_network

from engine.contracts.settings import Settings
from engine.contracts.structure import Member, NetworkStructure, UnitGroup
from explorer.executors.in_process import InProcessExecutor
from explorer.session.known_run import AnotherRunError
from explorer.session.network_defaults import with_network_defaults
from explorer.session.open_run import Request, open_session

SOURCE = """
import torch
from torch import nn

def make():
    torch.manual_seed(1)
    return nn.Sequential(nn.Conv2d(1, 6, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(),
                         nn.Linear(6, 3))
"""


def scoring_of(request: Request) -> tuple[str, str, int]:
    """The run that a request leads to, its criterion and its images a class."""

    async def work():
        session = await open_session(request, InProcessExecutor, lambda event: None)
        try:
            return session.run.name, session.settings.scoring
        finally:
            await session.close()

    name, scoring = asyncio.run(work())
    return name, scoring.criterion, scoring.criterion_samples


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path, str(tmp_path)])
    (tmp_path / "plainnets.py").write_text(SOURCE)
    write_data(tmp_path)
    write_network(tmp_path)
    yield tmp_path
    sys.modules.pop("plainnets", None)


def asked(**settings) -> Request:
    overrides = {"data": "bars.npz", **settings}
    return Request("plainnets:make", overrides=overrides, random_weights=True)


def test_what_nobody_chose_fits_the_network_and_the_same_command_finds_its_run(folder):
    first = scoring_of(asked())
    assert first[1:] == ("kl-fast", 166)  # of three classes 500 images in all
    assert scoring_of(asked()) == first
    assert scoring_of(asked(criterion="kl-fast")) == first
    with pytest.raises(AnotherRunError, match="--criterion kl instead of kl-fast"):
        scoring_of(asked(criterion="kl"))


def test_what_was_chosen_is_kept_and_a_cifar_resnet_is_scored_exactly(folder):
    assert scoring_of(asked(criterion="kl", criterion_samples=2))[1:] == ("kl", 2)
    request = Request("tiny.pt", overrides={"data": "bars.npz"})
    assert scoring_of(request)[1:] == ("kl", 500)


def test_networks_with_heads_are_scored_by_their_gradients():
    member = Member("attention.out.weight", 1)
    heads = NetworkStructure(groups=(UnitGroup("attention", "head", 4, (member,)),))
    scoring = with_network_defaults(Settings(), (), heads, 1000).scoring
    assert (scoring.criterion, scoring.criterion_samples) == ("kl-fisher", 1)
