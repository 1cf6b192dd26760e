"""How images are loaded: all of them into memory, or each when it is needed."""

AUTO, MEMORY, STREAMING = "auto", "memory", "streaming"
WORKERS_VARIABLE = "PE_EXPLORE_LOADER_WORKERS"
MOST_WORKERS = 64
LOADERS = (AUTO, MEMORY, STREAMING)
