"""Networks prepared for pruning compute what they did."""

import copy
import itertools

import pytest
import torch
from torch import nn

from engine.contracts.edits import Attribute, Edit, Slice
from engine.contracts.errors import EngineError
from engine.contracts.networks import Architecture
from engine.models.preparations import PREPARATIONS, prepare
from engine.pruning.editing import rebuild
from engine.pruning.surgery import carry_out

WIDTH, HEADS = 24, 4


def attention(**arguments) -> nn.MultiheadAttention:
    torch.manual_seed(0)
    made = nn.MultiheadAttention(WIDTH, HEADS, **arguments)
    for parameter in made.parameters():
        nn.init.normal_(parameter, std=0.3)
    return made.eval()


def prepared(module: nn.Module) -> nn.Module:
    copied = copy.deepcopy(module)
    assert prepare(copied) == ("attention",)
    return copied


def assert_same(found, expected) -> None:
    assert (found is None) == (expected is None)
    if expected is not None:
        assert found.shape == expected.shape
        torch.testing.assert_close(found, expected, rtol=0, atol=1e-6)


MASKS = {
    "none": {},
    "causal": {"attn_mask": torch.ones(5, 5, dtype=torch.bool).triu(1)},
    "float": {"attn_mask": torch.randn(5, 5, generator=torch.Generator().manual_seed(1))},
    "of each head": {
        "attn_mask": torch.rand(3 * HEADS, 5, 5, generator=torch.Generator().manual_seed(2)) < 0.3
    },
    "padding": {"key_padding_mask": torch.tensor([[False] * 5, [False] * 4 + [True], [False] * 5])},
    "both": {
        "attn_mask": torch.ones(5, 5, dtype=torch.bool).triu(2),
        "key_padding_mask": torch.tensor([[False] * 5, [False] * 4 + [True], [False] * 5]),
    },
}


@pytest.mark.parametrize("masks", MASKS)
@pytest.mark.parametrize("arguments", [{}, {"batch_first": True}, {"bias": False}])
def test_attention_with_removable_heads_is_the_same_function(masks, arguments):
    plain = attention(**arguments)
    slim = prepared(plain)
    x = torch.randn(3, 5, WIDTH) if plain.batch_first else torch.randn(5, 3, WIDTH)
    for need, average in itertools.product((True, False), repeat=2):
        given = {**MASKS[masks], "need_weights": need, "average_attn_weights": average}
        for found, expected in zip(slim(x, x, x, **given), plain(x, x, x, **given), strict=True):
            assert_same(found, expected)


def test_other_widths_of_keys_and_values_and_a_single_image():
    plain = attention(kdim=10, vdim=14)
    slim = prepared(plain)
    one = (torch.randn(5, WIDTH), torch.randn(7, 10), torch.randn(7, 14))
    for inputs in (one, tuple(x[:, None].expand(-1, 2, -1) for x in one)):
        for found, expected in zip(slim(*inputs), plain(*inputs), strict=True):
            assert_same(found, expected)


def test_it_has_the_same_tensors_and_trains_alike():
    plain = attention(batch_first=True, dropout=0.0).train()
    slim = prepared(plain)
    slim.load_state_dict(plain.state_dict(), strict=True)
    assert list(slim.state_dict()) == list(plain.state_dict())
    x = torch.randn(2, 5, WIDTH)
    for module in (plain, slim):
        module(x, x, x)[0].pow(2).sum().backward()
    for found, expected in zip(slim.parameters(), plain.parameters(), strict=True):
        torch.testing.assert_close(found.grad, expected.grad, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("norm_first", [True, False])
def test_a_head_that_is_gone_is_a_head_that_is_zero(norm_first):
    """In torch's own Transformer too, whose fast kernel knows only heads of one width."""
    torch.manual_seed(3)
    layer = nn.TransformerEncoderLayer(WIDTH, HEADS, 32, batch_first=True, norm_first=norm_first)
    model = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False).eval()
    x = torch.randn(2, 5, WIDTH)
    whole = model(x)
    assert PREPARATIONS["attention"](model) == 2
    with torch.no_grad():
        assert_same(model(x), whole)
        head = range(6, 12)
        of_in = tuple(w * WIDTH + i for w in range(3) for i in head)
        at = "layers.0.self_attn"
        edit = Edit(
            "head",
            slices=(
                Slice(f"{at}.in_proj_weight", 0, of_in),
                Slice(f"{at}.in_proj_bias", 0, of_in),
                Slice(f"{at}.out_proj.weight", 1, tuple(head)),
            ),
            attributes=(Attribute(at, "num_heads", HEADS - 1),),
        )
        pruned = carry_out(edit, model)(x)
        model.get_submodule(at).out_proj.weight[:, list(head)] = 0
        assert_same(pruned, model(x))
        assert (pruned - whole).abs().max() > 1e-3


def test_what_has_a_learned_key_of_its_own_is_left_alone():
    assert prepare(attention(add_bias_kv=True)) == ()
    assert prepare(attention(add_zero_attn=True)) == ()


def test_a_rebuilt_network_is_prepared():
    arguments = {"embed_dim": WIDTH, "num_heads": HEADS}
    factory = "torch.nn:MultiheadAttention"
    plain = rebuild(Architecture(factory, arguments))
    slim = rebuild(Architecture(factory, arguments, prepared=("attention",)))
    assert type(plain) is nn.MultiheadAttention and type(slim) is not type(plain)
    with pytest.raises(EngineError, match=r"preparation 'windows'; known are .*attention.*update"):
        rebuild(Architecture(factory, arguments, prepared=("windows",)))
