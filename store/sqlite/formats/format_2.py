"""Format 2: what people say of nodes, a small part of a log that may be long, is found quickly."""

SCRIPT = """
CREATE INDEX event_annotation ON event(run_id, id) WHERE kind IN ('tag', 'note', 'drop');
CREATE INDEX event_node ON event(node_id, id) WHERE kind IN ('tag', 'note', 'drop');
"""
