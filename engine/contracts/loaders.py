"""How images are loaded: all of them into memory, or each when it is needed."""

AUTO, MEMORY, STREAMING = "auto", "memory", "streaming"
WORKERS_VARIABLE = "PE_EXPLORE_LOADER_WORKERS"
MOST_WORKERS = 64
LOADERS = (AUTO, MEMORY, STREAMING)
# Which images decide: those that the data have for it (val/, else a part of the training images),
# or, where a network was trained on all of these, half of the test images.
FROM_DATA, FROM_TEST = "data", "test-half"
VALIDATION_FROM = (FROM_DATA, FROM_TEST)
