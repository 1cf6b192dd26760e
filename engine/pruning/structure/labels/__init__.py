"""The groups of units of any network, by labels that one ordinary forward pass carries.

Every index of every axis of every parameter gets a label. A dispatch mode sees each operation of
a forward pass and does with the labels what the operation does with the values: movement moves
them, point-wise operations make one of the labels that meet, a product with a weight makes one of
its input's labels and those of its input axis, and its result has those of its output axis.
Labels that have become one are a unit that can be removed: these indices of these tensors, no
others. Nothing is traced, and no table of module classes is needed. What mixes channels in
another way (softmax or a norm over them, the network's output, an operation without a rule) makes
one of what it mixes or freezes it, and says why.
"""

from engine.pruning.structure.labels.find import FoundGroups, find_groups

__all__ = ["FoundGroups", "find_groups"]
