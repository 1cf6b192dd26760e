"""Trees on data of a person's own: the examples of docs/tasks.md, grown, replayed and resumed; and
their code is called only with leave."""

from __future__ import annotations

import asyncio
import re
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from engine.contracts.errors import UsageError
from engine.contracts.references import ForeignFactoryError, factory_here
from explorer.executors.errors import JobFailedError
from explorer.executors.in_process import InProcessExecutor
from explorer.session.factories import nobody
from explorer.session.open_run import Request, open_session, settings_of
from explorer.session.search import grow_tree
from explorer.views.replay import Replay
from explorer.views.stored_nodes import node_views

PAGE = (Path(__file__).parents[2] / "docs/tasks.md").read_text()
MODULES = {
    re.match(r"# (\w+)\.py\n", block)[1]: block  # type: ignore[index]
    for block in re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
}
QUICK = {"criterion_samples": 6, "recovery_epochs": 1, "tune_epochs": 2, "num_resamples": 20,
         "iterations": 1}  # fmt: skip


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with the modules of the page; Python finds them there."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path, str(tmp_path)])
    for name, source in MODULES.items():
        (tmp_path / f"{name}.py").write_text(source)
    yield tmp_path
    for name in MODULES:
        sys.modules.pop(name, None)


def request(module: str, task: str = "task", **settings) -> Request:
    return Request(
        f"{module}:Network", device="cpu", random_weights=True, task=f"{module}:{task}",
        store=Path(f"{module}.db"), overrides={**QUICK, **settings},
    )  # fmt: skip


async def _grown(asked: Request, allow=nobody):
    session = await open_session(asked, InProcessExecutor, lambda event: None, allow=allow)
    try:
        await grow_tree(session)
        document = session.document
        nodes = {node.name: node for node in node_views(session.store, session.run.id)}
        replay = Replay.of(session.store, session.run.id)
        last = replay.nodes_at(len(replay.moments) - 1)
        return document, nodes, {node.name: node for node in last}
    finally:
        await session.close()


def grown(asked: Request, allow=nobody):
    return asyncio.run(_grown(asked, allow))


@pytest.mark.parametrize(("module", "task", "row", "structures", "criterion"), [
    ("sensors", "task", "window", {"layer", "neuron"}, "kl"),
    ("language", "task", "token", {"layer", "unit"}, "kl-fisher"),
    ("pairs", "Pairs", "pair", {"neuron"}, "kl-fast"),
])  # fmt: skip
def test_the_examples_of_the_page_grow_a_tree(folder, module, task, row, structures, criterion):
    document, nodes, replay = grown(request(module, task, criterion=criterion))
    assert document.data.row == row and document.settings.data.source == f"{module}:{task}"
    assert document.origin.task == factory_here(f"{module}:{task}")
    candidates = [node for node in nodes.values() if node.parent == "R"]
    assert {node.structure for node in candidates} == structures
    assert all(node.state == "ready" and 0 < node.metrics["similarity"] <= 1 for node in candidates)
    root = nodes["R"]
    for node in candidates:
        assert all(node.metrics[k] < root.metrics[k] for k in ("macs", "params"))
    assert any("test_accuracy" in node.metrics for node in candidates)
    assert {n: v.metrics for n, v in replay.items()} == {n: v.metrics for n, v in nodes.items()}


@pytest.mark.slow  # grows a tree twice
def test_a_tree_of_tokens_is_the_same_again(folder):
    asked = request("language", criterion="kl-fisher")
    first = grown(asked)[1]
    second = grown(replace(asked, store=Path("again.db")))[1]
    for name, node in first.items():
        for key in ("val_accuracy", "val_loss", "similarity"):
            assert node.metrics.get(key) == second[name].metrics.get(key)


def test_a_store_never_has_a_task_called_by_itself(folder):
    grown(request("sensors"))
    store = Request("sensors.db", overrides={"iterations": 2})
    named = ("sensors:Network", "sensors:task")
    for allowed in ((), named[:1], named[1:]):
        with pytest.raises(ForeignFactoryError, match="--allow-factory sensors:"):
            grown(replace(store, allow_factory=allowed))
    assert "R.L" in grown(replace(store, allow_factory=named))[1]
    questions: list[str] = []

    async def allow(question: str) -> bool:
        questions.append(question)
        return True

    grown(replace(store, overrides={"iterations": 3}), allow)
    assert [text.partition(" is made by ")[0] for text in questions] == [
        "the network of run Network-1", "the task of run Network-1"
    ]  # fmt: skip
    assert "the same as when the run began" in questions[1]


def test_a_task_whose_file_has_changed_is_called_only_with_its_digits(folder):
    grown(request("sensors"))
    source = folder / "sensors.py"
    source.write_text(source.read_text() + "\n# another word\n")
    store = Request("sensors.db", overrides={"iterations": 2})
    named = ["sensors:Network", "sensors:task"]
    with pytest.raises(ForeignFactoryError, match="it has changed since the run began") as refused:
        grown(replace(store, allow_factory=named))
    digits = str(refused.value).rpartition("@")[2]
    assert grown(replace(store, allow_factory=[f"{name}@{digits}" for name in named]))


def test_a_task_that_has_other_data_now_is_refused(folder):
    grown(request("sensors"))
    source = folder / "sensors.py"
    source.write_text(source.read_text().replace("default_rng(0)", "default_rng(1)"))
    sys.modules.pop("sensors")
    names = [f"{name}@{factory_here(name).sha256[:12]}" for name in
             ("sensors:Network", "sensors:task")]  # fmt: skip
    with pytest.raises(Exception, match="has not the data that this tree was grown on"):
        grown(Request("sensors.db", overrides={"iterations": 2}, allow_factory=names))


@pytest.mark.parametrize(("changes", "error", "words"), [
    ({"task": "sensors"}, UsageError, "give package.module:function"),
    ({"task": "torchvision.models:resnet18"}, UsageError, "give package.module:function"),
    ({"task": "nowhere:task"}, ForeignFactoryError, "no file of the module 'nowhere'"),
    ({"task": "sensors:nothing"}, JobFailedError, "has no 'nothing'"),
    ({"task": "sensors:Network"}, JobFailedError, r"has no describe\(\)"),
    ({"task": "language:task"}, JobFailedError, "fails on two items of pangrams"),
    ({"overrides": {"train_limit": 5}}, JobFailedError, "leave them out, and have the task do it"),
])  # fmt: skip
def test_what_is_no_task_for_the_network_is_told_and_leaves_no_store(folder, changes, error, words):
    with pytest.raises(error, match=words):
        grown(replace(request("sensors"), **changes))
    assert not (folder / "sensors.db").exists()


def test_another_task_for_the_same_network_is_another_run_and_the_way_back_is_its_option(folder):
    grown(request("sensors"))
    source = folder / "sensors.py"
    source.write_text(source.read_text() + "\n\ndef again():\n    return task()\n")
    sys.modules.pop("sensors")
    weights = replace(request("sensors", task="again"), store=Path("sensors.db"))
    with pytest.raises(UsageError, match="--task sensors:task to go on with it") as refused:
        grown(replace(weights, overrides={**QUICK, "seed": 5}))
    assert "--task sensors:again instead of sensors:task" in str(refused.value)


def test_the_place_of_a_task_is_its_function():
    assert settings_of(request("sensors")).data.source == "sensors:task"
