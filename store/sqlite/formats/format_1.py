"""Format 1: runs, nodes, results, decisions, events and snapshots, and the rules of them."""

SCRIPT = """
CREATE TABLE settings(
  hash TEXT PRIMARY KEY CHECK(length(hash) = 64),
  json TEXT NOT NULL CHECK(json_valid(json) AND json_type(json) = 'object')
) STRICT, WITHOUT ROWID;

CREATE TABLE environment(
  hash TEXT PRIMARY KEY CHECK(length(hash) = 64),
  json TEXT NOT NULL CHECK(json_valid(json) AND json_type(json) = 'object')
) STRICT, WITHOUT ROWID;

CREATE TABLE run(
  id INTEGER PRIMARY KEY,
  uuid TEXT NOT NULL UNIQUE CHECK(length(uuid) = 36),
  name TEXT NOT NULL CHECK(length(name) BETWEEN 1 AND 200),
  seed INTEGER NOT NULL CHECK(seed >= 0),
  architecture TEXT NOT NULL CHECK(json_valid(architecture)),
  data TEXT NOT NULL CHECK(json_valid(data)),
  environment_hash TEXT NOT NULL REFERENCES environment(hash),
  created_at TEXT NOT NULL
) STRICT;

-- The newest row of a run holds; the others are its history.
CREATE TABLE run_settings(
  id INTEGER PRIMARY KEY,
  run_id INTEGER NOT NULL REFERENCES run(id),
  settings_hash TEXT NOT NULL REFERENCES settings(hash),
  created_at TEXT NOT NULL
) STRICT;
CREATE INDEX run_settings_run ON run_settings(run_id, id);

CREATE TABLE proposal(
  id INTEGER PRIMARY KEY,
  run_id INTEGER NOT NULL,
  parent_id INTEGER NOT NULL,
  content TEXT NOT NULL CHECK(json_valid(content)),
  created_at TEXT NOT NULL,
  UNIQUE(parent_id, id),
  FOREIGN KEY(parent_id, run_id) REFERENCES node(id, run_id)
) STRICT;

CREATE TABLE node(
  id INTEGER PRIMARY KEY,
  run_id INTEGER NOT NULL REFERENCES run(id),
  parent_id INTEGER,
  proposal_id INTEGER,
  name TEXT NOT NULL,
  structure TEXT NOT NULL CHECK(structure IN ('root', 'layer', 'filter', 'head')),
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
CREATE INDEX node_running ON node(id) WHERE state = 'running';

CREATE TABLE snapshot(
  hash TEXT PRIMARY KEY CHECK(length(hash) = 64),
  num_bytes INTEGER NOT NULL CHECK(num_bytes >= 0),
  num_chunks INTEGER NOT NULL CHECK(num_chunks >= 0),
  created_at TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE snapshot_chunk(
  id INTEGER PRIMARY KEY,
  hash TEXT NOT NULL CHECK(length(hash) = 64),
  position INTEGER NOT NULL CHECK(position >= 0),
  data BLOB NOT NULL CHECK(length(data) BETWEEN 1 AND 8388608),
  UNIQUE(hash, position)
) STRICT;

-- Snapshots on their way in: what no result refers to when a writer opens the file is removed.
CREATE TABLE upload(
  hash TEXT PRIMARY KEY CHECK(length(hash) = 64),
  created_at TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE result(
  node_id INTEGER NOT NULL REFERENCES node(id),
  phase TEXT NOT NULL CHECK(phase IN ('root', 'recovered', 'tuned')),
  snapshot_hash TEXT NOT NULL REFERENCES snapshot(hash),
  seconds REAL NOT NULL CHECK(seconds >= 0),
  resamples TEXT CHECK(resamples IS NULL OR
                       (json_valid(resamples) AND json_type(resamples) = 'array')),
  digest TEXT NOT NULL CHECK(length(digest) = 64),
  created_at TEXT NOT NULL,
  PRIMARY KEY(node_id, phase)
) STRICT, WITHOUT ROWID;
CREATE INDEX result_snapshot ON result(snapshot_hash);

CREATE TABLE metric(
  node_id INTEGER NOT NULL,
  phase TEXT NOT NULL,
  name TEXT NOT NULL CHECK(length(name) BETWEEN 1 AND 200),
  value REAL CHECK(value BETWEEN -1.7976931348623157e308 AND 1.7976931348623157e308),
  nonfinite TEXT CHECK(nonfinite IN ('nan', 'inf', '-inf')),
  PRIMARY KEY(node_id, phase, name),
  FOREIGN KEY(node_id, phase) REFERENCES result(node_id, phase),
  CHECK((value IS NULL) = (nonfinite IS NOT NULL))
) STRICT, WITHOUT ROWID;

CREATE TABLE epoch(
  node_id INTEGER NOT NULL,
  phase TEXT NOT NULL,
  number INTEGER NOT NULL CHECK(number >= 0),
  content TEXT NOT NULL CHECK(json_valid(content)),
  PRIMARY KEY(node_id, phase, number),
  FOREIGN KEY(node_id, phase) REFERENCES result(node_id, phase)
) STRICT, WITHOUT ROWID;

-- A parent's decisions form one chain: each but the first supersedes the one before.
CREATE TABLE decision(
  id INTEGER PRIMARY KEY,
  run_id INTEGER NOT NULL,
  parent_id INTEGER NOT NULL,
  newest_candidate INTEGER,
  suggested INTEGER,
  actor TEXT NOT NULL CHECK(length(actor) BETWEEN 1 AND 200),
  reason TEXT NOT NULL CHECK(length(reason) <= 4000),
  margin REAL,
  margin_low REAL,
  margin_high REAL,
  too_close INTEGER CHECK(too_close IN (0, 1)),
  supersedes INTEGER UNIQUE,
  created_at TEXT NOT NULL,
  UNIQUE(parent_id, id),
  FOREIGN KEY(parent_id, run_id) REFERENCES node(id, run_id),
  FOREIGN KEY(parent_id, newest_candidate) REFERENCES node(parent_id, id),
  FOREIGN KEY(parent_id, suggested) REFERENCES node(parent_id, id),
  FOREIGN KEY(parent_id, supersedes) REFERENCES decision(parent_id, id),
  CHECK(supersedes < id),
  CHECK(margin_low <= margin_high)
) STRICT;
CREATE UNIQUE INDEX decision_first ON decision(parent_id) WHERE supersedes IS NULL;
CREATE INDEX decision_run ON decision(run_id, id);

-- The key's columns come first: quick_check of SQLite 3.40 mistakes them where they do not.
CREATE TABLE decision_kept(
  decision_id INTEGER NOT NULL,
  node_id INTEGER NOT NULL,
  parent_id INTEGER NOT NULL,
  PRIMARY KEY(decision_id, node_id),
  FOREIGN KEY(parent_id, decision_id) REFERENCES decision(parent_id, id),
  FOREIGN KEY(parent_id, node_id) REFERENCES node(parent_id, id)
) STRICT, WITHOUT ROWID;

CREATE TABLE event(
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  run_id INTEGER NOT NULL REFERENCES run(id),
  node_id INTEGER,
  kind TEXT NOT NULL CHECK(length(kind) BETWEEN 1 AND 200),
  payload TEXT NOT NULL CHECK(json_valid(payload)),
  created_at TEXT NOT NULL,
  FOREIGN KEY(node_id, run_id) REFERENCES node(id, run_id)
) STRICT;
CREATE INDEX event_run ON event(run_id, id);

CREATE TRIGGER node_grows BEFORE INSERT ON node WHEN NEW.parent_id IS NOT NULL BEGIN
  SELECT RAISE(ABORT, 'a candidate starts queued') WHERE NEW.state <> 'queued';
  SELECT RAISE(ABORT, 'only a ready node gets candidates, one deeper and named after it')
  WHERE NOT EXISTS(
    SELECT 1 FROM node WHERE id = NEW.parent_id AND state = 'ready' AND NEW.depth = depth + 1
    AND NEW.name IN (name || '.' || upper(substr(NEW.structure, 1, 1)),
                     name || '.' || upper(substr(NEW.structure, 1, 1))
                     || CAST(substr(NEW.name, length(name) + 3) AS INTEGER)));
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

CREATE TRIGGER result_fits BEFORE INSERT ON result BEGIN
  SELECT RAISE(ABORT, 'the node''s state does not allow a result of this phase')
  WHERE NOT EXISTS(
    SELECT 1 FROM node WHERE id = NEW.node_id AND CASE NEW.phase
      WHEN 'root' THEN structure = 'root'
      WHEN 'recovered' THEN structure <> 'root' AND state IN ('queued', 'running')
      ELSE structure <> 'root' AND state = 'ready' END);
END;
CREATE TRIGGER kept_is_ready BEFORE INSERT ON decision_kept BEGIN
  SELECT RAISE(ABORT, 'only a ready node can be kept') WHERE NOT EXISTS(
    SELECT 1 FROM node WHERE id = NEW.node_id AND state = 'ready');
END;

-- REPLACE deletes what stands in its way without asking the DELETE triggers below.
CREATE TRIGGER decision_no_replace BEFORE INSERT ON decision WHEN
  EXISTS(SELECT 1 FROM decision WHERE id = NEW.id) OR
  EXISTS(SELECT 1 FROM decision WHERE parent_id = NEW.parent_id AND supersedes IS NEW.supersedes)
BEGIN SELECT RAISE(ABORT, 'decisions are append-only'); END;
CREATE TRIGGER decision_kept_no_replace BEFORE INSERT ON decision_kept WHEN
  EXISTS(SELECT 1 FROM decision_kept WHERE decision_id = NEW.decision_id AND node_id = NEW.node_id)
BEGIN SELECT RAISE(ABORT, 'decisions are append-only'); END;
CREATE TRIGGER event_no_replace BEFORE INSERT ON event WHEN
  EXISTS(SELECT 1 FROM event WHERE id = NEW.id)
BEGIN SELECT RAISE(ABORT, 'the event log is append-only'); END;
CREATE TRIGGER node_no_replace BEFORE INSERT ON node WHEN
  EXISTS(SELECT 1 FROM node WHERE id = NEW.id) OR
  EXISTS(SELECT 1 FROM node WHERE run_id = NEW.run_id AND name = NEW.name)
BEGIN SELECT RAISE(ABORT, 'the identity of a node never changes'); END;
CREATE TRIGGER result_no_replace BEFORE INSERT ON result WHEN
  EXISTS(SELECT 1 FROM result WHERE node_id = NEW.node_id AND phase = NEW.phase)
BEGIN SELECT RAISE(ABORT, 'a result never changes'); END;
CREATE TRIGGER metric_no_replace BEFORE INSERT ON metric WHEN
  EXISTS(SELECT 1 FROM metric
         WHERE node_id = NEW.node_id AND phase = NEW.phase AND name = NEW.name)
BEGIN SELECT RAISE(ABORT, 'a result never changes'); END;
CREATE TRIGGER epoch_no_replace BEFORE INSERT ON epoch WHEN
  EXISTS(SELECT 1 FROM epoch
         WHERE node_id = NEW.node_id AND phase = NEW.phase AND number = NEW.number)
BEGIN SELECT RAISE(ABORT, 'a result never changes'); END;

CREATE TRIGGER run_no_update BEFORE UPDATE ON run
BEGIN SELECT RAISE(ABORT, 'a run never changes'); END;
CREATE TRIGGER run_settings_no_update BEFORE UPDATE ON run_settings
BEGIN SELECT RAISE(ABORT, 'settings are append-only'); END;
CREATE TRIGGER run_settings_no_delete BEFORE DELETE ON run_settings
BEGIN SELECT RAISE(ABORT, 'settings are append-only'); END;
CREATE TRIGGER proposal_no_update BEFORE UPDATE ON proposal
BEGIN SELECT RAISE(ABORT, 'a proposal never changes'); END;
CREATE TRIGGER result_no_update BEFORE UPDATE ON result
BEGIN SELECT RAISE(ABORT, 'a result never changes'); END;
CREATE TRIGGER result_no_delete BEFORE DELETE ON result
BEGIN SELECT RAISE(ABORT, 'a result never changes'); END;
CREATE TRIGGER metric_no_update BEFORE UPDATE ON metric
BEGIN SELECT RAISE(ABORT, 'a result never changes'); END;
CREATE TRIGGER metric_no_delete BEFORE DELETE ON metric
BEGIN SELECT RAISE(ABORT, 'a result never changes'); END;
CREATE TRIGGER epoch_no_update BEFORE UPDATE ON epoch
BEGIN SELECT RAISE(ABORT, 'a result never changes'); END;
CREATE TRIGGER epoch_no_delete BEFORE DELETE ON epoch
BEGIN SELECT RAISE(ABORT, 'a result never changes'); END;
CREATE TRIGGER snapshot_no_update BEFORE UPDATE ON snapshot
BEGIN SELECT RAISE(ABORT, 'a snapshot never changes'); END;
CREATE TRIGGER snapshot_chunk_no_update BEFORE UPDATE ON snapshot_chunk
BEGIN SELECT RAISE(ABORT, 'a snapshot never changes'); END;
CREATE TRIGGER snapshot_chunk_in_use BEFORE DELETE ON snapshot_chunk
WHEN EXISTS(SELECT 1 FROM result WHERE snapshot_hash = OLD.hash)
BEGIN SELECT RAISE(ABORT, 'a node uses this snapshot'); END;
CREATE TRIGGER decision_no_update BEFORE UPDATE ON decision
BEGIN SELECT RAISE(ABORT, 'decisions are append-only'); END;
CREATE TRIGGER decision_no_delete BEFORE DELETE ON decision
BEGIN SELECT RAISE(ABORT, 'decisions are append-only'); END;
CREATE TRIGGER decision_kept_no_update BEFORE UPDATE ON decision_kept
BEGIN SELECT RAISE(ABORT, 'decisions are append-only'); END;
CREATE TRIGGER decision_kept_no_delete BEFORE DELETE ON decision_kept
BEGIN SELECT RAISE(ABORT, 'decisions are append-only'); END;
CREATE TRIGGER event_no_update BEFORE UPDATE ON event
BEGIN SELECT RAISE(ABORT, 'the event log is append-only'); END;
CREATE TRIGGER event_no_delete BEFORE DELETE ON event
BEGIN SELECT RAISE(ABORT, 'the event log is append-only'); END;
"""
