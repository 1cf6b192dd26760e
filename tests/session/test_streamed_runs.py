"""Trees grown on streamed images: the choice is kept, and who is killed goes on bit for bit."""

from __future__ import annotations

import asyncio
import os
import pickle
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from executors import until
from killing import Auto, snapshots
from PIL import Image
from small import OPTIONS, request_of, write_network

from engine.contracts.errors import DataError, UserError
from engine.contracts.loaders import WORKERS_VARIABLE
from engine.contracts.references import ForeignFactoryError, factory_here
from engine.data.streaming import choosing
from engine.worker.transforms import transforms_of
from explorer.executors.errors import JobFailedError
from explorer.executors.in_process import InProcessExecutor
from explorer.session.open_run import Request, open_session, spool_of
from explorer.session.search import grow_tree

# Grey images turned round now and then; tells when it trains, and waits where a gate is shut.
TRANSFORMS = """
import os, time
from pathlib import Path
import torch
from PIL import ImageOps

here = Path(__file__).parent

def mine(image, training):
    if training:
        with open(here / "trained", "a") as file:
            file.write("x")
        while (here / "shut").exists() and (here / "trained").stat().st_size > 20:
            time.sleep(0.01)
    return ImageOps.flip(image) if training and torch.rand(()) < 0.3 else image
"""


def bars(root: Path, num_train: int = 90) -> Path:
    """Noise with a bright bar whose place is the class, as images of a folder."""
    random = np.random.default_rng(0)
    for split, count in (("train", num_train), ("test", 30)):
        for number in range(count):
            pixels = random.integers(0, 120, (8, 8), dtype=np.uint8)
            pixels[2 * (number % 3) + 1] += 120
            path = root / split / str(number % 3) / f"{number:03}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(pixels).save(path)
    return root


@pytest.fixture
def files(tmp_path, monkeypatch):
    monkeypatch.setenv("PE_EXPLORE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv(WORKERS_VARIABLE, "0")
    return write_network(tmp_path), bars(tmp_path / "bars")


def grow(request, told=None):
    async def work():
        session = await open_session(request, InProcessExecutor, (told or []).append)
        try:
            outcome = await grow_tree(session)
            return session.document, outcome
        finally:
            await session.close()

    return asyncio.run(work())


def root_of(request) -> tuple[str, dict]:
    """The loader of a run that is begun, and what was measured of its root."""

    async def work():
        session = await open_session(request, InProcessExecutor, [].append)
        try:
            return session.document.data.loader, dict(session.node("R").metrics)
        finally:
            await session.close()

    return asyncio.run(work())


def test_a_network_has_the_same_figures_on_streamed_images(files, tmp_path):
    found = [
        root_of(request_of(files, tmp_path / f"{loader}.db", loader=loader))
        for loader in ("memory", "streaming")
    ]
    assert [loader for loader, _ in found] == ["memory", "streaming"]
    memory, streamed = (
        {key: value for key, value in metrics.items() if "latency" not in key}
        for _, metrics in found
    )
    assert memory == streamed and {"val_loss", "test_accuracy", "macs"} <= memory.keys()


def test_the_loader_that_was_chosen_is_kept_with_the_run(files, tmp_path, monkeypatch):
    store = tmp_path / "a.db"
    with monkeypatch.context() as small:
        small.setattr(choosing, "available_bytes", lambda: 1_000)
        document, _ = grow(request_of(files, store, iterations=1))
    assert document.data.loader == "streaming" and document.settings.data.loader == "auto"
    assert any("decoded when they are needed" in note for note in document.origin.notes)
    # With more memory, or on another machine, the run goes on as it began.
    document, outcome = grow(request_of(files, store, iterations=2))
    assert document.data.loader == "streaming" and outcome.stopped == "iterations: 2 done"
    assert document.data_ref.reading.loader == "streaming"


@pytest.mark.slow  # sessions with processes that load images
def test_a_persons_transforms_are_called_only_where_that_is_allowed(files, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "my_transforms.py").write_text(TRANSFORMS)
    store = tmp_path / "a.db"
    request = request_of(files, store, iterations=1, transforms="my_transforms:mine")
    document, _ = grow(request)
    assert document.data.transforms.reference == "my_transforms:mine"
    assert document.data.loader == "streaming" and (tmp_path / "trained").exists()
    again = Request(str(store), overrides={"iterations": 2})
    with pytest.raises(UserError, match=r"prepared by my_transforms:mine.*--allow-factory my_tr"):
        grow(again)
    allowed = Request(
        str(store), overrides={"iterations": 2}, allow_factory=("my_transforms:mine",)
    )
    assert grow(allowed)[1].stopped == "iterations: 2 done"
    (tmp_path / "my_transforms.py").write_text(TRANSFORMS + "\n# changed\n")
    with pytest.raises(UserError, match="bring back the file as it was"):
        grow(replace(allowed, overrides={"iterations": 3}))


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ("return image.convert('F')", r"gives a Image.*not an image of Pillow's"),
        ("import torch; return torch.zeros(3, 8, 8)", r"torch\.float32 of \(3, 8, 8\)"),
        ("raise KeyError('oh')", r"my_odd:mine fails on it \(KeyError: 'oh'\)"),
        (
            "return image.resize((image.width + (image.getpixel((0, 0)) % 2), 8))",
            "needs one size|all need one size",
        ),
    ],
)
def test_transforms_that_give_no_pixels_are_told_with_the_image(
    files, tmp_path, monkeypatch, body, told
):
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "my_odd.py").write_text(f"def mine(image, training):\n    {body}\n")
    monkeypatch.delitem(sys.modules, "my_odd", raising=False)
    with pytest.raises(JobFailedError, match=told):
        grow(request_of(files, tmp_path / "a.db", transforms="my_odd:mine"))


