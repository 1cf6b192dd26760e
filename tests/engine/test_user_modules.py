"""Modules of a person's that are called as our packages are: each side imports its own."""

from __future__ import annotations

import os
import py_compile
import sys
from pathlib import Path

import pytest
import torch
from networks import network

import engine
from engine.checkpoints import UnsafeCheckpointError, load
from engine.contracts.errors import UnknownFamilyError
from engine.models import build
from engine.models.cifar_resnet import CifarResNet
from engine.models.user_modules import users_modules_first

OURS = engine
TINY = {
    "stem_width": 4,
    "stage_widths": [4],
    "inner_widths": [[3]],
    "shortcut": "A",
    "conv_bias": False,
    "num_classes": 2,
    "in_channels": 1,
}
MAKE = f"""
def make():
    from engine.models.cifar_resnet import CifarResNet
    return CifarResNet(**{TINY!r})
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """The current folder, which is the last that Python looks in, as in a worker process."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path, str(tmp_path)])
    before = dict(sys.modules)
    yield tmp_path
    for name in sys.modules.keys() - before.keys():
        del sys.modules[name]
    assert {name: sys.modules[name] for name in before} == before


def write(folder: Path, **files: str) -> None:
    """Modules by their name without `.py`; `of__` stands for the folder they are in."""
    for name, text in files.items():
        path = folder / f"{name.replace('__', '/')}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def ours_is_back() -> bool:
    import engine
    from engine.contracts.errors import UnknownFamilyError as Again

    return engine is OURS and Again is UnknownFamilyError


def test_their_engine_is_theirs_when_imported_and_when_called_and_ours_stays_ours(folder):
    write(
        folder,
        engine="class Trainer: pass\nstate = []",
        store="shelf = ['theirs']",
        explorer="import engine\nwidth = 7",
        mynets="import engine\nfrom engine import Trainer\nfrom explorer import width\n"
        "import explorer\nassert explorer.engine is engine\n" + MAKE + "    \n"
        "def lazy():\n"
        "    import store\n"
        "    from engine import Trainer as Again\n"
        "    assert Again is Trainer and store.shelf == ['theirs']\n"
        "    engine.state.append(store)\n"
        "    return make()\n",
    )
    for _ in range(2):
        assert isinstance(build("mynets:lazy", {}), CifarResNet)
        assert ours_is_back()
    first, second = sys.modules["mynets"].engine.state
    assert first is second  # their modules are imported once


def test_a_package_of_theirs_is_theirs_in_all_its_parts(folder):
    write(
        folder,
        engine__contracts="width = 5",
        engine__models__heads="from engine.contracts import width as five",
        mynets="import engine\nimport engine.models.heads\nfrom networks import network\n"
        "def make():\n    from engine.models import heads\n"
        f"    assert engine.width == heads.five\n    return network({TINY!r})",
    )
    (folder / "engine" / "__init__.py").write_text("from engine.models import width")
    (folder / "engine" / "models" / "__init__.py").write_text("from engine.contracts import width")
    assert isinstance(build("mynets:make", {}), CifarResNet)
    assert ours_is_back()


def test_a_folder_of_data_is_no_module_and_a_folder_of_code_is_one(folder):
    (folder / "engine").mkdir()
    (folder / "engine" / "plan.trt").touch()
    write(folder, mynets="import engine\nassert callable(engine.load)\n" + MAKE)
    assert build("mynets:make", {})
    write(folder, store__shelf="width = 3", others="from store.shelf import width\n" + MAKE)
    assert build("others:make", {})


def test_a_factory_may_open_a_checkpoint_that_names_another_factory(folder):
    torch.save(network(TINY).state_dict(), folder / "inner.pt")
    write(
        folder,
        engine="width = 3",
        inner="import engine\nassert engine.width == 3\n" + MAKE,
        mynets="import engine\nfrom engine.checkpoints import load\n"
        "def make():\n"
        "    model = load('inner.pt', arch='inner:make').model\n"
        "    import inner\n"
        "    assert inner.engine is engine\n"
        "    return model",
    )
    assert isinstance(build("mynets:make", {}), CifarResNet)
    assert ours_is_back()


