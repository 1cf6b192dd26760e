"""Format 6: structures are rows and phases are free text; evaluations of nodes have a table.

SQLite cannot take a CHECK away, so `node` and `result` are built anew as its documentation of ALTER
TABLE says: another table, copied, dropped, renamed. Triggers that name a table go first and come
back last; `schema.migrate` keeps foreign keys off meanwhile and checks all of them at the end.

The letters of a structure in names (R.L, R.F2) are those of its row. Two structures never share
them: the ones below have a letter each, any other has its whole name in capitals, which no single
letter is.
"""

_TABLES = """
DROP TRIGGER kept_is_ready;
DROP TRIGGER outline_of_decision;
DROP TRIGGER snapshot_chunk_in_use;

CREATE TABLE structure(
  name TEXT PRIMARY KEY CHECK(length(name) BETWEEN 2 AND 40 AND name NOT GLOB '*[^a-z]*'),
  letters TEXT NOT NULL UNIQUE
    CHECK(length(letters) BETWEEN 1 AND 40 AND letters NOT GLOB '*[^A-Z]*')
) STRICT, WITHOUT ROWID;
INSERT INTO structure(name, letters) VALUES
  ('root', 'R'), ('layer', 'L'), ('filter', 'F'), ('head', 'H'), ('neuron', 'N'), ('expert', 'E'),
  ('channel', 'C');

CREATE TABLE node_6(
  id INTEGER PRIMARY KEY,
  run_id INTEGER NOT NULL REFERENCES run(id),
  parent_id INTEGER,
  proposal_id INTEGER,
  name TEXT NOT NULL,
  structure TEXT NOT NULL REFERENCES structure(name),
  depth INTEGER NOT NULL CHECK(depth >= 0),
  edit TEXT CHECK(edit IS NULL OR
                  (json_valid(edit) AND json_extract(edit, '$.structure') IS structure)),
  state TEXT NOT NULL CHECK(state IN ('queued', 'running', 'ready', 'failed', 'cancelled')),
  error TEXT,
  created_at TEXT NOT NULL,
  UNIQUE(run_id, name),
  UNIQUE(id, run_id),
  UNIQUE(parent_id, id),
  FOREIGN KEY(parent_id, run_id) REFERENCES node(id, run_id),
  FOREIGN KEY(parent_id, proposal_id) REFERENCES proposal(parent_id, id),
  CHECK((structure = 'root') = (parent_id IS NULL)),
  CHECK((structure = 'root') = (proposal_id IS NULL)),
  CHECK((structure = 'root') = (edit IS NULL)),
  CHECK((structure = 'root') = (depth = 0)),
  CHECK((structure = 'root') = (name = 'R')),
  CHECK(structure <> 'root' OR state = 'ready'),
  CHECK(state <> 'failed' OR error IS NOT NULL),
  CHECK(error IS NULL OR state IN ('failed', 'cancelled'))
) STRICT;
INSERT INTO node_6(id, run_id, parent_id, proposal_id, name, structure, depth, edit, state, error,
                   created_at)
SELECT id, run_id, parent_id, proposal_id, name, structure, depth, edit, state, error, created_at
FROM node ORDER BY id;

CREATE TABLE result_6(
  node_id INTEGER NOT NULL REFERENCES node(id),
  phase TEXT NOT NULL CHECK(length(phase) BETWEEN 1 AND 40),
  snapshot_hash TEXT NOT NULL REFERENCES snapshot(hash),
  seconds REAL NOT NULL CHECK(seconds >= 0),
  resamples TEXT CHECK(resamples IS NULL OR
                       (json_valid(resamples) AND json_type(resamples) = 'array')),
  digest TEXT NOT NULL CHECK(length(digest) = 64),
  created_at TEXT NOT NULL,
  PRIMARY KEY(node_id, phase)
) STRICT, WITHOUT ROWID;
INSERT INTO result_6(node_id, phase, snapshot_hash, seconds, resamples, digest, created_at)
SELECT node_id, phase, snapshot_hash, seconds, resamples, digest, created_at
FROM result ORDER BY node_id, phase;

DROP TABLE result;
DROP TABLE node;
ALTER TABLE node_6 RENAME TO node;
ALTER TABLE result_6 RENAME TO result;
CREATE INDEX node_running ON node(id) WHERE state = 'running';
CREATE INDEX node_unfinished ON node(run_id, id) WHERE state IN ('queued', 'running');
CREATE INDEX result_snapshot ON result(snapshot_hash);

-- What was measured of a node as it was after a phase, beside what the phase itself measured.
CREATE TABLE evaluation(
  id INTEGER PRIMARY KEY,
  node_id INTEGER NOT NULL,
  phase TEXT NOT NULL,
  kind TEXT NOT NULL CHECK(length(kind) BETWEEN 1 AND 200),
  settings_hash TEXT NOT NULL REFERENCES settings(hash),
  metrics TEXT NOT NULL CHECK(json_valid(metrics) AND json_type(metrics) = 'object'),
  created_at TEXT NOT NULL,
  UNIQUE(node_id, phase, kind, settings_hash),
  FOREIGN KEY(node_id, phase) REFERENCES result(node_id, phase)
) STRICT;
"""

