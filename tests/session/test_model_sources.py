"""MODEL as a network's name: which file its weights are, what its tree is called, what is refused;
and a person's factory, which a store has called only where somebody allows it."""

from __future__ import annotations

import asyncio
import hashlib
import os
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from small import write_data

from engine.contracts.errors import UsageError
from engine.contracts.jobs import WeightsNamed
from engine.contracts.references import Factory, ForeignFactoryError, factory_here
from explorer.executors.errors import JobFailedError
from explorer.executors.in_process import InProcessExecutor
from explorer.session import permissions
from explorer.session.factories import nobody
from explorer.session.model_source import ModelSource, NoWeightsError, check_named, source_of
from explorer.session.open_run import Request, open_session, store_of

RESNET = "torchvision.models:resnet18"
SOURCE = """
import torch
from torch import nn

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv, self.bn = nn.Conv2d(1, 4, 3, padding=1), nn.BatchNorm2d(4)
        self.head = nn.Linear(4, 3)

    def forward(self, images):
        return self.head(self.bn(self.conv(images)).relu().mean((2, 3)))

def make():
    torch.manual_seed(1)
    return Net()
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with a factory, its weights and images; Python finds modules there."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path, str(tmp_path)])
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    (tmp_path / "mynets.py").write_text(SOURCE)
    write_data(tmp_path)
    before = set(sys.modules)
    from engine.models import build

    torch.save(build("mynets:make", {}).state_dict(), tmp_path / "net.pt")
    yield tmp_path
    for name in set(sys.modules) - before:
        if name.startswith("mynets"):
            del sys.modules[name]


# ------------------------------------------------------------ naming


def test_a_name_means_the_file_of_its_weights_and_a_tree_in_the_current_folder(folder):
    (folder / "far").mkdir()
    (folder / "net.pt").rename(folder / "far" / "net.pt")
    request = Request(RESNET, weights=Path("far/net.pt"))
    assert source_of(request) == ModelSource(Path("far/net.pt"), RESNET)
    assert store_of(request) == Path("resnet18.pex.db")
    same = source_of(Request("far/net.pt", arch=RESNET))
    assert same == source_of(request) and same.checkpoint().name == "net.pt"
    assert store_of(Request("timm:vit_tiny.a_b", store=Path("x.db"))) == Path("x.db")


def test_a_file_of_such_a_name_is_a_file(folder):
    (folder / "net.pt").rename(folder / "nets:make")
    assert source_of(Request("nets:make")) == ModelSource(Path("nets:make"))


def test_random_weights_are_the_same_checkpoint_each_time_and_another_for_another_network():
    first, again, other = (
        source_of(Request(name, random_weights=True)).checkpoint()
        for name in (RESNET, RESNET, "timm:resnet18")
    )
    assert first == again != other and first.name == "resnet18"


@pytest.mark.parametrize(("request_", "error", "words"), [
    (Request("timm:resnet18"), NoWeightsError, "--weights FILE, or begin untrained"),
    (Request("mynets:make"), NoWeightsError, "no weights by itself"),
    (Request(RESNET, weights=Path("gone.pt")), UsageError, "there is no file 'gone.pt'"),
    (Request(RESNET, weights=Path("net.pt"), random_weights=True), UsageError, "not both"),
    (Request(RESNET, arch="resnet20", random_weights=True), UsageError, "leave --arch out"),
    (Request("net.pt", weights=Path("net.pt")), UsageError, "leave --weights out"),
    (Request("net.pt", random_weights=True), UsageError, "leave --random-weights out"),
])  # fmt: skip
def test_what_does_not_go_together_is_told_with_what_does(folder, request_, error, words):
    with pytest.raises(error, match=words):
        source_of(request_)


class Library:
    """An executor that knows what files are called, and has one to give where it is reached."""

    def __init__(self, is_reached: bool = False) -> None:
        self.is_reached = is_reached
        self.asked: list[str | None] = []

    async def run(self, request, on_event):
        self.asked.append(request.job.weights)
        if request.places.output:
            if not self.is_reached:
                raise JobFailedError("unreachable", "no route to it")
            place = Path(request.places.output)
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(b"fetched")
        return WeightsNamed(("resnet18-f37072fd.pth", "resnet18-old.pth"))


def with_weights(request: Request, library: Library) -> ModelSource:
    return asyncio.run(source_of(request).with_weights(library, lambda event: None))


def test_a_librarys_own_weights_are_taken_from_its_cache(folder):
    with pytest.raises(NoWeightsError, match=r"f37072fd\.pth or .* not in .*torch/hub.*no route"):
        with_weights(Request(RESNET), Library())
    cached = folder / "torch" / "hub" / "checkpoints" / "resnet18-old.pth"
    cached.parent.mkdir(parents=True)
    cached.write_bytes(b"weights")
    source = with_weights(Request(RESNET), Library())
    assert source == ModelSource(cached, RESNET)
    assert source.checkpoint().sha256 == hashlib.sha256(b"weights").hexdigest()


def test_weights_that_are_not_there_are_fetched_but_not_by_who_is_offline(folder, monkeypatch):
    monkeypatch.setenv("PE_EXPLORE_OFFLINE", "1")
    with pytest.raises(NoWeightsError, match="nothing is fetched while PE_EXPLORE_OFFLINE is set"):
        with_weights(Request(RESNET), Library(is_reached=True))
    monkeypatch.delenv("PE_EXPLORE_OFFLINE")
    source = with_weights(Request(RESNET), Library(is_reached=True))
    assert source.path.name == "resnet18-f37072fd.pth" and source.path.read_bytes() == b"fetched"


def test_weights_are_named_as_torchvision_names_them_unless_a_file_is_called_so(folder):
    request, library = Request(RESNET, weights=Path("IMAGENET1K_V1")), Library(is_reached=True)
    with_weights(request, library)
    assert library.asked == ["IMAGENET1K_V1"] * 2
    (folder / "IMAGENET1K_V1").write_bytes(b"mine")
    assert source_of(request) == ModelSource(Path("IMAGENET1K_V1"), RESNET)
    with pytest.raises(UsageError, match="there is no file 'IMAGENET1K_V2'"):
        source_of(Request("mynets:make", weights=Path("IMAGENET1K_V2")))


def test_a_folder_of_transformers_is_its_weights_by_its_kind(folder):
    saved = folder / "vit"
    saved.mkdir()
    (saved / "config.json").write_text('{"model_type": "vit"}')
    with pytest.raises(UsageError, match="has none of model"):
        source_of(Request("vit"))
    (saved / "model.safetensors").touch()
    assert source_of(Request("vit")) == ModelSource(
        Path("vit/model.safetensors"), "transformers:vit"
    )
    check_named("vit")
    with pytest.raises(UsageError, match="leave --weights"):
        source_of(Request("vit", random_weights=True))
    with pytest.raises(NoWeightsError, match="give the folder with config"):
        source_of(Request("transformers:vit"))
    for told in ("[]", "{", '{"model": 1}'):
        (saved / "config.json").write_text(told)
        with pytest.raises(UsageError, match="names no model_type"):
            source_of(Request("vit"))


# ------------------------------------------------------------ a person's factory


def request(model: str = "net.pt", **changes) -> Request:
    return Request(model, overrides={"data": "bars.npz"}, **changes)


def opened(asked: Request, answers: list[bool] | None = None):
    """What is known of the factory once a run is open: its leave or why there is none, how the
    run remembers it, and the questions that were asked."""
    questions: list[str] = []

    async def allow(question: str) -> bool:
        questions.append(question)
        return (answers or []).pop(0)

    async def work():
        session = await open_session(
            asked, InProcessExecutor, lambda event: None, allow=nobody if answers is None else allow
        )
        try:
            try:
                leave = (await session.jobs.places()).factory
            except ForeignFactoryError as error:
                leave = str(error)
            return leave, session.document.origin.factory
        finally:
            await session.close()

    leave, origin = asyncio.run(work())
    return leave, origin, questions


STORE = Request("net.pex.db")


def test_who_begins_a_run_allows_its_factory_and_the_run_remembers_its_file(folder):
    leave, origin, _ = opened(request(arch="mynets:make"))
    sha256 = hashlib.sha256((folder / "mynets.py").read_bytes()).hexdigest()
    assert leave == origin == Factory("mynets:make", sha256)


def test_a_store_asks_once_and_without_leave_it_can_only_be_looked_at(folder):
    opened(request(arch="mynets:make"))
    leave, _, _ = opened(STORE)
    assert "--allow-factory mynets:make" in leave and "the same as when the run began" in leave
    leave, _, questions = opened(STORE, [False])
    assert "--allow-factory mynets:make" in leave and len(questions) == 1
    leave, origin, questions = opened(STORE, [True])
    assert leave == origin and len(questions) == 1 and str(folder / "mynets.py") in questions[0]
    # The remedy, followed; and the command that began the run, which names it.
    assert opened(replace(STORE, allow_factory=("mynets:make",)))[0] == origin
    assert opened(request(arch="mynets:make"))[0] == origin


def test_a_file_that_has_changed_is_told_and_asks_again(folder):
    _, origin, _ = opened(request(arch="mynets:make"))
    with open(folder / "mynets.py", "a") as file:
        file.write("# looked at again\n")
    now = factory_here("mynets:make")
    for asked in (replace(STORE, allow_factory=("mynets:make",)), request(arch="mynets:make")):
        leave, remembered, _ = opened(asked)
        assert "it has changed since the run began" in leave and remembered == origin
    digits = leave.rpartition("--allow-factory ")[2]
    assert digits == f"mynets:make@{now.sha256[:12]}"
    assert opened(replace(STORE, allow_factory=(digits,)))[0] == now
    leave, _, (question,) = opened(STORE, [True])
    assert leave == now and origin.sha256[:12] in question and "changed" in question


def test_a_yes_is_remembered_until_the_file_changes_or_lies_elsewhere(folder, monkeypatch):
    monkeypatch.setenv("PE_EXPLORE_PERMISSIONS", str(folder / "own" / "permissions.json"))
    kept = folder / "own" / "permissions.json"
    _, origin, _ = opened(request(arch="mynets:make"))
    assert not kept.exists()  # who names a function allows it once
    _, _, (question,) = opened(STORE, [True])
    assert f"take it out of {kept} to be asked again" in question
    assert kept.stat().st_mode & 0o077 == 0
    assert opened(STORE, [])[0] == opened(STORE)[0] == origin  # nobody is asked again
    elsewhere = folder / "elsewhere"
    elsewhere.mkdir()
    for name in ("mynets.py", "net.pex.db", "bars.npz"):
        (elsewhere / name).write_bytes((folder / name).read_bytes())
    monkeypatch.chdir(elsewhere)  # beside other modules, which it may import
    monkeypatch.setattr(sys, "path", [p for p in sys.path if p != str(folder)] + [str(elsewhere)])
    assert len(opened(STORE, [False])[2]) == 1
    monkeypatch.chdir(folder)
    monkeypatch.setattr(sys, "path", [p for p in sys.path if p != str(elsewhere)] + [str(folder)])
    assert opened(STORE)[0] == origin
    text = (folder / "mynets.py").read_text()
    (folder / "mynets.py").write_text(text + "# changed\n")
    assert len(opened(STORE, [False])[2]) == 1
    (folder / "mynets.py").write_text(text)
    kept.unlink()
    assert len(opened(STORE, [False])[2]) == 1


@pytest.mark.parametrize("damage", [
    lambda kept: kept.chmod(0o666), lambda kept: kept.write_text("{"),
    lambda kept: kept.write_text('{"allowed": 3}'), lambda kept: kept.write_text("[" * 10**5),
    lambda kept: (kept.unlink(), kept.mkdir()), lambda kept: kept.write_bytes(bytes(2**21)),
    lambda kept: (kept.unlink(), os.mkfifo(kept)),
])  # fmt: skip
def test_permissions_that_anybody_may_have_written_allow_nothing(folder, monkeypatch, damage):
    kept = folder / "permissions.json"
    monkeypatch.setenv("PE_EXPLORE_PERMISSIONS", str(kept))
    now = factory_here("mynets:make")
    permissions.remember(now)
    assert permissions.is_remembered(now)
    damage(kept)
    assert not permissions.is_remembered(now)
    permissions.remember(now)  # at most it is not kept


def test_a_factory_that_is_not_here_leaves_the_tree_to_be_looked_at(folder):
    opened(request(arch="mynets:make"))
    (folder / "mynets.py").unlink()
    leave, _, questions = opened(STORE, [])
    assert "is not here" in leave and not questions


@pytest.mark.parametrize("given", ["mynets", "torchvision.models:resnet18", "mynets:make@12",
                                   "mynets:make@notahash"])  # fmt: skip
def test_what_can_be_no_factory_is_refused(folder, given):
    opened(request(arch="mynets:make"))
    with pytest.raises(UsageError, match="--allow-factory"):
        opened(replace(STORE, allow_factory=(given,)))


def test_a_name_of_a_registry_is_never_asked_about(folder):
    network = "torchvision.models:mobilenet_v3_small"
    with pytest.raises(JobFailedError, match="takes images of 3 channels, bars has 1"):
        opened(request(network, random_weights=True))
    assert not (folder / "mobilenet_v3_small.pex.db").exists()


def test_finding_a_module_imports_nothing(folder):
    (folder / "pack").mkdir()
    (folder / "pack" / "__init__.py").write_text("1 / 0")
    (folder / "pack" / "nets.py").write_text("1 / 0")
    assert factory_here("pack.nets:make").sha256 == hashlib.sha256(b"1 / 0").hexdigest()
    for reference in ("sys:exit", "nowhere:make", "pack.none:make", "no reference"):
        with pytest.raises(ForeignFactoryError, match="is not here"):
            factory_here(reference)
