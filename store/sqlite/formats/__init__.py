"""The SQL of each format of a store file, as the change from the format before it.

A script is never edited once a store was written with it; a change is a new script.
"""

from store.sqlite.formats import (
    format_1,
    format_2,
    format_3,
    format_4,
    format_5,
    format_6,
    format_7,
)

SCRIPTS: tuple[str, ...] = (
    format_1.SCRIPT,
    format_2.SCRIPT,
    format_3.SCRIPT,
    format_4.SCRIPT,
    format_5.SCRIPT,
    format_6.SCRIPT,
    format_7.SCRIPT,
)
WITH_SUMMARIES, WITH_FREED, WITH_HASH_CHAIN, WITH_EVALUATIONS = 3, 4, 5, 6
OLDEST_READABLE = 4  # a format that can be read as it is, without a migration
