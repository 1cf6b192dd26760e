"""Networks of a run for people: what is left, how two differ, what was ranked low."""