_TRIGGERS = """
CREATE TRIGGER node_grows BEFORE INSERT ON node WHEN NEW.parent_id IS NOT NULL BEGIN
  SELECT RAISE(ABORT, 'a candidate starts queued') WHERE NEW.state <> 'queued';
  SELECT RAISE(ABORT, 'only a ready node gets candidates, one deeper and named after it')
  WHERE NOT EXISTS(
    SELECT 1 FROM node JOIN structure ON structure.name = NEW.structure
    WHERE node.id = NEW.parent_id AND node.state = 'ready' AND NEW.depth = node.depth + 1
    AND NEW.name IN (node.name || '.' || letters,
                     node.name || '.' || letters
                     || CAST(substr(NEW.name, length(node.name) + length(letters) + 2) AS INTEGER)
                    ));
END;
CREATE TRIGGER node_identity BEFORE UPDATE
OF id, run_id, parent_id, proposal_id, name, structure, depth, edit, created_at ON node
BEGIN SELECT RAISE(ABORT, 'the identity of a node never changes'); END;
CREATE TRIGGER node_stays BEFORE DELETE ON node
BEGIN SELECT RAISE(ABORT, 'nodes are never deleted'); END;
CREATE TRIGGER node_state BEFORE UPDATE OF state ON node WHEN NEW.state <> OLD.state BEGIN
  SELECT RAISE(ABORT, 'illegal change of a node''s state')
  WHERE OLD.state || '>' || NEW.state NOT IN (
    'queued>running', 'queued>ready', 'queued>failed', 'queued>cancelled',
    'running>queued', 'running>ready', 'running>failed', 'running>cancelled',
    'failed>queued', 'cancelled>queued');
  SELECT RAISE(ABORT, 'a node without a result is not ready') WHERE NEW.state = 'ready'
  AND NOT EXISTS(SELECT 1 FROM result WHERE node_id = NEW.id AND phase = 'recovered');
END;
CREATE TRIGGER node_no_replace BEFORE INSERT ON node WHEN
  EXISTS(SELECT 1 FROM node WHERE id = NEW.id) OR
  EXISTS(SELECT 1 FROM node WHERE run_id = NEW.run_id AND name = NEW.name)
BEGIN SELECT RAISE(ABORT, 'the identity of a node never changes'); END;
CREATE TRIGGER outline_of_node AFTER INSERT ON node BEGIN
  INSERT INTO outline(node_id, kept) VALUES (NEW.id, CASE WHEN NEW.parent_id IS NULL THEN 1 END);
END;
CREATE TRIGGER outline_of_decision AFTER INSERT ON decision BEGIN
  UPDATE outline SET kept = CASE WHEN node_id <= coalesce(NEW.newest_candidate, 0) THEN 0 END
  WHERE node_id IN (SELECT id FROM node WHERE parent_id = NEW.parent_id);
END;
CREATE TRIGGER kept_is_ready BEFORE INSERT ON decision_kept BEGIN
  SELECT RAISE(ABORT, 'only a ready node can be kept') WHERE NOT EXISTS(
    SELECT 1 FROM node WHERE id = NEW.node_id AND state = 'ready');
END;

-- A root has its own phase, a candidate recovers, and whatever follows is for a ready node.
CREATE TRIGGER result_fits BEFORE INSERT ON result BEGIN
  SELECT RAISE(ABORT, 'the node''s state does not allow a result of this phase')
  WHERE NOT EXISTS(
    SELECT 1 FROM node WHERE id = NEW.node_id AND CASE NEW.phase
      WHEN 'root' THEN structure = 'root'
      WHEN 'recovered' THEN structure <> 'root' AND state IN ('queued', 'running')
      ELSE structure <> 'root' AND state = 'ready' END);
END;
CREATE TRIGGER result_no_replace BEFORE INSERT ON result WHEN
  EXISTS(SELECT 1 FROM result WHERE node_id = NEW.node_id AND phase = NEW.phase)
BEGIN SELECT RAISE(ABORT, 'a result never changes'); END;
CREATE TRIGGER result_no_update BEFORE UPDATE ON result
BEGIN SELECT RAISE(ABORT, 'a result never changes'); END;
CREATE TRIGGER result_no_delete BEFORE DELETE ON result
BEGIN SELECT RAISE(ABORT, 'a result never changes'); END;
CREATE TRIGGER snapshot_chunk_in_use BEFORE DELETE ON snapshot_chunk
WHEN EXISTS(SELECT 1 FROM result WHERE snapshot_hash = OLD.hash AND NOT EXISTS(
  SELECT 1 FROM freed WHERE freed.node_id = result.node_id AND freed.phase = result.phase))
BEGIN SELECT RAISE(ABORT, 'a node uses this snapshot'); END;

CREATE TRIGGER structure_no_replace BEFORE INSERT ON structure WHEN
  EXISTS(SELECT 1 FROM structure WHERE name = NEW.name OR letters = NEW.letters)
BEGIN SELECT RAISE(ABORT, 'the letters of a structure are append-only'); END;
CREATE TRIGGER structure_no_update BEFORE UPDATE ON structure
BEGIN SELECT RAISE(ABORT, 'the letters of a structure are append-only'); END;
CREATE TRIGGER structure_no_delete BEFORE DELETE ON structure
BEGIN SELECT RAISE(ABORT, 'the letters of a structure are append-only'); END;
CREATE TRIGGER evaluation_no_replace BEFORE INSERT ON evaluation WHEN
  EXISTS(SELECT 1 FROM evaluation WHERE id = NEW.id) OR
  EXISTS(SELECT 1 FROM evaluation WHERE node_id = NEW.node_id AND phase = NEW.phase
         AND kind = NEW.kind AND settings_hash = NEW.settings_hash)
BEGIN SELECT RAISE(ABORT, 'evaluations are append-only'); END;
CREATE TRIGGER evaluation_no_update BEFORE UPDATE ON evaluation
BEGIN SELECT RAISE(ABORT, 'evaluations are append-only'); END;
CREATE TRIGGER evaluation_no_delete BEFORE DELETE ON evaluation
BEGIN SELECT RAISE(ABORT, 'evaluations are append-only'); END;
"""

SCRIPT = _TABLES + _TRIGGERS