def test_transforms_need_streaming(files, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my_transforms.py").write_text(TRANSFORMS)
    with pytest.raises(JobFailedError, match="goes with --loader streaming, not memory"):
        overrides = {"transforms": "my_transforms:mine", "loader": "memory"}
        grow(request_of(files, tmp_path / "a.db", **overrides))


def options(data: Path, workers: int) -> list[str]:
    given = {**OPTIONS, "iterations": 1, "loader": "streaming", "data": data,
             "transforms": "my_transforms:mine", "criterion": "l1",
             "loader_workers": workers}  # fmt: skip
    return [f"--{name.replace('_', '-')}={value}" for name, value in given.items()]


@pytest.mark.slow  # three commands, each with processes that import torch
@pytest.mark.parametrize("victim", ["session", pytest.param("worker", marks=pytest.mark.soak)])
def test_who_is_killed_in_the_middle_of_an_epoch_goes_on_bit_for_bit(files, tmp_path, victim):
    model, data = files
    (tmp_path / "my_transforms.py").write_text(TRANSFORMS)
    environment = {**os.environ, "PE_EXPLORE_STATE": str(tmp_path / "state.json")}

    def command(store: Path, workers: int = 1) -> list[str]:
        program = [sys.executable, "-m", "explorer.cli", "auto", str(model)]
        return [*program, *options(data, workers), "--yes", f"--store={store}"]

    def auto(store: Path) -> Auto:
        return Auto(command(store), spool_of(store), environment, cwd=tmp_path)

    whole, broken = tmp_path / "whole.db", tmp_path / "broken.db"
    subprocess.run(
        command(whole, workers=0), check=True, env=environment, cwd=tmp_path, capture_output=True
    )
    (tmp_path / "trained").unlink()
    (tmp_path / "shut").touch()
    run = auto(broken)
    trained = tmp_path / "trained"
    # Some images of the first epoch are prepared, and the next one waits for ever.
    asyncio.run(until(lambda: trained.exists() and trained.stat().st_size > 20, 120))
    os.kill(run.process.pid if victim == "session" else next(iter(run.workers())), 9)
    (tmp_path / "shut").unlink()
    run.process.wait(120)
    if victim == "session":
        assert snapshots(broken).keys() == {("R", "root")}
        assert auto(broken).process.wait(240) == 0
    assert snapshots(broken) == snapshots(whole) and len(snapshots(whole)) == 4


def test_a_process_that_begins_later_calls_no_file_that_changed_since(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "my_late.py").write_text("def mine(image, training):\n    return image\n")
    code = factory_here("my_late:mine")
    prepare = transforms_of(code, allowed=code)
    image = Image.new("L", (4, 4))
    assert prepare(image, None).shape == (4, 4, 1)
    (tmp_path / "my_late.py").write_text("def mine(image, training):\n    return image.crop()\n")
    with pytest.raises(DataError, match="my_late:mine has changed since work began"):
        pickle.loads(pickle.dumps(prepare))(image, None)
    with pytest.raises(ForeignFactoryError, match="has changed since it was"):
        transforms_of(code, allowed=code)
    with pytest.raises(ForeignFactoryError, match="--allow-factory my_late:mine"):
        transforms_of(code, allowed=None)
