"""Every recovery passes one suite: what it trains, what stays bit for bit, what is left of it."""

from __future__ import annotations

import copy

import pytest
import torch
from kinds import KINDS, Kind
from networks import CPU
from torch import nn

from engine.contracts.edits import Edit
from engine.contracts.errors import SettingsError
from engine.contracts.methods import RECOVERIES as KNOWN
from engine.contracts.networks import Architecture
from engine.contracts.setting_sections import TrainingSettings
from engine.models import PROGRAM, build
from engine.pruning.editing import apply
from engine.tasks import examples
from engine.tasks.batch import run_on
from engine.training.finetune import train
from engine.training.plan import TrainPlan
from engine.training.recoveries import (
    RECOVERIES,
    Asked,
    RecoveryError,
    as_it_is,
    recovering,
    recovery,
)

PLAN = TrainPlan(0, 1, 1, seed=3, batch_size=16)
FACTORIES = {"resnet": "cifar_resnet", "vit": "any_networks:SmallViT", "tabular": f"{__name__}:tab"}
NAMES = [name for name in RECOVERIES if name != "lora"] + ["lora", "lora:2"]


def tab():
    from task_networks import Tabular

    return Tabular()


def asked(value: str, of: str, kind: Kind, *edits) -> Asked:
    from kinds import RESNET

    arguments = RESNET if of == "resnet" else {}
    if of == "resnet":  # whose edits say only what goes
        edits = tuple(Edit("filter", units=edit.units) for edit in edits)
    return Asked(
        value, Architecture(FACTORIES[of], arguments, tuple(edits)), 5, examples(kind.task, 2)
    )


def recovered(value: str, of: str):
    """A candidate before and after its recovery, and the losses."""
    kind = KINDS[of]()
    edit = kind.without_units()
    child = kind.child(edit)
    before = copy.deepcopy(child.state_dict())
    plan = PLAN if not recovery(value).keeps_statistics else replaced()
    with recovering(child, asked(value, of, kind, edit)):
        history = train(child, kind.task, plan, CPU)
    return before, child, history


def replaced() -> TrainPlan:
    return TrainPlan(0, 1, 1, seed=3, batch_size=16, frozen_norms=True)


def is_norm(name: str, model: nn.Module) -> bool:
    module = model.get_submodule(name.rpartition(".")[0])
    return isinstance(module, nn.BatchNorm2d | nn.LayerNorm)


def may_change(value: str, name: str, model: nn.Module) -> bool:
    """By the words of the methods: whether a tensor of the state dict is trained."""
    is_statistic = "running" in name or "num_batches" in name
    is_bias = name.endswith("bias")
    output = "head" if hasattr(model, "head") else "fc"
    kind = value.partition(":")[0]
    if kind == "norms":
        return is_norm(name, model)
    if kind == "biases":
        return is_bias or is_statistic
    if kind == "head":
        return name.startswith(f"{output}.")
    if kind == "lora":
        layer = model.get_submodule(name.rpartition(".")[0])
        matrix = isinstance(layer, nn.Linear | nn.Conv2d)
        return is_bias or is_statistic or is_norm(name, model) or matrix
    return True


def test_the_settings_offer_what_there_is():
    assert list(KNOWN) == list(RECOVERIES)


@pytest.mark.parametrize("of", KINDS)
@pytest.mark.parametrize("value", NAMES)
def test_every_recovery_trains_what_it_says_and_leaves_all_else_bit_for_bit(value, of):
    before, child, history = recovered(value, of)
    _, again, same = recovered(value, of)
    assert all(torch.isfinite(torch.tensor(each.loss)) for each in history)
    assert [e.loss for e in history] == [e.loss for e in same]
    after = child.state_dict()
    assert set(after) == set(before)
    changed = set()
    for name, tensor in after.items():
        assert tensor.shape == before[name].shape
        assert torch.equal(tensor, again.state_dict()[name])
        if not torch.equal(tensor, before[name]):
            changed.add(name)
    assert changed and all(may_change(value, name, child) for name in changed)
    assert all(parameter.requires_grad for parameter in child.parameters())
    if value in ("full", "lr-rewind", "scratch"):
        assert {name for name, _ in child.named_parameters()} <= changed


