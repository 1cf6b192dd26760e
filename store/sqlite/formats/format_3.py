"""Format 3: what a first screen shows of every node, in one table that is read from end to end.

A million nodes are there in a second or two. Derived, and kept true by the triggers.
"""

# The summaries that follow from everything else, as this format first wrote them.
_SUMMARIES = """SELECT node.id,
  CASE
    WHEN node.parent_id IS NULL THEN 1
    WHEN node.id > coalesce(decision.newest_candidate, 0) THEN NULL
    ELSE EXISTS(SELECT 1 FROM decision_kept
                WHERE decision_id = decision.id AND node_id = node.id)
  END,
  (SELECT value FROM metric WHERE metric.node_id = node.id AND name = 'similarity'
   ORDER BY phase DESC LIMIT 1),
  (SELECT value FROM metric WHERE metric.node_id = node.id AND name = 'val_accuracy'
   ORDER BY phase DESC LIMIT 1),
  (SELECT value FROM metric WHERE metric.node_id = node.id AND name = 'macs'
   ORDER BY phase DESC LIMIT 1)
FROM node LEFT JOIN decision ON decision.id =
  (SELECT max(newest.id) FROM decision newest WHERE newest.parent_id = node.parent_id)"""

SCRIPT = f"""
CREATE TABLE outline(
  node_id INTEGER PRIMARY KEY REFERENCES node(id),
  kept INTEGER CHECK(kept IN (0, 1)),
  similarity REAL,
  val_accuracy REAL,
  macs REAL
) STRICT;
CREATE INDEX node_unfinished ON node(run_id, id) WHERE state IN ('queued', 'running');

INSERT INTO outline(node_id, kept, similarity, val_accuracy, macs)
{_SUMMARIES};

CREATE TRIGGER outline_of_node AFTER INSERT ON node BEGIN
  INSERT INTO outline(node_id, kept) VALUES (NEW.id, CASE WHEN NEW.parent_id IS NULL THEN 1 END);
END;
CREATE TRIGGER outline_of_metric AFTER INSERT ON metric
WHEN NEW.name IN ('similarity', 'val_accuracy', 'macs') BEGIN
  UPDATE outline SET
    similarity = CASE NEW.name WHEN 'similarity' THEN NEW.value ELSE similarity END,
    val_accuracy = CASE NEW.name WHEN 'val_accuracy' THEN NEW.value ELSE val_accuracy END,
    macs = CASE NEW.name WHEN 'macs' THEN NEW.value ELSE macs END
  WHERE node_id = NEW.node_id;
END;
CREATE TRIGGER outline_of_decision AFTER INSERT ON decision BEGIN
  UPDATE outline SET kept = CASE WHEN node_id <= coalesce(NEW.newest_candidate, 0) THEN 0 END
  WHERE node_id IN (SELECT id FROM node WHERE parent_id = NEW.parent_id);
END;
CREATE TRIGGER outline_of_kept AFTER INSERT ON decision_kept BEGIN
  UPDATE outline SET kept = 1 WHERE node_id = NEW.node_id;
END;
"""
