"""What people say of nodes, and decisions taken back: rows of the log, never changed."""

from __future__ import annotations

from typing import cast

from store.errors import IllegalStateError, InvalidValueError
from store.records import Annotation, Decision, Event
from store.sqlite import canonical_json as documents
from store.tables.rows import TreeWriter
from store.tables.snapshots import timestamp

ANNOTATIONS = ("tag", "note", "drop")


class Annotating(TreeWriter):
    """Tags, notes, drops, and undecided parents."""

    def tag(self, node_id: int, tag: str, on: bool = True) -> Event | None:
        """Gives a node a tag or takes it away; None where it is so already.

        Raises UnknownNodeError, InvalidValueError.
        """
        tag = documents.plain_text(tag, "the tag", shortest=1, longest=100)
        if (tag in self._annotation(node_id).tags) == on:
            return None
        return self._annotate(node_id, "tag", {"tag": tag, "on": on})

    def note(self, node_id: int, text: str) -> Event | None:
        """Sets a node's note, '' removes it; None where it is so already.

        Raises UnknownNodeError, InvalidValueError.
        """
        text = documents.plain_text(text, "the note", longest=10_000)
        if (self._annotation(node_id).note or "") == text:
            return None
        return self._annotate(node_id, "note", {"text": text})

    def drop(self, node_id: int, on: bool = True) -> Event | None:
        """Marks a node and what is below it as dropped, or brings it back; None where it is so.

        Nothing is deleted. Raises UnknownNodeError, InvalidValueError (the root).
        """
        if self.node_by_id(node_id).parent_id is None:
            raise InvalidValueError("the root cannot be dropped; drop the nodes below it")
        if self._annotation(node_id).dropped == on:
            return None
        return self._annotate(node_id, "drop", {"on": on})

    def undecide(self, parent_id: int, *, actor: str, reason: str) -> Decision:
        """A decision that makes a node's candidates undecided again; it supersedes the newest one.

        Raises UnknownNodeError, IllegalStateError where nothing is decided, InvalidValueError.
        """
        actor = documents.plain_text(actor, "actor", shortest=1, longest=200)
        reason = documents.plain_text(reason, "reason", longest=4_000)
        with self._connection.writing():
            parent, former = self.node_by_id(parent_id), self.decision_of(parent_id)
            if former is None or not former.candidates:
                raise IllegalStateError(
                    f"nothing is decided at node {parent.name}; decide before undoing it"
                )
            decision_id = self._connection.insert(
                "decision",
                run_id=parent.run_id,
                parent_id=parent_id,
                newest_candidate=None,  # it decides on none of them
                actor=actor,
                reason=reason,
                supersedes=former.id,
                created_at=timestamp(),
            )
            payload = {
                "decision": decision_id, "parent": parent.name, "kept": [], "suggested": None,
                "actor": actor, "reason": reason, "supersedes": former.id, "undecided": True,
            }  # fmt: skip
            self._append_event(parent.run_id, "decision", payload, parent_id)
            return cast(Decision, self.decision_of(parent_id))

    def annotations(self, run_id: int) -> dict[int, Annotation]:
        """What is said of a run's nodes, by node; only nodes of which something is said."""
        found = self._annotations("run_id = ?", run_id)
        for row in self._connection.rows(
            # From what was freed, which is little, to its node: never through all nodes of a run.
            "SELECT DISTINCT node_id FROM freed CROSS JOIN node ON node.id = node_id"
            " WHERE run_id = ?",
            (run_id,),
        ):
            said = found.get(row["node_id"], Annotation())
            found[row["node_id"]] = said.after("freed", {})
        return found

    def _annotation(self, node_id: int) -> Annotation:
        self.node_by_id(node_id)
        return self._annotations("node_id = ?", node_id).get(node_id, Annotation())

    def _annotations(self, condition: str, parameter: int) -> dict[int, Annotation]:
        rows = self._connection.rows(
            f"SELECT node_id, kind, payload FROM event WHERE {condition}"
            " AND kind IN ('tag', 'note', 'drop') ORDER BY id",
            (parameter,),
        )
        found: dict[int, Annotation] = {}
        for row in rows:
            said = found.get(row["node_id"], Annotation())
            found[row["node_id"]] = said.after(row["kind"], documents.from_text(row["payload"]))
        return {node_id: said for node_id, said in found.items() if said != Annotation()}

    def _annotate(self, node_id: int, kind: str, payload: dict[str, object]) -> Event:
        with self._connection.writing():
            node = self.node_by_id(node_id)
            event_id = self._append_event(
                node.run_id, kind, {"node": node.name, **payload}, node_id
            )
            return self.events(node.run_id, after=event_id - 1, limit=1)[0]

    def last_event_id(self, run_id: int) -> int:
        """The newest line of a run's log; 0 in a run without any."""
        row = self._connection.row("SELECT max(id) AS id FROM event WHERE run_id = ?", (run_id,))
        return 0 if row is None or row["id"] is None else int(row["id"])