def test_the_libraries_never_meet_a_module_of_theirs(folder):
    write(folder, random="1 / 0", torch="1 / 0", tabnanny="1 / 0", safetensors="1 / 0",
          mynets="import random, torch, tabnanny, safetensors\n" + MAKE)  # fmt: skip
    assert build("mynets:make", {})


def test_a_factory_is_found_beside_the_person_before_among_what_is_installed(folder, monkeypatch):
    installed = folder / "installed"
    write(installed, models="1 / 0")
    monkeypatch.setattr(sys, "path", [str(installed), *sys.path])
    write(folder, models=MAKE)
    assert build("models:make", {})


def test_classes_in_a_trusted_file_are_the_persons(folder):
    write(folder, engine="class Options:\n    width = 3\n")
    with users_modules_first():
        from engine import Options

        torch.save({"model": network(TINY).state_dict(), "options": Options()}, folder / "net.pt")
    del sys.modules["engine"]
    sys.modules["engine"] = OURS
    with pytest.raises(UnsafeCheckpointError, match=r"engine\.Options"):
        load(folder / "net.pt")
    loaded = load(folder / "net.pt", trust_pickle=True)
    assert isinstance(loaded.model, CifarResNet) and ours_is_back()


def test_without_the_current_folder_on_the_path_nothing_of_it_is_imported(folder, monkeypatch):
    write(folder, engine="1 / 0", mynets=MAKE)
    monkeypatch.setattr(sys, "path", sys.path[:-1])
    with pytest.raises(UnknownFamilyError, match="'mynets': it is not on Python's path"):
        build("mynets:make", {})


@pytest.mark.parametrize(
    ("reference", "cause", "remedy"),
    [
        ("nowhere:make", "there is no module 'nowhere': it is neither in {folder} nor installed",
         "run the command in the folder that holds nowhere.py"),
        ("pack.age:make", "there is no module 'pack'", "in the folder that holds pack.py"),
        ("needy:make", "'needy' imports 'not_there', which is neither in {folder}", "install it"),
        ("broken:make", "'broken', looked for in {folder}, fails when it is imported "
         "(ZeroDivisionError: division by zero)", "until python -c 'import broken' works"),
        ("untold:make", "fails when it is imported (SystemExit: 3)", "mend it"),
        ("wrong:make", "fails when it is imported (SyntaxError: ", "mend it"),
        ("mynets:mak", "mynets ({folder}/mynets.py) has no 'mak'", "did you mean 'mynets:make'?"),
        ("mynets:xyz", "mynets ({folder}/mynets.py) has no 'xyz'", "name one that is there"),
        ("mynets", "'mynets' is neither a family (cifar_resnet, ", "'package.module:factory'"),
    ],
)  # fmt: skip
def test_what_cannot_be_imported_is_told_with_where_and_what_helps(
    folder, reference, cause, remedy
):
    write(folder, needy="import not_there", broken="import engine\n1 / 0", engine="",
          untold="raise SystemExit(3)", wrong="def make(:", mynets=MAKE)  # fmt: skip
    with pytest.raises(UnknownFamilyError) as caught:
        build(reference, {})
    assert cause.format(folder=folder) in str(caught.value) and remedy in str(caught.value)
    assert ours_is_back()


def test_the_file_is_what_runs_and_nothing_that_was_compiled_of_another_one(folder):
    """What a person allows is known by the file's hash; Python would trust its size and age."""
    write(folder, mynets=MAKE.replace("return", "raise KeyError\n    return"))
    py_compile.compile(str(folder / "mynets.py"))
    age = (folder / "mynets.py").stat()
    write(folder, mynets=MAKE.replace("return", "True or None; \n    return"))
    os.utime(folder / "mynets.py", ns=(age.st_atime_ns, age.st_mtime_ns))
    assert (folder / "mynets.py").stat().st_size == age.st_size
    assert isinstance(build("mynets:make", {}), CifarResNet)
