"""What is trained of a candidate so that it recovers. `engine.training.recoveries` prepares it."""

from __future__ import annotations

from engine.contracts.methods.method import Method, by_name

RECOVERIES = by_name((
    Method("full", "All weights are trained", "the paper, Section 4"),
    Method("norms", "Only scales and shifts of normalisations are trained, and batch norms take "
           "statistics", "Zimmer et al. (2023, PERP)", "networks with normalisations"),
    Method("biases", "Only what is added is trained: biases, and shifts of normalisations",
           "Zimmer et al. (2023, PERP)", "networks with biases"),
    Method("head", "Only the final classifier is trained; what it gets stays bit for bit",
           "Zimmer et al. (2023, PERP)"),
    Method("lora", "Additions of low rank (4) to the weights of dense layers and convolutions, "
           "with biases and normalisations; they are merged into the weights in the end",
           "Hu et al. (2021); Zimmer et al. (2023, PERP)",
           "networks with dense layers or convolutions", arguments="RANK"),
    Method("lr-rewind", "All weights, and the learning rate goes through its whole schedule; "
           "tuning begins it again", "after Renda et al. (2020)"),
    Method("scratch", "All weights, from fresh ones: the control for whether the weights that stay "
           "are worth anything", "Liu et al. (2018)", "networks that are not exported programs"),
))  # fmt: skip
