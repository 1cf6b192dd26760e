"""The KL criteria for any network whose structure is known.

A module call that ended before a structure is reached gives the same with and without it. So for
each structure the network's own forward pass runs, but calls that were over by then give what they
gave before: only what is behind runs, in whatever way the network's code calls it. Many (unit,
item) pairs make one batch. Each way of doing so is held against the plain one on this very
network before it is used.
"""