def test_low_rank_additions_are_merged_exactly_and_have_the_rank():
    kind = KINDS["resnet"]()
    child = kind.child(kind.without_units())
    before = {n: p.detach().clone() for n, p in child.named_parameters()}
    batch = examples(kind.task, 8)
    with recovering(child, asked("lora:1", "resnet", kind)):
        train(child, kind.task, PLAN, CPU)
        with torch.no_grad():
            inside = run_on(child.eval(), batch.inputs)
            measured = run_on(as_it_is(child, "lora:1").eval(), batch.inputs)
    with torch.no_grad():
        after = run_on(child.eval(), batch.inputs)
    torch.testing.assert_close(after, inside, atol=1e-6, rtol=0)
    torch.testing.assert_close(measured, inside, atol=1e-6, rtol=0)
    ranks = set()
    for name, parameter in child.named_parameters():
        if parameter.dim() > 1:
            added = (parameter.detach() - before[name]).flatten(1).double()
            ranks.add(int(torch.linalg.matrix_rank(added, rtol=1e-3)))
    assert ranks == {1}


def test_a_tied_weight_gets_no_addition_and_stays_tied():
    from task_networks import Language, made, text

    model, task = made(Language), text()
    model.head.weight = model.tokens.weight
    architecture = Architecture("task_networks:Language")
    with recovering(model, Asked("lora", architecture, 0, examples(task, 2))):
        names = {name for name, _ in model.named_parameters() if name.endswith(".up")}
        assert len(names) == 18 and not any(name.startswith("head") for name in names)
        train(model, task, PLAN, CPU)
    assert model.head.weight is model.tokens.weight


def test_scratch_is_what_the_seed_draws_cut_to_the_pruned_shape():
    from kinds import RESNET

    kind = KINDS["resnet"]()
    edit = kind.without_units(2)
    child = kind.child(edit)
    with recovering(child, asked("scratch", "resnet", kind, edit)):
        fresh = apply(
            Edit("filter", units=edit.units), build("cifar_resnet", RESNET, seed=5)
        ).state_dict()
        assert all(torch.equal(value, fresh[name]) for name, value in child.state_dict().items())
    other = apply(
        Edit("filter", units=edit.units), build("cifar_resnet", RESNET, seed=6)
    ).state_dict()
    assert any(not torch.equal(value, other[name]) for name, value in fresh.items())


def test_a_rewound_rate_goes_through_the_schedule_in_recovery_and_again_in_tuning():
    def rates(first: int, last: int) -> list[float]:
        plan = TrainPlan(first, last, 12, seed=0, own_schedule=RECOVERIES["lr-rewind"].own_schedule)
        return [round(plan.learning_rate_at(epoch, 0), 6) for epoch in range(first, last)]

    assert rates(0, 4) == [0.01, 0.01, 0.001, 0.0001]
    assert rates(4, 12) == [0.01] * 4 + [0.001] * 2 + [0.0001] * 2


class Bare(nn.Module):
    """Nothing to train but one parameter that is no layer's."""

    def __init__(self) -> None:
        super().__init__()
        self.matrix = nn.Parameter(torch.randn(20, 3))

    def forward(self, x):
        return x.flatten(1) @ self.matrix


@pytest.mark.parametrize(("value", "words"), [
    ("norms", "no normalisation with numbers; use --recover biases or full"),
    ("biases", "no bias; use --recover norms or full"),
    ("lora", "no dense layer or convolution .* use --recover norms, biases or full"),
    ("scratch", "an exported program does not say .* give the network by --arch"),
])  # fmt: skip
def test_what_does_not_apply_is_refused_with_what_to_do(value, words):
    model = Bare()
    before = {name: p.requires_grad for name, p in model.named_parameters()}
    about = Asked(value, Architecture(PROGRAM), 0, examples(KINDS["tabular"]().task, 2))
    with (
        pytest.raises(RecoveryError, match=f"--recover {value}: .*{words}"),
        recovering(model, about),
    ):
        raise AssertionError("never here")
    assert {name: p.requires_grad for name, p in model.named_parameters()} == before


@pytest.mark.parametrize(("changes", "words"), [
    ({"recover": "lora:0"}, "--recover 'lora:0': the rank is '0'; it must be a whole number"),
    ({"recover": "lora:"}, "the rank is ''"),
    ({"recover": "lora:²"}, "the rank is '²'"),
    ({"recover": "norms:2"}, "norms takes nothing behind a colon; give norms alone"),
    ({"recover": "loar:2"}, "did you mean 'lora'"),
    ({"train_subset": "el2n:0"}, "--train-subset 'el2n:0': the share is '0'; .* el2n:0.3"),
    ({"train_subset": "random:nan"}, "the share is 'nan'"),
    ({"train_subset": "hardest"}, "It is one of random, el2n"),
])  # fmt: skip
def test_arguments_of_methods_are_checked_when_settings_are_made(changes, words):
    with pytest.raises(SettingsError, match=words):
        TrainingSettings(**changes)
