"""What people say of nodes: rows of the log, never changed."""

from __future__ import annotations

from store.errors import InvalidValueError
from store.records import Annotation, Event, JsonObject
from store.sqlite import canonical_json
from store.sqlite.connection import Connection
from store.tables import events, nodes, stored


def tag(connection: Connection, node_id: int, text: str, on: bool) -> Event | None:
    """Gives a node a tag or takes it away; None where it is so already."""
    text = canonical_json.plain_text(text, "the tag", shortest=1, longest=100)
    if (text in _of_node(connection, node_id).tags) == on:
        return None
    return _say(connection, node_id, "tag", {"tag": text, "on": on})


def note(connection: Connection, node_id: int, text: str) -> Event | None:
    """Sets a node's note, '' removes it; None where it is so already."""
    text = canonical_json.plain_text(text, "the note", longest=10_000)
    if (_of_node(connection, node_id).note or "") == text:
        return None
    return _say(connection, node_id, "note", {"text": text})


def drop(connection: Connection, node_id: int, on: bool) -> Event | None:
    """Marks a node and what is below it as dropped, or brings it back; None where it is so."""
    if nodes.by_id(connection, node_id).parent_id is None:
        raise InvalidValueError("the root cannot be dropped; drop the nodes below it")
    if _of_node(connection, node_id).dropped == on:
        return None
    return _say(connection, node_id, "drop", {"on": on})


def of_run(connection: Connection, run_id: int) -> dict[int, Annotation]:
    """What is said of a run's nodes, by node; only nodes of which something is said."""
    found = _select(connection, "run_id = ?", run_id)
    for row in connection.rows(
        # From what was freed, which is little, to its node: never through all nodes of a run.
        "SELECT DISTINCT node_id FROM freed CROSS JOIN node ON node.id = node_id WHERE run_id = ?",
        (run_id,),
    ):
        said = found.get(row["node_id"], Annotation())
        found[row["node_id"]] = said.after("freed", {})
    return found


def _of_node(connection: Connection, node_id: int) -> Annotation:
    nodes.by_id(connection, node_id)
    return _select(connection, "node_id = ?", node_id).get(node_id, Annotation())


def _select(connection: Connection, condition: str, parameter: int) -> dict[int, Annotation]:
    rows = connection.rows(
        f"SELECT id, node_id, kind, payload FROM event WHERE {condition}"
        " AND kind IN ('tag', 'note', 'drop') ORDER BY id",
        (parameter,),
    )
    found: dict[int, Annotation] = {}
    for row in rows:
        said = found.get(row["node_id"], Annotation())
        payload = stored.json_object(connection, row["payload"], f"line {row['id']} of the log")
        try:
            found[row["node_id"]] = said.after(row["kind"], payload)
        except KeyError as error:
            raise connection.damaged(f"line {row['id']} of the log lacks {error}") from error
    return {node_id: said for node_id, said in found.items() if said != Annotation()}


def _say(connection: Connection, node_id: int, kind: str, payload: JsonObject) -> Event:
    with connection.writing():
        node = nodes.by_id(connection, node_id)
        event_id = events.append(
            connection, node.run_id, kind, {"node": node.name, **payload}, node_id
        )
        return events.by_id(connection, node.run_id, event_id)
