"""Tasks of other data than images: rows, items, and figures that are functions of them."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from applying import scores_or_refusal
from networks import CPU, network, small_data
from task_networks import (
    LENGTH,
    Keywords,
    Language,
    Masked,
    Tabular,
    TwoInputs,
    made,
    text,
    windows,
)

from engine.contracts.edits import Edit
from engine.contracts.errors import DataError, EngineError
from engine.data.splits import sample_per_class
from engine.measures.accuracy import evaluate
from engine.measures.cost import cost_of
from engine.measures.latency import latency_ms
from engine.measures.similarities import resampled
from engine.measures.similarities.cka import cka
from engine.pruning.criteria import CRITERIA, kl_fast_scores, kl_fisher_scores, kl_scores
from engine.pruning.explicit import explicit
from engine.pruning.scores import check_scores
from engine.pruning.structure.find import find_structure
from engine.pruning.surgery import carry_out
from engine.runtime.generators import generator
from engine.tasks import IGNORED, SPLITS, ImageTask, examples, num_items
from engine.tasks.arrays import ArrayTask
from engine.tasks.batch import run_on
from engine.tasks.task import of_items
from engine.tasks.tokens import NextTokenTask
from engine.training.finetune import train
from engine.training.plan import TrainPlan

TASKS = {
    "windows": (Tabular, windows),
    "text": (Language, text),
    "masked": (Language, lambda: Masked(text())),
    "keywords": (TwoInputs, Keywords),
}


def example(name: str):
    kind, task = TASKS[name]
    return made(kind), task()


def whole(task, split):
    """A split as one batch."""
    return of_items(task, split, torch.arange(num_items(task, split)))


def logits_of(model, batch):
    with torch.inference_mode():
        found = run_on(model, batch.inputs)
    return found["logits"] if isinstance(found, dict) else found


@pytest.mark.parametrize("name", TASKS)
def test_loss_and_accuracy_are_those_of_the_rows(name):
    model, task = example(name)
    batch = whole(task, "test")
    logits = logits_of(model, batch).flatten(0, -2)
    targets = batch.targets.flatten()
    found = evaluate(model, task, "test", CPU)
    asked = targets != IGNORED
    assert found.loss == pytest.approx(float(F.cross_entropy(logits, targets)), rel=1e-5)
    right = logits.argmax(1)[asked] == targets[asked]
    assert found.accuracy == pytest.approx(100 * float(right.float().mean()))
    assert len(found.features_MD) == len(found.items_M) == int(asked.sum())
    assert torch.equal(found.targets_M, targets[asked])
    assert found.items_M.unique().tolist() == list(range(num_items(task, "test")))


def test_the_features_of_tokens_are_what_the_head_makes_their_logits_of():
    model, task = example("masked")
    found = evaluate(model, task, "test", CPU)
    with torch.inference_mode():
        assert torch.equal(model.head(found.features_MD).argmax(1), found.predicted_M)


@pytest.mark.parametrize("name", TASKS)
def test_some_items_are_measured_as_they_are_among_all(name):
    model, task = example(name)
    everything = evaluate(model, task, "validation", CPU)
    items = torch.tensor([2, 0, 1])
    found = evaluate(model, task, "validation", CPU, items=items)
    rows = [everything.features_MD[everything.items_M == item] for item in items]
    torch.testing.assert_close(found.features_MD, torch.cat(rows))


@pytest.mark.parametrize("name", TASKS)
def test_training_learns_and_gives_the_same_bits_again(name):
    histories, states = [], []
    for _ in range(2):
        model, task = example(name)
        plan = TrainPlan(0, 3, 3, seed=1, batch_size=7, learning_rate=0.02)
        histories.append(train(model, task, plan, CPU))
        states.append(model.state_dict())
    assert all(torch.equal(value, states[1][key]) for key, value in states[0].items())
    assert histories[0][-1].loss < histories[0][0].loss
    assert all(0 <= epoch.accuracy <= 100 for epoch in histories[0])


def test_the_parts_of_a_batch_of_sequences_weigh_as_many_rows_as_they_have():
    gradients = []
    for accumulate in (1, 3):
        model, task = example("masked")
        train(model, task, TrainPlan(0, 1, 1, seed=1, batch_size=8, accumulate=accumulate), CPU)
        gradients.append(model.head.weight.detach())
    torch.testing.assert_close(gradients[0], gradients[1], rtol=1e-4, atol=1e-6)


def test_tokens_cannot_be_mixed():
    model, task = example("text")
    with pytest.raises(EngineError, match="leave --mixup out"):
        train(model, task, TrainPlan(0, 1, 1, seed=1, mixup=0.2), CPU)


def test_costs_are_of_a_row():
    model, task = example("text")
    cost = cost_of(model, examples(task, 1))
    linear = sum(m.weight.numel() for m in model.modules() if isinstance(m, torch.nn.Linear))
    attention = 3 * 2 * LENGTH * 8  # of three layers: scores and their values, for a token
    assert cost.num_macs == linear + attention
    assert latency_ms(model, examples(task, 1), CPU) > 0


# ------------------------------------------------------------ criteria


def plain_kl(model, pruned, task, items) -> float:
    """The mean over the rows, by whole forward passes."""
    batch = of_items(task, "train", items)
    p, q = (logits_of(net, batch).double().log_softmax(-1) for net in (model, pruned))
    kl = (q.exp() * (q - p)).sum(-1)
    return float(kl[batch.targets != IGNORED].mean())


def without(model, structure, **parts):
    return carry_out(explicit(Edit("layer" if "blocks" in parts else "unit", **parts), structure),
                     model)  # fmt: skip


@pytest.mark.parametrize("name", TASKS)
def test_the_exact_kl_of_rows_is_one_full_forward_a_structure(name):
    model, task = example(name)
    structure = find_structure(model, examples(task, 4).inputs)
    items = task.sample(5, seed=3)
    scores = kl_scores(model, structure, task, items, CPU)
    assert len(scores.blocks) == (0 if name == "keywords" else 3)
    for path, found in scores.blocks.items():
        expected = plain_kl(model, without(model, structure, blocks=(path,)), task, items)
        assert found == pytest.approx(expected, rel=1e-3, abs=1e-9)
    for group in structure.groups:
        for unit in range(0, group.num_units, 3):
            pruned = without(model, structure, units=((group.path, (unit,)),))
            expected = plain_kl(model, pruned, task, items)
            found = scores.units[group.path][unit]
            assert found == pytest.approx(expected, rel=1e-3, abs=1e-9)


@pytest.mark.parametrize("criterion", [kl_fast_scores, kl_fisher_scores])
@pytest.mark.parametrize("name", ["windows", "masked"])
def test_estimates_rank_units_as_the_exact_kl_of_rows_does(name, criterion):
    model, task = example(name)
    with torch.no_grad():  # an estimate of second order is right for small changes
        for layer in model.layers:
            layer.down.weight *= 0.2
            layer.attention.o.weight *= 0.2
    structure = find_structure(model, examples(task, 4).inputs)
    items = task.sample(40, seed=3)
    exact, found = (c(model, structure, task, items, CPU) for c in (kl_scores, criterion))
    assert found.blocks == pytest.approx(exact.blocks, rel=1e-4)
    flat = [np.array([v for values in s.units.values() for v in values]) for s in (exact, found)]
    ranks = [values.argsort().argsort() for values in flat]
    assert np.corrcoef(*ranks)[0, 1] > 0.85
    assert 0.5 < flat[1].sum() / flat[0].sum() < 2


@pytest.mark.parametrize("criterion", CRITERIA)
def test_scores_of_a_task_do_not_depend_on_the_threads(criterion):
    model, task = example("text")
    structure = find_structure(model, examples(task, 4).inputs)
    about = (model, structure, task, task.sample(9, seed=3))
    alone = scores_or_refusal(criterion, *about, CPU)
    assert scores_or_refusal(criterion, *about, type(CPU)("cpu", 3, None)) == alone
    if alone is not None:
        check_scores(alone, structure)


# ------------------------------------------------------------ resamples


def test_rows_of_one_item_come_and_go_together():
    """As many copies of each item change nothing: they are no further evidence."""
    draw = torch.Generator().manual_seed(0)
    x, y = (torch.randn(40, 6, generator=draw, dtype=torch.float64) for _ in range(2))
    y += x
    alone = resampled(cka, x, y, 30, seed=5)
    items = torch.arange(40).repeat_interleave(4)
    copies = resampled(cka, x[items], y[items], 30, seed=5, items_N=items)
    assert copies == pytest.approx(alone, rel=1e-9)
    as_rows = resampled(cka, x[items], y[items], 30, seed=5)
    assert np.std(as_rows) < 0.8 * np.std(alone)


def test_where_each_row_is_an_item_the_resamples_are_what_they_were():
    draw = torch.Generator().manual_seed(0)
    x, y = (torch.randn(50, 5, generator=draw) for _ in range(2))
    items = torch.arange(50)
    assert resampled(cka, x, y, 9, 2) == resampled(cka, x, y, 9, 2, items_N=items)


# ------------------------------------------------------------ the tasks themselves


@pytest.mark.parametrize("make", [windows, text, lambda: ImageTask(small_data(24)), Keywords])
def test_every_item_is_in_one_batch_in_order_and_in_training_once(make):
    task = make()
    for split in SPLITS:
        batches = list(task.batches(split, 7))
        items = torch.cat([batch.items_B for batch in batches])
        assert torch.equal(items, torch.arange(num_items(task, split)))
        assert all(len(batch) == len(batch.targets) <= 7 for batch in batches)
    count = num_items(task, "train")
    sizes = [5] * (count // 5) + [count % 5] * (count % 5 > 0)
    epochs = [list(task.training_batches(sizes, generator(seed, "epoch"))) for seed in (1, 1, 2)]
    orders = [torch.cat([batch.items_B for batch in epoch]) for epoch in epochs]
    assert all(torch.equal(order.sort().values, torch.arange(count)) for order in orders)
    assert torch.equal(orders[0], orders[1]) and not torch.equal(orders[0], orders[2])


def test_images_are_the_task_that_they_were():
    data = small_data(24)
    task = ImageTask(data)
    batch = of_items(task, "validation", torch.tensor([4, 1]))
    pixels = data.validation.pixels_NHWC[[4, 1]].permute(0, 3, 1, 2)
    torch.testing.assert_close(batch.inputs, (pixels / 255 - 0.5) / 0.25)
    expected = sample_per_class(data.train.labels_N.numpy(), 3, 7).tolist()
    assert task.sample(3, 7).tolist() == expected
    model = network({"stem_width": 4, "stage_widths": [4], "inner_widths": [[4]],
                     "num_classes": 3})  # fmt: skip
    assert math.isfinite(evaluate(model, task, "test", CPU).loss)


def test_the_next_token_is_asked_for_at_each_place_and_no_split_sees_another():
    row = torch.arange(200)
    task = NextTokenTask("numbers", row, length=5, num_tokens=200, argument="input_ids")
    seen = {}
    for split in SPLITS:
        batch = whole(task, split)
        assert torch.equal(batch.inputs["input_ids"] + 1, batch.targets)
        seen[split] = set(batch.targets.flatten().tolist())
    assert not seen["train"] & (seen["validation"] | seen["test"])
    assert [num_items(task, split) for split in SPLITS] == [35, 1, 1]
    batch = next(task.training_batches([35], torch.Generator().manual_seed(0)))
    assert torch.equal(batch.inputs["input_ids"] + 1, batch.targets)
    assert int(batch.targets.max()) < 180


def test_arrays_are_a_task_with_their_own_validation_items_or_without(tmp_path):
    x, y = np.arange(400.0).reshape(200, 2), np.arange(200) % 4
    np.savez(tmp_path / "table.npz", x_train=x, y_train=y, x_test=x, y_test=y)
    task = ArrayTask.read(tmp_path / "table.npz", row="line")
    about = task.describe()
    assert (about.name, about.row, about.classes) == ("table", "line", ("0", "1", "2", "3"))
    assert (about.num_train, about.num_validation, about.num_test) == (180, 20, 200)
    train, validation = (whole(task, split).inputs for split in ("train", "validation"))
    assert train.dtype == torch.float32 and not set(train[:, 0]) & set(validation[:, 0])
    again = ArrayTask("table", {"x_train": x, "y_train": y, "x_test": x, "y_test": y})
    other = ArrayTask("table", {"x_train": x + 1, "y_train": y, "x_test": x, "y_test": y})
    assert again.describe().digest == about.digest != other.describe().digest


@pytest.mark.parametrize(("arrays", "words"), [
    ({"x_train": np.zeros((4, 2)), "y_train": np.arange(4)}, "no x_test and y_test"),
    ({"x_train": np.zeros((4, 2)), "y_train": np.arange(3), "x_test": np.zeros((2, 2)),
      "y_test": np.arange(2)}, "x_train of t has 4 items and y_train 3"),
    ({"x_train": np.zeros((4, 2)), "y_train": np.arange(4), "x_test": np.zeros((2, 2)),
      "y_test": np.arange(2)},
     r"1 in y_train is of class 0, and none are left \(and of 3 more classes\).*give x_val"),
    ({"x_train": np.zeros((3, 2)), "y_train": np.array([0, 0, 7]), "x_test": np.zeros((2, 2)),
      "y_test": np.arange(2)}, "1 in y_train is of class 7, and none are left when"),
    ({"x_train": np.zeros((0, 2)), "y_train": np.arange(0), "x_test": np.zeros((2, 2)),
      "y_test": np.arange(2)}, "x_train of t has no items"),
])  # fmt: skip
def test_arrays_that_are_no_task_are_told(arrays, words):
    with pytest.raises(DataError, match=words):
        ArrayTask("t", arrays)


def test_items_of_a_class_that_are_too_few_to_hold_out_do_where_validation_items_are_given():
    x, y = np.zeros((4, 2)), np.arange(4)
    few = {"x_train": x, "y_train": y, "x_val": x, "y_val": y, "x_test": x, "y_test": y}
    assert ArrayTask("t", few).describe().num_train == 4


def test_too_few_tokens_are_told():
    with pytest.raises(DataError, match="one row of more than 50 tokens"):
        NextTokenTask("t", np.zeros(300, dtype=np.uint8), length=50, num_tokens=256)
