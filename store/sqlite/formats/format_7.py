"""Format 7: `unit` is a structure with a letter of its own, for edits of units of several kinds
(filters, heads, neurons)."""

SCRIPT = """
INSERT OR IGNORE INTO structure(name, letters) VALUES ('unit', 'U');
"""
