"""Sizes that a forward pass names are made smaller, never larger, and nothing else is changed."""

from __future__ import annotations

import copy
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from engine.contracts.edits import Edit, Size, Slice
from engine.contracts.errors import EditError
from engine.pruning.surgery import carry_out
from engine.pruning.surgery.sizes import with_sizes

Forward = Callable[[Tensor], object]


class Naming(nn.Module):
    """Whatever forward pass is asked for."""

    def __init__(self, forward: Forward) -> None:
        super().__init__()
        self.asked = forward

    def forward(self, x: Tensor) -> object:
        return self.asked(x)


def shapes(out: object) -> list[list[int]]:
    parts = out if isinstance(out, tuple | list) else [out]
    return [list(part.shape) for part in parts if isinstance(part, Tensor)]


@pytest.mark.parametrize(
    ("forward", "position", "value", "expected"),
    [
        (lambda x: x.view(2, 8), 1, 6, [[2, 6]]),
        (lambda x: x.reshape((2, 4, 2)), 1, 3, [[2, 3, 2]]),
        (lambda x: torch.reshape(x, (-1, 8)), 1, 6, [[2, 6]]),
        (lambda x: x.view(size=(2, 8)), 1, 6, [[2, 6]]),
        (lambda x: x.amax(1, True).expand(2, 8), 1, 6, [[2, 6]]),
        (lambda x: x.unflatten(1, (4, 2)), 0, 3, [[2, 3, 2]]),
        (lambda x: torch.unflatten(x, dim=1, sizes=(4, 2)), 0, 3, [[2, 3, 2]]),
        (lambda x: x.split([4, 2], dim=1), 0, 4, [[2, 4], [2, 2]]),
        (lambda x: torch.split(x, 4, 1), 0, 3, [[2, 3], [2, 3]]),
        (lambda x: torch.split(x, (6, 2), -1), 0, 4, [[2, 4], [2, 2]]),
        (lambda x: x.chunk(2, 1), 0, 2, [[2, 2], [2, 4]]),
        (lambda x: x.narrow(1, 1, 5), 1, 3, [[2, 3]]),
        (lambda x: x[:, :5], 3, 3, [[2, 3]]),
        (lambda x: x[..., 4:], 2, 3, [[2, 3]]),
        (lambda x: x.amax(1, True).repeat(1, 8), 1, 6, [[2, 6]]),
    ],
)
def test_each_call_that_names_a_size_can_name_a_smaller_one(
    forward: Forward, position: int, value: int, expected: list[list[int]]
) -> None:
    model = with_sizes(Naming(forward), [Size("", 0, position, value)])
    assert shapes(model(torch.randn(2, 6))) == expected


class Outer(nn.Module):
    """Names sizes around a module that names its own."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = Naming(lambda x: x.view(-1, 2, 4).flatten(1))

    def forward(self, x: Tensor) -> Tensor:
        return self.inner(x.view(-1, 8)).reshape(-1, 4, 2)


def test_calls_are_numbered_within_the_innermost_module() -> None:
    sizes = [Size("", 0, 1, 6), Size("", 1, 1, 3), Size("inner", 0, 2, 3)]
    model = with_sizes(Outer(), sizes)
    assert shapes(model(torch.randn(2, 6))) == [[2, 3, 2]]
    model.inner = nn.Identity()  # what lies inside may go: the numbers stay those of the same calls
    assert shapes(model(torch.randn(2, 6))) == [[2, 3, 2]]


def test_a_copy_names_the_smaller_sizes_too_and_the_original_is_not_changed() -> None:
    model = Outer()
    edit = Edit("unit", sizes=(Size("", 0, 1, 6), Size("", 1, 1, 3), Size("inner", 0, 2, 3)))
    pruned = copy.deepcopy(carry_out(edit, model))
    assert isinstance(pruned, Outer)
    assert shapes(pruned(torch.randn(2, 6))) == [[2, 3, 2]]
    assert shapes(model(torch.randn(2, 8))) == [[2, 4, 2]]


def test_sizes_become_smaller_again_and_never_larger() -> None:
    model = Naming(lambda x: x.view(-1, 8))
    once = carry_out(Edit("unit", sizes=(Size("", 0, 1, 6),)), model)
    twice = carry_out(Edit("unit", sizes=(Size("", 0, 1, 4),)), once)
    assert shapes(twice(torch.randn(2, 4))) == [[2, 4]]
    assert shapes(once(torch.randn(2, 6))) == [[2, 6]]
    for value in (6, 7):
        with pytest.raises(EditError, match="only make it smaller"):
            carry_out(Edit("unit", sizes=(Size("", 0, 1, value),)), once)


@pytest.mark.parametrize(
    ("forward", "position", "value"),
    [
        (lambda x: x.view(-1, 6), 1, 7),
        (lambda x: x.view(-1, 6), 0, 2),  # -1 is no number
        (lambda x: x.view(-1, 6), 5, 2),
        (lambda x: x.split([4, 2], 1), 1, 3),
        (lambda x: x.split(3, 1), 0, 4),
        (lambda x: x[:, :4], 3, 5),
        (lambda x: x[:, -4:], 2, 3),
        (lambda x: x.chunk(2, 1), 0, 6),
        (lambda x: x.chunk(2, 1), 2, 1),
        (lambda x: x.narrow(1, 0, 4), 1, 5),
    ],
)
def test_a_size_that_is_not_there_or_is_smaller_is_refused(
    forward: Forward, position: int, value: int
) -> None:
    model = with_sizes(Naming(forward), [Size("", 0, position, value)])
    with pytest.raises(EditError):
        model(torch.randn(2, 6))


def test_a_forward_pass_that_was_replaced_is_refused() -> None:
    model = Naming(lambda x: x)
    model.forward = lambda x: x.view(-1, 6)
    with pytest.raises(EditError, match="replaced"):
        with_sizes(model, [Size("", 0, 1, 3)])


def test_sizes_follow_on_the_meta_device() -> None:
    class Fixed(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a, self.b = nn.Linear(4, 8), nn.Linear(8, 2)

        def forward(self, x: Tensor) -> Tensor:
            return self.b(self.a(x).view(-1, 8))

    edit = Edit(
        "neuron",
        units=(("a", (1, 2)),),
        slices=tuple(
            Slice(n, a, (1, 2)) for n, a in (("a.weight", 0), ("a.bias", 0), ("b.weight", 1))
        ),
        sizes=(Size("", 0, 1, 6),),
    )
    pruned = carry_out(Edit.from_json(edit.as_json()), Fixed().to("meta"))
    assert pruned(torch.empty(3, 4, device="meta")).shape == (3, 2)


class Keeping(nn.Module):
    """Keeps what it made of a parameter in its first call, as LeViT does, and names sizes."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(6))
        self.kept: dict[str, Tensor] = {}

    def forward(self, x: Tensor) -> Tensor:
        if "scale" not in self.kept:
            self.kept["scale"] = self.scale[:6]
        return (x * self.kept["scale"]).reshape(2, 6)


def test_what_a_module_keeps_from_call_to_call_changes_no_number_of_a_call() -> None:
    cut = Edit("neuron", slices=(Slice("scale", 0, (4, 5)),), sizes=(Size("", 1, 1, 4),))
    model = carry_out(cut, Keeping())
    assert [shapes(model(torch.randn(2, 4))) for _ in range(2)] == [[[2, 4]], [[2, 4]]]
