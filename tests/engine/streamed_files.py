"""What tests of streamed images share: tar shards, places that count, a set opened in few words."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Iterable
from pathlib import Path

from engine.contracts.networks import Reading
from engine.data import StreamedData, open_data


def streamed(path: Path, **reading) -> StreamedData:
    data = open_data(str(path), Reading(loader="streaming", **reading))
    assert isinstance(data, StreamedData)
    return data


def add(archive: tarfile.TarFile, name: str, content: bytes, **changes) -> None:
    info = tarfile.TarInfo(name)
    info.size = len(content)
    for key, value in changes.items():
        setattr(info, key, value)
    archive.addfile(info, io.BytesIO(content))


def shards_from(
    folder: Path, target: Path, each: int = 5, splits: Iterable[str] = ("train", "test"),
    label: str = "cls",
) -> Path:  # fmt: skip
    """The images of a folder as shards of `each` samples, in the folder's order."""
    target.mkdir(parents=True)
    for split in splits:
        files = sorted((folder / split).glob("*/*"))
        classes = sorted({file.parent.name for file in files})
        for number, start in enumerate(range(0, len(files), each)):
            with tarfile.open(target / f"{split}-{number:06}.tar", "w") as archive:
                for file in files[start : start + each]:
                    key = f"{file.parent.name}_{file.stem}"
                    add(archive, f"{key}{file.suffix}", file.read_bytes())
                    told = classes.index(file.parent.name)
                    text = str(told) if label == "cls" else json.dumps({"label": told})
                    add(archive, f"{key}.{label}", text.encode())
    return target
