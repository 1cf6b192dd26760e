"""Results and markers that lie beside a received store: taken, or passed over; never an error."""

from __future__ import annotations

import json
import random
import shutil
from pathlib import Path

import pytest
from budget import rounds
from hostile_rows import JSON_VALUES, JSONS, TEXTS, changed

from engine.contracts.codec import encode_object
from engine.contracts.edits import Edit
from engine.contracts.jobs import Proposed, Recovered, Tuned
from engine.contracts.marker import Marker, read_marker
from engine.contracts.networks import Scores, SnapshotRef
from explorer.session.artifacts import Artifacts
from store import TreeStore

GOLDEN = Path(__file__).parents[1] / "store" / "golden" / "growing-6.db"
KEY = "a" * 64


def results() -> list[dict]:
    """One of each result that waits in a spool."""
    ref, metrics = SnapshotRef("b" * 64), {"similarity": 0.9, "val_accuracy": 90.0}
    return [
        encode_object(Recovered(ref, (), (0.5, 0.25), metrics, 1.5)),
        encode_object(Tuned(ref, (), metrics, 1.5)),
        encode_object(Proposed("l1", Scores({"a": 1.0}, {"b": (1.0,)}), (Edit("layer", ("a",)),))),
    ]


def hostile(draw: random.Random, value: object) -> bytes:
    """A file's content: the value with something strange in it, or nothing of the kind."""
    how = draw.randrange(6)
    if how == 0:
        return draw.choice((*JSONS, *TEXTS)).encode(errors="surrogatepass")
    if how == 1:
        return draw.randbytes(draw.randrange(200))
    if how == 2:
        text = json.dumps(value).encode()
        return text[: draw.randrange(len(text))]
    if how == 3:
        return json.dumps(draw.choice(JSON_VALUES)).encode()
    return json.dumps(changed(value, draw)).encode()


@pytest.mark.slow
def test_results_of_somebody_else(tmp_path):
    shutil.copy(GOLDEN, tmp_path / "x.pex.db")
    spool = tmp_path / "x.pex.db.spool"
    spool.mkdir()
    made = results()
    with TreeStore.open(tmp_path / "x.pex.db", read_only=True) as store:
        artifacts = Artifacts(store, spool)
        for draw in rounds(10, seed=4):
            (spool / f"{KEY}.json").write_bytes(hostile(draw, draw.choice(made)))
            artifacts.finished(KEY)
            list(artifacts.waiting())


@pytest.mark.slow
def test_markers_of_somebody_else(tmp_path):
    for draw in rounds(5, seed=5):
        path = tmp_path / f"{KEY}.running"
        path.write_bytes(hostile(draw, {"pid": 4_000_000, "started": 5, "job": "recover"}))
        found = read_marker(path)
        assert found is None or isinstance(found, Marker)
