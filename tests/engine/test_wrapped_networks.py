"""Networks as people's factories give them: wrapped, parametrised, frozen, or no network at all."""

import types

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.utils import parametrizations
from torch.nn.utils import spectral_norm as old_spectral_norm
from torch.nn.utils import weight_norm as old_weight_norm

from engine.contracts.errors import EngineError, UnknownFamilyError
from engine.models.preparations import prepare
from engine.models.unwrapping import unwrapped
from engine.pruning.structure.find import find_structure


class Residual(nn.Module):
    def __init__(self, normed=lambda conv: conv):
        super().__init__()
        self.one = normed(nn.Conv2d(8, 8, 3, padding=1))
        self.two = normed(nn.Conv2d(8, 8, 3, padding=1))

    def forward(self, x):
        return x + self.two(F.relu(self.one(x)))


class InPlace(nn.Module):
    """A block of one convolution, which writes into what it gets."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(8, 8, 3, padding=1)

    def forward(self, x):
        x += self.conv(F.relu(x))
        return x


class OwnWeights(nn.Module):
    """A block without a module in it."""

    def __init__(self):
        super().__init__()
        self.up = nn.Parameter(torch.randn(12, 8) * 0.1)
        self.down = nn.Parameter(torch.randn(8, 12) * 0.1)

    def forward(self, x):
        hidden = torch.einsum("ij,bjhw->bihw", self.up, x).relu()
        return x + torch.einsum("ij,bjhw->bihw", self.down, hidden)


class Network(nn.Module):
    def __init__(self, block):
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 3, padding=1)
        self.blocks = nn.ModuleList([block() for _ in range(3)])
        self.head = nn.Linear(8, 4)

    def forward(self, images):
        x = F.relu(self.stem(images))
        for block in self.blocks:
            x = block(x)
        return self.head(x.mean((2, 3)))


def images(count=4):
    return torch.randn(count, 3, 8, 8, generator=torch.Generator().manual_seed(0))


def network(block) -> nn.Module:
    torch.manual_seed(0)
    return Network(block).eval()


@pytest.mark.parametrize("block", [Residual, InPlace, OwnWeights])
def test_whatever_adds_to_what_it_gets_is_a_block(block):
    found = find_structure(network(block), images())
    assert [b.path for b in found.blocks] == ["blocks.0", "blocks.1", "blocks.2"]
    assert not any(b.stays for b in found.blocks)


class Scaled(Residual):
    """A block that begins as nothing: its branch has a scale of 0 (SkipInit)."""

    def __init__(self):
        super().__init__()
        self.gain = nn.Parameter(torch.zeros(()))

    def forward(self, x):
        return x + self.gain * self.two(F.relu(self.one(x)))


class Aside(Residual):
    """No block: what it computes goes nowhere."""

    def forward(self, x):
        self.two(F.relu(self.one(x)))
        return x


def test_a_block_that_does_nothing_yet_is_one_and_what_never_does_anything_is_none():
    found = find_structure(network(Scaled), images())
    assert [b.path for b in found.blocks] == ["blocks.0", "blocks.1", "blocks.2"]
    model = network(Residual)
    model.blocks[1] = Aside()
    assert [b.path for b in find_structure(model, images()).blocks] == ["blocks.0", "blocks.2"]


@pytest.mark.parametrize("wrap", [nn.DataParallel, torch.optim.swa_utils.AveragedModel])
def test_a_wrapper_is_taken_off_the_network_and_off_its_parts(wrap):
    plain = network(Residual)
    tensors = {name: tensor.clone() for name, tensor in plain.state_dict().items()}
    plain.blocks = wrap(plain.blocks)
    found = unwrapped(wrap(wrap(plain)), "nets:make")
    assert found.state_dict().keys() == tensors.keys()
    assert all(torch.equal(tensors[name], tensor) for name, tensor in found.state_dict().items())


@pytest.mark.slow  # torch.compile imports the compiler
def test_a_compiled_network_is_the_one_that_was_compiled():
    plain = network(Residual)
    inner = plain.blocks[1]
    plain.blocks[1] = torch.compile(inner)
    plain.blocks[2].compile()
    found = unwrapped(torch.compile(plain), "nets:make")
    assert found is plain and found.blocks[1] is inner
    assert found.blocks[2]._compiled_call_impl is None


@pytest.mark.filterwarnings("ignore:`torch.jit:FutureWarning")
def test_programs_and_quantised_networks_are_refused():
    with pytest.raises(UnknownFamilyError, match=r"TorchScript.*nn\.Module"):
        unwrapped(torch.jit.trace(network(Residual), images()), "nets:make")

    class Linear(nn.Linear):  # as torch.ao's classes are known: by where they are from
        pass

    Linear.__module__ = "torch.ao.nn.quantized.dynamic.modules.linear"
    model = network(Residual)
    model.head = Linear(8, 4)
    with pytest.raises(UnknownFamilyError, match=r"head.*quantised.*float network"):
        unwrapped(model, "nets:make")


def test_a_network_that_is_frozen_throughout_is_trained_and_a_part_stays_frozen():
    model = unwrapped(network(Residual).requires_grad_(False), "nets:make")
    assert all(parameter.requires_grad for parameter in model.parameters())
    model.stem.requires_grad_(False)
    again = unwrapped(model, "nets:make")
    assert not again.stem.weight.requires_grad and again.head.weight.requires_grad


NORMS = {
    "weight norm": parametrizations.weight_norm,
    "spectral norm": parametrizations.spectral_norm,
    "orthogonal": parametrizations.orthogonal,
    "old weight norm": old_weight_norm,
    "old spectral norm": old_spectral_norm,
}


@pytest.mark.parametrize("norm", NORMS.values(), ids=NORMS)
@pytest.mark.parametrize("training", [False, True])
@pytest.mark.filterwarnings("ignore:.*weight_norm.*:FutureWarning")
def test_parametrised_weights_become_plain_ones_of_the_same_values(norm, training):
    model = network(lambda: Residual(norm))
    expected, names = model(images()), {name for name, _ in model.named_parameters()}
    plain = network(lambda: Residual(norm)).train(training)
    assert prepare(plain) == ("plain-weights",)
    torch.testing.assert_close(plain.eval()(images()), expected, rtol=0, atol=1e-6)
    assert (
        {name for name, _ in plain.named_parameters()}
        == {name for name, _ in network(Residual).named_parameters()}
        != names
    )
    assert all(parameter.requires_grad for parameter in plain.parameters())
    found = find_structure(plain, images())
    assert len(found.blocks) == 3
    assert {group.path for group in found.groups} >= {f"blocks.{i}.one" for i in range(3)}


class Coin(nn.Module):
    """A block that is passed over by chance, in evaluation too."""

    def __init__(self):
        super().__init__()
        self.inner = Residual()

    def forward(self, x):
        return self.inner(x) if torch.rand(()) < 0.5 else x


@pytest.mark.parametrize("seed", range(8))
def test_a_random_path_is_refused_whichever_way_the_first_coins_fall(seed):
    model = network(Coin)
    torch.manual_seed(seed)
    with pytest.raises(EngineError, match="another output each time"):
        find_structure(model, images())


def test_random_numbers_that_change_nothing_are_no_reason_to_refuse():
    class Unused(Residual):
        def forward(self, x):
            torch.rand(3)
            return super().forward(x)

    assert len(find_structure(network(Unused), images()).blocks) == 3


def test_a_network_of_several_inputs_is_told_of_tasks():
    class Two(Network):
        def forward(self, images, others):
            return super().forward(images + others)

    with pytest.raises(EngineError, match=r"missing 1 required positional.*--task"):
        find_structure(Two(Residual).eval(), images())


class Attention(nn.Module):
    """Attention of a decoder that keeps keys and values for its next token."""

    def __init__(self, config):
        super().__init__()
        self.config, self.num_heads, self.head_dim = config, 4, 3
        self.queries, self.keys, self.values = (nn.Linear(8, 12) for _ in range(3))
        self.out = nn.Linear(12, 8)

    def forward(self, x):
        q, k, v = (
            layer(x).view(*x.shape[:2], -1, self.head_dim).transpose(1, 2)
            for layer in (self.queries, self.keys, self.values)
        )
        y = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        return x + self.out(y.transpose(1, 2).flatten(2)), (k, v)


class Decoder(nn.Module):
    def __init__(self):
        super().__init__()
        self.config = types.SimpleNamespace(use_cache=True)
        self.embed, self.head = nn.Linear(3, 8), nn.Linear(8, 5)
        self.layers = nn.ModuleList([Attention(self.config) for _ in range(2)])

    def forward(self, x):
        x, kept = self.embed(x), []
        for layer in self.layers:
            x, each = layer(x)
            kept += each
        logits = self.head(x)
        return {"logits": logits, "cache": kept} if self.config.use_cache else logits


def test_a_decoder_keeps_nothing_for_its_next_token_so_that_heads_can_go():
    torch.manual_seed(0)
    model, tokens = Decoder().eval(), torch.randn(4, 6, 3)
    expected = model(tokens)["logits"]
    assert prepare(model) == ("no-cache",)
    assert torch.equal(model(tokens), expected)
    found = find_structure(model, tokens)
    heads = [group.num_units for group in found.groups if group.kind == "head"]
    assert heads == [4, 4]
