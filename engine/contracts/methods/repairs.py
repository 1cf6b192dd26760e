"""What is mended of a candidate before it is trained. `engine.pruning.repairs` does it."""

from __future__ import annotations

from engine.contracts.methods.method import Method, by_name

REPAIRS = by_name((
    Method("none", "Nothing: the weights that stay are as they were", "the paper"),
    Method("bn", "Batch norms get the exact mean and variance of what reaches them",
           "Li et al. (2020, EagleEye)", "networks with batch norms"),
    Method("bias", "The layer behind gives what it gave on average: the mean of what goes is added "
           "to its bias, or taken from the mean of its batch norm", "An et al. (2023, FLAP)",
           "layers with a bias or a batch norm"),
    Method("variance", "The same, and each channel of the layer behind varies as much as it did",
           "Jordan et al. (2022, REPAIR)"),
    Method("least-squares", "The layer behind is fitted to what it gave, by least squares",
           "He et al. (2017), Eq. 2", "dense layers and ungrouped convolutions"),
    Method("obs", "The layer behind makes up for the inputs that go by the inverse Hessian of its "
           "inputs; where a single layer loses inputs, this is least-squares",
           "Hassibi and Stork (1992); Wang et al. (2023, SPA)",
           "candidates that lose units of dense layers and ungrouped convolutions"),
))  # fmt: skip
