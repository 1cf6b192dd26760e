"""Recurrent layers: states are units, and one that is gone is one that nobody reads."""

import copy

import pytest
import torch
from torch import nn

from engine.contracts.edits import Edit
from engine.measures.cost import cost_of
from engine.pruning.explicit import explicit
from engine.pruning.structure.find import find_structure
from engine.pruning.surgery import carry_out
from engine.tasks import Batch

INPUTS, STATES, CLASSES = 6, 12, 4
GONE = (1, 4, 5, 11)


class Classifier(nn.Module):
    def __init__(self, kind: type[nn.RNNBase], **told):
        super().__init__()
        self.embed = nn.Linear(INPUTS, 10)
        self.recurrent = kind(10, STATES, batch_first=True, **told)
        self.head = nn.Linear(STATES * (2 if self.recurrent.bidirectional else 1), CLASSES)

    def forward(self, windows_BTC):
        return self.head(self.recurrent(self.embed(windows_BTC).tanh())[0].mean(1))


class Cells(nn.Module):
    """The loop over time as people write it."""

    def __init__(self, kind):
        super().__init__()
        self.cell, self.head = kind(INPUTS, STATES), nn.Linear(STATES, CLASSES)

    def forward(self, windows_BTC):
        state = None
        for inputs_BC in windows_BTC.unbind(1):
            state = self.cell(inputs_BC, state)
        return self.head(state[0] if isinstance(state, tuple) else state)


def windows(count=4):
    return torch.randn(count, 7, INPUTS, generator=torch.Generator().manual_seed(1))


def unread(model: nn.Module) -> nn.Module:
    """The network in which nothing reads the states that are to go, written down by hand."""
    model = copy.deepcopy(model)
    module = model.recurrent if isinstance(model, Classifier) else model.cell
    directions = 2 if getattr(module, "bidirectional", False) else 1
    columns = [i + STATES * k for k in range(directions) for i in GONE]
    with torch.no_grad():
        for name, weight in module.named_parameters():
            if name.startswith("weight_hh"):
                weight[:, list(GONE)] = 0
            elif name.startswith("weight_ih_l") and not name.startswith("weight_ih_l0"):
                weight[:, columns] = 0
        model.head.weight[:, columns] = 0
    return model


KINDS = {
    "LSTM": lambda: Classifier(nn.LSTM),
    "GRU": lambda: Classifier(nn.GRU),
    "RNN": lambda: Classifier(nn.RNN, nonlinearity="relu"),
    "two layers": lambda: Classifier(nn.LSTM, num_layers=2),
    "both directions": lambda: Classifier(nn.GRU, bidirectional=True),
    "three layers, both directions": lambda: Classifier(
        nn.LSTM, num_layers=3, bidirectional=True, bias=False
    ),
    "LSTMCell": lambda: Cells(nn.LSTMCell),
    "GRUCell": lambda: Cells(nn.GRUCell),
}


@pytest.mark.parametrize("make", KINDS.values(), ids=KINDS)
def test_states_that_are_gone_are_states_that_nobody_reads(make):
    torch.manual_seed(0)
    model = make().eval()
    found = find_structure(model, windows())
    states = next(g for g in found.groups if "weight_ih" in g.path and g.num_units == STATES)
    edit = explicit(Edit("unit", units=((states.path, GONE),)), found)
    with torch.no_grad():
        pruned = carry_out(edit, model)
        assert sum(p.numel() for p in pruned.parameters()) < sum(
            p.numel() for p in model.parameters()
        )
        expected = unread(model)(windows(3))
        torch.testing.assert_close(pruned(windows(3)), expected, rtol=0, atol=1e-6)
    assert not torch.allclose(expected, model(windows(3)), atol=1e-3)
    pruned.train()(windows(3)).sum().backward()  # it can be fine-tuned
    assert all(parameter.grad is not None for parameter in pruned.parameters())


@pytest.mark.parametrize("kind, gates", [(nn.LSTM, 4), (nn.GRU, 3), (nn.RNN, 1)])
def test_products_of_recurrent_layers_are_counted(kind, gates):
    model, steps = Classifier(kind, num_layers=2), 7
    first, second = (gates * STATES * (width + STATES) for width in (10, STATES))
    expected = steps * (INPUTS * 10 + first + second) + STATES * CLASSES
    example = Batch(windows(1), torch.zeros(1, dtype=torch.long), torch.arange(1))
    assert cost_of(model, example).num_macs == expected


def test_looking_for_states_leaves_kernels_as_they_were():
    model = KINDS["LSTM"]().eval()
    expected = model(windows())
    find_structure(model, windows())
    assert torch.backends.mkldnn.enabled
    assert torch.equal(model(windows()), expected)
