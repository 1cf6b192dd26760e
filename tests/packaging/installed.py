"""The wheel, built from the files of the checkout, and a fresh environment that it is installed in.

Nothing is fetched: the libraries are those of the environment that runs the tests.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGES = ("engine", "store", "explorer", "sample_checkpoints")
BUILD = "import sys; from setuptools import build_meta; build_meta.build_wheel(sys.argv[1])"


def tracked(*folders: str) -> set[str]:
    """The files of the checkout under these folders (or all), new ones too, ignored ones not."""
    command = [
        "git",
        "ls-files",
        "--cached",
        "--others",
        "--exclude-standard",
        "-z",
        "--",
        *folders,
    ]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return {name for name in listed.split("\0") if name and (ROOT / name).exists()}


def build_wheel(folder: Path) -> Path:
    """The wheel of the checkout, built in a copy: no build folder of an earlier day slips in."""
    source = folder / "source"
    for name in tracked():
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, source / name)
    subprocess.run([sys.executable, "-c", BUILD, str(folder)], cwd=source, check=True,
                   capture_output=True)  # fmt: skip
    (wheel,) = folder.glob("*.whl")
    return wheel


def install(wheel: Path, folder: Path) -> Path:
    """The `bin` folder of a fresh environment with the wheel; libraries are borrowed from here."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
    python = folder / "bin" / "python"
    beside = Path(sys.executable).with_name("uv")
    uv = str(beside) if beside.exists() else shutil.which("uv")
    if uv:
        command = [uv, "pip", "install", "--offline", "--no-deps", "--python", python, wheel]
    else:
        command = [sys.executable, "-m", "pip", "--python", python, "install", "--no-index",
                   "--no-deps", wheel]  # fmt: skip
    subprocess.run(list(map(str, command)), check=True, capture_output=True)
    own = subprocess.run([python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"],
                         check=True, capture_output=True, text=True).stdout.strip()  # fmt: skip
    # A path in a .pth file is searched, but the .pth files there (an editable checkout) are not.
    libraries = {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}
    Path(own, "borrowed.pth").write_text("\n".join(sorted(libraries)) + "\n")
    return folder / "bin"


def environment() -> dict[str, str]:
    """The variables of this process but for what leads to other modules."""
    elsewhere = ("PYTHONPATH", "PYTHONHOME")
    return {name: value for name, value in os.environ.items() if name not in elsewhere}
