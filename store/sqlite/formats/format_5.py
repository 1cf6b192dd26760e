"""Format 5: the hash chain (store/tables/hash_chain.py). What was written before is not in it."""

SCRIPT = """
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
