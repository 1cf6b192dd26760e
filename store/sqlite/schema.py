"""The format of a store file: its marks, its tables, and how an older file gets them.

A script is never edited once a store was written with it; a change is a new script at the end.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence

APPLICATION_ID = 0x50455850  # "PEXP"
PAGE_SIZE = 16_384
CHUNK_BYTES = 8 * 2**20

_FORMAT_1 = """
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

# What people say of nodes is a small part of a log that may be long.
_FORMAT_2 = """
CREATE INDEX event_annotation ON event(run_id, id) WHERE kind IN ('tag', 'note', 'drop');
CREATE INDEX event_node ON event(node_id, id) WHERE kind IN ('tag', 'note', 'drop');
"""

# The outlines that follow from everything else, as format 3 first wrote them and keeps them.
OUTLINES = """SELECT node.id,
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

# What a first screen shows of every node, in one table that is read from end to end: a million
# nodes are there in a second or two. Derived, and kept true by the triggers.
_FORMAT_3 = f"""
CREATE TABLE outline(
  node_id INTEGER PRIMARY KEY REFERENCES node(id),
  kept INTEGER CHECK(kept IN (0, 1)),
  similarity REAL,
  val_accuracy REAL,
  macs REAL
) STRICT;
CREATE INDEX node_unfinished ON node(run_id, id) WHERE state IN ('queued', 'running');

INSERT INTO outline(node_id, kept, similarity, val_accuracy, macs)
{OUTLINES};

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

# Weights of dropped nodes can be freed. Their results stay, and say which weights they had.
_FORMAT_4 = """
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

# See store/seals.py. What an older program wrote has no seals.
_FORMAT_5 = """
CREATE TABLE seal(
  event_id INTEGER PRIMARY KEY REFERENCES event(id),
  digest TEXT NOT NULL CHECK(length(digest) = 64)
) STRICT;
CREATE TRIGGER seal_no_replace BEFORE INSERT ON seal WHEN
  EXISTS(SELECT 1 FROM seal WHERE event_id = NEW.event_id)
BEGIN SELECT RAISE(ABORT, 'seals are append-only'); END;
CREATE TRIGGER seal_no_update BEFORE UPDATE ON seal
BEGIN SELECT RAISE(ABORT, 'seals are append-only'); END;
CREATE TRIGGER seal_no_delete BEFORE DELETE ON seal
BEGIN SELECT RAISE(ABORT, 'seals are append-only'); END;
"""

MIGRATIONS: Sequence[str] = (_FORMAT_1, _FORMAT_2, _FORMAT_3, _FORMAT_4, _FORMAT_5)
FORMAT_WITH_OUTLINES, FORMAT_WITH_FREED, FORMAT_WITH_SEALS = 3, 4, 5
OLDEST_READABLE = 4  # a format that can be read as it is, without a migration


def newest_format() -> int:
    """The format that this program writes; a file keeps its own in `user_version`."""
    return len(MIGRATIONS)


def format_of(connection: sqlite3.Connection) -> int:
    """The format of an open file."""
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def statements(script: str) -> Iterator[str]:
    """The statements of a script one by one: executescript would commit before the first."""
    statement = ""
    for line in script.splitlines(keepends=True):
        statement += line
        if line.rstrip().endswith(";") and sqlite3.complete_statement(statement):
            yield statement
            statement = ""
    assert not statement.strip(), f"unfinished SQL: {statement}"


def migrate(connection: sqlite3.Connection) -> None:
    """Bring a file to the newest format, each step with its number in one transaction.

    Others may migrate the same file at the same time: who comes second finds the step done.
    """
    if format_of(connection) >= newest_format():
        return
    import sqlite_utils  # here, since its import takes 0.2 s and a migration is rare

    database = sqlite_utils.Database(connection)
    while format_of(connection) < newest_format():
        database.execute("BEGIN IMMEDIATE")
        try:
            number = format_of(connection)
            if number < newest_format():
                for statement in statements(MIGRATIONS[number]):
                    database.execute(statement)
                database.execute(f"PRAGMA user_version = {number + 1}")
            database.execute("COMMIT")
        finally:
            if connection.in_transaction:
                database.execute("ROLLBACK")


def initialise(connection: sqlite3.Connection) -> None:
    """Make an empty file a store of the newest format."""
    connection.execute(f"PRAGMA page_size = {PAGE_SIZE}")
    connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    migrate(connection)
    # Last, and with nothing left in a -wal: the marks above are then in the file's own header.
    connection.execute("PRAGMA journal_mode = WAL")
