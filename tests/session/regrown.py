"""A real tree, and ways to change its rows behind the back of every rule."""

from __future__ import annotations

import asyncio
import sqlite3
from pathlib import Path

from small import OPTIONS, write_data, write_network

from explorer.executors.in_process import InProcessExecutor
from explorer.session.open_run import Request, open_session
from explorer.session.search import grow_tree
from store import TreeStore
from store.sqlite import canonical_json as documents


def grow(folder: Path) -> Path:
    """A tree of two decisions: R, R.L and R.F, and two candidates of whichever was kept."""
    model, data = write_network(folder), write_data(folder)
    store = folder / "tree.pex.db"

    async def all_of_it() -> None:
        request = Request(str(model), store=store, overrides={**OPTIONS, "data": str(data)})
        session = await open_session(request, InProcessExecutor, lambda event: None)
        try:
            await grow_tree(session)
        finally:
            session.store.close()

    asyncio.run(all_of_it())
    return store


def names(path: Path) -> tuple[str, str]:
    """The node that was kept below the root, and the other one."""
    with TreeStore.open(path, read_only=True) as store:
        kept, other = sorted(
            store.children(store.node(store.latest_run().id, "R").id), key=lambda n: not n.kept
        )
    return kept.name, other.name


def rewrite(path: Path, *statements: tuple) -> None:
    """Changes rows that nothing may change; the schema afterwards is what it was."""
    with sqlite3.connect(path) as raw:
        triggers = raw.execute(
            "SELECT name, sql FROM sqlite_schema WHERE type = 'trigger' AND name LIKE '%no_update'"
        ).fetchall()
        for name, _ in triggers:
            raw.execute(f"DROP TRIGGER {name}")
        for statement in statements:
            raw.execute(*statement)
        for _, sql in triggers:
            raw.execute(sql)
    raw.close()


def set_environment(path: Path, **values) -> None:
    """Another environment for the run, stored as it would have been."""
    with TreeStore.open(path, read_only=True) as store:
        text = documents.to_text({**store.latest_run().environment, **values}, "it")
    digest = documents.text_hash(text)
    rewrite(
        path,
        ("INSERT INTO environment(hash, json) VALUES (?, ?)", (digest, text)),
        ("UPDATE run SET environment_hash = ?", (digest,)),
    )
