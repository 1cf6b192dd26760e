"""Every repair passes one suite; what each promises is held against a second derivation."""

from __future__ import annotations

import copy

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from kinds import KINDS, Kind
from networks import CPU
from torch import nn

from engine.contracts.edits import Edit
from engine.contracts.errors import Cancelled
from engine.contracts.events import Noted
from engine.contracts.methods import REPAIRS as KNOWN
from engine.pruning.repairs import MOST_ITEMS, REPAIRS, RepairError, items_to_repair_with
from engine.pruning.repairs.behind import MATRICES, NORMS, layers_behind
from engine.pruning.repairs.passes import channels_last, run_to
from engine.runtime.progress import SILENT, Monitor
from engine.tasks.batch import run_on
from engine.tasks.task import of_items

EDITS = {"units": Kind.without_units, "one": lambda kind: kind.without_units(1, 1),
         "block": Kind.without_a_block}  # fmt: skip
FIT = ("least-squares", "obs")


def mended(name: str, kind: Kind, edit: Edit, monitor: Monitor = SILENT) -> nn.Module:
    child = kind.child(edit)
    REPAIRS[name](child, kind.model, edit, kind.task, kind.items, CPU, monitor)
    return child


def behind(kind: Kind, edit: Edit, kinds=MATRICES):
    """The paths whose results a repair is to keep, and the norm that gives them."""
    inputs = of_items(kind.task, "train", kind.items[:2]).inputs
    child = kind.child(edit)
    names = {module: path for path, module in child.named_modules()}
    found = layers_behind(edit, child, kind.model, inputs, kinds)
    return [(each.path, names.get(each.norm, each.path), each.kept_K) for each in found]


def given_by(model: nn.Module, path: str, kind: Kind) -> torch.Tensor:
    """What a module gives for all items, as rows."""
    inputs = of_items(kind.task, "train", kind.items).inputs
    module = model.get_submodule(path)
    return channels_last(run_to(model, path, inputs).y, module)


def error(child: nn.Module, path: str, kept_K, kind: Kind) -> float:
    """The squared error of a layer's results, in units of its norm's where it has one."""
    wanted = given_by(kind.model, path, kind)
    return float((given_by(child, path, kind) - wanted[:, kept_K]).square().mean())


def test_the_settings_offer_what_there_is():
    assert list(KNOWN) == list(REPAIRS)


@pytest.mark.parametrize("edited", EDITS)
@pytest.mark.parametrize("of", KINDS)
@pytest.mark.parametrize("name", REPAIRS)
def test_every_repair_mends_in_place_keeps_shapes_and_leaves_the_parent_alone(name, of, edited):
    kind = KINDS[of]()
    edit = EDITS[edited](kind)
    before = copy.deepcopy(kind.model.state_dict())
    if name == "bn" and of != "resnet":
        with pytest.raises(RepairError, match=r"no batch norm .* use --repair bias"):
            mended(name, kind, edit)
        return
    told: list[object] = []
    one, again = (mended(name, kind, edit, Monitor(told.append)) for _ in range(2))
    plain = kind.child(edit).state_dict()
    assert list(one.state_dict()) == list(plain)
    changed = False
    for key, value in one.state_dict().items():
        assert value.shape == plain[key].shape and value.isfinite().all()
        assert torch.equal(value, again.state_dict()[key])
        changed |= not torch.equal(value, plain[key])
    skipped = any(isinstance(each, Noted) for each in told)
    assert changed == (name != "none" and not skipped)
    assert skipped <= (edited == "block")
    assert run_on(one, of_items(kind.task, "train", kind.items[:3]).inputs).isfinite().all()
    for key, value in kind.model.state_dict().items():
        assert torch.equal(value, before[key])


@pytest.mark.parametrize("edited", EDITS)
@pytest.mark.parametrize("of", KINDS)
def test_with_bias_the_layers_behind_give_what_they_gave_on_average(of, edited):
    kind = KINDS[of]()
    edit = EDITS[edited](kind)
    child = mended("bias", kind, edit)
    found = behind(kind, edit, (*MATRICES, *NORMS))
    assert found
    for _, path, kept_K in found:
        wanted = given_by(kind.model, path, kind)[:, kept_K].mean(0)
        torch.testing.assert_close(given_by(child, path, kind).mean(0), wanted, atol=1e-4, rtol=0)


@pytest.mark.parametrize("of", KINDS)
def test_bias_adds_the_mean_of_what_goes_times_its_weights(of):
    """FLAP's own formula, where a single layer loses inputs."""
    kind = KINDS[of]()
    edit = kind.without_units(1, 1)
    (path, norm, _), *more = behind(kind, edit)
    assert not more
    layer = kind.model.get_submodule(path)
    inputs = of_items(kind.task, "train", kind.items).inputs
    x = run_to(kind.model, path, inputs).x
    (gone,) = (list(s.indices) for s in edit.slices if (s.tensor, s.axis) == (f"{path}.weight", 1))
    kept = torch.zeros_like(x)
    axis = x.dim() - 1 if isinstance(layer, nn.Linear) else 1
    kept.index_copy_(axis, torch.tensor(gone), x.index_select(axis, torch.tensor(gone)))
    bias = layer.bias if layer.bias is not None else 0
    no_bias = 0 if layer.bias is None else bias
    with torch.no_grad():
        added = channels_last(layer(kept), layer).mean(0) - no_bias
        child = mended("bias", kind, edit)
        plain = kind.child(edit)
        if norm == path:
            found = child.get_submodule(path).bias - plain.get_submodule(path).bias
        else:
            found = plain.get_submodule(norm).running_mean - child.get_submodule(norm).running_mean
    torch.testing.assert_close(found.double(), added.double(), atol=1e-5, rtol=1e-4)


