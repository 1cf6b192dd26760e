"""Published results: what came with this program, a person's own, and which of them fit a run."""
