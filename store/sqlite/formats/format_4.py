"""Format 4: weights of dropped nodes can be freed. Their results stay, and say which they had."""

SCRIPT = """
CREATE TABLE freed(
  node_id INTEGER NOT NULL,
  phase TEXT NOT NULL CHECK(phase <> 'root'),
  created_at TEXT NOT NULL,
  PRIMARY KEY(node_id, phase),
  FOREIGN KEY(node_id, phase) REFERENCES result(node_id, phase)
) STRICT, WITHOUT ROWID;
CREATE TRIGGER freed_no_replace BEFORE INSERT ON freed WHEN
  EXISTS(SELECT 1 FROM freed WHERE node_id = NEW.node_id AND phase = NEW.phase)
BEGIN SELECT RAISE(ABORT, 'what was freed stays so'); END;
CREATE TRIGGER freed_no_update BEFORE UPDATE ON freed
BEGIN SELECT RAISE(ABORT, 'what was freed stays so'); END;
CREATE TRIGGER freed_no_delete BEFORE DELETE ON freed
BEGIN SELECT RAISE(ABORT, 'what was freed stays so'); END;

DROP TRIGGER snapshot_chunk_in_use;
CREATE TRIGGER snapshot_chunk_in_use BEFORE DELETE ON snapshot_chunk
WHEN EXISTS(SELECT 1 FROM result WHERE snapshot_hash = OLD.hash AND NOT EXISTS(
  SELECT 1 FROM freed WHERE freed.node_id = result.node_id AND freed.phase = result.phase))
BEGIN SELECT RAISE(ABORT, 'a node uses this snapshot'); END;
"""