@given(st.sampled_from(sorted(KINDS)), st.integers(0, 3), st.sampled_from(["bias", *FIT]))
@settings(max_examples=12, deadline=None)
def test_the_squared_error_of_the_layer_behind_never_rises(of, first, name):
    kind = KINDS[of]()
    edit = kind.without_units(1, first)
    plain, child = kind.child(edit), mended(name, kind, edit)
    for _, path, kept_K in behind(kind, edit):
        before = error(plain, path, kept_K, kind)
        assert error(child, path, kept_K, kind) <= before * (1 + 1e-5) + 1e-9


@pytest.mark.parametrize("edited", EDITS)
@pytest.mark.parametrize("of", KINDS)
def test_with_variance_each_channel_behind_varies_as_much_as_it_did(of, edited):
    kind = KINDS[of]()
    edit = EDITS[edited](kind)
    child = mended("variance", kind, edit)
    for _, path, kept_K in behind(kind, edit, (*MATRICES, *NORMS)):
        now, wanted = given_by(child, path, kind), given_by(kind.model, path, kind)[:, kept_K]
        torch.testing.assert_close(now.mean(0), wanted.mean(0), atol=1e-4, rtol=1e-4)
        ratio = now.std(0) / wanted.std(0)
        near = (ratio - 1).abs() < 1e-3
        assert near.any() and (near | (ratio < 1)).all()  # what has all but died stays smaller


@pytest.mark.parametrize("of", KINDS)
def test_the_least_squared_error_is_that_of_a_solver_that_sees_all_rows(of):
    kind = KINDS[of]()
    edit = kind.without_units(1, 1)
    child = mended("least-squares", kind, edit)
    for layer, path, kept_K in behind(kind, edit):
        inputs = of_items(kind.task, "train", kind.items).inputs
        module, x = child.get_submodule(layer), run_to(child, layer, inputs).x
        if isinstance(module, nn.Conv2d):
            rows = nn.functional.unfold(x, 3, 1, module.padding, module.stride).mT.flatten(0, 1)
        else:
            rows = x.flatten(0, -2)
        rows = torch.cat([rows, torch.ones(len(rows), 1)], 1).double()
        wanted = given_by(kind.model, layer, kind)[:, kept_K]
        best = wanted - rows @ torch.linalg.lstsq(rows, wanted, driver="gelsd").solution
        shift = 0.0
        if path != layer:
            mean = "running_mean"
            shift = getattr(kind.model.get_submodule(path), mean)[kept_K]
            shift = (shift - getattr(child.get_submodule(path), mean)).double()
        found = wanted - given_by(child, layer, kind) - shift
        assert float(found.square().mean()) == pytest.approx(
            float(best.square().mean()), rel=5e-2, abs=1e-5
        )


@pytest.mark.parametrize("of", KINDS)
def test_obs_is_least_squares_where_one_layer_loses_inputs(of):
    """The inverse Hessian's blocks against the solution of the normal equations."""
    kind = KINDS[of]()
    for first in range(len(kind.structure.free_groups)):
        edit = kind.without_units(1, first)
        one, other = (mended(name, kind, edit).state_dict() for name in FIT)
        for key, value in one.items():
            torch.testing.assert_close(value, other[key], atol=1e-5, rtol=1e-4)


def test_bn_takes_the_exact_statistics_of_one_batch_of_all_items():
    kind = KINDS["resnet"]()
    edit = kind.without_units()
    found = mended("bn", kind, edit)
    plain = kind.child(edit).train()
    for module in plain.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = 1.0
    with torch.no_grad():
        run_on(plain, of_items(kind.task, "train", kind.items).inputs)
    wanted = plain.state_dict()
    for key, value in found.state_dict().items():
        if "running" in key:
            torch.testing.assert_close(value, wanted[key], atol=1e-3, rtol=1e-2)
        elif "num_batches" not in key:
            assert torch.equal(value, wanted[key])


def test_a_network_with_no_place_for_a_mean_is_refused_with_what_to_do():
    kind = KINDS["tabular"]()
    for layer in kind.model.layers:
        layer.down.bias = layer.attention.o.bias = None
    edit = kind.without_units()
    with pytest.raises(RepairError, match=r"no layer .* bias or a batch norm .* least-squares"):
        mended("bias", kind, edit)
    child = mended("least-squares", kind, edit)
    assert child.layers[0].down.bias is None


def test_items_are_drawn_by_the_seed_and_at_most_so_many():
    task = KINDS["tabular"]().task
    one, again, other = (items_to_repair_with(task, seed) for seed in (1, 1, 2))
    assert torch.equal(one, again) and not torch.equal(one, other)
    assert len(one) == len(one.unique()) <= MOST_ITEMS


def test_cancel_is_heard_while_repairing():
    import threading

    stop = threading.Event()
    stop.set()
    kind = KINDS["resnet"]()
    with pytest.raises(Cancelled):
        mended("bn", kind, kind.without_units(), Monitor(None, stop))
