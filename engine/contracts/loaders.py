"""How images are loaded: all of them into memory, or each when it is needed."""

AUTO, MEMORY, STREAMING = "auto", "memory", "streaming"
WORKERS_VARIABLE = "PE_EXPLORE_LOADER_WORKERS"
MOST_WORKERS = 64
LOADERS = (AUTO, MEMORY, STREAMING)
# Which images decide: those that the data have for it (val/, else a part of the training images),
# or, where a network was trained on all of these, half of the test images or a person's own.
FROM_DATA, FROM_TEST, FROM_FILE = "data", "test-half", "file"
VALIDATION_FROM = (FROM_DATA, FROM_TEST)  # as a person says it; all else is the place of a file


def validation_file(validation_from: str) -> str:
    """Where a person's own validation images lie by what `--validation-from` says; empty where it
    names none."""
    return "" if validation_from in VALIDATION_FROM else validation_from
